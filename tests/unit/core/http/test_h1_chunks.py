"""Chunks come off strictly, and go on plainly."""

import pytest

from doorward_core.errors import UpstreamProtocolError
from doorward_core.http.h1_chunks import LAST_CHUNK, ChunkReader, encode_chunk, encode_last
from doorward_core.http.messages import BadRequest


def read(data, *, lenient=False, room=100):
    reader = ChunkReader(UpstreamProtocolError if lenient else BadRequest, room, lenient=lenient)
    body, at = reader.read(data, 0)
    return body, data[at:], reader


def test_chunks_become_a_body_and_what_follows_is_left():
    body, rest, reader = read(b"5\r\nhello\r\nA\r\n, wonder..\r\n0\r\n\r\nGET ")
    assert (body, rest, reader.ended) == (b"hello, wonder..", b"GET ", True)


def test_trailers_are_told():
    _, _, reader = read(b"0\r\nX-Sum: \t a b \r\nY:\r\n\r\n")
    assert reader.trailers == ((b"x-sum", b"a b"), (b"y", b""))


@pytest.mark.parametrize(
    "data",
    [
        b"5\nhello\r\n",
        b"5\r\nhelloX",
        b"5\r\nhello\n",
        b" 5\r\n",
        b"5 \r\n",
        b"5;a=b\r\n",
        b"5;a=\nb\r\n",
        b"+5\r\n",
        b"0x5\r\n",
        b"\r\n",
        b"g\r\n",
        b"1" * 16 + b"\r\n",
        b"5\r",
        b"0\r\nContent-Length: 5\r\n\r\n",
        b"0\r\nX: a\nb\r\n\r\n",
        b"0\r\n X: folded\r\n\r\n",
        b"0\r\nX : a\r\n\r\n",
        b"0\r\nX: " + b"a" * 200,
        b"0" * 300,
    ],
)
def test_what_is_not_a_chunk_is_refused(data):
    reader = ChunkReader(BadRequest, 100)
    with pytest.raises(BadRequest):
        reader.read(data + (b"x" if data.endswith(b"\r") else b""), 0)
        if data == b"5\r":
            reader.read(data + b"x", 2)
            raise BadRequest("the CR was followed by something else")


def test_a_target_may_pad_a_size_and_extend_it():
    body, _, reader = read(b"5  \r\nhello\r\n0;last\r\n\r\n", lenient=True)
    assert body == b"hello"
    assert reader.ended


def test_too_many_trailers_are_refused():
    with pytest.raises(BadRequest):
        read(b"0\r\n" + b"a: b\r\n" * 33, room=10_000)


def test_what_is_written_is_read_back():
    wire = b"".join(encode_chunk(b"x" * 26)) + encode_last(((b"a", b"b"),))
    assert wire.startswith(b"1a\r\nxx")
    body, rest, reader = read(wire)
    assert (body, rest, reader.trailers) == (b"x" * 26, b"", ((b"a", b"b"),))
    assert encode_last(()) == LAST_CHUNK
