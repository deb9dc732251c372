"""`doorward evidence`: one file for an auditor, about a period and a scope.

It reads the log's files and changes nothing; it needs no gateway to run, or to be trusted.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from doorward_console import output
from doorward_console.asking import JsonOption
from doorward_console.evidence.times import parse_time

if TYPE_CHECKING:
    from doorward_console.evidence.source import Source
    from doorward_console.evidence.write import Wanted, Written

_SOMEBODY: Final = ("access.opened", "access.closed", "operations.decided", "approvals.held", "approvals.voted")
"""Figures of which one counts something where somebody of the scope came."""

FromOption = Annotated[str, typer.Option("--from", help="Begin: 2026-01-01, 2026-01-01T08:00, or 30d for days ago.")]
ToOption = Annotated[str, typer.Option("--to", help="End, not included; in the same forms. Now, unless said.")]
ResourceOption = Annotated[list[str] | None, typer.Option("--resource", help="Only this resource; may be repeated.")]
SubjectOption = Annotated[
    list[str] | None, typer.Option("--subject", help="Only this subject, or whom it answers for; may be repeated.")
]
LogsOption = Annotated[
    list[Path] | None,
    typer.Option("--log", envvar="DOORWARD_LOG", help="A log's folder; may be repeated.", file_okay=False),
]
KeyOption = Annotated[list[str] | None, typer.Option("--key", help="A gateway's public key (vkey), or a file with it.")]
WitnessOption = Annotated[list[str] | None, typer.Option("--witness", help="A witness's public key; may be repeated.")]
CheckpointOption = Annotated[
    list[Path] | None,
    typer.Option("--checkpoint", help="An older checkpoint kept elsewhere: it is proved against.", dir_okay=False),
]
IdentityOption = Annotated[
    Path | None, typer.Option("--identity", help="Your age or SSH secret key: reveals sealed content.", dir_okay=False)
]
KeysOption = Annotated[
    list[Path] | None, typer.Option("--keys", help="Folders of wrapped keys, one for each --log.", file_okay=False)
]
CosignedOption = Annotated[
    list[Path] | None,
    typer.Option("--cosigned", help="A checkpoint that witnesses cosigned: it is proved up to it.", dir_okay=False),
]
ArchiveOption = Annotated[
    list[str] | None,
    typer.Option(
        "--archive",
        envvar="DOORWARD_ARCHIVE",
        help="Archives (a folder, or s3://BUCKET/PREFIX), one for each --log, or alone.",
    ),
]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="The file to write.", dir_okay=False)]


def evidence(
    *,
    begin: FromOption,
    log: LogsOption = None,
    end: ToOption = "",
    resource: ResourceOption = None,
    subject: SubjectOption = None,
    key: KeyOption = None,
    witness: WitnessOption = None,
    checkpoint: CheckpointOption = None,
    identity: IdentityOption = None,
    keys: KeysOption = None,
    cosigned: CosignedOption = None,
    archive: ArchiveOption = None,
    out: OutOption = Path("evidence.zip"),
    as_json: JsonOption = False,
) -> None:
    """Write a bundle that an auditor checks offline, with nothing but Python: report, entries, proofs, verifier."""
    from doorward_console.evidence.write import Wanted  # noqa: PLC0415 - loaded by this command alone
    from doorward_core.errors import RecordError  # noqa: PLC0415 - as above
    from doorward_core.record.keys import parse_identities  # noqa: PLC0415 - as above
    from doorward_core.record.proof import ProofError  # noqa: PLC0415 - as above

    given = _given(log or [], keys, archive)
    _possible(out, keys, identity)
    now = time.time_ns()
    with output.failing(RecordError, ProofError, OSError, ValueError):
        wanted = Wanted(
            parse_time(begin, now),
            parse_time(end, now) if end else now,
            tuple(resource or ()),
            tuple(subject or ()),
            tuple(_vkey(text) for text in key or ()),
            tuple(_vkey(text) for text in witness or ()),
            tuple(path.read_bytes() for path in checkpoint or ()),
            parse_identities(identity.read_text(encoding="utf-8")) if identity else (),
        )
        notes = [path.read_bytes() for path in cosigned or ()]
        made = _write(out, given, notes, wanted)
    _tell(made, _doubts(made, wanted, now), as_json=as_json)


def _possible(out: Path, keys: list[Path] | None, identity: Path | None) -> None:
    if keys and identity is None:
        output.fail("--keys opens nothing without --identity, an auditor's secret key")
    if not out.parent.is_dir():
        output.fail(f"there is no folder {out.parent}")


def _doubts(made: "Written", wanted: "Wanted", now_unix_ns: int) -> Iterator[str]:
    """What was asked for and may not have been meant: nothing in the bundle is wrong."""
    if wanted.to_unix_ns > now_unix_ns:
        yield f"the period ends at {output.moment(wanted.to_unix_ns)}: what happens from now until then is not in it"
    scope = (*(f"resource {name}" for name in wanted.resources), *(f"subject {name}" for name in wanted.subjects))
    named = made.figures.get("access.refused", 0) - made.figures.get("access.anonymous", 0)  # those are in every scope
    if scope and not named and not any(made.figures.get(name) for name in _SOMEBODY):
        yield f"nothing in the period is of {' or '.join(scope)}: is it written so in the log?"


@dataclass(frozen=True, slots=True)
class Given:
    """One log, with where its wrapped keys and its archive are, where that was said; without a folder, its archive."""

    folder: Path | None
    keys: Path | None
    archive: str | None


def _given(log: list[Path], keys: list[Path] | None, archive: list[str] | None) -> list[Given]:
    count = len(log) or len(archive or ())
    if not count:
        output.fail("give --log, a log's folder, or --archive, or both")
    if any(given and len(given) != count for given in (keys, archive)):
        output.fail("give as many --keys, and as many --archive, as --log")
    return [
        Given(log[place] if log else None, keys[place] if keys else None, archive[place] if archive else None)
        for place in range(count)
    ]


def _write(out: Path, logs: list[Given], notes: list[bytes], wanted: "Wanted") -> "Written":
    from doorward_console.evidence.write import write_bundle  # noqa: PLC0415 - loaded by this command alone
    from doorward_core.record.proof import read_note  # noqa: PLC0415 - as above

    sources = [_source(log, notes) for log in logs]
    for origin in (read_note(note)[0].origin for note in notes):
        if origin not in {source.origin for source in sources}:
            output.fail(f"there is no log of {origin}, whose cosigned checkpoint was given")
    with output.progress("gathering") as told:
        return write_bundle(out, sources, wanted, on_progress=told)


def _source(log: Given, notes: list[bytes]) -> "Source":
    from doorward_console.archive_commands import opened  # noqa: PLC0415 - loaded by this command alone
    from doorward_console.archived import fetcher  # noqa: PLC0415 - as above
    from doorward_console.evidence.source import Source  # noqa: PLC0415 - as above
    from doorward_core.record.archive_places import ArchiveError  # noqa: PLC0415 - as above
    from doorward_core.record.archive_source import ArchiveSource  # noqa: PLC0415 - as above
    from doorward_core.record.tree_files import TreeFiles  # noqa: PLC0415 - as above

    if log.folder is not None:
        return Source.of(log.folder, log.keys, cosigned=notes, fetch=fetcher(log.archive or ""))
    with output.failing(ArchiveError):
        return Source(TreeFiles(ArchiveSource(opened(log.archive or ""))), log.keys, notes)


def _tell(made: "Written", doubts: Iterator[str], *, as_json: bool) -> None:
    if as_json:
        output.emit({"file": str(made.path), "entries": made.entries, "figures": made.figures,
                     "exceptions": made.exceptions, "recordings": made.recordings})  # fmt: skip
        return
    output.say(f"{output.line(str(made.path))}: {made.entries:,} events, {len(made.exceptions)} kinds of exception")
    for facts in made.logs:
        span = f"entries {facts.first} to {facts.end - 1}" if facts.end > facts.first else "no entries"
        output.say(f"log       {output.line(facts.origin)}: {span} of {facts.size}")
    output.say(f"check it  python3 verify.py {output.line(str(made.path))} --key VKEY   (verify.py is in the bundle)")
    for doubt in doubts:
        output.say(f"! {output.line(doubt)}")


def _vkey(text: str) -> str:
    """A vkey, or the file that holds it."""
    return text if "+" in text else Path(text).read_text(encoding="ascii").strip()
