"""`doorward replay`: a session told, played, or exported.

It reads the log's files and changes nothing; it needs no gateway to run, or to be trusted.
What was recorded is made harmless before it meets a terminal (threat model SSH-14): the bytes as they were are given to
a file or a pipe alone, and only when they are asked for (`--raw`, `--asciicast`).
"""

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from doorward_console import output
from doorward_console.asking import JsonOption
from doorward_console.log_reading import IdentityOption, KeysOption, LogOption, SessionArgument, open_log, session_id

if TYPE_CHECKING:
    from doorward_console.recording import Recording
    from doorward_core.record.reader import Entry

IDLE_S = 2.0
"""Nobody watches somebody think."""

SpeedOption = Annotated[float, typer.Option("--speed", min=0.01, max=1000.0, help="2 is twice as fast.")]
NoWaitOption = Annotated[bool, typer.Option("--no-wait", help="Show everything at once.")]
IdleOption = Annotated[float, typer.Option("--idle", min=0.0, help="No pause longer than so many seconds.")]
RawOption = Annotated[bool, typer.Option("--raw", help="The output as it was, byte for byte, to a file or a pipe.")]
CastOption = Annotated[int | None, typer.Option("--asciicast", metavar="2|3", help="Export in this version.")]
OutOption = Annotated[Path | None, typer.Option("--out", "-o", help="The file to write.", dir_okay=False)]
ChannelOption = Annotated[
    str, typer.Option("--operation", help="Of a session with several commands: the beginning of one's id.")
]


def replay(
    session: SessionArgument,
    *,
    log: LogOption,
    rows: Annotated[int, typer.Option("--rows", min=0, help="How many rows of each answer to show.")] = 20,
    identity: IdentityOption = None,
    keys: KeysOption = None,
    speed: SpeedOption = 1.0,
    no_wait: NoWaitOption = False,
    idle: IdleOption = IDLE_S,
    raw: RawOption = False,
    asciicast: CastOption = None,
    operation: ChannelOption = "",
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what a session asked and saw. With the times, the holds and votes, and what was not covered.

    A terminal is played in its own time, harmless; --raw and --asciicast give it as it was.
    """
    from doorward_core.errors import RecordError  # noqa: PLC0415 - loaded by the commands that read a log

    if asciicast not in (None, 2, 3):
        output.fail("--asciicast is 2 or 3")
    if out is not None and not raw and asciicast is None:
        output.fail("--out is for --asciicast and --raw")
    with output.failing(RecordError, OSError):
        reader = open_log(log, identity, keys)
        entries = reader.session(session_id(reader, session))
        if raw or asciicast is not None:
            _export(one_recording(entries, operation), asciicast, out)
        elif as_json:
            output.emit([_entry_data(entry) for entry in entries])
        else:
            _tell(entries, rows, speed=speed, idle_s=0.0 if no_wait or not sys.stdout.isatty() else idle)


def _tell(entries: "Iterable[Entry]", rows: int, *, speed: float, idle_s: float) -> None:
    """Every entry in words, and the output of terminals as it went by."""
    from doorward_console.player import Player  # noqa: PLC0415 - only here
    from doorward_console.recording import piece  # noqa: PLC0415 - as above
    from doorward_console.replay import Replay  # noqa: PLC0415 - as above
    from doorward_core.event import EventKind  # noqa: PLC0415 - as above

    teller, player, playing = Replay(rows), Player(speed, idle_s), b""
    for entry in entries:
        shown = piece(entry) if entry.kind == EventKind.STREAM_CHUNK else None
        if playing and (shown is None or entry.operation_id != playing):
            _put(player.end())
            playing = b""
        if shown is None:
            for text in teller.lines((entry,)):
                output.say(text)
            continue
        playing = entry.operation_id
        teller.played(entry)
        time.sleep(player.pause_s(shown))
        _put(player.show(shown))
    _put(player.end())


def _put(text: str) -> None:
    if text:
        typer.echo(text, nl=False)
        sys.stdout.flush()


def one_recording(entries: "Iterable[Entry]", wanted: str) -> "Recording":
    """The one recording that is meant: the session's only terminal where nothing is said."""
    from doorward_console.recording import recordings  # noqa: PLC0415 - only here

    every = recordings(entries)
    found = [one for one in every if one.operation.hex().startswith(wanted.lower())]
    if not wanted and len(found) > 1:
        found = [one for one in every if one.terminal] or every
    if not found:
        output.fail("the log keeps no output of that", output.NO)
    if len(found) > 1:
        listed = "\n".join(f"  {one.operation.hex()[:12]}  {output.line(one.text)[:80]}" for one in found)
        output.fail(f"there are several; name one with --operation:\n{listed}", output.NO)
    if found[0].missing:
        typer.echo(f"doorward: {found[0].missing} pieces cannot be read: sealed, or erased", err=True)
    if found[0].cut:
        typer.echo("doorward: the log keeps the beginning of this only", err=True)
    return found[0]


def _export(recording: "Recording", version: int | None, out: Path | None) -> None:
    if out is None and sys.stdout.isatty() and version is None:
        output.fail("a terminal would obey what is in there; give --out FILE, or send it into a pipe")
    if out is None:
        _write(recording, version, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    with out.open("wb") as file:
        _write(recording, version, file)


def _write(recording: "Recording", version: int | None, file: BinaryIO) -> None:
    file.writelines(_parts(recording, version))


def _parts(recording: "Recording", version: int | None) -> Iterator[bytes]:
    if version is None:
        yield from (piece.data for piece in recording.pieces if not piece.resize)
        return
    from doorward_console.asciicast import asciicast  # noqa: PLC0415 - only here

    yield from (f"{text}\n".encode("ascii") for text in asciicast(recording, version))


def _entry_data(entry: "Entry") -> dict[str, object]:
    return {
        "index": entry.index,
        "time_unix_ns": entry.time_unix_ns,
        "time": output.moment(entry.time_unix_ns),
        "kind": str(entry.kind),
        "session": entry.session_id.hex(),
        "operation": entry.operation_id.hex(),
        "header": dict(entry.header),
        "payload": None if entry.payload is None else dict(entry.payload),
        "content": entry.content.value,
        "protected": entry.protected,
    }
