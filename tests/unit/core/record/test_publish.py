"""Bundles, tiles and checkpoints as files."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_core.record import checkpoint
from doorward_core.record.publish import Publisher
from doorward_core.record.tiles import unpack_bundle

ORIGIN = "gateway.example/a"


@pytest.fixture
def key():
    return Ed25519PrivateKey.generate()


@pytest.fixture
def publisher(tmp_path, key):
    return Publisher(tmp_path, ORIGIN, key, None)


def entries(count, start=0):
    return [number.to_bytes(4, "big") for number in range(start, start + count)]


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_partial_files_are_there_for_a_checkpoint_and_go_when_the_full_ones_come(tmp_path, publisher):
    publisher.add(entries(10))
    assert names(tmp_path) == []
    assert publisher.checkpoint()
    assert names(tmp_path) == ["checkpoint", "tile/0/000.p/10", "tile/entries/000.p/10"]
    publisher.add(entries(250, 10))
    publisher.checkpoint()
    assert names(tmp_path) == [
        "checkpoint",
        "tile/0/000",
        "tile/0/001.p/4",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/4",
    ]
    assert unpack_bundle((tmp_path / "tile/entries/000").read_bytes()) == entries(256)


def test_nothing_is_signed_twice(tmp_path, publisher, key):
    publisher.add(entries(3))
    assert [publisher.checkpoint(), publisher.checkpoint()] == [True, False]
    vkey = checkpoint.make_vkey(ORIGIN, checkpoint.public_bytes(key.public_key()))
    assert checkpoint.verify((tmp_path / "checkpoint").read_bytes(), vkey).size == 3


@pytest.mark.parametrize("bundles", [0, 1, 255, 256, 257, 600])
def test_a_tree_is_taken_up_from_its_full_tiles(tmp_path, publisher, key, bundles):
    publisher.add(entries(256 * bundles))
    again = Publisher(tmp_path, ORIGIN, key, None)
    again.load(bundles)
    assert again.tree.root() == publisher.tree.root()
    publisher.add(entries(300, 256 * bundles))
    again.add(entries(300, 256 * bundles))
    assert again.tree.root() == publisher.tree.root()


def test_a_tile_that_is_short_or_missing_is_not_taken_up(tmp_path, publisher, key):
    publisher.add(entries(512))
    (tmp_path / "tile/0/001").write_bytes(bytes(31))
    with pytest.raises(ValueError, match="not a full tile"):
        Publisher(tmp_path, ORIGIN, key, None).load(2)
    (tmp_path / "tile/0/001").unlink()
    with pytest.raises(FileNotFoundError):
        Publisher(tmp_path, ORIGIN, key, None).load(2)


def test_full_files_are_handed_over_once_to_be_flushed(publisher):
    publisher.add(entries(256 * 2 + 3))
    publisher.checkpoint()
    assert publisher.take_unsynced() == ["tile/entries/000", "tile/0/000", "tile/entries/001", "tile/0/001"]
    assert publisher.take_unsynced() == []
