"""A log whose older entries were freed: what is not here is no loss only where the log itself says so."""

import pytest

from doorward_core.record.tree_files import TreeFiles
from doorward_core.record.verify import verify


def rotated(workshop, engine):
    """Close it, and begin a new segment of the journal: what is freed lies before it."""
    engine.close(workshop.now)
    engine = workshop.open()
    engine.close(workshop.now)


def freed(workshop, below=512, said=512, count=700):
    """A log of several bundles that says it freed some, and then did."""
    engine = workshop.open()
    workshop.add(engine, count, payload={"text": "SELECT 1"})
    workshop.add(engine, 1, kind="log.freed", head={"below": said, "archived": said, "archive": "folder"}, session=b"")
    rotated(workshop, engine)
    (workshop.folder / "freed").write_text(f"{below}\n")
    for number in range(below // 256):
        (workshop.folder / f"tile/entries/{number:03d}").unlink()


def test_what_was_freed_is_told_and_is_no_loss(workshop):
    freed(workshop)
    report = verify(workshop.folder, public_key=workshop.vkey, outside_checkpoint=workshop.checkpoint)
    assert report.ok, report.problems
    assert report.freed == 512
    assert report.checks["entries"] == report.checkpoint_size - 512
    assert "first 512 entries only the hashes are here" in " ".join(report.notes)


def test_without_a_key_from_outside_that_of_the_first_opening_that_is_here_is_used(workshop):
    freed(workshop)
    report = verify(workshop.folder)
    assert report.ok, report.problems
    assert not report.pinned


def test_a_file_that_claims_more_than_the_log_is_no_excuse(workshop):
    freed(workshop, below=512, said=256)
    report = verify(workshop.folder, public_key=workshop.vkey)
    assert [problem.index for problem in report.problems] == [256, None]
    assert "does not say that it was freed" in report.problems[0].what


@pytest.mark.parametrize("text", ["512", "0512\n", "-1\n", "511\n", "512\n\n", "x"])
def test_a_file_that_cannot_be_read_is_no_excuse(workshop, text):
    freed(workshop)
    (workshop.folder / "freed").write_text(text)
    report = verify(workshop.folder, public_key=workshop.vkey)
    assert not report.ok
    assert report.problems[0].index == 0
    assert TreeFiles(workshop.folder).freed() == -1


def test_an_entry_that_claims_what_comes_after_it_is_no_excuse(workshop):
    engine = workshop.open()
    workshop.add(engine, 1, kind="log.freed", head={"below": 512}, session=b"")
    workshop.add(engine, 600)
    engine.close(workshop.now + 1000)
    (workshop.folder / "freed").write_text("512\n")
    (workshop.folder / "tile/entries/000").unlink()
    report = verify(workshop.folder, public_key=workshop.vkey)
    assert not report.ok


def test_a_freed_hash_that_was_changed_is_found(workshop):
    freed(workshop)
    tile = workshop.folder / "tile/0/001"
    data = bytearray(tile.read_bytes())
    data[7] ^= 1
    tile.write_bytes(bytes(data))
    assert not verify(workshop.folder, public_key=workshop.vkey).ok


def test_a_freed_tile_is_never_freed(workshop):
    freed(workshop)
    (workshop.folder / "tile/0/000").unlink()
    report = verify(workshop.folder, public_key=workshop.vkey)
    assert "missing, with its bundle and its tile" in report.problems[0].what


def test_an_event_may_begin_in_what_was_freed(workshop):
    engine = workshop.open()
    workshop.add(engine, 253)
    workshop.add(engine, 1, payload={"data": bytes(300_000)})  # seven parts, over the edge of the first bundle
    workshop.add(engine, 300)
    workshop.add(engine, 1, kind="log.freed", head={"below": 256}, session=b"")
    rotated(workshop, engine)
    (workshop.folder / "freed").write_text("256\n")
    (workshop.folder / "tile/entries/000").unlink()
    report = verify(workshop.folder, public_key=workshop.vkey)
    assert report.ok, report.problems
    assert report.freed == 256
