"""Hashes and entries, read from the tiles of a log that the writer's own engine made."""

import pytest

from doorward_core.errors import RecordError
from doorward_core.record import checkpoint, merkle, prove
from doorward_core.record.tile_hashes import TileHashes
from doorward_core.record.tiles import tile_path
from doorward_core.record.tree_files import TreeFiles


@pytest.fixture
def filled(workshop):
    workshop.fill(700)
    head = checkpoint.verify(workshop.checkpoint, workshop.vkey)
    return workshop, head, TileHashes(TreeFiles(workshop.folder), head.size)


def test_the_root_of_the_tiles_is_the_checkpoint_s(filled):
    _, head, tiles = filled
    assert prove.tree_root(tiles.hash_at, head.size) == head.root


def test_entries_and_their_paths_are_those_of_the_tree(filled):
    _, head, tiles = filled
    for index in (0, 1, 255, 256, 511, 512, head.size - 1):
        path = prove.inclusion(tiles.hash_at, index, head.size)
        assert merkle.included(merkle.leaf_hash(tiles.entry(index)), index, head.size, path, head.root)


def test_every_earlier_tree_is_proved(filled):
    _, head, tiles = filled
    for old in (1, 2, 255, 256, 257, 512, 600, head.size):
        steps = prove.consistency(tiles.hash_at, old, head.size)
        assert merkle.consistent(old, head.size, prove.tree_root(tiles.hash_at, old), head.root, steps)


def test_a_tile_that_is_missing_or_short_is_said(filled):
    workshop, head, _ = filled
    path = workshop.folder / tile_path(0, 1)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RecordError, match="shorter"):
        TileHashes(TreeFiles(workshop.folder), head.size).hash_at(0, 300)
    path.unlink()
    tiles = TileHashes(TreeFiles(workshop.folder), head.size)
    with pytest.raises(RecordError, match="missing"):
        tiles.hash_at(0, 300)
    (workshop.folder / tile_path("entries", 1)).unlink()
    with pytest.raises(RecordError, match="entry 300"):
        tiles.entry(300)


def test_a_hash_beyond_the_tree_is_not_made_up(filled):
    _, head, tiles = filled
    with pytest.raises(RecordError):
        tiles.hash_at(0, head.size + 300)
