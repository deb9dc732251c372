"""`doorward verify`: the record, proved.

It reads the log's files and changes nothing; it needs no gateway to run, or to be trusted.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import output
from doorward_console.asking import JsonOption

if TYPE_CHECKING:
    from doorward_core.record.verify import Report

MAX_SHOWN_PROBLEMS = 10
COUNTED = {"entries": "entries", "tiles": "tiles", "payloads": "contents", "sealed": "sealed contents", "keys": "keys"}
"""What `verify` counts, in words; `clock_back` is no check but a finding, and has a line of its own."""


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
