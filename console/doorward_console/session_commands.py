"""`doorward sessions`: those that a log tells of, those that are open now; watch one, or end it.

The list reads the log's files; what is about open sessions asks the gateway, as the operator whose token it is given
(docs/config.md, `operators`), and the gateway records that somebody watched, or why a session was ended.
"""

import base64
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import output
from doorward_console.asking import GatewayOption, JsonOption, Whose, ask, tell
from doorward_console.log_reading import digits_of, open_log
from doorward_console.options import shared

if TYPE_CHECKING:
    from doorward_console.gateway import Gateway
    from doorward_console.recording import Piece
    from doorward_console.sessions import SessionRow

WHOLE_ID = 32
LAST = "last"  # the one that was opened last: to be looked at, and not to be ended
REQUESTS = frozenset({"http", "postgres"})  # protocols of which no session has a terminal
OVER = 404  # the gateway's answer about a session that is not there any more

app = typer.Typer(rich_markup_mode=None, help="List sessions; watch one that is open, or end it.")

LogOption = Annotated[
    Path | None, typer.Option("--log", envvar="DOORWARD_LOG", help="The folder of the log.", file_okay=False)
]
IdArgument = Annotated[str, typer.Argument(metavar="SESSION", help="Its id, or the beginning of it.")]
ReasonOption = Annotated[str, typer.Option("--reason", "-r", help="Why; its user reads it, the record keeps it.")]


@app.callback(invoke_without_command=True)
@shared()
def sessions(
    context: typer.Context,
    *,
    log: LogOption = None,
    live: Annotated[bool, typer.Option("--live", help="Those that are open now: asks the gateway.")] = False,
    subject: Annotated[str, typer.Option(help="Of this subject only.")] = "",
    resource: Annotated[str, typer.Option(help="On this resource only.")] = "",
    attribute: Annotated[
        list[str] | None, typer.Option(help="With this attribute only, such as crew=quarterly; may be repeated.")
    ] = None,
    gateway: GatewayOption = "",
    whose: Whose,
    as_json: JsonOption = False,
) -> None:
    """List a log's sessions, or with --live those that are open. They come in the order in which they were opened."""
    if context.invoked_subcommand is not None:
        return
    if live:
        _live(_reach(gateway, whose), subject, resource, as_json=as_json)
    elif log is None:
        output.fail("which log? Give --log, or DOORWARD_LOG; or --live for the sessions that are open now")
    else:
        _logged(log, subject, resource, _attributes(attribute or ()), as_json=as_json)


@app.command()
@shared()
def watch(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="Its id, or the beginning of it, or `last`.")],
    *,
    gateway: GatewayOption = "",
    whose: Whose,
) -> None:
    """Follow what a session's terminal shows, from now on. Harmless, and read only; Ctrl-C leaves it alone."""
    from doorward_console.player import Player  # noqa: PLC0415 - only here

    reached = _reach(gateway, whose)
    name = _newest(reached) if session.lower() == LAST else _whole(reached, session)
    player = Player(speed=1.0, idle_s=0.0)
    number = _number(ask(reached, f"/v1/sessions/{name}/stream"), "from")
    output.say(f"watching {name[:12]}; that you do is on record")
    if _protocol(reached, name) in REQUESTS:
        output.say("! it has no terminal to watch: what it asks is in the record, and `doorward replay` tells it")
    try:
        while True:
            answer = _asked(reached, f"/v1/sessions/{name}/stream?after={number}")
            pieces = answer.get("pieces")
            for item in pieces if isinstance(pieces, list) else ():
                arrived, piece = _number(item, "number"), _piece(item)
                if arrived > number + 1:
                    _put(f"{player.end()}    ({arrived - number - 1} pieces were too quick to be shown here)\n")
                number = arrived
                _put(player.show(piece))
            if answer.get("ended"):
                _put(player.end())
                output.say(output.line(str(answer["ended"])))
                return
    except KeyboardInterrupt:
        _put(f"{player.end()}\n")


@app.command()
@shared()
def end(
    session: IdArgument,
    *,
    reason: ReasonOption,
    gateway: GatewayOption = "",
    whose: Whose,
    as_json: JsonOption = False,
) -> None:
    """End a session that is open. Its user is told why, and so is the record."""
    if session.lower() == LAST:
        output.fail(
            "`last` may be another one by now: give the beginning of its id, as `doorward sessions --live` has it"
        )
    reached = _reach(gateway, whose)
    name = _whole(reached, session)
    answer = tell(reached, f"/v1/sessions/{name}/end", {"reason": reason})
    if as_json:
        output.emit(answer)
    elif answer.get("gone"):
        output.say(f"{name[:12]} has ended")
    else:
        output.fail(f"{name[:12]} was told to end, and has not yet", output.NO)


def _live(gateway: "Gateway", subject: str, resource: str, *, as_json: bool) -> None:
    found = [
        item
        for item in _open(gateway)
        if (not subject or item.get("subject") == subject) and (not resource or item.get("resource") == resource)
    ]
    if as_json:
        output.emit(found)
    elif not found:
        output.say("no sessions are open")
    else:
        now = time.time_ns()
        output.table(
            ("session", "open for", "who", "sponsor", "on", "from", "with"),
            [
                (
                    str(item.get("session"))[:12],
                    output.span(max(0, now - _number(item, "opened_unix_ns"))),
                    str(item.get("subject")),
                    str(item.get("sponsor") or "-"),
                    f"{item.get('resource')} as {item.get('account')}",
                    str(item.get("peer")),
                    str(item.get("software") or "-").removeprefix("SSH-2.0-"),
                )
                for item in found
            ],
        )


def _logged(log: Path, subject: str, resource: str, wanted: dict[str, str], *, as_json: bool) -> None:
    from dataclasses import asdict  # noqa: PLC0415 - beside its only use

    from doorward_console.sessions import list_sessions  # noqa: PLC0415 - loaded by the commands that read a log
    from doorward_core.errors import RecordError  # noqa: PLC0415 - as above

    with output.failing(RecordError, OSError):
        rows = [
            row
            for row in list_sessions(open_log(log).entries())
            if (not subject or row.subject == subject)
            and (not resource or row.resource == resource)
            and wanted.items() <= row.attributes.items()
        ]
    if as_json:
        output.emit([asdict(row) for row in rows])
    elif not rows:
        output.say("no sessions")
    else:
        _session_table(rows)


def _session_table(rows: "Iterable[SessionRow]") -> None:
    output.table(
        ("session", "opened (UTC)", "state", "who", "sponsor", "on", "yes/no/held", "lasted"),
        [
            (
                row.session[:12] or "-",
                output.moment(row.opened_unix_ns)[:16],
                row.state,
                row.subject or "-",
                row.sponsor or "-",
                row.resource,
                f"{row.permitted}/{row.denied}/{row.held}",
                output.span(row.duration_ns) if row.state == "closed" else "-",
            )
            for row in rows
        ],
        whole=2,
    )


def _reach(url: str, whose: Whose) -> "Gateway":
    if not url:
        output.fail("which gateway? Give --gateway, or DOORWARD_GATEWAY")
    return whose.reach(url)


def _open(gateway: "Gateway") -> list[dict[str, object]]:
    listed = ask(gateway, "/v1/sessions").get("sessions")
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        output.fail("the gateway's answer is not a list of sessions")
    return listed


def _newest(gateway: "Gateway") -> str:
    """The open session that was opened last."""
    found = sorted(_open(gateway), key=lambda item: _number(item, "opened_unix_ns"))
    if not found:
        output.fail("no sessions are open", output.NO)
    return _whole(gateway, str(found[-1].get("session")))


def _whole(gateway: "Gateway", wanted: str) -> str:
    """The one open session that is meant."""
    digits = digits_of(wanted)
    found = [name for item in _open(gateway) if (name := str(item.get("session"))).startswith(digits)]
    if len(found) != 1 or len(found[0]) != WHOLE_ID or not found[0].isalnum():
        output.fail(f"{len(found) or 'no'} open sessions begin with {wanted}", output.NO)
    return found[0]


def _protocol(gateway: "Gateway", name: str) -> str:
    return next((str(item.get("protocol")) for item in _open(gateway) if item.get("session") == name), "")


def _asked(gateway: "Gateway", path: str) -> dict[str, object]:
    from doorward_console.gateway import CannotAsk, Refused  # noqa: PLC0415 - http takes a while to load

    try:
        return gateway.get(path)
    except Refused as error:
        if error.status == OVER:
            return {"ended": "the session is over"}
        output.fail(str(error), output.NO)
    except CannotAsk as error:
        output.fail(str(error))


def _piece(item: dict[str, object]) -> "Piece":
    from doorward_console.recording import Piece  # noqa: PLC0415 - only here

    with output.failing(ValueError):
        data = base64.b64decode(str(item.get("data")), validate=True)
    return Piece(_number(item, "unix_ns"), str(item.get("stream")), data)


def _number(item: dict[str, object], name: str) -> int:
    value = item.get(name)
    if not isinstance(value, int):
        output.fail("the gateway's answer cannot be read")
    return value


def _put(text: str) -> None:
    if text:
        typer.echo(text, nl=False)
        sys.stdout.flush()


def _attributes(wanted: Iterable[str]) -> dict[str, str]:
    pairs = [item.partition("=") for item in wanted]
    if not all(name and equals for name, equals, _ in pairs):
        output.fail("an attribute is named with its value, as in crew=quarterly")
    return {name: value for name, _, value in pairs}
