"""Paths and bundles of tlog-tiles."""

import pytest

from doorward_core.record import tree_files
from doorward_core.record.tiles import ENTRIES, pack_bundle, tile_path, unpack_bundle


@pytest.mark.parametrize(
    ("level", "number", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (1, 999, 256, "tile/1/999"),
        (2, 1000, 256, "tile/2/x001/000"),
        (0, 1234067, 256, "tile/0/x001/x234/067"),
        (ENTRIES, 1234067, 17, "tile/entries/x001/x234/067.p/17"),
        (ENTRIES, 5, 256, "tile/entries/005"),
    ],
)
def test_paths_are_those_of_tlog_tiles_for_writer_and_verifier(level, number, width, path):
    assert tile_path(level, number, width) == path
    name = tree_files.TileName(-1 if level == ENTRIES else level, number, width)
    assert tree_files._path(name) == path


def test_bundles_come_back():
    entries = [b"", b"a", b"x" * 65_535]
    assert unpack_bundle(pack_bundle(entries)) == entries


@pytest.mark.parametrize("data", [b"\x00", b"\x00\x02a", b"\x00\x01a\x00"])
def test_a_bundle_that_ends_early_is_refused(data):
    with pytest.raises(ValueError, match="inside an entry"):
        unpack_bundle(data)
