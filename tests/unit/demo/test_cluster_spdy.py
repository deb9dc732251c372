"""SPDY/3.1 as the port-forward's server speaks it."""

import struct
import zlib

from doorward_demo.cluster_spdy import DICTIONARY, DICTIONARY_ID, Data, Opened, Reset, SpdyServer


def control(kind: int, payload: bytes) -> bytes:
    return struct.pack("!II", 0x80030000 | kind, len(payload)) + payload


def opening(stream: int, **headers: str) -> bytes:
    texts = [text.encode() for pair in headers.items() for text in pair]
    block = struct.pack("!I", len(headers)) + b"".join(struct.pack("!I", len(text)) + text for text in texts)
    packing = zlib.compressobj(zdict=DICTIONARY)
    packed = packing.compress(block) + packing.flush(zlib.Z_SYNC_FLUSH)
    return control(1, struct.pack("!IIH", stream, 0, 0) + packed)


def test_the_dictionary_is_that_of_the_protocol() -> None:
    assert zlib.adler32(DICTIONARY) == DICTIONARY_ID


def test_frames_are_read_however_they_are_cut() -> None:
    sent = opening(1, streamtype="data", port="80") + struct.pack("!II", 1, 0x01000003) + b"abc" + control(7, b"\0" * 8)
    expected = [Opened(1, {"streamtype": "data", "port": "80"}), Data(1, b"abc", last=True), Reset(0)]
    assert list(SpdyServer().receive(sent)) == expected
    server = SpdyServer()
    assert [event for byte in sent for event in server.receive(bytes([byte]))] == expected


def test_windows_are_opened_for_what_was_taken_and_pings_are_answered() -> None:
    server = SpdyServer()
    list(server.receive(struct.pack("!II", 5, 3) + b"abc" + control(6, b"ping")))
    windows = control(9, struct.pack("!II", 5, 3)) + control(9, struct.pack("!II", 0, 3))
    assert bytes(server.answers) == windows + control(6, b"ping")


def test_long_data_is_cut_into_frames_and_ended() -> None:
    sent = SpdyServer.data(3, b"x" * 20_000, last=True)
    events = list(SpdyServer().receive(sent))
    assert b"".join(event.data for event in events if isinstance(event, Data)) == b"x" * 20_000
    assert events[-1] == Data(3, b"", last=True)
    assert len(events) == 3


def test_a_reply_can_be_unpacked() -> None:
    reply = SpdyServer().reply(1)
    assert zlib.decompressobj(zdict=DICTIONARY).decompress(reply[12:]) == b"\0\0\0\0"
