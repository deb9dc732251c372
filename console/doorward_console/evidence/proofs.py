"""The hashes that stand in a bundle for what it does not hold, and that an older checkpoint is the beginning of a log.

Implements docs/spec/evidence.md section 5, over the tiles of a log (docs/spec/event-log.md section 6).
Tiles are read, not believed: whoever makes a bundle computes the root again, with what this gives.

Invariant: `gaps` gives, in order, exactly the subtrees that a verifier asks for, whatever the runs are.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, Protocol

from doorward_core.errors import RecordError
from doorward_core.record.proof import HASH, WIDTH, pair_up
from doorward_core.record.tree_files import TileName

_TILES: Final = 1_024  # kept: 8 MiB
_TILE_LEVELS: Final = 8  # of the tree, that a tile holds

Run = tuple[int, int]


class Files(Protocol):
    """What is read of a log's tree: `record.tree_files.TreeFiles`, or an archive."""

    def checkpoint(self) -> bytes | None:
        """The newest checkpoint's note."""

    def freed(self) -> int:
        """How many entries are in the archive alone."""

    def read(self, name: TileName) -> bytes | None:
        """One tile or bundle."""

    def segments(self) -> list[tuple[int, bytes]]:
        """The journal's segments."""


def heights(start: int, end: int) -> Iterator[tuple[int, int]]:
    """(place, height) of the perfect subtrees that a gap falls into, from left to right."""
    while start < end:
        height = (end - start).bit_length() - 1
        if start:
            height = min(height, (start & -start).bit_length() - 1)
        yield start, height
        start += 1 << height


def joined(runs: Sequence[Run]) -> list[Run]:
    """Runs in order, those that touch or overlap made one."""
    found: list[Run] = []
    for start, end in sorted(run for run in runs if run[0] < run[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


class Subtrees:
    """Roots of subtrees of a log of `size` entries, out of its tiles, which may reach to a `newest` size."""

    def __init__(self, files: Files, size: int, newest: int = 0) -> None:
        self._files, self._size, self._newest = files, size, max(size, newest)
        self._tile = lru_cache(_TILES)(self._read)

    def _read(self, level: int, number: int) -> bytes:
        # Partial tiles of older sizes are gone: the newest has what they had.
        width = min(WIDTH, self._newest // WIDTH**level - number * WIDTH)
        data = self._files.read(TileName(level, number, width))
        if data is None or len(data) < width * HASH:
            raise RecordError(f"the tile of hashes over entry {number * WIDTH ** (level + 1)} is missing, or cut")
        return data

    def perfect(self, start: int, height: int) -> bytes:
        """The root over the 2^height entries from `start` on, which such a subtree begins with."""
        level, rest = divmod(height, _TILE_LEVELS)
        place = start // WIDTH**level
        tile = self._tile(level, place // WIDTH)
        at = place % WIDTH * HASH
        return pair_up([tile[at + HASH * one : at + HASH * (one + 1)] for one in range(1 << rest)])

    def gaps(self, runs: Sequence[Run]) -> list[bytes]:
        """The hashes of everything outside of the runs."""
        found: list[bytes] = []
        at = 0
        for start, end in [*runs, (self._size, self._size)]:
            found += [self.perfect(place, height) for place, height in heights(at, start)]
            at = end
        return found

    def root(self, start: int, end: int) -> bytes:
        """The root over entries `start` to `end - 1`, as a subtree of RFC 6962 that begins there."""
        roots = [self.perfect(place, height) for place, height in _falling(start, end)]
        value = roots.pop()
        while roots:
            value = pair_up([roots.pop(), value])
        return value

    def consistency(self, old: int) -> list[bytes]:
        """PROOF(old, D[size]) of RFC 6962 section 2.1.2."""
        return self._subproof(old, 0, self._size, whole=True) if 0 < old < self._size else []

    def _subproof(self, old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
        if old == end - start:
            return [] if whole else [self.root(start, end)]
        split = 1 << (end - start - 1).bit_length() - 1
        if old <= split:
            return [*self._subproof(old, start, start + split, whole=whole), self.root(start + split, end)]
        return [*self._subproof(old - split, start + split, end, whole=False), self.root(start, start + split)]


def _falling(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The perfect subtrees of one that begins at `start`: largest first."""
    while start < end:
        height = (end - start).bit_length() - 1
        yield start, height
        start += 1 << height


class Root:
    """The root over hashes of leaves and subtrees, taken from left to right."""

    def __init__(self) -> None:
        self._stack: list[tuple[int, bytes]] = []

    def add(self, value: bytes, height: int = 0) -> None:
        """Take the next one."""
        stack = self._stack
        while stack and stack[-1][0] == height:
            value = pair_up([stack.pop()[1], value])
            height += 1
        stack.append((height, value))

    def value(self) -> bytes:
        """The root over what was taken."""
        value = self._stack[-1][1]
        for _, left in reversed(self._stack[:-1]):
            value = pair_up([left, value])
        return value


class Span:
    """The perfect subtrees over a run of leaves that begins anywhere, as they come."""

    def __init__(self, start: int) -> None:
        self._at = start
        self._stack: list[tuple[int, int, bytes]] = []

    def add(self, leaves: Sequence[bytes]) -> None:
        """Take leaf hashes; those of a whole tile are paired up in one go."""
        if len(leaves) == WIDTH and self._at % WIDTH == 0:
            self._put(pair_up(leaves), _TILE_LEVELS)
            return
        for leaf in leaves:
            self._put(leaf, 0)

    def _put(self, value: bytes, height: int) -> None:
        start, stack = self._at, self._stack
        self._at += 1 << height
        while stack and stack[-1][1] == height and stack[-1][0] % (2 << height) == 0:
            start, _, left = stack.pop()
            value = pair_up([left, value])
            height += 1
        stack.append((start, height, value))

    def roots(self) -> list[tuple[bytes, int]]:
        """(hash, height) from left to right."""
        return [(value, height) for _, height, value in self._stack]
