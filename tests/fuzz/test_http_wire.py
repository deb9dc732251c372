"""Garbage gives messages or the refusal of its side, and nothing else: whole and byte by byte."""

import contextlib

import h2.connection
import h2.exceptions
from hypothesis import given
from hypothesis import strategies as st

from doorward_core.errors import ClientProtocolError, UpstreamProtocolError
from doorward_core.http.h1_wire import RequestReader, ResponseReader
from doorward_core.http.h2_guard import FloodGuard
from doorward_core.http.h2_wire import request_head, response_head
from doorward_core.http.limits import HttpLimits, UpstreamLimits
from doorward_core.http.messages import BadRequest
from doorward_core.http.paths import canonical
from doorward_core.http.server_h2 import new_state
from doorward_core.http.websocket import WebSocketError, WebSocketWire

LIMITS = HttpLimits(head_bytes=400, header_count=5, trailer_bytes=50)
sane = st.sampled_from(
    [b"GET / HTTP/1.1\r\nHost: a\r\n", b"POST /x HTTP/1.1\r\nHost: a\r\n", b"HTTP/1.1 200 OK\r\n", b"\r\n", b"0\r\n", b"5\r\n",
     b"hello", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: upgrade\r\nUpgrade: x\r\n", b"X-A: b\r\n"]
)  # fmt: skip
streams = st.lists(sane | st.binary(max_size=8), max_size=8).map(b"".join)


def drain(reader, pieces, fault, *method):
    """Read all there is; gives the bodies, until the refusal."""
    out = []
    try:
        in_body = False
        for piece in [*pieces, b""]:
            reader.receive(piece)
            for _ in range(200):
                if not in_body:
                    head = reader.next_head(*method)
                    if head is None:
                        break
                    in_body = True
                    out.append(head)
                data = reader.next_data()
                if data is None:
                    break
                if data:
                    out.append(data)
                else:
                    in_body = False
    except fault:
        pass
    return out


def heads(out):
    return [item for item in out if not isinstance(item, bytes)], b"".join(
        item for item in out if isinstance(item, bytes)
    )


@given(streams)
def test_requests(data):
    whole = drain(RequestReader(LIMITS, "http"), [data], ClientProtocolError)
    single = drain(RequestReader(LIMITS, "http"), [data[i : i + 1] for i in range(len(data))], ClientProtocolError)
    assert heads(whole) == heads(single)


@given(streams.map(lambda data: b"HTTP/1.1 200 OK\r\n" + data) | streams)
def test_responses(data):
    whole = drain(ResponseReader(UpstreamLimits()), [data], UpstreamProtocolError, "GET")
    single = drain(
        ResponseReader(UpstreamLimits()), [data[i : i + 1] for i in range(len(data))], UpstreamProtocolError, "GET"
    )
    assert heads(whole) == heads(single)


@given(st.binary(max_size=60))
def test_targets(data):
    for slash in (False, True):
        try:
            canonical(b"/" + data, encoded_slash=slash)
        except BadRequest:
            continue


fields = st.lists(
    st.tuples(
        st.sampled_from(
            [b":method", b":path", b":scheme", b":authority", b":status", b"host", b"te", b"content-length"]
        )
        | st.binary(max_size=6),
        st.sampled_from([b"GET", b"/", b"https", b"a", b"200", b"5"]) | st.binary(max_size=6),
    ),
    max_size=7,
)


@given(fields, st.booleans())
def test_h2_heads(received, ended):
    with contextlib.suppress(ClientProtocolError):
        request_head(received, "https", LIMITS, ended=ended)
    with contextlib.suppress(UpstreamProtocolError):
        response_head(received, 5)


frames = st.builds(
    lambda kind, flags, stream, body: len(body).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + body,
    st.integers(0, 11),
    st.integers(0, 255),
    st.sampled_from([0, 1, 3, 2, 2**31]),
    st.binary(max_size=30) | st.just(bytes.fromhex("828684410161")),
)


@given(st.lists(frames | st.binary(max_size=12), max_size=10).map(b"".join))
def test_h2_frames(data):
    data = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + data
    state = new_state(LIMITS)
    state.initiate_connection()
    guard = FloodGuard(ClientProtocolError, 400, preface=True)
    try:
        for i in range(0, len(data), 7):
            state.receive_data(guard.receive(data[i : i + 7], 0.0))
    except (ClientProtocolError, h2.exceptions.ProtocolError):
        pass
    assert isinstance(state, h2.connection.H2Connection)


@given(st.binary(max_size=200), st.booleans())
def test_websocket_frames(data, client):
    wire = WebSocketWire(client=client, max_message_bytes=100)
    try:
        for i in range(len(data)):
            list(wire.receive(data[i : i + 1]))
    except WebSocketError:
        pass
