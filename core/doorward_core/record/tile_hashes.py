"""The hashes and entries of a log's tree, read from its tiles for whoever makes proofs.

Implements docs/spec/event-log.md section 6, the reading side.
A shell over files; it only reads, also while a writer is at work, and believes nothing: who makes a proof compares the
root with the checkpoint's.
"""

from collections import OrderedDict
from collections.abc import Sequence

from doorward_core.errors import RecordError
from doorward_core.record.proof import HASH, WIDTH, bundle, pair_up
from doorward_core.record.tree_files import TileName, TreeFiles

_LEVELS = 8  # of the tree in one tile: 2^8 is WIDTH
# A proof crosses each level of tiles twice; several proofs in a row share what is near the root.
_MAX_TILES = 64


class TileHashes:
    """Reads the tree of the first `size` entries, which a checkpoint must cover."""

    def __init__(self, files: TreeFiles, size: int) -> None:
        self._files = files
        self._size = size
        self._tiles: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def hash_at(self, level: int, number: int) -> bytes:
        """The hash of entries `number * 2^level` up to, not including, `(number + 1) * 2^level`; raises RecordError."""
        tile_level, rest = divmod(level, _LEVELS)
        first = number << rest
        tile, at = divmod(first, WIDTH)
        data = self._tile(tile_level, tile)
        row = [data[place * HASH : (place + 1) * HASH] for place in range(at, at + (1 << rest))]
        if len(row[-1]) != HASH:
            raise RecordError(f"a tile at level {tile_level} is shorter than its tree")
        return pair_up(row)

    def _tile(self, level: int, number: int) -> bytes:
        known = self._tiles.get((level, number))
        if known is None:
            width = min(WIDTH, (self._size >> (_LEVELS * level)) - number * WIDTH)
            known = self._files.read(TileName(level, number, width)) if width > 0 else None
            if known is None:
                raise RecordError(f"a tile of hashes is missing: level {level}, number {number}, {width} wide")
            self._tiles[level, number] = known
            if len(self._tiles) > _MAX_TILES:
                self._tiles.popitem(last=False)
        return known

    def entry(self, index: int) -> bytes:
        """The bytes of one entry; raises RecordError."""
        number, place = divmod(index, WIDTH)
        data = self._files.read(TileName(-1, number, min(WIDTH, self._size - number * WIDTH)))
        entries: Sequence[bytes] = bundle(data) if data is not None else ()
        if place >= len(entries):
            raise RecordError(f"entry {index} is missing")
        return entries[place]
