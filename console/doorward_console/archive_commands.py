"""`doorward archive`: what an archive has, whether it is whole, and a log back from it; `doorward verify --archive`.

It reads the archive with credentials of its own, from the environment, and needs no gateway to run, or to be trusted.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import output
from doorward_console.asking import JsonOption

if TYPE_CHECKING:
    from doorward_core.record.archive_places import Place
    from doorward_core.record.verify import Report

S3 = "s3://"

app = typer.Typer(rich_markup_mode=None, help="What an archive of a log has, and a log back from it.")

TargetArgument = Annotated[
    str, typer.Argument(envvar="DOORWARD_ARCHIVE", metavar="ARCHIVE", help="A folder, or s3://bucket/prefix.")
]
LogOption = Annotated[
    Path | None, typer.Option("--log", envvar="DOORWARD_LOG", help="The folder of its log.", file_okay=False)
]


@app.command()
def status(archive: TargetArgument, *, log: LogOption = None, as_json: JsonOption = False) -> None:
    """What it has: its newest checkpoint, how that is locked, and how far it is behind a log; proves nothing."""
    from doorward_core.errors import RecordError  # noqa: PLC0415 - as the commands that read an archive load it
    from doorward_core.record.archive import newest  # noqa: PLC0415 - loaded by the commands that read an archive
    from doorward_core.record.archive_places import ArchiveError  # noqa: PLC0415 - as above
    from doorward_core.record.checkpoint import CheckpointError, parse_text, split  # noqa: PLC0415 - as above
    from doorward_core.record.reader import LogReader  # noqa: PLC0415 - as above

    with output.failing(ArchiveError, CheckpointError, RecordError, OSError):
        place = opened(archive)
        path = newest(place)
        kept = place.get(path, 1 << 17) if path else None
        if kept is None:
            output.fail(f"there is no checkpoint in {place.name}", output.NO)
        head = parse_text(split(kept.data)[0])
        found: dict[str, object] = {"archive": place.name, "origin": head.origin, "entries": head.size}
        found["lock"] = f"{kept.mode} until {output.moment(kept.locked_until_unix_ns)}" if kept.mode else "none"
        if log is not None:
            reader = LogReader(log)
            here = reader.checkpoint()
            found["behind"] = max(0, (here.size if here is not None else 0) - head.size)
            found["freed"] = reader.freed
    if as_json:
        output.emit(found)
    else:
        for name, value in found.items():
            output.say(f"{name:<9} {output.line(str(value))}")


@app.command()
def restore(
    archive: TargetArgument,
    *,
    to: Annotated[Path, typer.Option("--to", help="The folder that the log comes back to.", file_okay=False)],
    key: Annotated[str, typer.Option("--key", help="The gateway's public key (vkey), as you got it elsewhere.")] = "",
    key_file: Annotated[Path | None, typer.Option("--key-file", help="A file with that key.", dir_okay=False)] = None,
) -> None:
    """Write an archive's log to a folder and prove it. A gateway that has the same keys goes on with it."""
    from doorward_core.record.archive_places import ArchiveError  # noqa: PLC0415 - reads an archive
    from doorward_core.record.proof import ProofError  # noqa: PLC0415 - as above
    from doorward_core.record.restore import restore as fetch  # noqa: PLC0415 - as above
    from doorward_core.record.verify import verify  # noqa: PLC0415 - as above

    with output.failing(ArchiveError, ProofError, OSError, UnicodeError):
        vkey = key_file.read_text(encoding="ascii").strip() if key_file is not None else key
        with output.progress("restoring") as told:
            size = fetch(opened(archive), to, told)
        with output.progress("verifying") as told:
            report = verify(to, public_key=vkey or None, on_progress=told, jobs=os.cpu_count() or 1)
    output.say(f"{size} entries came back to {to}")
    _show(report, as_json=False)
    if not report.ok:
        raise typer.Exit(output.NO)


@dataclass(frozen=True, slots=True)
class Brought:
    """What whoever asks has from elsewhere."""

    keys: list[str]
    key_files: list[Path]
    checkpoints: list[Path]
    witnesses: list[str]
    quorum: int


def prove(archive: str, logs: list[Path], brought: Brought, *, as_json: bool) -> None:
    """Verify an archive by itself; with its log, both, and that the log has what the archive's checkpoint covers."""
    from doorward_core.record.archive_places import ArchiveError  # noqa: PLC0415 - reads an archive
    from doorward_core.record.archive_source import ArchiveSource, verify_archive  # noqa: PLC0415 - as above
    from doorward_core.record.proof import ProofError  # noqa: PLC0415 - as above
    from doorward_core.record.quorum import Required  # noqa: PLC0415 - as above
    from doorward_core.record.verify import verify  # noqa: PLC0415 - as above

    keys, key_files, checkpoints = brought.keys, brought.key_files, brought.checkpoints
    if max(len(logs), len(keys) + len(key_files), len(checkpoints)) > 1:
        output.fail("an archive is of one log: give one log, one key and one checkpoint at most")
    with output.failing(ArchiveError, ProofError, OSError, UnicodeError):
        vkey = keys[0] if keys else key_files[0].read_text(encoding="ascii").strip() if key_files else None
        place = opened(archive)
        required = Required.of(brought.witnesses, brought.quorum)
        outside = checkpoints[0].read_bytes() if checkpoints else None
        with output.progress("the archive") as told:
            report = verify_archive(
                place, public_key=vkey, outside_checkpoint=outside, on_progress=told, required=required
            )
        reports = [report]
        if logs:
            source = ArchiveSource(place)
            with output.progress("its log") as told:
                reports.append(
                    verify(
                        logs[0],
                        public_key=vkey,
                        outside_checkpoint=source.note(source.newest) if source.newest else None,
                        on_progress=told,
                        jobs=os.cpu_count() or 1,
                    )
                )
    for one in reports:
        _show(one, as_json=as_json)
    if not all(one.ok for one in reports):
        raise typer.Exit(output.NO)


def _show(report: "Report", *, as_json: bool) -> None:
    from doorward_console.log_commands import report_data, report_lines  # noqa: PLC0415 - which imports this one

    if as_json:
        output.emit(report_data(report))
        return
    for text in report_lines(report):
        output.say(text)


def opened(target: str) -> "Place":
    """The archive at a folder or an address; what a store asks for comes from the environment, by its usual names.

    Raises ArchiveError.
    """
    from doorward_core.record.archive_places import (  # noqa: PLC0415 - loaded by the commands that read an archive
        ArchiveError,
        FolderPlace,
        StorePlace,
        StoreSettings,
    )

    if not target.startswith(S3):
        return FolderPlace(Path(target))
    bucket, _, prefix = target.removeprefix(S3).partition("/")
    name, key = os.environ.get("AWS_ACCESS_KEY_ID", ""), os.environ.get("AWS_SECRET_ACCESS_KEY", "")
    if not (bucket and name and key):
        raise ArchiveError(
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_ENDPOINT_URL, AWS_REGION) to read it"
        )
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    ca = os.environ.get("AWS_CA_BUNDLE", "")
    return StorePlace(
        StoreSettings(
            bucket,
            prefix.rstrip("/"),
            region,
            name,
            key,
            os.environ.get("AWS_SESSION_TOKEN", ""),
            os.environ.get("AWS_ENDPOINT_URL", ""),
            Path(ca).read_text(encoding="ascii") if ca else "",
        )
    )
