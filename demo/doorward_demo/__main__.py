"""`make demo`: start everything on this machine, play the story, and stay up for whoever wants to look around.

`ONCE=1` ends after the story; `STATE=FOLDER` puts the state folder elsewhere than `.doorward/demo`.
Ctrl-C, or SIGTERM, stops everything that was started; the state folder stays.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from doorward_demo import api, dataset, desk, host, postgres, prod, programs, stack, witness
from doorward_demo.api import Api
from doorward_demo.api_story import ApiStory, curl_version
from doorward_demo.evidence_story import EvidenceStory
from doorward_demo.host import Host
from doorward_demo.host_story import HostStory
from doorward_demo.postgres import DemoError
from doorward_demo.prod import Prod
from doorward_demo.prod_story import ProdStory
from doorward_demo.programs import PsqlProgram
from doorward_demo.stack import AGENT, APPROVER, Stack
from doorward_demo.story import Story
from doorward_demo.terminal import Screen

DEFAULT_STATE = Path(".doorward/demo")
A_CHANGE = "UPDATE customer SET newsletter = true WHERE id = 42"
INTERRUPTED = 130  # what a shell says of a program that Ctrl-C ended


def main() -> None:
    """Run the demonstration and exit with its status."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        _run(Screen(console), once=os.environ.get("ONCE", "") not in {"", "0"})
    except DemoError as error:
        console.print(f"\n[bold red]The demonstration stopped:[/] {error}", highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("\nStopped before the story's end; nothing is left running.")
        sys.exit(INTERRUPTED)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _deaf() -> None:
    """Hear no further Ctrl-C: what was started is being stopped, and that takes a moment."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _run(screen: Screen, *, once: bool) -> None:
    started = time.monotonic()
    state = Path(os.environ.get("STATE") or DEFAULT_STATE)
    with contextlib.ExitStack() as everything:
        try:
            place, crm, web, cluster = _play(everything, screen, state, started)
            if not once:
                _stay(screen, place, crm, web, cluster)
        finally:
            _deaf()
    screen.say(f"Everything that was started is stopped. The record of it all stays in {place.log}")


def _play(
    everything: contextlib.ExitStack, screen: Screen, state: Path, started: float
) -> tuple[Stack, Api, Host | None, Prod | None]:
    """Start everything and play the story; `everything` stops it."""
    with _progress(screen.console) as progress:
        psql, sshd = _find_psql(progress), _find_sshd(progress)
        folder = everything.enter_context(stack.state_folder(state))
        server, place = _start(everything, progress, folder)
        with _step(progress, "starting an API, and a gateway before it"):
            crm = everything.enter_context(api.running(place))
        with _step(progress, "starting a host, and a gateway before it"):
            web = everything.enter_context(host.running(place, sshd)) if programs.has_ssh() else None
        with _step(progress, "starting a cluster, and a gateway before it"):
            cluster = everything.enter_context(prod.running(place)) if prod.streams() else None
        gateways = _gateways(place, crm, web, cluster)
        with _step(progress, "starting the desk before all of them"):
            witness.wait_until_cosigned(place)
            everything.enter_context(desk.running(place, gateways))
    took_s = time.monotonic() - started
    screen.say(
        f"PostgreSQL, an API, a host, a cluster, the gateways and the desk are up after {took_s:.1f} s; "
        f"state: {place.state}"
    )
    story = Story(screen, place, server, psql)
    story.play()
    _go_on(story, crm, web, cluster)
    EvidenceStory(screen, place, {name: state for name, (_, state) in gateways.items()}).play()
    screen.say(f"\n[bold green]The story is told, in {time.monotonic() - started:.0f} s, and every check held.[/]")
    return place, crm, web, cluster


def _gateways(place: Stack, crm: Api, web: Host | None, cluster: Prod | None) -> dict[str, tuple[str, Path]]:
    """Every gateway that runs: its control port and its state folder."""
    found: dict[str, tuple[str, Path]] = {"shop": (place.control, place.state), "crm": (crm.control, crm.state)}
    if web is not None:
        found["web-1"] = web.control, web.state
    if cluster is not None:
        found["prod"] = cluster.control, cluster.state
    return found


def _go_on(story: Story, crm: Api, web: Host | None, cluster: Prod | None) -> None:
    """Play the parts whose programs are on this machine; say which are left out."""
    screen, place, approver = story.screen, story.stack, story.approver
    left_out = "\n[yellow]The {}'s part of the story is left out[/]: {} is not installed here."
    if curl_version():
        ApiStory(screen, place, crm, approver).play()
    else:
        screen.say(left_out.format("API", "curl"))
    if web is not None:
        HostStory(screen, place, web, approver).play()
    else:
        screen.say(left_out.format("host", "ssh"))
    if cluster is not None:
        ProdStory(screen, place, cluster, approver).play()
    else:
        screen.say(left_out.format("cluster", "kubectl, 1.31 or newer,"))


def _start(everything: contextlib.ExitStack, progress: Progress, folder: Path) -> tuple[postgres.Server, Stack]:
    with _step(progress, "starting PostgreSQL"):
        server = everything.enter_context(postgres.running())
    rows = progress.add_task(f"loading {dataset.CUSTOMERS:,} customers and their orders", total=None)
    postgres.load_shop(server, lambda done, whole: progress.update(rows, completed=done, total=whole))
    with _step(progress, "starting the issuer"):
        place = stack.make_stack(folder, everything.enter_context(stack.socket_folder()))
        everything.enter_context(stack.issuer(place))
    with _step(progress, "starting a witness"):
        everything.enter_context(witness.running(place))
    with _step(progress, "starting the gateway"):
        everything.enter_context(stack.gateway(place, server))
    return server, place


def _find_psql(progress: Progress | None) -> PsqlProgram:
    found = programs.installed_psql()
    if found is None and progress is not None and programs.may_install():
        with _step(progress, "installing psql"):
            found = programs.install_psql()
    return found or programs.embedded_psql()


def _find_sshd(progress: Progress) -> Path | None:
    """The system's SSH server, installed where that is allowed; None for one of our own."""
    found = programs.installed_ssh()
    if found is None and programs.may_install():
        with _step(progress, "installing OpenSSH"):
            found = programs.install_ssh()
    return found


def _progress(console: Console) -> Progress:
    columns = (SpinnerColumn(finished_text="[green]✓[/]"), TextColumn("{task.description}"), BarColumn(24))
    return Progress(*columns, TaskProgressColumn(), TimeElapsedColumn(), console=console)


@contextlib.contextmanager
def _step(progress: Progress, what: str) -> Iterator[None]:
    task = progress.add_task(what, total=None)
    yield
    progress.update(task, completed=1, total=1)


def _stay(screen: Screen, place: Stack, crm: Api, web: Host | None, cluster: Prod | None) -> None:
    """Say how to go on by hand, and wait for Ctrl-C."""
    screen.say("")
    screen.console.print(Panel("Now it is yours.", expand=False, style="bold cyan"))
    for title, line in _ways_on(place, crm, web, cluster):
        if title:
            screen.say(f"\n[dim]# {title}[/]")
        screen.console.print(line, highlight=False, soft_wrap=True)
    with contextlib.suppress(KeyboardInterrupt):
        screen.say("\nCtrl-C stops everything.")
        while True:
            signal.pause()
    screen.say("\nstopping")


def _ways_on(place: Stack, crm: Api, web: Host | None, cluster: Prod | None) -> tuple[tuple[str, str], ...]:
    """What to type next: each with what it is for, or without where it goes with the one before."""
    token = place.token_file(AGENT)
    command = "doorward" if _on_path() else str(Path(sys.executable).with_name("doorward"))
    reach = f"--gateway {place.control} --token-file {place.token_file(APPROVER)}"
    return (
        (
            "be the agent, who asks for a change: psql waits until Tom approves it at the desk, below",
            f'{_psql_line(place, _find_psql(None), token)} -c "{A_CHANGE}"',
        ),
        ("or ask for what you like; the token is good for an hour", _psql_line(place, _find_psql(None), token)),
        ("", f"{_curl_line(place, token)} {crm.url('/customers/42')}"),
        *((("", f"{web.command('uptime')}    # its certificate is good for a quarter of an hour"),) if web else ()),
        *((("", cluster.command("get pods -n shop")),) if cluster else ()),
        ("a new token, when that one has expired", f"{command} token {AGENT} {_secrets(place)} > {token}"),
        (
            "the desk: log in as Tom (approves), Ana (audits) or Olga (operates); a click on the name does it",
            place.desk_url,
        ),
        ("be the approver on the command line", f"{command} approvals list {reach}"),
        ("", f"{command} approvals approve REQUEST {reach}"),
        ("", f"{command} approvals list {reach.replace(place.control, crm.control)}    # of the API's gateway"),
        *(
            (("", f"{command} sessions --live {reach.replace(place.control, web.control)}    # of the host's"),)
            if web
            else ()
        ),
        ("check the record, and look at what was asked", f"{command} verify {place.log} {_key(place)}"),
        ("", f"{command} replay last --log {place.log}"),
        ("", f"{command} replay last --log {crm.log}"),
        ("", f"{command} export last --har --log {crm.log} -o session.har    # for a browser's developer tools"),
        *(("", f"{command} replay last --log {one.log}") for one in (web, cluster) if one),
        (
            "ask who changed something (at the desk: Ana, the box on the front page), and take the evidence away",
            f"{command} find 'who changed customer 42 today, and who approved it' --log {place.log}",
        ),
        ("", f"{command} evidence --from 1d --log {place.log} {_key(place).replace('--key-file', '--key')}"),
        ("the rules; edit them, check them, and have them loaded", str(place.state / "policy.yaml")),
        ("", f"{command} policy check --config {place.state / 'gateway.yaml'}"),
        ("", f"kill -HUP $(cat {place.state / stack.PID_FILE})    # what came of it: {place.state / 'gateway.log'}"),
    )


def _secrets(place: Stack) -> str:
    return f"--secrets {place.state / 'issuer-secrets.json'} --lifetime {stack.TOKEN_LIFETIME_S}"


def _key(place: Stack) -> str:
    return f"--key-file {place.state / 'keys' / 'log.vkey'}"


def _psql_line(place: Stack, psql: PsqlProgram, token: Path) -> str:
    return f'PGPASSWORD="$(cat {token})" {psql.path} "{place.conninfo(tls=psql.tls)}"'


def _curl_line(place: Stack, token: Path) -> str:
    return f'curl --cacert {place.state / "tls/ca.crt"} -H "Authorization: Bearer $(cat {token})"'


def _on_path() -> bool:
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return str(Path(sys.executable).parent) in folders


if __name__ == "__main__":
    main()
