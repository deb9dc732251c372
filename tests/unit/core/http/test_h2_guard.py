"""Floods and oversized blocks end before anything reads them; what is honest passes untouched."""

import pytest

from doorward_core.errors import ClientProtocolError
from doorward_core.http.h2_guard import MAX_FRAME_BYTES, PREFACE_BYTES, FloodGuard

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)


def frame(kind, payload=b"", flags=0, stream=1):
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def guard(*, preface=False):
    return FloodGuard(ClientProtocolError, 65_536, preface=preface)


def test_what_is_honest_passes_as_the_very_bytes():
    data = frame(SETTINGS) + frame(HEADERS, b"x" * 100, 4) + frame(DATA, b"y" * 16_384, 1)
    assert guard().receive(data, 0.0) is data


def test_a_preface_is_not_frames():
    data = b"\xff" * PREFACE_BYTES + frame(SETTINGS)
    assert guard(preface=True).receive(data, 0.0) is data


def test_however_it_is_cut_the_same_bytes_pass():
    data = (
        frame(SETTINGS)
        + frame(HEADERS, b"x" * 20, 4)
        + frame(GOAWAY, b"\0\0\0\x05" + b"\0\0\0\x01" + b"bye")
        + frame(DATA)
    )
    whole = frame(SETTINGS) + frame(HEADERS, b"x" * 20, 4) + frame(DATA)
    for size in (1, 2, 7, 9, 10, 100):
        it = guard()
        out = b"".join(it.receive(data[at : at + size], 0.0) for at in range(0, len(data), size))
        assert out == whole
        assert it.goaway == (5, 1)


def test_a_goaway_that_says_nothing_is_refused():
    for payload in (b"", b"\0" * 7):
        with pytest.raises(ClientProtocolError):
            guard().receive(frame(GOAWAY, payload), 0.0)


def test_a_frame_that_is_too_long_is_refused_at_its_header():
    with pytest.raises(ClientProtocolError):
        guard().receive((MAX_FRAME_BYTES + 1).to_bytes(3) + bytes(6), 0.0)


def test_a_block_of_headers_is_bounded_in_bytes_and_in_frames():
    for piece in (b"x" * 16_384, b""):
        it = guard()
        it.receive(frame(HEADERS, b"x"), 0.0)
        with pytest.raises(ClientProtocolError):
            for _ in range(20):
                it.receive(frame(CONTINUATION, piece), 0.0)


@pytest.mark.parametrize(
    "flood",
    [
        frame(PING, b"x" * 8),
        frame(SETTINGS),
        frame(RST, b"x" * 4),
        frame(WINDOW, b"x" * 4),
        frame(PRIORITY, b"x" * 5),
        frame(DATA),
        frame(99),
    ],
)
def test_frames_that_ask_for_nothing_run_out(flood):
    it = guard(preface=False)
    with pytest.raises(ClientProtocolError):
        for _ in range(1000):
            it.receive(flood, 0.0)


def test_time_and_what_is_sent_pay_for_more():
    it = guard()
    for second in range(100):
        it.receive(frame(PING, b"x" * 8) * 40, float(second))
    it = guard()
    for _ in range(100):
        it.receive(frame(WINDOW, b"x" * 4) * 40, 0.0)
        it.sent(40 * 1024)


def test_resets_that_the_peer_provokes_are_counted_like_its_own():
    it = guard(preface=True)
    with pytest.raises(ClientProtocolError):
        for _ in range(101):
            it.charge_reset()
    it = guard()
    for _ in range(101):
        it.charge_reset()


def test_nobody_pushes():
    with pytest.raises(ClientProtocolError):
        guard().receive(frame(PUSH, b"x" * 8), 0.0)
