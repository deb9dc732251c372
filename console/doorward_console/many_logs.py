"""Logs of several gateways, verified one by one and shown in one table: each line stands on its own verification.

What it is: which key, checkpoint and witnesses belong to which log, and what is said of all of them together.
What it will not do: believe anybody who lists logs, or let a good log speak for a bad one.

Two folders that both hold a log of one origin are held against each other as well: where neither begins with the other,
somebody was shown another log than somebody else.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from doorward_console import output
from doorward_core.errors import RecordError
from doorward_core.record.audit import Problem
from doorward_core.record.proof import Key, ProofError, read_note
from doorward_core.record.quorum import Required
from doorward_core.record.reader import LogReader
from doorward_core.record.tree_files import TreeFiles
from doorward_core.record.verify import Report, verify

if TYPE_CHECKING:
    from doorward_console.witnessed import Witnessed


@dataclass(frozen=True, slots=True)
class Given:
    """What a reader brought along: keys and checkpoints by origin, and witnesses that must stand behind each log."""

    keys: Mapping[str, str]
    checkpoints: Mapping[str, bytes]
    required: Required


@dataclass(frozen=True, slots=True)
class Line:
    """One log: where it lies, what was found, what its last event is, and who stands behind it by a desk's settings."""

    folder: Path
    report: Report
    last_unix_ns: int = 0
    last_kind: str = ""
    witnessed: "Witnessed | None" = None


def given(keys: Iterable[str], notes: Iterable[bytes], witnesses: Sequence[str], quorum: int) -> Given:
    """Sort what was brought along by origin; raises ProofError where it is none, or where two are for one log."""
    by_origin: dict[str, str] = {}
    for vkey in keys:
        origin = Key.parse(vkey).origin
        if by_origin.get(origin, vkey) != vkey:
            raise ProofError(f"two keys were given for {origin}; a change of keys is followed from one of them")
        by_origin[origin] = vkey
    checkpoints: dict[str, bytes] = {}
    for note in notes:
        origin = read_note(note)[0].origin
        if origin in checkpoints:
            raise ProofError(f"two checkpoints were given for {origin}; give the newest")
        checkpoints[origin] = note
    return Given(by_origin, checkpoints, Required.of(witnesses, quorum))


def logs_below(folder: Path) -> list[Path]:
    """The folders right below this one that hold a log."""
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and is_log(path)]


def is_log(folder: Path) -> bool:
    """Whether it looks like the folder of a log."""
    return (folder / "checkpoint").is_file() or (folder / "journal").is_dir()


def prove_all(
    folders: Sequence[Path], brought: Given, jobs: int, told: Callable[[int, int], None] | None = None
) -> list[Line]:
    """Verify each log, and logs of one origin against each other."""
    lines = [prove_one(folder, _meant(folder, brought, len(folders)), jobs, told) for folder in folders]
    by_origin: dict[str, list[int]] = {}
    for place, line in enumerate(lines):
        by_origin.setdefault(line.report.origin, []).append(place)
    for places in by_origin.values():
        ordered = sorted(places, key=lambda place: lines[place].report.checkpoint_size)
        for shorter, longer in pairwise(ordered):
            lines[longer] = _compared(lines[longer], lines[shorter], jobs)
    return lines


@dataclass(frozen=True, slots=True)
class Meant:
    """What a log is verified with."""

    key: str | None
    note: bytes | None
    required: Required
    problem: str = ""


def _meant(folder: Path, brought: Given, count: int) -> Meant:
    """By the origin that the log names; with one log alone, what was brought is meant for it, whatever it names.

    Where keys were brought and none is this log's, that is said: a log must not get away from its key by another name.
    """
    origin, keys, notes = _origin(folder), brought.keys, brought.checkpoints
    if count == 1:
        one_key = keys.get(origin) or next(iter(keys.values()), None)
        return Meant(one_key, notes.get(origin) or next(iter(notes.values()), None), brought.required)
    problem = f"none of the keys that were given is that of {origin!r}" if keys and origin not in keys else ""
    return Meant(keys.get(origin), notes.get(origin), brought.required, problem)


def prove_one(folder: Path, meant: Meant, jobs: int, told: Callable[[int, int], None] | None) -> Line:
    """Verify one log with what is meant for it."""
    report = verify(
        folder,
        public_key=meant.key,
        outside_checkpoint=meant.note,
        on_progress=told,
        jobs=jobs,
        required=meant.required,
    )
    if meant.problem:
        report = replace(report, ok=False, problems=(Problem(None, meant.problem), *report.problems))
    try:
        *_, last = (None, *LogReader(folder).entries(max(0, report.checkpoint_size - 1)))
    except RecordError:
        last = None  # the report says what is wrong with it
    return Line(folder, report, last.time_unix_ns, last.kind) if last is not None else Line(folder, report)


def _origin(folder: Path) -> str:
    """What the log calls itself, so that its key can be found; a lie is found by the key."""
    note = TreeFiles(folder).checkpoint()
    try:
        return read_note(note)[0].origin if note is not None else ""
    except ProofError:
        return ""


def _compared(longer: Line, shorter: Line, jobs: int) -> Line:
    """The longer log, held against the checkpoint of another of the same origin."""
    note = TreeFiles(shorter.folder).checkpoint()
    if note is None or not (longer.report.ok and shorter.report.ok):
        return longer
    found = verify(longer.folder, outside_checkpoint=note, jobs=jobs)
    if found.ok:
        return longer
    words = f"this log and the one in {shorter.folder} are of one origin, and neither begins with the other"
    report = replace(longer.report, ok=False, problems=(*longer.report.problems, Problem(None, words)))
    return replace(longer, report=report)


def missing(lines: Sequence[Line], brought: Given) -> list[str]:
    """Origins whose key or checkpoint was given, and of which there is no log."""
    there = {line.report.origin for line in lines}
    return sorted({*brought.keys, *brought.checkpoints} - there)


# --- shown ------------------------------------------------------------------------------------------------------------

HEADERS = ("log", "origin", "entries", "checkpoint", "key", "cut off", "witnesses", "last event", "result")


def rows(lines: Sequence[Line]) -> list[list[str]]:
    """One row for each log."""
    return [_row(line) for line in lines]


def _row(line: Line) -> list[str]:
    report = line.report
    witnesses = f"{len(report.cosigned)} of {report.quorum}" if report.quorum else "-"
    last = f"{output.moment(line.last_unix_ns)} {line.last_kind}" if line.last_kind else "-"
    return [
        str(line.folder),
        report.origin or "?",
        str(report.size),
        str(report.checkpoint_size),
        "given" if report.pinned else "its own",
        "checked" if report.outside else "not checked",
        witnesses,
        last,
        "ok" if report.ok else "BAD",
    ]


def witnesses(lines: Sequence[Line]) -> list[str]:
    """What became of each witness's signature, where a desk's settings say whom to believe."""
    said = []
    for line in lines:
        for one in line.witnessed.witnesses if line.witnessed is not None else ():
            at = f", at {output.moment(one.at_unix_ns)}" if one.at_unix_ns else ""
            said.append(f"witness   {line.folder}: {output.line(one.name)} {one.key_id}: {one.standing}{at}")
    return said


def problems(lines: Sequence[Line]) -> list[str]:
    """The first problem of each bad log, with the log's name."""
    said = []
    for line in lines:
        if line.report.problems:
            first = line.report.problems[0]
            where = f"entry {first.index}" if first.index is not None else "the log"
            said.append(f"PROBLEM   {line.folder}: {where}: {output.line(first.what)}")
    return said
