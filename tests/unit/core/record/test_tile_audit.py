"""Files compared with what the entries make them."""

import pytest

from doorward_core.record import merkle, proof
from doorward_core.record.tile_audit import Beyond, TileAudit
from doorward_core.record.tree_files import TileName, TreeFiles
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


# --- files that reach beyond every entry ------------------------------------------------------------------------------


def audited(growing):
    """An audit that read the journal before the log grew: it knows the entries of the checkpoint alone."""
    files = TreeFiles(growing.folder)
    head = proof.read_note(files.checkpoint())[0]
    entries = proof.bundle(files.read(TileName(-1, 0, head.size)))
    audit = TileAudit(
        files, head.size, roots=[], edge=[proof.leaf(one) for one in entries], edge_entries=entries, tail=[]
    )
    assert list(audit.problems()) == []
    return audit, head.size


def test_a_log_that_grew_meanwhile_has_nothing_beyond_it(growing):
    audit, _ = audited(growing)
    assert audit.beyond() is None  # the journal has it by now


def test_what_left_the_journal_meanwhile_is_covered_by_a_checkpoint(workshop):
    workshop.fill(100)
    audit, _ = audited(workshop)
    workshop.fill(600)
    assert list(audit.problems()) == []
    for segment in (workshop.folder / "journal").iterdir():
        segment.unlink()
    assert audit.beyond() is None


def test_files_that_neither_checkpoint_nor_journal_reaches_are_counted(growing):
    audit, size = audited(growing)
    for segment in (growing.folder / "journal").iterdir():
        segment.unlink()
    beyond = audit.beyond()
    assert (beyond.bundles, beyond.tiles, beyond.start, beyond.end) == (2, 2, size, 512)


@pytest.mark.parametrize(
    ("relative", "end"),
    [
        ("tile/entries/009", 2560),
        ("tile/0/x001/000", 256_256),
        ("tile/0/009.p/7", 2311),
        ("tile/3/002", 3 * 256**4),
        ("tile/1/000.p/9", 2304),
    ],
)
def test_a_single_file_far_beyond_is_named_with_its_end(workshop, relative, end):
    workshop.fill(600)
    size = verify(workshop.folder, public_key=workshop.vkey).size
    path = workshop.folder / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((workshop.folder / "tile" / "1" / "000.p" / "2").read_bytes() if "/1/" in relative else b"junk")
    report = verify(workshop.folder, public_key=workshop.vkey)
    bundles = int("entries" in relative)
    assert (report.ok, report.beyond) == (True, Beyond(bundles, 1 - bundles, size, end))
    assert f"up to {end}: neither checkpoint nor journal has entries from {size} on" in report.notes[-1]
