"""However the bytes are cut, the same messages come out; what is accepted is read alike by other parsers."""

import contextlib
import itertools

import h11
import httptools
from hypothesis import given
from hypothesis import strategies as st

from doorward_core.errors import ClientProtocolError
from doorward_core.http.h1_chunks import encode_chunk, encode_last
from doorward_core.http.h1_wire import RequestReader, ResponseReader, encode_request, encode_response
from doorward_core.http.limits import HttpLimits, UpstreamLimits
from doorward_core.http.messages import BadRequest
from doorward_core.http.paths import canonical
from doorward_core.http.websocket import WebSocketWire

bodies = st.lists(st.binary(max_size=40), max_size=4)
names = st.sampled_from([b"accept", b"x-a", b"x_b", b"cookie", b"te"])
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12).map(lambda v: v.strip().encode())
requests = st.lists(
    st.tuples(st.dictionaries(names, values, max_size=4), bodies, st.booleans()), min_size=1, max_size=3
)


def request(headers, pieces, chunked):
    fields = [(b"host", b"a.example"), *headers.items()]
    if chunked:
        fields.append((b"transfer-encoding", b"chunked"))
        body = b"".join(b"".join(encode_chunk(piece)) for piece in pieces if piece) + encode_last(((b"x-sum", b"1"),))
    else:
        body = b"".join(pieces)
        fields.append((b"content-length", str(len(body)).encode()))
    return encode_request("POST", b"/a?b", tuple(fields)) + body


def read(reader, pieces, *next_head):
    """What comes out: heads, bodies and trailers, and how it ended."""
    out, body, head = [], b"", None
    pieces = [*pieces, b""]
    while True:
        if head is None:
            head = reader.next_head(*next_head)
            if head is None:
                if reader.ended:
                    return out
                reader.receive(pieces.pop(0))
                continue
        piece = reader.next_data()
        if piece is None:
            reader.receive(pieces.pop(0))
        elif piece:
            body += piece
        else:
            out.append((head, body, reader.trailers))
            head, body = None, b""


def cut(data, at):
    edges = [0, *sorted(place % (len(data) + 1) for place in at), len(data)]
    return [piece for piece in (data[a:b] for a, b in itertools.pairwise(edges)) if piece]


@given(requests, st.lists(st.integers(0, 10_000), max_size=8))
def test_cutting_never_changes_requests(messages, at):
    data = b"".join(request(*message) for message in messages)
    whole = read(RequestReader(HttpLimits(), "http"), [data])
    assert len(whole) == len(messages)
    assert read(RequestReader(HttpLimits(), "http"), cut(data, at)) == whole
    assert read(RequestReader(HttpLimits(), "http"), [data[i : i + 1] for i in range(len(data))]) == whole


@given(st.dictionaries(names, values, max_size=4), bodies, st.booleans(), st.lists(st.integers(0, 10_000), max_size=8))
def test_cutting_never_changes_responses(headers, pieces, chunked, at):
    if chunked:
        head = encode_response(200, b"OK", (*headers.items(), (b"transfer-encoding", b"chunked")))
        data = head + b"".join(b"".join(encode_chunk(piece)) for piece in pieces if piece) + encode_last(())
    else:
        data = encode_response(200, b"OK", tuple(headers.items())) + b"".join(pieces)
    whole = read(ResponseReader(UpstreamLimits()), [data], "GET")
    assert whole[0][1] == b"".join(pieces)
    assert read(ResponseReader(UpstreamLimits()), cut(data, at), "GET") == whole


fragments = st.sampled_from(
    [b"GET", b"POST", b" ", b"/", b"/a", b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\n", b"\r", b"Host: a", b"Content-Length: 5",
     b"Content-Length: 0", b"Transfer-Encoding: chunked", b"Connection: close", b"X: y", b":", b"\t", b"hello", b"5", b"0", b"\x00"]
)  # fmt: skip
structured = st.lists(fragments, max_size=14).map(lambda pieces: b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(pieces))


class _Split:
    def __init__(self):
        self.headers, self.url, self.done = [], b"", False

    def on_url(self, url):
        self.url += url

    def on_header(self, name, value):
        self.headers.append((name.lower(), value.strip()))

    def on_headers_complete(self):
        self.done = True


@given(structured)
def test_what_is_accepted_other_parsers_read_alike(data):
    reader = RequestReader(HttpLimits(), "http")
    reader.receive(data)
    try:
        head = reader.next_head()
    except ClientProtocolError:
        return
    if head is None:
        return
    other = h11.Connection(h11.SERVER)
    other.receive_data(data)
    seen = other.next_event()
    assert isinstance(seen, h11.Request)
    assert (seen.method.decode(), seen.target) == (head.method, head.target)
    assert [tuple(header) for header in seen.headers] == list(head.headers)
    split = _Split()
    parser = httptools.HttpRequestParser(split)
    with contextlib.suppress(httptools.HttpParserError, httptools.HttpParserUpgrade):  # for what follows the head
        parser.feed_data(data)
    assert (split.done, split.url) == (True, head.target)


@given(
    st.binary(max_size=60).map(lambda tail: b"/" + tail)
    | st.text(st.sampled_from("/.%2eEfF5cC;\\ab?&=+"), max_size=20).map(lambda t: b"/" + t.encode())
)
def test_a_canonical_target_is_its_own_and_climbs_nowhere(target):
    try:
        found = canonical(target)
    except BadRequest:
        return
    assert canonical(found.target) == found
    assert not {".", "..", ""} & set(found.segments[:-1])
    assert found.segments[-1] not in {".", ".."}
    assert b"\\" not in found.target
    assert b";" not in found.target


@given(
    st.lists(st.tuples(st.binary(max_size=300), st.booleans()), max_size=4), st.lists(st.integers(0, 5_000), max_size=6)
)
def test_cutting_never_changes_websocket_messages(messages, at):
    client = WebSocketWire(client=True)
    messages = [(data.hex().encode() if text else data, text) for data, text in messages]
    wire = b"".join(client.message(data, text=text) for data, text in messages)
    server = WebSocketWire(client=False)
    heard = [event for piece in cut(wire, at) for event in server.receive(piece)]
    assert [(event.data, event.text) for event in heard] == messages
