"""`doorward ssh-login` and `doorward ssh-config`: from a token to plain ssh.

The private key is made here and never leaves: the gateway is sent its public half and gives a certificate for it,
which ends after a quarter of an hour, or with the token. The key then is in the ssh-agent, or in a file.
"""

import time
from pathlib import Path
from typing import Annotated

import typer

from doorward_console import output
from doorward_console.asking import Asking, GatewayOption, Whose, ask, tell
from doorward_console.options import shared

_S = 1_000_000_000
KNOWN_HOSTS, CONFIG = "# ~/.ssh/known_hosts", "# ~/.ssh/config"

NamesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[ACCOUNT@RESOURCE]...", help="What it is to be good for; else all.")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="Keep the key in this file and not in the ssh-agent.", dir_okay=False)
]
SourceOption = Annotated[
    list[str] | None, typer.Option("--source", help="A network that it may be used from; may be repeated.")
]
LifeOption = Annotated[
    int, typer.Option("--life", min=61, max=900, help="In seconds, of which a minute is for clocks that differ.")
]
UnlessOption = Annotated[
    int, typer.Option("--unless-valid", min=0, help="Do nothing while the last one is good for so many seconds more.")
]


@shared()
def ssh_login(
    names: NamesArgument = None,
    *,
    asking: Asking,
    out: OutOption = None,
    source: SourceOption = None,
    life: LifeOption = 900,
    unless_valid: UnlessOption = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing when all is well.")] = False,
) -> None:
    """Get a certificate for ssh. Your token becomes a key in the ssh-agent that is good for a quarter of an hour."""
    from doorward_console.ssh_agent import NoAgent  # noqa: PLC0415 - cryptography takes a while to load
    from doorward_console.ssh_keeping import InAgent, InFile, NotOurs, read_given  # noqa: PLC0415 - as above
    from doorward_console.ssh_keyfiles import CannotKeep  # noqa: PLC0415 - as above
    from doorward_core.identity.ssh_keys import public_line  # noqa: PLC0415 - as above

    with output.failing(OSError, NoAgent, CannotKeep, NotOurs):
        keeper = InFile(out) if out else InAgent(asking.gateway)
        if unless_valid and keeper.ends_unix_ns() >= time.time_ns() + unless_valid * _S:
            return
        reached = asking.reached()
        key = keeper.key()
        wanted = {"principals": names or [], "sources": source or [], "life_s": life}
        body = {"public_key": public_line(key.public_key()), **wanted}
        given = read_given(tell(reached, "/v1/ssh/certificate", body), key.public_key())
        place = keeper.keep(key, given)
    if asking.as_json:
        shown = {"kept": place, "principals": given.principals, "valid_before_unix_ns": given.ends_unix_ns}
        output.emit(shown)
    elif not quiet:
        left = output.span(given.ends_unix_ns - time.time_ns())
        output.say(f"{output.line(place)}, good for {left}: {', '.join(map(output.line, given.principals))}")


@shared()
def ssh_config(
    *,
    gateway: GatewayOption,
    host: Annotated[str, typer.Option("--host", help="The name or address that ssh connects to.")],
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Its SSH port.")] = 22,
    resources: Annotated[
        bool, typer.Option("--resources", help="One entry for each account that your token is good for.")
    ] = False,
    jump: Annotated[
        bool, typer.Option("--jump", help="Resources under their own names, through the gateway as jump host.")
    ] = False,
    identity: Annotated[
        Path | None, typer.Option("--identity", help="The file that ssh-login --out keeps the key in.", dir_okay=False)
    ] = None,
    part: Annotated[str, typer.Option("--part", help="known-hosts, config, or all.")] = "all",
    whose: Whose,
) -> None:
    """Print the lines that plain ssh needs: whom to trust (known_hosts), and what is where (config)."""
    from doorward_console.ssh_lines import Unfit, Where, config, known_hosts  # noqa: PLC0415 - only this command

    if part not in ("known-hosts", "config", "all"):
        output.fail("--part is known-hosts, config, or all")
    anonymous = not (resources or jump)
    reached = whose.reach(gateway, anonymous=anonymous)
    names = [] if anonymous else _texts(ask(reached, "/v1/ssh/names").get("names"))
    found = ask(reached, "/v1/ssh/authorities")
    authority, hosts = str(found.get("host_ca")), _texts(found.get("hosts"))
    where = Where(host, port, identity.expanduser().absolute() if identity else None)
    with output.failing(Unfit):
        trusted = known_hosts(where, authority, names if jump else ())
        blocks = config(where, names, jump=jump)
    if host not in hosts:
        listed = ", ".join(map(output.line, hosts))
        typer.echo(f"doorward: ssh will not take it for {output.line(host)}: its certificate names {listed}", err=True)
    sections = {"known-hosts": [KNOWN_HOSTS, *trusted], "config": [CONFIG, *blocks]}
    for name, lines in sections.items():
        if part in (name, "all"):
            output.say("\n".join(lines))


def _texts(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        output.fail("the gateway's answer is not a list of names")
    return list(value)
