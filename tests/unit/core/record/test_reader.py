"""Reading a log while it is written, from the middle, and when it is damaged."""

import pytest

from doorward_core.errors import RecordError
from doorward_core.record.reader import LogReader

ALICE = bytes([1]) * 16


def test_entries_behind_the_checkpoint_are_flagged(workshop):
    engine = workshop.open()
    workshop.add(engine, 300)
    engine.checkpoint()
    workshop.add(engine, 2)
    engine.flush()
    reader = LogReader(workshop.folder)
    read = list(reader.entries())
    assert [entry.index for entry in read] == list(range(303))
    assert [entry.index for entry in read if not entry.protected] == [301, 302]
    assert reader.size == 303
    assert reader.checkpoint().size == 301
    engine.release()


def test_a_session_is_read_alone(workshop):
    engine = workshop.open()
    workshop.add(engine, 2)
    workshop.add(engine, 3, session=ALICE)
    workshop.add(engine, 2)
    engine.close(workshop.now)
    assert [entry.index for entry in LogReader(workshop.folder).session(ALICE)] == [3, 4, 5]


def test_reading_may_begin_anywhere_even_within_an_event(workshop):
    engine = workshop.open()
    workshop.add(engine, 1, payload={"x": bytes(120_000)})
    workshop.add(engine, 600)
    engine.close(workshop.now)
    reader = LogReader(workshop.folder)
    assert next(reader.entries(1)).parts == 3
    assert next(reader.entries(2)).index == 4
    assert next(reader.entries(500)).index == 500
    assert list(reader.entries(10_000)) == []


def test_a_reader_sees_what_a_writer_adds_meanwhile(workshop, monkeypatch):
    monkeypatch.setattr("doorward_core.record.engine.SEGMENT_BYTES", 10_000)
    engine = workshop.open()
    workshop.add(engine, 10)
    engine.flush()
    iterator = LogReader(workshop.folder).entries()
    got = [next(iterator).index]
    workshop.add(engine, 600)
    engine.checkpoint()
    got += [entry.index for entry in iterator]
    assert got == list(range(got[-1] + 1))
    engine.close(workshop.now)


@pytest.mark.parametrize("damage", [b"", b"\x00\x05ab", b"\x00\x01\x80" * 256])
def test_damage_is_an_error_and_never_skipped(workshop, damage):
    workshop.fill(300)
    (workshop.folder / "tile" / "entries" / "000").write_bytes(damage)
    with pytest.raises(RecordError):
        list(LogReader(workshop.folder).entries())


def test_a_missing_bundle_is_an_error(workshop):
    workshop.fill(300)
    (workshop.folder / "tile" / "entries" / "000").unlink()
    with pytest.raises(RecordError, match="0 to 255"):
        list(LogReader(workshop.folder).entries())


def test_no_log_is_an_error(tmp_path):
    with pytest.raises(RecordError):
        LogReader(tmp_path / "nothing")


def test_an_entry_is_known_again_by_its_leaf_wherever_it_lies(workshop):
    engine = workshop.open()
    workshop.add(engine, 300)
    engine.checkpoint()
    workshop.add(engine, 2)
    engine.flush()
    reader = LogReader(workshop.folder)
    leaves = [reader.leaf(index) for index in (0, 255, 256, 300, 301, 302)]
    assert len(set(leaves)) == 6
    engine.close(workshop.now)
    assert [reader.leaf(index) for index in (0, 255, 256, 300, 301, 302)] == leaves
    with pytest.raises(RecordError, match="entry 9000 is missing"):
        reader.leaf(9000)
