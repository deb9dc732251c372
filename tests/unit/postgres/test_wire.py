"""Frames: boundaries, bounds, partial frames, and what is refused."""

import pytest

from doorward_core.errors import ClientProtocolError, LocalProtocolError, UpstreamProtocolError
from doorward_postgres.wire import HEADER_BYTES, Backend, FrameReader, Frontend, Side
from doorward_postgres.wire_encode import (
    SYNC,
    encode_command_complete,
    encode_copy_data,
    encode_data_row,
    encode_query,
    encode_ready_for_query,
    frame,
)


def _walk(reader: FrameReader) -> list[tuple[int, bytes]]:
    found = []
    for kind, start, end in reader:
        found.append((kind, reader.body(start, end)))
        reader.consume(end)
    return found


def test_gives_whole_frames_and_waits_for_the_rest():
    reader = FrameReader(Side.CLIENT)
    data = encode_query("select 1") + SYNC + encode_query("select 2")[:-3]
    reader.receive(data)
    assert _walk(reader) == [(Frontend.Query, b"select 1\0"), (Frontend.Sync, b"")]
    assert reader.buffered == len(encode_query("select 2")) - 3
    reader.receive(b" 2\0")
    assert _walk(reader) == [(Frontend.Query, b"select 2\0")]
    assert reader.buffered == 0


def test_a_slice_stays_what_it_was_when_more_arrives():
    reader = FrameReader(Side.CLIENT)
    query = encode_query("select 1")
    reader.receive(query + SYNC[:2])
    ((_, start, end),) = list(reader)
    view = reader.view(start, end)
    reader.consume(end)
    reader.receive(SYNC[2:])
    assert bytes(view) == query
    assert _walk(reader) == [(Frontend.Sync, b"")]


def test_unconsumed_frames_are_kept_across_receives():
    reader = FrameReader(Side.CLIENT)
    query = encode_query("select 1")
    reader.receive(query)
    assert [kind for kind, _, _ in reader] == [Frontend.Query]
    reader.receive(SYNC + SYNC)
    assert [kind for kind, _, _ in reader] == [Frontend.Sync, Frontend.Sync]
    assert reader.buffer == query + SYNC + SYNC


def test_breaking_off_the_walk_loses_nothing():
    reader = FrameReader(Side.CLIENT)
    reader.receive(encode_query("x" * 100)[:50])
    assert _walk(reader) == []
    reader.receive(encode_query("x" * 100)[50:] + SYNC)
    for _, _, end in reader:
        reader.consume(end)
        break
    reader.receive(SYNC)
    assert [kind for kind, _ in _walk(reader)] == [Frontend.Sync, Frontend.Sync]


def test_a_run_of_rows_is_one_slice():
    rows = [encode_data_row((b"a" * n, None)) for n in range(20)]
    done = encode_command_complete("SELECT 20")
    reader = FrameReader(Side.UPSTREAM)
    reader.receive(b"".join(rows) + done + encode_ready_for_query("I"))
    seen = []
    for kind, start, end in reader:
        stop = end
        if kind == Backend.DataRow:
            count, stop = reader.run(kind)
            assert count == 19
            assert bytes(reader.view(start, stop)) == b"".join(rows)
        seen.append(kind)
        reader.consume(stop)
    assert seen == [Backend.DataRow, Backend.CommandComplete, Backend.ReadyForQuery]


def test_a_run_stops_at_its_limit_and_before_what_is_not_whole():
    row = encode_data_row((b"abc",))
    reader = FrameReader(Side.UPSTREAM)
    reader.receive(row * 3 + row[:4])
    _, start, end = next(iter(reader))
    assert (start, end) == (0, len(row))
    assert reader.run(Backend.DataRow, 1) == (1, 2 * len(row))
    assert reader.run(Backend.DataRow) == (1, 3 * len(row))
    assert reader.run(Backend.DataRow) == (0, 3 * len(row))


def test_a_long_frame_is_joined_once_whole():
    data = encode_query("x" * 1_000_000)
    reader = FrameReader(Side.CLIENT)
    for at in range(0, len(data), 4096):
        assert _walk(reader) == []
        reader.receive(data[at : at + 4096])
    assert _walk(reader) == [(Frontend.Query, data[HEADER_BYTES:])]


def test_a_large_row_can_be_passed_on_in_pieces():
    row = encode_data_row((b"x" * 40_000_000,))
    reader = FrameReader(Side.UPSTREAM)
    passed = bytearray()
    rest = row + encode_ready_for_query("T")
    reader.receive(rest[:100])
    assert list(reader) == []
    assert reader.head() == (Backend.DataRow, len(row), 100)
    passed += reader.take_partial()
    at = 100
    while reader.owed:
        assert list(reader) == []
        reader.receive(rest[at : at + 1_000_003])
        at += 1_000_003
        passed += reader.take_partial()
    assert passed == row
    assert _walk(reader) == [(Backend.ReadyForQuery, b"T")]


def test_a_partial_frame_can_be_taken_after_it_has_gathered():
    row = encode_copy_data(b"y" * 1000)
    reader = FrameReader(Side.UPSTREAM)
    for at in range(0, 500, 10):
        reader.receive(row[at : at + 10])
        assert list(reader) == []
    assert reader.head() == (Backend.CopyData, len(row), 500)
    first = bytes(reader.take_partial())
    reader.receive(row[500:] + encode_ready_for_query("I"))
    assert first + bytes(reader.take_partial()) == row
    assert not reader.owed
    assert _walk(reader) == [(Backend.ReadyForQuery, b"I")]


def test_a_partial_frame_that_nobody_takes_is_bounded():
    reader = FrameReader(Side.UPSTREAM, max_message_bytes=10_000)
    reader.receive(encode_data_row((b"x" * 50_000,))[:6_000])
    assert list(reader) == []
    with pytest.raises(UpstreamProtocolError, match="outgrown"):
        reader.receive(b"x" * 6_000)


def test_a_partial_frame_that_nobody_takes_is_bounded_in_small_pieces():
    reader = FrameReader(Side.UPSTREAM, max_message_bytes=10_000)
    reader.receive(encode_data_row((b"x" * 50_000,))[:6_000])
    for _ in range(4):
        assert list(reader) == []
        reader.receive(b"x" * 1_000)
    with pytest.raises(UpstreamProtocolError, match="outgrown"):
        reader.receive(b"x")


def test_a_long_frame_is_not_joined_before_it_is_whole():
    reader = FrameReader(Side.CLIENT)
    data = encode_query("x" * 1_000)
    for at in range(0, 900, 100):
        reader.receive(data[at : at + 100])
        assert list(reader) == []
        assert len(reader.buffer) <= 100


def test_a_run_that_finishes_an_awaited_frame_awaits_no_longer():
    long, short = encode_data_row((b"x" * 1_000,)), encode_data_row((b"y",))
    reader = FrameReader(Side.UPSTREAM)
    reader.receive(short + long[:50])
    _, _, end = next(walk := iter(reader))
    assert list(walk) == []
    reader.consume(end)
    reader.receive(long[50:] + short[:6])
    assert reader.run(Backend.DataRow)[0] == 1
    reader.consume(reader.position)
    reader.receive(short[6:])
    assert _walk(reader) == [(Backend.DataRow, short[HEADER_BYTES:])]


def test_a_statement_over_the_bound_is_refused_at_its_header():
    reader = FrameReader(Side.CLIENT, max_message_bytes=10_000)
    reader.receive(frame(Frontend.Query, b"x" * 9_995)[:6])
    assert list(reader) == []
    assert reader.head() == (Frontend.Query, 10_000, 6)
    reader = FrameReader(Side.CLIENT, max_message_bytes=10_000)
    reader.receive(frame(Frontend.Query, b"x" * 9_996)[:5])
    with pytest.raises(ClientProtocolError, match="length of 10000 bytes"):
        list(reader)


def test_taking_a_partial_out_of_turn_is_our_own_defect():
    reader = FrameReader(Side.UPSTREAM)
    with pytest.raises(LocalProtocolError):
        reader.take_partial()
    row = encode_data_row((b"x" * 100,))
    reader.receive(row + row[:50])
    assert len(list(reader)) == 1
    with pytest.raises(LocalProtocolError):
        reader.take_partial()
    with pytest.raises(LocalProtocolError):
        reader.consume(len(row) + 1)


def test_only_rows_and_copy_data_are_passed_on_in_pieces():
    reader = FrameReader(Side.UPSTREAM)
    reader.receive(frame(Backend.ErrorResponse, b"x" * 100)[:50])
    assert list(reader) == []
    with pytest.raises(LocalProtocolError):
        reader.take_partial()


@pytest.mark.parametrize("side", list(Side))
def test_an_unknown_type_is_refused_at_its_first_byte(side):
    known = {value for name, value in vars(Frontend if side is Side.CLIENT else Backend).items() if name[0] != "_"}
    for kind in range(256):
        reader = FrameReader(side)
        reader.receive(bytes([kind]))
        if kind in known:
            assert list(reader) == []
        else:
            with pytest.raises((ClientProtocolError, UpstreamProtocolError), match=f"0x{kind:02x}"):
                list(reader)
