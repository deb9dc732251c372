"""What a log's folder holds when a writer opens it, and whether it may go on from there.

Implements docs/spec/event-log.md section 9, steps 2 to 5.
A shell over files; it reads and judges, and changes nothing.
It will not repair a loss: entries that a checkpoint covers, or that a later frame calls durable, must be there and be
the same, or the log does not open (RecordError).
Only what was never reported durable is dropped, and its digest is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from doorward_core.errors import RecordError
from doorward_core.event import EventKind
from doorward_core.record import journal
from doorward_core.record.checkpoint import Checkpoint, CheckpointError, parse_vkey, rotation_statement, verify
from doorward_core.record.entry import EntryError, Fields, parse
from doorward_core.record.merkle import TILE_WIDTH, Tree, leaf_hash
from doorward_core.record.publish import CHECKPOINT, Publisher

# An attacker's file must not fill memory; a real one is about 200 bytes.
_MAX_NOTE_FILE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """What is kept: the journal's entries from `first` on.

    `dropped` are the bytes of a torn tail; `last` is the last entry, None in a new log.
    `vkey` is the key that signs from here on: the next one, where the log says that it has taken over.
    """

    first: int
    entries: list[bytes]
    dropped: bytes
    last: Fields | None
    signed_size: int
    vkey: str


def recover(folder: Path, publisher: Publisher, vkeys: Sequence[str], mirror: Path | None) -> Found:
    """Read the log and bring `publisher` to the journal's first entry; raises RecordError where it must not go on.

    `vkeys` are the key and, while it is being changed, the next one.
    """
    signed_by = checkpoints(folder, vkeys, mirror)
    known = list(signed_by)
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
    last = _check_entries(first, entries, vkeys[0].partition("+")[0])
    _check_roots(publisher.tree, first, entries, known)
    follows = len(vkeys) > 1 and (vkeys[1] in signed_by.values() or _announces(first, entries, vkeys[0], vkeys[1]))
    return Found(first, entries, dropped, last, signed, vkeys[1] if follows else vkeys[0])


def _announces(first: int, entries: list[bytes], old: str, new: str) -> bool:
    """Whether the old key has handed over to the new one (section 7.1), in what the journal holds."""
    origin, public = parse_vkey(old)
    for index, data in enumerate(entries, start=first):
        if EventKind.KEY_ROTATED.encode() not in data:
            continue
        fields = parse(data)
        signature = fields.head.get("signature")
        if fields.kind != EventKind.KEY_ROTATED or fields.head.get("vkey") != new or not isinstance(signature, bytes):
            continue
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, rotation_statement(origin, index, new))
        except InvalidSignature:
            continue
        return True
    return False


def checkpoints(folder: Path, vkeys: Sequence[str], mirror: Path | None) -> dict[Checkpoint, str]:
    """Read the checkpoint and its copy, and which key signed each; raises RecordError where it was none of these."""
    found: dict[Checkpoint, str] = {}
    for place in (folder, mirror):
        path = place / CHECKPOINT if place is not None else None
        if path is None or not path.exists():
            continue
        with path.open("rb") as file:
            note = file.read(_MAX_NOTE_FILE)
        checkpoint, vkey = _signed(note, vkeys, path)
        found[checkpoint] = vkey
    return found


def _signed(note: bytes, vkeys: Sequence[str], path: Path) -> tuple[Checkpoint, str]:
    problem: CheckpointError | None = None
    for vkey in vkeys:
        try:
            return verify(note, vkey), vkey
        except CheckpointError as error:
            problem = problem or error
    raise RecordError(f"{path} is not a checkpoint of this log by this key: {problem}") from problem


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
