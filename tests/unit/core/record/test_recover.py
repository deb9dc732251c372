"""What a writer may go on from, and what it must refuse."""

import shutil

import pytest

from doorward_core.errors import RecordError
from doorward_core.record import journal


def segment(workshop):
    return next((workshop.folder / "journal").iterdir())


def test_a_checkpoint_by_another_key_is_refused(workshop):
    workshop.fill(3)
    shutil.rmtree(workshop.root / "keys")
    with pytest.raises(RecordError, match="by this key"):
        workshop.open()


def test_a_journal_of_another_log_is_refused(workshop, tmp_path):
    workshop.fill(3)
    other = type(workshop)(tmp_path / "other")
    other.origin = "gateway.example/b"
    other.fill(3)
    (workshop.folder / "checkpoint").unlink()
    segment(workshop).write_bytes(segment(other).read_bytes())
    with pytest.raises(RecordError, match="not in its place"):
        workshop.open()


def test_a_journal_that_begins_beyond_the_checkpoint_is_refused(workshop):
    workshop.fill(600)
    (workshop.folder / "checkpoint").unlink()
    entries = journal.read_segment(segment(workshop)).entries[512:]
    shutil.rmtree(workshop.folder / "journal")
    (workshop.folder / "journal").mkdir()
    (workshop.folder / "journal" / f"{512:020d}.journal").write_bytes(journal.pack_frame(512, entries, 512))
    with pytest.raises(RecordError, match="join on"):
        workshop.open()


def test_a_missing_tile_below_the_journal_is_refused(workshop, monkeypatch):
    monkeypatch.setattr("doorward_core.record.engine.SEGMENT_BYTES", 10_000)
    workshop.fill(600)
    workshop.fill(1)
    (workshop.folder / "tile" / "0" / "000").unlink()
    with pytest.raises(RecordError, match="damaged"):
        workshop.open()


def test_lost_bundles_are_made_again_from_the_journal(workshop):
    workshop.fill(600)
    before = {path: path.read_bytes() for path in (workshop.folder / "tile").rglob("000") if path.is_file()}
    shutil.rmtree(workshop.folder / "tile")
    workshop.open().release()
    assert before
    assert {path: path.read_bytes() for path in before} == before


def test_garbage_that_is_well_framed_is_refused(workshop):
    workshop.fill(3)
    path = segment(workshop)
    with path.open("ab") as file:
        file.write(journal.pack_frame(5, [b"garbage"], 5))
    with pytest.raises(RecordError, match="entry 5"):
        workshop.open()
