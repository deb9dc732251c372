"""The writer's engine: openings, repair, rotation, places, keys."""

import hashlib

import pytest

from doorward_core.errors import RecordError
from doorward_core.record.engine import Engine, Settings
from doorward_core.record.reader import LogReader
from doorward_core.record.settle import beside, settle
from doorward_core.record.verify import verify


def kinds(workshop):
    return [entry.kind for entry in LogReader(workshop.folder).entries()]


def verified(workshop):
    report = verify(workshop.folder, public_key=workshop.vkey, outside_checkpoint=workshop.checkpoint)
    assert report.ok, report.problems
    return report


def test_a_new_log_opens_with_its_key_and_format(workshop):
    engine = workshop.open()
    first = next(LogReader(workshop.folder).entries())
    assert first.header == {"format": "doorward-event-log@1", "vkey": engine.vkey, "previous": "none", "sealed": False}
    assert (workshop.root / "keys" / "signer.pem").stat().st_mode & 0o777 == 0o600
    engine.release()


def test_a_log_that_was_closed_goes_on(workshop):
    workshop.fill(3)
    workshop.fill(3)
    openings = [entry for entry in LogReader(workshop.folder).entries() if entry.kind == "log.opened"]
    assert [entry.header["previous"] for entry in openings] == ["none", "closed"]
    verified(workshop)


def test_a_log_that_was_not_closed_says_so_without_repair(workshop):
    engine = workshop.open()
    workshop.add(engine, 3)
    engine.flush()
    engine.release()
    workshop.fill(0)
    openings = [entry for entry in LogReader(workshop.folder).entries() if entry.kind == "log.opened"]
    assert openings[1].header["previous"] == "unclean"
    assert "log.repaired" not in kinds(workshop)
    verified(workshop)


def test_a_torn_tail_is_dropped_and_the_repair_recorded(workshop):
    engine = workshop.open()
    workshop.add(engine, 3)
    engine.flush()
    engine.release()
    segment = next((workshop.folder / "journal").iterdir())
    with segment.open("ab") as file:
        file.write(b"DWJ1 half a frame")
    workshop.fill(0)
    repaired = next(entry for entry in LogReader(workshop.folder).entries() if entry.kind == "log.repaired")
    assert repaired.header == {
        "dropped_bytes": 17,
        "dropped_sha256": hashlib.sha256(b"DWJ1 half a frame").digest(),
        "kept": 4,
    }
    assert kinds(workshop).count("operation.decided") == 3
    verified(workshop)


def test_a_long_log_is_read_back_from_its_bundles(workshop, monkeypatch):
    monkeypatch.setattr("doorward_core.record.engine.SEGMENT_BYTES", 20_000)
    for _ in range(4):
        workshop.fill(400)
    assert len(list((workshop.folder / "journal").iterdir())) == 1
    numbers = [entry.index for entry in LogReader(workshop.folder).entries()]
    assert numbers == list(range(4 * 402))
    verified(workshop)


def test_a_segment_ends_even_where_bundles_fill_as_fast_as_they_are_flushed(workshop, monkeypatch):
    monkeypatch.setattr("doorward_core.record.engine.SEGMENT_BYTES", 20_000)
    monkeypatch.setattr("doorward_core.record.engine.SEGMENT_LIMIT_BYTES", 1_500_000)
    engine, sizes = workshop.open(), []
    for _ in range(8):
        workshop.add(engine, 3_000)
        engine.flush()
        engine.publish()
        sizes.append(engine._journal.bytes)
    engine.close(workshop.now)
    assert max(sizes) < 1_500_000
    verified(workshop)


class Slow:
    """Flushes nothing until it is told to, or waited for."""

    def __init__(self, folder):
        self.folder, self.names, self.ready, self.waited = folder, None, False, 0

    def begin(self, names):
        assert self.names is None
        self.names, self.ready = names, False

    def done(self):
        if self.ready and self.names is not None:
            settle(self.folder, self.names)
            self.names = None
        return self.names is None

    def finish(self):
        self.ready, self.waited = True, self.waited + 1
        assert self.done()

    def close(self):
        pass


def slowly(workshop, monkeypatch):
    """An engine with such a one, the first segment of which was full, and it."""
    monkeypatch.setattr("doorward_core.record.engine.SEGMENT_BYTES", 20_000)
    monkeypatch.setattr("doorward_core.record.engine.SEGMENT_LIMIT_BYTES", 200_000)
    made = []
    engine = Engine(workshop.settings(), lambda folder: made.append(Slow(folder)) or made[0])
    engine.open(workshop.now)
    assert made == []
    publish(workshop, engine, 400)
    return engine, made[0]


def publish(workshop, engine, count):
    workshop.add(engine, count)
    engine.flush()
    engine.publish()


def segments(workshop):
    return sorted(int(path.name[:20]) for path in (workshop.folder / "journal").iterdir())


def test_a_segment_stays_until_the_bundles_that_hold_its_entries_are_flushed(workshop, monkeypatch):
    engine, slow = slowly(workshop, monkeypatch)
    assert slow.names == ["tile/entries/000", "tile/0/000"]
    publish(workshop, engine, 200)
    engine.checkpoint()
    assert segments(workshop) == [0, 256]
    slow.ready = True
    publish(workshop, engine, 1)
    assert segments(workshop)[0] == 256
    engine.close(workshop.now)
    verified(workshop)


def test_at_the_limit_of_a_segment_the_flush_is_waited_for(workshop, monkeypatch):
    engine, slow = slowly(workshop, monkeypatch)
    while not slow.waited:
        publish(workshop, engine, 100)
        assert engine._journal.bytes < 250_000
    assert segments(workshop)[0] == 256
    engine.close(workshop.now)
    verified(workshop)


def test_a_log_that_ends_with_two_segments_goes_on_with_one(workshop, monkeypatch):
    engine, _ = slowly(workshop, monkeypatch)
    publish(workshop, engine, 30)
    engine.release()
    (workshop.folder / "tile/0/000").unlink()  # never flushed: a loss of power may take it
    assert segments(workshop) == [0, 256]
    workshop.fill(3)
    assert segments(workshop) == [256]
    assert [entry.index for entry in LogReader(workshop.folder).entries()] == list(range(436))
    verified(workshop)


def test_a_process_beside_flushes_what_the_writer_handed_over(workshop, monkeypatch):
    monkeypatch.setattr("doorward_core.record.engine.SEGMENT_BYTES", 20_000)
    engine = Engine(workshop.settings(), beside)
    engine.open(workshop.now)
    for _ in range(3):
        publish(workshop, engine, 400)
        engine._settling.finish()
    engine.checkpoint()
    assert segments(workshop)[0] > 0
    engine.close(workshop.now)
    verified(workshop)


def test_a_segment_ends_with_entries_at_hand_that_were_not_written_yet(workshop, monkeypatch):
    """Between a flush and what follows it more may have come: it belongs to the next segment, in order."""
    monkeypatch.setattr("doorward_core.record.engine.SEGMENT_BYTES", 20_000)
    engine, segments = workshop.open(), set()
    for _ in range(40):
        workshop.add(engine, 97)
        engine.flush()
        workshop.add(engine, 3)
        engine.publish()
        segments |= {path.name for path in (workshop.folder / "journal").iterdir()}
    engine.close(workshop.now)
    assert len(segments) > 3
    assert [entry.index for entry in LogReader(workshop.folder).entries()] == list(range(engine.size))
    verified(workshop)


def test_the_copy_of_the_checkpoint_is_the_checkpoint(workshop):
    mirror = workshop.root / "second" / "place"
    engine = workshop.open(mirror=mirror)
    workshop.add(engine, 3)
    engine.checkpoint()
    assert (mirror / "checkpoint").read_bytes() == workshop.checkpoint
    engine.release()


def test_a_copy_that_cannot_be_written_is_told_and_made_up_for(workshop):
    mirror = workshop.root / "second"
    mirror.write_text("a file where the folder should be")
    engine = workshop.open(mirror=mirror / "place")
    assert engine.mirror_problem
    mirror.unlink()
    workshop.add(engine)
    engine.checkpoint()
    assert engine.mirror_problem == ""
    engine.release()


@pytest.mark.parametrize("name", ["signer", "keys", "mirror"])
def test_keys_and_copies_may_not_lie_in_the_tree(workshop, name):
    places = {"signer": workshop.root / "k" / "s.pem", "keys": workshop.root / "k", "mirror": None}
    places[name] = workshop.folder / "journal" / "inside"
    with pytest.raises(RecordError, match="may not lie"):
        Engine(Settings(workshop.folder, workshop.origin, recipients=(), **places))


def test_a_signing_key_that_others_can_read_is_refused(workshop):
    workshop.fill(0)
    (workshop.root / "keys" / "signer.pem").chmod(0o644)
    with pytest.raises(RecordError, match="chmod"):
        workshop.open()


def test_a_gateway_that_loses_count_is_refused(workshop):
    engine = workshop.open()
    for index, at in ((7, workshop.now), (engine.size, 0)):
        with pytest.raises(RecordError, match="disagree"):
            engine.add(index, at, "a.b", b"", b"", head=b"\x80", body=b"")
    engine.release()
