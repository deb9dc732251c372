"""`doorward export`: a session, or all of a log's events of some time, in a format of others.

It reads the log's files and changes nothing; it needs no gateway to run, or to be trusted.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import output
from doorward_console.follow_commands import origin_of
from doorward_console.log_reading import IdentityOption, KeysOption, LogOption, known_sessions, open_log, session_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from doorward_core.record.reader import Entry

HarOption = Annotated[bool, typer.Option("--har", help="As an HTTP Archive (HAR 1.2): of HTTP, requests and answers.")]
CastOption = Annotated[bool, typer.Option("--asciicast", help="As a terminal recording (asciicast v2).")]
JsonlOption = Annotated[bool, typer.Option("--jsonl", help="As JSON Lines, one event each.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="As CSV, one event each, for spreadsheets.")]
OutOption = Annotated[
    Path | None, typer.Option("--out", "-o", help="The file to write; else to output.", dir_okay=False)
]
TIMES = "yesterday, today, 7d, 24h, a date or a time; UTC"


def export(
    session: Annotated[
        str,
        typer.Argument(
            help="A session's id, or its beginning; `last` for the newest. Without it all events (--jsonl, --csv).",
            autocompletion=known_sessions,
        ),
    ] = "",
    *,
    log: LogOption,
    har: HarOption = False,
    cast: CastOption = False,
    jsonl: JsonlOption = False,
    as_csv: CsvOption = False,
    since: Annotated[str, typer.Option(help=f"Events from then on: {TIMES}.")] = "",
    until: Annotated[str, typer.Option(help="And before then.")] = "",
    identity: IdentityOption = None,
    keys: KeysOption = None,
    out: OutOption = None,
) -> None:
    """Export what is on record for other tools. As it was recorded: masked; and with secrets cut."""
    from doorward_console.index.times import NoTime  # noqa: PLC0415 - beside its only use
    from doorward_core.errors import RecordError  # noqa: PLC0415 - loaded by the commands that read a log

    if sum((har, cast, jsonl, as_csv)) != 1:
        output.fail("in which format? exactly one of --jsonl, --csv, --har (HTTP) and --asciicast (terminals)")
    if not session and (har or cast):
        output.fail("--har and --asciicast are of one session: say which, or `last`")
    with output.failing(RecordError, OSError, NoTime):
        reader = open_log(log, identity, keys)
        wanted = session_id(reader, session) if session else b""
        entries = _of_the_time(reader.session(wanted) if wanted else reader.entries(), since, until)
        if jsonl or as_csv:
            _write(_lines(entries, origin_of(reader), as_csv=as_csv), out)
        elif har:
            _write([_archive(list(entries))], out)
        else:
            _write(_cast(list(entries)), out)


def _of_the_time(entries: "Iterable[Entry]", since: str, until: str) -> "Iterator[Entry]":
    from doorward_console.index.times import since as first  # noqa: PLC0415 - beside its only use
    from doorward_console.index.times import until as last  # noqa: PLC0415 - as above

    now = time.time_ns()
    begin, end = first(since, now), last(until, now)
    return (entry for entry in entries if entry.time_unix_ns >= begin and (not end or entry.time_unix_ns < end))


def _lines(entries: "Iterable[Entry]", origin: str, *, as_csv: bool) -> "Iterator[str]":
    from doorward_console.follow import lines  # noqa: PLC0415 - beside its only use

    if as_csv:
        yield lines.csv_head()
    line = lines.csv_line if as_csv else lines.json_line
    yield from (line(entry, origin, content=True) for entry in entries)


def _write(lines: "Iterable[str]", out: Path | None) -> None:
    if out is None:
        for line in lines:
            typer.echo(line)
        return
    with out.open("w", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in lines)


def _archive(entries: "list[Entry]") -> str:
    import json  # noqa: PLC0415 - only here
    from importlib.metadata import version  # noqa: PLC0415 - as above

    from doorward_console.exchanges import exchanges  # noqa: PLC0415 - as above
    from doorward_console.har import har as archive  # noqa: PLC0415 - as above
    from doorward_core.event import EventKind  # noqa: PLC0415 - as above

    opened = next((entry for entry in entries if entry.kind == EventKind.SESSION_OPENED), None)
    header = opened.header if opened else {}
    found = exchanges(entries)
    if not found:
        output.fail(f"this session holds no requests of HTTP (it is one of {output.line(str(header.get('protocol')))})")
    about = {name: str(header.get(name, "")) for name in ("subject", "sponsor", "resource", "account", "origin")}
    made = archive(found, session=entries[0].session_id.hex(), about=about, version=version("doorward-console"))
    return json.dumps(made, indent=1)


def _cast(entries: "list[Entry]") -> "Iterator[str]":
    from doorward_console.asciicast import asciicast  # noqa: PLC0415 - only here
    from doorward_console.replay_commands import one_recording  # noqa: PLC0415 - as above

    return asciicast(one_recording(entries, ""), 2)
