"""Garbage gives frames and messages, or the side's ProtocolError, and nothing else: whole and byte by byte."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward_core.errors import ClientProtocolError, UpstreamProtocolError
from doorward_postgres import wire_decode
from doorward_postgres.wire import Backend, FrameReader, Frontend, Side

DECODERS = [getattr(wire_decode, name) for name in dir(wire_decode) if name.startswith("decode_")]
_TYPES = {
    Side.CLIENT: [value for name, value in vars(Frontend).items() if name[0] != "_"],
    Side.UPSTREAM: [value for name, value in vars(Backend).items() if name[0] != "_"],
}


def _plausible(side: Side):
    """Bytes that often begin like a frame, so that the search gets past the first check."""
    header = st.builds(
        lambda kind, length, body: bytes([kind]) + length.to_bytes(4) + body,
        st.sampled_from(_TYPES[side]),
        st.integers(0, 40) | st.integers(0, 2**32 - 1),
        st.binary(max_size=40),
    )
    return st.lists(header | st.binary(max_size=20), max_size=6).map(b"".join)


def _frames(side: Side, chunks) -> tuple[list[bytes], str]:
    reader = FrameReader(side, max_message_bytes=1000)
    found = []
    refusal = ClientProtocolError if side is Side.CLIENT else UpstreamProtocolError
    try:
        for chunk in chunks:
            reader.receive(chunk)
            for _, start, end in reader:
                found.append(bytes(reader.view(start, end)))
                reader.consume(end)
            assert reader.buffered <= 1000 + len(chunk)
    except refusal:
        return found, "refused"
    return found, "open"


@pytest.mark.parametrize("side", list(Side))
@given(data=st.data())
def test_garbage_gives_frames_or_the_sides_error(side, data):
    garbage = data.draw(st.binary(max_size=100) | _plausible(side))
    whole = _frames(side, [garbage])
    single = _frames(side, [garbage[at : at + 1] for at in range(len(garbage))])
    assert whole == single


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.__name__)
@given(body=st.binary(max_size=120))
def test_a_garbage_body_gives_a_message_or_a_protocol_error(decoder, body):
    with suppress(ClientProtocolError, UpstreamProtocolError):
        decoder(body)
