"""What a log's folder holds when a writer opens it, and whether it may go on from there.

Implements docs/spec/event-log.md section 9, steps 2 to 5.
A shell over files; it reads and judges, and changes nothing.
It will not repair a loss: entries that a checkpoint covers, or that a later frame calls durable, must be there and be
the same, or the log does not open (RecordError).
Only what was never reported durable is dropped, and its digest is kept.
"""

from dataclasses import dataclass
from pathlib import Path

from doorward_core.errors import RecordError
from doorward_core.record import journal
from doorward_core.record.checkpoint import Checkpoint, CheckpointError, verify
from doorward_core.record.entry import EntryError, Fields, parse
from doorward_core.record.merkle import TILE_WIDTH, Tree, leaf_hash
from doorward_core.record.publish import CHECKPOINT, Publisher

# An attacker's file must not fill memory; a real one is about 200 bytes.
_MAX_NOTE_FILE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """What is kept: the journal's entries from `first` on.

    `dropped` are the bytes of a torn tail; `last` is the last entry, None in a new log.
    """

    first: int
    entries: list[bytes]
    dropped: bytes
    last: Fields | None
    signed_size: int


def recover(folder: Path, publisher: Publisher, vkey: str, mirror: Path | None) -> Found:
    """Read the log and bring `publisher` to the journal's first entry; raises RecordError where it must not go on."""
    known = checkpoints(folder, vkey, mirror)
    signed = max((checkpoint.size for checkpoint in known), default=-1)
    try:
        first, entries, dropped = journal.join(journal.segments(folder / journal.FOLDER))
    except (journal.JournalError, ValueError) as error:
        raise RecordError(f"the log is damaged: {error}") from error
    size = first + len(entries)
    if size < signed:
        raise RecordError(f"the log is damaged: a checkpoint covers {signed} entries, entry {size} is missing")
    if first % TILE_WIDTH or (first and signed < first):
        raise RecordError("the log is damaged: the journal does not join on to the bundles and the checkpoint")
    try:
        publisher.load(first // TILE_WIDTH)
    except (OSError, ValueError) as error:
        raise RecordError(f"the log is damaged: {error}") from error
    last = _check_entries(first, entries, vkey.partition("+")[0])
    _check_roots(publisher.tree, first, entries, known)
    return Found(first, entries, dropped, last, signed)


def checkpoints(folder: Path, vkey: str, mirror: Path | None) -> list[Checkpoint]:
    """Read the checkpoint and its copy; raises RecordError where one is not this key's."""
    found: list[Checkpoint] = []
    for place in (folder, mirror):
        path = place / CHECKPOINT if place is not None else None
        if path is None or not path.exists():
            continue
        with path.open("rb") as file:
            note = file.read(_MAX_NOTE_FILE)
        try:
            found.append(verify(note, vkey))
        except CheckpointError as error:
            raise RecordError(f"{path} is not a checkpoint of this log by this key: {error}") from error
    return found


def _check_entries(first: int, entries: list[bytes], origin: str) -> Fields | None:
    """Whether the journal's entries are entries of this log, in their places; give the last one."""
    fields: Fields | None = None
    for index, data in enumerate(entries, start=first):
        try:
            fields = parse(data)
        except EntryError as error:
            raise RecordError(f"the log is damaged: entry {index}: {error}") from error
        if fields.index != index or fields.origin != origin:
            raise RecordError(f"the log is damaged: entry {index} is not in its place")
    return fields


def _check_roots(start: Tree, first: int, entries: list[bytes], known: list[Checkpoint]) -> None:
    """Compare the root wherever a checkpoint says what it was, before anything is written."""
    tree = Tree()
    tree.size, tree.levels = start.size, [list(row) for row in start.levels]
    for checkpoint in sorted(known, key=lambda item: item.size):
        if checkpoint.size < first:
            continue  # a copy that fell behind by a whole segment; `record.verify` compares it
        for data in entries[tree.size - first : checkpoint.size - first]:
            tree.add(leaf_hash(data))
        if tree.root() != checkpoint.root:
            raise RecordError(f"the log is damaged: its first {checkpoint.size} entries do not match the checkpoint")
