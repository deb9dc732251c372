"""`doorward verify`, `doorward sessions` and `doorward replay`: the record, proved and told.

They read the log's files and change nothing; none needs the gateway to run, or to be trusted.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import output

if TYPE_CHECKING:
    from doorward_console.sessions import SessionRow
    from doorward_core.record.reader import Entry, LogReader
    from doorward_core.record.verify import Report

MIN_PREFIX = 4
"""Fewer hexadecimal digits of a session's id are more likely a slip than a name."""
ID_BYTES = 16
MAX_SHOWN_PROBLEMS = 10
COUNTED = {"entries": "entries", "tiles": "tiles", "payloads": "contents", "sealed": "sealed contents", "keys": "keys"}
"""What `verify` counts, in words; `clock_back` is no check but a finding, and has a line of its own."""

LogOption = Annotated[
    Path, typer.Option("--log", envvar="DOORWARD_LOG", help="The folder of the log.", file_okay=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def verify(
    log: Annotated[
        Path, typer.Argument(envvar="DOORWARD_LOG", help="The folder of the log, or a copy.", file_okay=False)
    ],
    *,
    key: Annotated[str, typer.Option("--key", help="The gateway's public key (vkey), as you got it elsewhere.")] = "",
    key_file: Annotated[Path | None, typer.Option("--key-file", help="A file with that key.", dir_okay=False)] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="A checkpoint kept elsewhere: proves that nothing was cut off.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that a log is whole. Where it is not, name the first bad entry and end with status 1."""
    import os  # noqa: PLC0415 - beside its only use

    from doorward_core.errors import RecordError  # noqa: PLC0415 - loaded by the commands that read a log
    from doorward_core.record.proof import ProofError  # noqa: PLC0415 - as above
    from doorward_core.record.verify import verify as prove  # noqa: PLC0415 - as above

    with output.failing(OSError, UnicodeError, RecordError, ProofError):
        outside = checkpoint.read_bytes() if checkpoint is not None else None
        vkey = key_file.read_text(encoding="ascii").strip() if key_file is not None else key
        if not log.is_dir():
            output.fail(f"there is no log at {log}")
        with output.progress("verifying") as told:
            report = prove(
                log,
                public_key=vkey or None,
                outside_checkpoint=outside,
                on_progress=told,
                jobs=os.cpu_count() or 1,
            )
    if as_json:
        output.emit(_report_data(report))
    else:
        for text in _report_lines(report):
            output.say(text)
    if not report.ok:
        raise typer.Exit(output.NO)


def sessions(
    *,
    log: LogOption,
    subject: Annotated[str, typer.Option(help="Of this subject only.")] = "",
    resource: Annotated[str, typer.Option(help="On this resource only.")] = "",
    attribute: Annotated[
        list[str] | None, typer.Option(help="With this attribute only, such as crew=quarterly; may be repeated.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List a log's sessions. They come in the order in which they were opened."""
    from dataclasses import asdict  # noqa: PLC0415 - beside its only use

    from doorward_console.sessions import list_sessions  # noqa: PLC0415 - loaded by the commands that read a log
    from doorward_core.errors import RecordError  # noqa: PLC0415 - as above

    wanted = _attributes(attribute or ())
    with output.failing(RecordError, OSError):
        rows = [
            row
            for row in list_sessions(_reader(log).entries())
            if (not subject or row.subject == subject)
            and (not resource or row.resource == resource)
            and wanted.items() <= row.attributes.items()
        ]
    if as_json:
        output.emit([asdict(row) for row in rows])
        return
    if not rows:
        output.say("no sessions")
        return
    _session_table(rows)


def _session_table(rows: "Iterable[SessionRow]") -> None:
    output.table(
        ("session", "opened (UTC)", "state", "who", "sponsor", "on", "permitted/denied/held", "lasted"),
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
    )


def _attributes(wanted: Iterable[str]) -> dict[str, str]:
    pairs = [item.partition("=") for item in wanted]
    if not all(name and equals for name, equals, _ in pairs):
        output.fail("an attribute is named with its value, as in crew=quarterly")
    return {name: value for name, _, value in pairs}


def _known_sessions(incomplete: str) -> list[str]:
    """Ids to complete, where the environment says which log."""
    import os  # noqa: PLC0415 - beside its only use

    from doorward_console.sessions import list_sessions  # noqa: PLC0415 - loaded by the commands that read a log
    from doorward_core.errors import RecordError  # noqa: PLC0415 - as above

    folder = os.environ.get("DOORWARD_LOG", "")
    try:
        found = list_sessions(_reader(Path(folder)).entries()) if folder else []
    except (RecordError, OSError, typer.Exit):
        return []
    return [row.session for row in found if row.session and row.session.startswith(incomplete)]


def replay(
    session: Annotated[
        str,
        typer.Argument(
            help="The session's id, or the beginning of it; `last` for the newest.", autocompletion=_known_sessions
        ),
    ],
    *,
    log: LogOption,
    rows: Annotated[int, typer.Option("--rows", min=0, help="How many rows of each answer to show.")] = 20,
    identity: Annotated[
        Path | None, typer.Option("--identity", help="Your age or SSH secret key, for a sealed log.", dir_okay=False)
    ] = None,
    keys: Annotated[
        Path | None, typer.Option("--keys", help="The folder of wrapped keys (`keys/payload`).", file_okay=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what a session asked and saw. With the times, the holds and votes, and what was not covered."""
    from doorward_console.replay import Replay  # noqa: PLC0415 - loaded by the commands that read a log
    from doorward_core.errors import RecordError  # noqa: PLC0415 - as above

    with output.failing(RecordError, OSError):
        reader = _reader(log, identity, keys)
        entries = reader.session(_session_id(reader, session))
        if as_json:
            output.emit([_entry_data(entry) for entry in entries])
            return
        for text in Replay(rows).lines(entries):
            output.say(text)


def _reader(log: Path, identity: Path | None = None, keys: Path | None = None) -> "LogReader":
    from doorward_core.record.reader import LogReader  # noqa: PLC0415 - loaded by the commands that read a log

    if identity is None:
        return LogReader(log)
    from doorward_core.record.keys import parse_identities  # noqa: PLC0415 - as above

    # The gateway keeps wrapped keys beside the log's folder, never in it (docs/config.md).
    wrapped = keys or log.absolute().parent / "keys" / "payload"
    return LogReader(log, parse_identities(identity.read_text(encoding="utf-8")), keys_folder=wrapped)


def _session_id(reader: "LogReader", wanted: str) -> bytes:
    """The one session that is meant; ends with what is wrong otherwise."""
    digits = wanted.lower()
    if digits != "last" and (len(digits) < MIN_PREFIX or set(digits) - set("0123456789abcdef")):
        output.fail(f"{wanted} is not a session: give at least {MIN_PREFIX} hexadecimal digits of its id, or `last`")
    found = list(dict.fromkeys(entry.session_id for entry in reader.entries() if entry.session_id))
    if digits != "last":
        found = [identifier for identifier in found if identifier.hex().startswith(digits)]
    elif found:
        found = found[-1:]
    if len(found) != 1:
        output.fail(f"{len(found) or 'no'} sessions begin with {wanted}", output.NO)
    return found[0]


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


def _report_data(report: "Report") -> dict[str, object]:
    return {
        "ok": report.ok,
        "origin": report.origin,
        "size": report.size,
        "checkpoint_size": report.checkpoint_size,
        "key_from_outside": report.pinned,
        "checkpoint_from_outside": report.outside,
        "problems": [{"index": problem.index, "what": problem.what} for problem in report.problems],
        "notes": list(report.notes),
        "checks": dict(report.checks),
    }


def _report_lines(report: "Report") -> list[str]:
    key = "given from outside" if report.pinned else "the log's own: give --key to know whose it is"
    cut = "checked" if report.outside else "not checked: give --checkpoint with one kept elsewhere"
    lines = [
        f"log       {output.line(report.origin) or '?'}",
        f"entries   {report.size}, of which {report.checkpoint_size} are covered by the checkpoint",
        f"key       {key}",
        f"cut off   {cut}",
    ]
    counted = ", ".join(f"{report.checks[name]} {words}" for name, words in COUNTED.items() if name in report.checks)
    lines += [f"checked   {counted}"]
    back = report.checks.get("clock_back", 0)
    lines += [f"note      the gateway's clock was set back {back} times; the log says by how much"] if back else []
    lines += [f"note      {output.line(note)}" for note in report.notes]
    for problem in report.problems[:MAX_SHOWN_PROBLEMS]:
        where = f"entry {problem.index}" if problem.index is not None else "the log"
        lines.append(f"PROBLEM   {where}: {output.line(problem.what)}")
    more = len(report.problems) - MAX_SHOWN_PROBLEMS
    lines += [f"          and {more} more problems"] if more > 0 else []
    return [*lines, "ok: every entry, every proof and the signature" if report.ok else "NOT OK"]
