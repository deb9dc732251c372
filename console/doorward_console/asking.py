"""How a command is told which gateway to ask, and whose token to show it: the options that several of them share."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import output

if TYPE_CHECKING:
    from doorward_console.gateway import Gateway

GatewayOption = Annotated[
    str, typer.Option("--gateway", envvar="DOORWARD_GATEWAY", help="https://host:port, or unix:/path of the socket")
]
TokenOption = Annotated[
    str, typer.Option("--token", envvar="DOORWARD_TOKEN", help="Your token. Others on this machine can see arguments.")
]
TokenFileOption = Annotated[Path | None, typer.Option("--token-file", help="A file with your token; - for input.")]
CaOption = Annotated[
    Path | None, typer.Option("--ca-file", envvar="DOORWARD_CA_FILE", help="Whose certificates to trust, in PEM.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """Whose token a gateway is shown, and how it is known."""

    token: TokenOption = ""
    token_file: TokenFileOption = None
    ca_file: CaOption = None

    def reach(self, url: str, *, anonymous: bool = False) -> "Gateway":
        """The gateway there, as `reach` gives it."""
        return reach(url, self.token, self.token_file, self.ca_file, anonymous=anonymous)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking(Whose):
    """One gateway to ask, and how to say what it answers."""

    gateway: GatewayOption
    as_json: JsonOption = False

    def reached(self) -> "Gateway":
        """That gateway."""
        return self.reach(self.gateway)


def reach(url: str, token: str, token_file: Path | None, ca_file: Path | None, *, anonymous: bool = False) -> "Gateway":
    """The gateway, with a token to show it; `anonymous` for what it answers to anybody."""
    from doorward_console.gateway import Gateway  # noqa: PLC0415 - http takes a while to load
    from doorward_core.model import Secret  # noqa: PLC0415 - as above

    if token_file is not None:
        with output.failing(OSError, UnicodeError):
            read = sys.stdin.read() if str(token_file) == "-" else token_file.read_text(encoding="ascii")
        token = read.strip()
    if not token and not anonymous:
        output.fail("who are you? Give --token-file, or DOORWARD_TOKEN")
    return Gateway(url, Secret(token), ca_file)


def ask(gateway: "Gateway", path: str) -> dict[str, object]:
    """Ask, or end with the gateway's words."""
    from doorward_console.gateway import CannotAsk, Refused  # noqa: PLC0415 - http takes a while to load

    try:
        return gateway.get(path)
    except Refused as error:
        output.fail(str(error), output.NO)
    except CannotAsk as error:
        output.fail(str(error))


def tell(gateway: "Gateway", path: str, body: dict[str, object]) -> dict[str, object]:
    """Tell, or end with the gateway's words."""
    from doorward_console.gateway import CannotAsk, Refused  # noqa: PLC0415 - http takes a while to load

    try:
        return gateway.post(path, body)
    except Refused as error:
        output.fail(str(error), output.NO)
    except CannotAsk as error:
        output.fail(str(error))
