"""Frames and segments, and what counts after a crash."""

import errno

import pytest

from doorward_core.record import journal as journals
from doorward_core.record.journal import Journal, JournalError, join, make_folder, pack_frame, read_segment, segments


def segment(folder, first, *frames):
    path = folder / f"{first:020d}.journal"
    path.write_bytes(b"".join(frames))
    return path


def test_what_is_written_and_flushed_is_read_back(tmp_path):
    journal = Journal(tmp_path)
    journal.start(0, [])
    journal.write([b"a", b"b"])
    assert (journal.written, journal.durable) == (2, 0)
    journal.flush()
    assert journal.durable == 2
    journal.write([b"c" * 60_000])
    journal.close()
    assert join(segments(tmp_path)) == (0, [b"a", b"b", b"c" * 60_000], b"")


def test_a_new_segment_repeats_and_then_displaces_the_old(tmp_path):
    journal = Journal(tmp_path)
    journal.start(0, [])
    journal.write([bytes([number]) for number in range(5)])
    journal.flush()
    journal.start(3, [b"\x03", b"\x04"])
    journal.write([b"\x05"])
    everything = (0, [bytes([number]) for number in range(6)], b"")
    assert join(segments(tmp_path)) == everything
    assert journal.drop_older() == 1
    assert join(segments(tmp_path)) == (3, [b"\x03", b"\x04", b"\x05"], b"")
    journal.close()


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_frame_cut_anywhere_is_a_torn_tail(tmp_path, cut):
    good, last = pack_frame(0, [b"a"], 0), pack_frame(1, [b"b" * 28], 1)
    path = segment(tmp_path, 0, good, last[:cut])
    found = read_segment(path)
    assert found.entries == [b"a"]
    assert found.torn == last[:cut].rstrip(b"\x00")


def test_zeros_behind_the_last_frame_mean_nothing(tmp_path):
    found = read_segment(segment(tmp_path, 0, pack_frame(0, [b"a"], 0), bytes(4096)))
    assert (found.entries, found.torn) == ([b"a"], b"")


def test_a_segment_grows_in_steps_and_is_closed_without_the_room_it_did_not_use(tmp_path):
    journal = Journal(tmp_path)
    journal.start(0, [])
    path = tmp_path / f"{0:020d}.journal"
    sizes = set()
    for number in range(50):
        journal.write([bytes([number]) * 60_000])
        journal.flush()
        sizes.add(path.stat().st_size)
        assert path.stat().st_size >= journal.bytes
    assert 1 < len(sizes) < 5
    crashed = join(segments(tmp_path))
    journal.close()
    assert path.stat().st_size == journal.bytes
    assert join(segments(tmp_path)) == crashed == (0, [bytes([number]) * 60_000 for number in range(50)], b"")


def test_a_full_disk_says_so_before_the_frame_is_written(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    journal = Journal(tmp_path)
    journal.start(0, [])
    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(OSError, match="full"):
        journal.write([b"a"])
    with pytest.raises(JournalError):
        journal.write([b"a"])
    journal.close()


def test_where_room_cannot_be_made_ahead_a_segment_grows_as_it_is_written(tmp_path, monkeypatch):
    def cannot(*_):
        raise OSError(errno.EOPNOTSUPP, "no")

    monkeypatch.setattr("os.posix_fallocate", cannot)
    journal = Journal(tmp_path)
    journal.start(0, [])
    journal.write([b"a"])
    journal.flush()
    journal.close()
    assert join(segments(tmp_path)) == (0, [b"a"], b"")


def test_a_durable_frame_that_is_broken_is_no_torn_tail(tmp_path):
    broken = bytearray(pack_frame(1, [b"b"], 1))
    broken[-1] ^= 1
    with pytest.raises(JournalError, match="entry 1 "):
        read_segment(segment(tmp_path, 0, pack_frame(0, [b"a"], 0), broken, pack_frame(2, [b"c"], 2)))


def test_a_frame_out_of_its_place_is_not_read(tmp_path):
    assert read_segment(segment(tmp_path, 0, pack_frame(5, [b"a"], 0))).entries == []


def test_a_gap_between_segments_is_a_loss(tmp_path):
    segment(tmp_path, 0, pack_frame(0, [b"a"], 0))
    segment(tmp_path, 2, pack_frame(2, [b"c"], 2))
    with pytest.raises(JournalError, match="missing"):
        join(segments(tmp_path))


def test_segments_that_disagree_are_refused(tmp_path):
    segment(tmp_path, 0, pack_frame(0, [b"a", b"b"], 0))
    segment(tmp_path, 1, pack_frame(1, [b"x"], 1))
    with pytest.raises(JournalError, match="disagree"):
        join(segments(tmp_path))


def test_a_torn_tail_that_a_later_segment_superseded_is_not_dropped_again(tmp_path):
    segment(tmp_path, 0, pack_frame(0, [b"a"], 0), b"torn")
    segment(tmp_path, 1, pack_frame(1, [b"b"], 1))
    assert join(segments(tmp_path)) == (0, [b"a", b"b"], b"")


def test_an_empty_segment_leaves_the_one_before_it_in_force(tmp_path):
    segment(tmp_path, 0, pack_frame(0, [b"a"], 0))
    segment(tmp_path, 1)
    assert join(segments(tmp_path)) == (0, [b"a"], b"")
    assert join([]) == (0, [], b"")


def test_a_folder_is_made_with_the_names_that_lead_to_it(tmp_path, monkeypatch):
    flushed, flush = [], journals.sync_folder
    monkeypatch.setattr(journals, "sync_folder", lambda folder: flushed.append(folder) or flush(folder))
    make_folder(tmp_path / "a" / "b" / "c")
    assert flushed == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    make_folder(tmp_path / "a" / "b")
    assert len(flushed) == 3
