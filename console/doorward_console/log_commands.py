"""`doorward verify` and `doorward logs`: the record, proved.

It reads the log's files and changes nothing; it needs no gateway to run, or to be trusted.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import output
from doorward_console.asking import JsonOption

if TYPE_CHECKING:
    from doorward_console.many_logs import Line
    from doorward_core.record.verify import Report

MAX_SHOWN_PROBLEMS = 10
COUNTED = {"entries": "entries", "tiles": "tiles", "payloads": "contents", "sealed": "sealed contents", "keys": "keys"}
"""What `verify` counts, in words; `clock_back` is no check but a finding, and has a line of its own."""


LogsArgument = Annotated[
    list[Path] | None, typer.Argument(envvar="DOORWARD_LOG", help="The folders of logs, or copies.", file_okay=False)
]
AllOption = Annotated[
    Path | None, typer.Option("--all", help="A folder: every log right below it.", file_okay=False, exists=True)
]
KeyOption = Annotated[
    list[str] | None, typer.Option("--key", help="A gateway's public key (vkey), as you got it elsewhere; one a log.")
]
KeyFileOption = Annotated[
    list[Path] | None, typer.Option("--key-file", help="A file with such a key; one a log.", dir_okay=False)
]
CheckpointOption = Annotated[
    list[Path] | None,
    typer.Option("--checkpoint", help="A checkpoint kept elsewhere: proves that nothing was cut off; one a log."),
]
WitnessOption = Annotated[
    list[str] | None, typer.Option("--witness", help="The public key (vkey) of a witness that you trust; repeatable.")
]
QuorumOption = Annotated[
    int, typer.Option("--quorum", min=0, help="How many of them must have cosigned the checkpoint; 0: all.")
]

DeskOption = Annotated[
    Path | None,
    typer.Option("--config", help="The desk's settings: its logs, with the keys and witnesses there.", dir_okay=False),
]
ArchiveOption = Annotated[
    str, typer.Option("--archive", help="An archive (a folder, or s3://bucket/prefix): by itself, or beside its log.")
]


def verify(
    logs: LogsArgument = None,
    *,
    every: AllOption = None,
    key: KeyOption = None,
    key_file: KeyFileOption = None,
    checkpoint: CheckpointOption = None,
    witness: WitnessOption = None,
    quorum: QuorumOption = 0,
    archive: ArchiveOption = "",
    as_json: JsonOption = False,
) -> None:
    """Prove that logs are whole. Where one is not, name the first bad entry and end with status 1."""
    if archive:
        from doorward_console.archive_commands import Brought, prove  # noqa: PLC0415 - loads what reads an archive

        brought = Brought(key or [], key_file or [], checkpoint or [], witness or [], quorum)
        prove(archive, logs or [], brought, as_json=as_json)
        return
    lines = _proved(logs, every, key, key_file, checkpoint, witness, quorum)
    if len(lines) > 1:
        _show_many(lines, as_json=as_json)
    elif as_json:
        output.emit(report_data(lines[0].report))
    else:
        for text in report_lines(lines[0].report):
            output.say(text)
    if not all(line.report.ok for line in lines):
        raise typer.Exit(output.NO)


def logs(
    folders: LogsArgument = None,
    *,
    every: AllOption = None,
    key: KeyOption = None,
    key_file: KeyFileOption = None,
    checkpoint: CheckpointOption = None,
    witness: WitnessOption = None,
    quorum: QuorumOption = 0,
    config: DeskOption = None,
    as_json: JsonOption = False,
) -> None:
    """List logs: origin, size, checkpoint, witnesses, last event; each line is verified before it is shown."""
    absent: list[str] = []
    if config is None:
        lines = _proved(folders, every, key, key_file, checkpoint, witness, quorum)
    elif folders or every or key or key_file or checkpoint or witness or quorum:
        output.fail("--config says which logs, keys and witnesses are meant: give it alone")
    else:
        lines, absent = _of_a_desk(config)
    _show_many(lines, as_json=as_json)
    if absent:
        output.fail("; ".join(absent), output.NO)
    if not all(line.report.ok for line in lines):
        raise typer.Exit(output.NO)


def _proved(  # noqa: PLR0917 - the options of two commands
    logs: list[Path] | None,
    every: Path | None,
    key: list[str] | None,
    key_file: list[Path] | None,
    checkpoint: list[Path] | None,
    witness: list[str] | None,
    quorum: int,
) -> "list[Line]":
    import os  # noqa: PLC0415 - beside its only use

    from doorward_console.many_logs import given, logs_below, missing, prove_all  # noqa: PLC0415 - loads what reads a log
    from doorward_core.errors import RecordError  # noqa: PLC0415 - loaded by the commands that read a log
    from doorward_core.record.proof import ProofError  # noqa: PLC0415 - as above

    with output.failing(OSError, UnicodeError, RecordError, ProofError):
        folders = [*(logs or ()), *(logs_below(every) if every is not None else ())]
        if not folders:
            output.fail("name a log's folder, or --all with a folder that logs lie in")
        for folder in folders:
            if not folder.is_dir():
                output.fail(f"there is no log at {folder}")
        keys = [*(key or ()), *(path.read_text(encoding="ascii").strip() for path in key_file or ())]
        notes = [path.read_bytes() for path in checkpoint or ()]
        brought = given(keys, notes, witness or (), quorum)
        with output.progress("verifying") as told:
            lines = prove_all(folders, brought, os.cpu_count() or 1, told)
    # Of one log alone with one key, the report says that the key is another's; what is more is of logs left out.
    several = len(folders) > 1 or len(brought.keys) > 1 or len(brought.checkpoints) > 1
    if several and (absent := missing(lines, brought)):
        output.fail(f"there is no log of {', '.join(absent)}, whose key or checkpoint was given", output.NO)
    return lines


def _of_a_desk(config: Path) -> "tuple[list[Line], list[str]]":
    """The logs of a desk, by what its settings name, as its Log page shows them."""
    import os  # noqa: PLC0415 - beside its only use

    from doorward_console.desk_logs import prove_desk  # noqa: PLC0415 - loads what reads a log
    from doorward_console.settings import load_settings  # noqa: PLC0415 - pydantic takes a while to load
    from doorward_core.errors import ConfigError, RecordError  # noqa: PLC0415 - loaded by the commands that read a log
    from doorward_core.record.proof import ProofError  # noqa: PLC0415 - as above

    with output.failing(OSError, UnicodeError, ConfigError, RecordError, ProofError):
        settings = load_settings(config)
        with output.progress("verifying") as told:
            return prove_desk(settings, os.cpu_count() or 1, told)


def _show_many(lines: "Sequence[Line]", *, as_json: bool) -> None:
    from doorward_console import many_logs  # noqa: PLC0415 - loads what reads a log

    good = sum(line.report.ok for line in lines)
    if as_json:
        found = [{**report_data(line.report), "log": str(line.folder), **_beside(line)} for line in lines]
        output.emit({"ok": good == len(lines), "logs": found})
        return
    output.table(many_logs.HEADERS, many_logs.rows(lines))
    for text in [*many_logs.witnesses(lines), *many_logs.problems(lines)]:
        output.say(text)
    output.say(f"ok: all {good} logs" if good == len(lines) else f"NOT OK: {len(lines) - good} of {len(lines)} logs")


def _beside(line: "Line") -> dict[str, object]:
    """What a table has beside the report; `witnessed` as the desk's `/api/v1/logs` has it."""
    import dataclasses  # noqa: PLC0415 - beside its only use

    last = {"last_event": line.last_kind, "last_unix_ns": line.last_unix_ns}
    return {**last, "witnessed": dataclasses.asdict(line.witnessed)} if line.witnessed is not None else last


def report_data(report: "Report") -> dict[str, object]:
    """What was found, for programs."""
    import dataclasses  # noqa: PLC0415 - beside its only use

    return {
        "ok": report.ok,
        "origin": report.origin,
        "size": report.size,
        "checkpoint_size": report.checkpoint_size,
        "freed": report.freed,
        "beyond": dataclasses.asdict(report.beyond) if report.beyond is not None else None,
        "key_from_outside": report.pinned,
        "checkpoint_from_outside": report.outside,
        "problems": [{"index": problem.index, "what": problem.what} for problem in report.problems],
        "notes": list(report.notes),
        "checks": dict(report.checks),
        "cosigned": dict(report.cosigned),
        "quorum": report.quorum,
    }


def report_lines(report: "Report") -> list[str]:
    """What was found, for people."""
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
    lines += [f"cosigned  by {len(report.cosigned)}; {report.quorum} had to"] if report.quorum else []
    lines += [f"          {name}, {output.moment(at * 1_000_000_000)}" for name, at in report.cosigned.items()]
    back = report.checks.get("clock_back", 0)
    lines += [f"note      the gateway's clock was set back {back} times; the log says by how much"] if back else []
    lines += [f"note      {output.line(note)}" for note in report.notes]
    for problem in report.problems[:MAX_SHOWN_PROBLEMS]:
        where = f"entry {problem.index}" if problem.index is not None else "the log"
        lines.append(f"PROBLEM   {where}: {output.line(problem.what)}")
    more = len(report.problems) - MAX_SHOWN_PROBLEMS
    lines += [f"          and {more} more problems"] if more > 0 else []
    return [*lines, "ok: every entry, every proof and the signature" if report.ok else "NOT OK"]
