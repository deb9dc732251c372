"""Bringing an archive up to date, and freeing what it has proved that it has.

Implements docs/spec/event-log.md section 13.
A shell over files and a `Place`; synchronous, for a worker thread, and never on the way of an entry to durability.
It will not believe where it stood: what the archive itself says is checked against the log, each time it begins.
It will not free what it has not read back from the archive, or what no archived checkpoint covers.

Invariants: an archived checkpoint is put only after everything below it was read back and found the same; at most
`BATCH_BYTES` and one bundle are in memory.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from doorward_core.record import journal
from doorward_core.record.archive_places import ArchiveError, Place
from doorward_core.record.checkpoint import Checkpoint, CheckpointError, parse_text, split
from doorward_core.record.entry import EntryError, parse
from doorward_core.record.merkle import HASH_BYTES, TILE_WIDTH, Tree, leaf_hash
from doorward_core.record.tiles import ENTRIES, pack_bundle, tile_path, unpack_bundle
from doorward_core.record.tree_files import FREED, TileName, TreeFiles

CHECKPOINTS: Final = "checkpoint"
COSIGNED: Final = "cosigned"
BATCH_BYTES: Final = 16 * 1024 * 1024
BATCH_OBJECTS: Final = 64
WORKERS: Final = 8  # a store answers in tens of milliseconds: this many at a time keep up with a busy log
MAX_NOTE: Final = 128 * 1024
FREE_AT_ONCE: Final = 1024  # bundles: a quarter of a million entries, each read back once more
_NS_PER_S: Final = 1_000_000_000
_DAY_NS: Final = 86_400 * _NS_PER_S


@dataclass(frozen=True, slots=True)
class Terms:
    """How each object must be locked, where the place has locks: `compliance` or `governance`, and for how long."""

    mode: str = "compliance"
    retention_s: int = 0


def checkpoint_path(size: int) -> str:
    """Path of an archived checkpoint: as text they are in the order of their sizes."""
    return f"{CHECKPOINTS}/{size:020d}"


def cosigned_path(size: int) -> str:
    """Path of an archived checkpoint that witnesses have cosigned."""
    return f"{COSIGNED}/{size:020d}"


def newest(place: Place, after: int = -1) -> str:
    """Path of the checkpoint of the greatest size; "" where there is none behind `after`."""
    last = ""
    for path in place.names(CHECKPOINTS, checkpoint_path(after) if after >= 0 else ""):
        last = max(last, path)
    return last


class Archiver:
    """One log and its archive. `size` is how much of the log the archive has; -1 before `resume`."""

    def __init__(self, tree: Path, place: Place, origin: str, terms: Terms) -> None:
        self._folder = tree
        self._files = TreeFiles(tree)
        self._place = place
        self._origin = origin
        self._terms = terms
        self._tree = Tree()
        self.size = -1
        self.cosigned_size = 0
        self.lost: tuple[str, ...] = ()
        self.stopped = False  # the gateway goes down: what has not begun, does not begin

    # --- where it stands ----------------------------------------------------------------------------------------------

    def local(self) -> tuple[Checkpoint, bytes] | None:
        """The log's own newest checkpoint; None before there is one."""
        note = self._files.checkpoint()
        return (self._ours(note, "the log's checkpoint"), note) if note is not None else None

    def _ours(self, note: bytes, what: str) -> Checkpoint:
        """What a checkpoint says; who signed it is a verifier's to ask, here its root is compared with the entries."""
        try:
            found = parse_text(split(note)[0])
        except CheckpointError as error:
            raise ArchiveError(f"{what} cannot be read: {error}") from error
        if found.origin != self._origin:
            raise ArchiveError(f"{what} is of the log {found.origin!r}: each log has an archive of its own")
        return found

    def resume(self) -> None:
        """Find out how far the archive is, from the archive; raises ArchiveError where it is not this log's."""
        path = newest(self._place)
        if not path:
            self._tree, self.size = Tree(), 0
            return
        kept = self._place.get(path, MAX_NOTE)
        if kept is None:
            raise ArchiveError(f"the archive has lost {path}")
        there = self._ours(kept.data, f"the archive's {path}")
        here = self.local()
        if here is None or here[0].size < there.size:
            raise ArchiveError(
                f"the archive covers {there.size} entries of this log, and the log itself only "
                f"{here[0].size if here is not None else 0}: entries were removed here"
            )
        tree = self._tree_at(there.size, here[0].size)
        if tree.root() != there.root:
            raise ArchiveError(f"the first {there.size} entries here are not those that the archive covers")
        self._tree = tree
        self._recheck(there.size)
        self.size = there.size

    def _tree_at(self, size: int, here: int) -> Tree:
        """The right edge of the tree at a size, from the tiles here, which cover `here` entries."""
        tree = Tree()
        tree.size, tree.levels = size, []
        below, level = size, 0
        while True:
            width = below % TILE_WIDTH
            row = self._row(level, below // TILE_WIDTH, width, here // TILE_WIDTH**level) if width else b""
            if len(row) != width * HASH_BYTES:
                raise ArchiveError(f"a tile of level {level} is missing here: the log is damaged")
            tree.levels.append([row[at : at + HASH_BYTES] for at in range(0, len(row), HASH_BYTES)])
            below //= TILE_WIDTH
            level += 1
            if not below:
                return tree

    def _row(self, level: int, number: int, width: int, count: int) -> bytes:
        """The first hashes of a tile: of its partial form of that width, or of what it is by now."""
        for wide in (width, min(TILE_WIDTH, count - number * TILE_WIDTH)):
            data = self._files.read(TileName(level, number, wide))
            if data is not None:
                return data[: width * HASH_BYTES]
        return b""

    def _recheck(self, size: int) -> None:
        """What the archive should have and does not list is put again from here, or named as lost."""
        lost: list[str] = []
        for level, count in _full_counts(size):
            there = bytearray(count)
            for path in self._place.names(f"tile/{ENTRIES if level < 0 else level}"):
                number = _number(path)
                if number is not None and number < count:
                    there[number] = 1
            for number in (at for at, seen in enumerate(there) if not seen):
                path = tile_path(ENTRIES if level < 0 else level, number)
                data = self._files.read(TileName(level, number, TILE_WIDTH))
                if data is None:
                    lost.append(path)
                else:
                    self._keep([(path, data)], 0)
        self.lost = tuple(lost)

    # --- going on -----------------------------------------------------------------------------------------------------

    def advance(self, now_unix_ns: int) -> bool:
        """Bring the archive up to the log's checkpoint; give whether there was anything to do. Raises ArchiveError.

        Crash anywhere: objects that no archived checkpoint covers; the next time finds them there, and the same.
        """
        here = self.local()
        if here is None or here[0].size == self.size:
            return False
        checkpoint, note = here
        tree = Tree()
        tree.size, tree.levels = self._tree.size, [list(row) for row in self._tree.levels]
        batch: list[tuple[str, bytes]] = []
        for path, data in self._objects(tree, checkpoint.size):
            batch.append((path, data))
            if len(batch) >= BATCH_OBJECTS or sum(len(item) for _, item in batch) >= BATCH_BYTES:
                self._keep(batch, now_unix_ns)
                batch = []
        if tree.root() != checkpoint.root:
            raise ArchiveError("the entries here do not make the root of the checkpoint: nothing more is archived")
        self._keep(batch, now_unix_ns)
        self._keep_note(checkpoint, note, now_unix_ns)
        self._tree, self.size = tree, checkpoint.size
        return True

    def _objects(self, tree: Tree, size: int) -> Iterator[tuple[str, bytes]]:
        """All that an archive of `size` needs and one of the tree's size does not have; the tree grows to `size`."""
        while tree.size < size:
            number, start = divmod(tree.size, TILE_WIDTH)
            width = min(TILE_WIDTH, size - number * TILE_WIDTH)
            data = self._files.read(TileName(-1, number, width))
            try:
                entries = unpack_bundle(data or b"")[:width]
            except ValueError:
                entries = []
            if len(entries) < width:
                raise ArchiveError(f"entries {number * TILE_WIDTH} and on are missing here: the log is damaged")
            yield tile_path(ENTRIES, number, width), pack_bundle(entries)
            for level, full, tile in tree.extend([leaf_hash(entry) for entry in entries[start:]]):
                yield tile_path(level, full), tile
        for level, number, row in tree.partial():
            yield tile_path(level, number, len(row) // HASH_BYTES), row

    def _keep(self, batch: list[tuple[str, bytes]], now_unix_ns: int) -> None:
        """Put objects and read each back; raises ArchiveError for the first that is not there as it should be."""
        if not batch:
            return
        with ThreadPoolExecutor(min(WORKERS, len(batch))) as pool:
            for done in [pool.submit(self._keep_one, path, data, now_unix_ns) for path, data in batch]:
                done.result()

    def _keep_one(self, path: str, data: bytes, now_unix_ns: int) -> None:
        if self.stopped:
            raise ArchiveError("the gateway is ending")
        new = self._place.put(path, data)
        self._proven(path, data, now_unix_ns if new else 0)

    def _proven(self, path: str, data: bytes, put_unix_ns: int) -> None:
        kept = self._place.get(path, len(data) + 1)
        if kept is None:
            raise ArchiveError(f"the archive does not give back {path}")
        if kept.data != data:
            raise ArchiveError(f"the archive holds something else as {path}")
        self._locked(path, kept.mode, kept.locked_until_unix_ns, put_unix_ns)

    def _locked(self, path: str, mode: str, until_unix_ns: int, put_unix_ns: int) -> None:
        """Whether an object is locked as it should be; how long is asked of those that were put just now."""
        if not self._place.locks:
            return
        wanted = self._terms.mode
        if mode not in {wanted, "compliance"}:
            found = f"locked in {mode} mode there" if mode else "not locked there"
            raise ArchiveError(f"{path} is {found}: the bucket needs a default retention in {wanted} mode")
        least = put_unix_ns + self._terms.retention_s * _NS_PER_S - _DAY_NS
        if put_unix_ns and until_unix_ns < least:
            days = self._terms.retention_s // 86_400
            raise ArchiveError(f"{path} is locked for less than {days} days: the bucket's default retention is shorter")

    def _keep_note(self, checkpoint: Checkpoint, note: bytes, now_unix_ns: int) -> None:
        """One of this size may be there with other signatures beside the log's: it says the same, and stays."""
        path = checkpoint_path(checkpoint.size)
        new = self._place.put(path, note)
        kept = self._place.get(path, MAX_NOTE)
        try:
            if kept is None or parse_text(split(kept.data)[0]) != checkpoint:
                raise ArchiveError(f"the archive holds something else as {path}")
        except CheckpointError as error:
            raise ArchiveError(f"the archive holds something else as {path}") from error
        self._locked(path, kept.mode, kept.locked_until_unix_ns, now_unix_ns if new else 0)

    def keep_cosigned(self, note: bytes, now_unix_ns: int) -> None:
        """Put a checkpoint that witnesses have cosigned beside the others, once the archive has what it covers."""
        found = self._ours(note, "the cosigned checkpoint")
        here = self.local()
        if not self.cosigned_size < found.size <= self.size or here is None:
            return
        if self._tree_at(found.size, here[0].size).root() != found.root:
            raise ArchiveError(f"the checkpoint over {found.size} entries that witnesses cosigned is not of this log")
        path = cosigned_path(found.size)
        new = self._place.put(path, note)
        kept = self._place.get(path, MAX_NOTE)
        if kept is None or self._ours(kept.data, f"the archive's {path}") != found:
            raise ArchiveError(f"the archive holds something else as {path}")
        self._locked(path, kept.mode, kept.locked_until_unix_ns, now_unix_ns if new else 0)
        self.cosigned_size = found.size

    # --- freeing ------------------------------------------------------------------------------------------------------

    def freed(self) -> int:
        """How many entries were freed here already."""
        return max(0, self._files.freed())

    def freeable(self, before_unix_ns: int) -> int:
        """How many entries, from the first on, may be freed: all older than a time, and each bundle proven again."""
        if self.lost:
            return 0
        folder = self._folder / journal.FOLDER
        firsts = [int(path.name.removesuffix(journal.SUFFIX)) for path in folder.glob(f"*{journal.SUFFIX}")]
        bound = min(self.size, min(firsts, default=0)) // TILE_WIDTH
        number = first = self.freed() // TILE_WIDTH
        while number < min(bound, first + FREE_AT_ONCE) and self._may_go(number, before_unix_ns):
            number += 1
        return number * TILE_WIDTH

    def _may_go(self, number: int, before_unix_ns: int) -> bool:
        data = self._files.read(TileName(-1, number, TILE_WIDTH))
        if data is None:
            return True  # it went before, and what told of it did not come to be
        entries = unpack_bundle(data)
        if not entries or at_of(entries[-1]) >= before_unix_ns:
            return False
        self._proven(tile_path(ENTRIES, number), data, 0)
        return True

    def free(self, below: int) -> int:
        """Delete the bundles below `below` here, once the log tells of it; give how many.

        Crash after the file is written: bundles that are still here; `sweep` deletes them.
        """
        freed = self.freed()
        if below > freed:
            journal.replace_file(self._folder / FREED, f"{below}\n".encode())
        return self._delete(freed // TILE_WIDTH, below // TILE_WIDTH)

    def sweep(self) -> int:
        """Delete what was freed and is still here: never on the word of a file alone, so each is proven again."""
        return self._delete(0, min(self.freed(), self.size) // TILE_WIDTH)

    def _delete(self, first: int, end: int) -> int:
        gone = 0
        for number in range(first, end):
            path = self._folder / tile_path(ENTRIES, number)
            if not path.exists():
                continue
            self._proven(tile_path(ENTRIES, number), path.read_bytes(), 0)
            path.unlink()
            gone += 1
        return gone


def at_of(entry: bytes) -> int:
    """When an entry was written; raises ArchiveError where it cannot be read."""
    try:
        return parse(entry).at_unix_ns
    except EntryError as error:
        raise ArchiveError(f"an entry here cannot be read: {error}") from error


def _full_counts(size: int) -> Iterator[tuple[int, int]]:
    """(level, number of full tiles) of a tree; level -1 are entry bundles."""
    level, count = 0, size // TILE_WIDTH
    yield -1, count
    while count:
        yield level, count
        level, count = level + 1, count // TILE_WIDTH


def _number(path: str) -> int | None:
    """Number of a full tile or bundle; None for a partial one."""
    if ".p/" in path:
        return None
    digits = "".join(path.split("/")[2:]).replace("x", "")
    return int(digits) if digits.isdigit() else None
