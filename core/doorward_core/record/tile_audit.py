"""Whether every file of the tree is what the entries make it.

Implements docs/spec/event-log.md section 11, steps 3 and 7, for `record.verify`.
A shell that only reads, through `record.tree_files`; it shares nothing with the writer.
It will not look at level 0 tiles and bundles below the checkpoint again: they were compared entry by entry.

Files that reach beyond every entry that checkpoint and journal have cannot be compared with anything.
A log that grew meanwhile has some for a moment, and so has a copy that was taken while it grew; a log that was cut back
may have kept them. They are counted, once checkpoint and journal were read again behind the list of files.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from doorward_core.record import proof
from doorward_core.record.audit import Problem
from doorward_core.record.proof import WIDTH
from doorward_core.record.tree_files import TileName, TreeFiles, prefix


@dataclass(frozen=True, slots=True)
class Beyond:
    """Files that nothing stands behind: the log has no entry from `start` on, and they would have some up to `end`."""

    bundles: int
    tiles: int
    start: int
    end: int


class TileAudit:
    """Compares files with what they should be.

    `roots` are the roots of the full level 0 tiles below `size`, `edge` and `edge_entries` what follows them up to it,
    `tail` the entries at and after `size`, for a log that has already written tiles beyond its checkpoint.
    """

    def __init__(
        self,
        files: TreeFiles,
        size: int,
        *,
        roots: list[bytes],
        edge: list[bytes],
        edge_entries: list[bytes],
        tail: list[bytes],
    ) -> None:
        self.checked = 0
        self._files = files
        self._size = size
        self._edge_number = size // WIDTH
        self._entries = [*edge_entries, *tail]
        self._reached = size + len(tail)
        self._unknown: list[TileName] = []
        self._rows: list[list[bytes]] = [[*edge, *(proof.leaf(entry) for entry in tail)]]
        above = [*roots, *_full_roots(self._rows[0])]
        while above:
            self._rows.append(above)
            above = _full_roots(above)

    def problems(self) -> Iterator[Problem]:
        """Everything that is missing, different or out of place."""
        yield from self._missing()
        for relative, name in self._files.names():
            if name is None:
                yield Problem(None, f"{relative} does not belong into a log")
                continue
            self.checked += 1
            index = self._different(name)
            if index is not None:
                yield Problem(index, f"{relative} is not what the entries make it")

    def beyond(self) -> Beyond | None:
        """Files that reach beyond all entries, now that those were counted anew; None where there is none."""
        found = [name for name in self._unknown if _end(name) > self._reached]
        if not found:
            return None
        # The journal first: what leaves it meanwhile is covered by a checkpoint that is read after it.
        reached = max(self._reached, _journal_end(self._files), _covered(self._files))
        left = [name for name in found if _end(name) > reached]
        if not left:
            return None
        bundles = sum(name.level < 0 for name in left)
        return Beyond(bundles, len(left) - bundles, reached, max(_end(name) for name in left))

    def _missing(self) -> Iterator[Problem]:
        """Tiles of the upper levels that the checkpoint's size needs."""
        level, count = 1, self._size // WIDTH
        while count:
            for number in range(-(-count // WIDTH)):
                name = TileName(level, number, min(WIDTH, count - number * WIDTH))
                if self._files.read(name) is None:
                    yield Problem(name.start, f"a tile of level {level} over the entries from here on is missing")
            level, count = level + 1, count // WIDTH

    def _different(self, name: TileName) -> int | None:
        """Index of the first entry under the first difference between a file and what it should be."""
        if name.level <= 0 and name.number < self._edge_number:
            if name.width == WIDTH:
                return None
            full = self._files.read(TileName(name.level, name.number, WIDTH)) or b""
            wanted, whole = prefix(full, name), True
        else:
            wanted, whole = self._wanted(name)
            if not whole:
                self._unknown.append(name)
        data = self._files.read(name) or b""
        if data.startswith(wanted) and (len(data) == len(wanted) or not whole):
            return None
        if name.level < 0:
            return name.start + _entries_alike(wanted, data)
        slots = range(0, max(len(data), len(wanted)), proof.HASH)
        slot = next(at for at in slots if data[at : at + proof.HASH] != wanted[at : at + proof.HASH])
        span: int = WIDTH**name.level
        return name.start + slot // proof.HASH * span

    def _wanted(self, name: TileName) -> tuple[bytes, bool]:
        """What a file should hold, and whether that is all of it: a growing log may have written more meanwhile."""
        first = name.number - (self._edge_number if name.level <= 0 else 0)
        if name.level < 0:
            chosen = self._entries[first * WIDTH : first * WIDTH + name.width]
            pieces = [len(entry).to_bytes(2, "big") + entry for entry in chosen]
        else:
            row = self._rows[name.level] if name.level < len(self._rows) else []
            pieces = row[first * WIDTH : first * WIDTH + name.width]
        return b"".join(pieces), len(pieces) == name.width


def _end(name: TileName) -> int:
    """The index behind the last entry under a file."""
    span: int = WIDTH ** max(name.level, 0)
    return name.start + name.width * span


def _journal_end(files: TreeFiles) -> int:
    ends = [first + len(proof.frames(data, first)[0]) for first, data in files.segments()]
    return max(ends, default=0)


def _covered(files: TreeFiles) -> int:
    note = files.checkpoint()
    try:
        return proof.read_note(note)[0].size if note is not None else 0
    except proof.ProofError:
        return 0


def _entries_alike(wanted: bytes, data: bytes) -> int:
    """How many entries two bundles have in common from their beginning; `wanted` is well formed."""
    count = at = 0
    while at < len(wanted):
        end = at + 2 + int.from_bytes(wanted[at : at + 2], "big")
        if data[at:end] != wanted[at:end]:
            break
        count, at = count + 1, end
    return count


def _full_roots(row: list[bytes]) -> list[bytes]:
    return [proof.pair_up(row[at : at + WIDTH]) for at in range(0, len(row) - WIDTH + 1, WIDTH)]
