import hashlib

import pytest

from doorward_console.evidence.proofs import Root, Span, Subtrees, heights, joined
from doorward_core.errors import RecordError
from doorward_core.record import merkle
from doorward_core.record.tree_files import TileName


class Tiles:
    """The tiles of a tree of so many leaves, in memory."""

    def __init__(self, size: int) -> None:
        self.leaves = [hashlib.sha256(b"%d" % place).digest() for place in range(size)]
        self.tree, self.tiles = merkle.Tree(), {}
        for leaf in self.leaves:
            for level, number, data in self.tree.add(leaf):
                self.tiles[level, number] = data
        for level, number, data in self.tree.partial():
            self.tiles[level, number] = data

    def checkpoint(self):
        return None

    def segments(self):
        return []

    def read(self, name: TileName):
        data = self.tiles.get((name.level, name.number))
        return data[: name.width * 32] if data is not None else None


@pytest.mark.parametrize("size", [1, 2, 7, 255, 256, 257, 1000, 66_000])
def test_runs_and_gaps_make_the_root(size):
    tiles = Tiles(size)
    for wanted in ([(0, size)], [(0, 1)], [(size // 3, size // 3 + 1)], [(0, 1), (size // 2, size)], []):
        runs = joined(wanted)
        gaps, root, at = iter(Subtrees(tiles, size).gaps(runs)), Root(), 0
        for start, end in [*runs, (size, size)]:
            for _, height in heights(at, start):
                root.add(next(gaps), height)
            for leaf in tiles.leaves[start:end]:
                root.add(leaf)
            at = end
        assert next(gaps, None) is None
        assert root.value() == tiles.tree.root()


def test_a_long_run_takes_as_many_hashes_as_two_paths():
    assert len(Subtrees(Tiles(66_000), 66_000).gaps([(1_000, 60_000)])) <= 2 * 17


@pytest.mark.parametrize("size", [2, 5, 300, 513, 1000])
def test_consistency_is_that_of_the_tree(size):
    tiles = Tiles(size)
    for old in {1, size // 2, size - 1, 256 if size > 256 else 1}:
        assert Subtrees(tiles, size).consistency(old) == merkle.consistency_proof(tiles.leaves, old)
    assert Subtrees(tiles, size).consistency(size) == []


@pytest.mark.parametrize("start", [0, 1, 255, 256, 300])
def test_a_span_gives_subtrees_that_stand_where_they_may(start):
    tiles = Tiles(1500)
    span, root = Span(start), Root()
    for leaf in tiles.leaves[:start]:
        root.add(leaf)
    at = start
    while at < 1500:
        end = min(1500, at // 256 * 256 + 256)
        span.add(tiles.leaves[at:end])
        at = end
    for value, height in span.roots():
        root.add(value, height)
    assert root.value() == tiles.tree.root()
    assert len(span.roots()) <= 22


def test_a_tile_that_is_missing_is_named():
    tiles = Tiles(1000)
    del tiles.tiles[0, 1]
    with pytest.raises(RecordError, match="entry 256"):
        Subtrees(tiles, 1000).gaps([(300, 301)])


def test_runs_that_touch_become_one():
    assert joined([(5, 7), (0, 1), (1, 3), (7, 9), (4, 4)]) == [(0, 3), (5, 9)]
