"""Files compared with what the entries make them."""

import pytest

from doorward_core.record import merkle, proof
from doorward_core.record.tile_audit import TileAudit
from doorward_core.record.tree_files import TreeFiles
from doorward_core.record.verify import verify


def problems(workshop):
    return [problem.index for problem in verify(workshop.folder, public_key=workshop.vkey).problems]


@pytest.fixture
def growing(workshop):
    """A log whose tiles go beyond its checkpoint."""
    engine = workshop.open()
    workshop.add(engine, 100)
    engine.checkpoint()
    workshop.add(engine, 600)
    engine.flush()
    engine.publish()
    yield workshop
    engine.release()


def test_files_beyond_the_checkpoint_are_compared_with_the_journal(growing):
    assert problems(growing) == []
    path = growing.folder / "tile" / "entries" / "001"
    path.write_bytes(path.read_bytes().replace(b"gateway", b"getaway", 1))
    assert problems(growing) == [256]


@pytest.mark.parametrize(("slot", "index"), [(0, 256), (44, 300)])
def test_the_first_different_hash_names_its_entry(growing, slot, index):
    path = growing.folder / "tile" / "0" / "001"
    data = bytearray(path.read_bytes())
    data[slot * 32] ^= 1
    path.write_bytes(data)
    assert problems(growing) == [index]


def test_a_leftover_partial_file_must_agree_with_the_full_one(workshop):
    workshop.fill(600)
    partial = workshop.folder / "tile" / "entries" / "000.p"
    partial.mkdir()
    (partial / "3").write_bytes(b"\x00\x01x" * 3)
    assert problems(workshop) == [0]


def test_a_leftover_partial_bundle_blames_the_entry_that_differs(workshop):
    workshop.fill(600)
    full = (workshop.folder / "tile" / "entries" / "000").read_bytes()
    ends, at = [], 0
    while len(ends) < 3:
        at += 2 + int.from_bytes(full[at : at + 2], "big")
        ends.append(at)
    partial = workshop.folder / "tile" / "entries" / "000.p"
    partial.mkdir()
    (partial / "3").write_bytes(full[: ends[2] - 1] + bytes([full[ends[2] - 1] ^ 1]))
    assert problems(workshop) == [2]


def test_upper_tiles_are_required(tmp_path):
    hashes = [merkle.leaf_hash(bytes([number % 256])) for number in range(512)]
    roots = [proof.pair_up(hashes[:256]), proof.pair_up(hashes[256:])]
    audit = TileAudit(TreeFiles(tmp_path), 512, roots=roots, edge=[], edge_entries=[], tail=[])
    assert [problem.what for problem in audit.problems()] == [
        "a tile of level 1 over the entries from here on is missing"
    ]
