"""The handshake proves what it should; messages are whole; what breaks the protocol is one exception."""

import base64

import pytest

from doorward_core.errors import UpstreamProtocolError
from doorward_core.http.messages import BadRequest, Head, ResponseHead
from doorward_core.http.websocket import (
    Close,
    Message,
    Ping,
    Pong,
    WebSocketError,
    WebSocketWire,
    accept_key,
    check_request,
    check_response,
    request_headers,
    response_headers,
    subprotocols,
)

KEY = base64.b64encode(bytes(16))
ASKED = ((b"sec-websocket-version", b"13"), (b"sec-websocket-key", KEY))


def asked(headers=ASKED, method="GET", upgrade="websocket", version="1.1"):
    return Head(method, b"/", "a", "http", tuple(headers), version, upgrade=upgrade)


def test_the_key_of_rfc_6455_is_answered_as_there():
    assert accept_key(b"dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_a_handshake_is_whole_or_refused():
    assert check_request(asked()) == KEY
    for bad in [
        asked(method="POST"),
        asked(upgrade="h2c"),
        asked(version="1.0"),
        asked(ASKED[:1]),
        asked((*ASKED, ASKED[1])),
        asked(((b"sec-websocket-version", b"8"), ASKED[1])),
        asked((ASKED[0], (b"sec-websocket-key", b"short"))),
        asked((ASKED[0], (b"sec-websocket-key", b"\xff"))),
    ]:
        with pytest.raises(BadRequest):
            check_request(bad)


def test_subprotocols_are_offered_in_order_and_not_by_the_hundred():
    assert subprotocols(((b"sec-websocket-protocol", b"a, b"), (b"sec-websocket-protocol", b"c"))) == (b"a", b"b", b"c")
    for value in (b"a,,b", b",".join([b"x"] * 17)):
        with pytest.raises(BadRequest):
            subprotocols(((b"sec-websocket-protocol", value),))


def test_our_own_handshake_offers_no_extension():
    headers = request_headers((*ASKED, (b"sec-websocket-extensions", b"permessage-deflate"), (b"a", b"b")), b"k")
    assert headers == ((b"a", b"b"), (b"sec-websocket-version", b"13"), (b"sec-websocket-key", b"k"))


def test_a_target_must_answer_our_key_and_choose_what_was_offered():
    proof = (b"sec-websocket-accept", accept_key(KEY))
    assert check_response(ResponseHead(101, (proof,)), KEY, ()) == b""
    assert check_response(ResponseHead(101, (proof, (b"sec-websocket-protocol", b"b"))), KEY, (b"a", b"b")) == b"b"
    for headers in [
        (),
        ((b"sec-websocket-accept", b"x"),),
        (proof, (b"sec-websocket-extensions", b"permessage-deflate")),
        (proof, (b"sec-websocket-protocol", b"z")),
    ]:
        with pytest.raises(UpstreamProtocolError):
            check_response(ResponseHead(101, headers), KEY, (b"a",))


def test_our_answer_carries_the_proof():
    assert response_headers(KEY, b"") == ((b"sec-websocket-accept", accept_key(KEY)),)
    assert response_headers(KEY, b"a")[1] == (b"sec-websocket-protocol", b"a")


def test_what_one_side_says_the_other_hears():
    client, server = WebSocketWire(client=True), WebSocketWire(client=False)
    wire = (
        client.message("gr\u00fc\u00df".encode(), text=True)
        + client.ping(b"p")
        + client.message(b"\xff", text=False)
        + client.pong(b"q")
        + client.close(1000, "bye")
    )
    for size in (1, 3, len(wire)):
        server = WebSocketWire(client=False)
        heard = [event for at in range(0, len(wire), size) for event in server.receive(wire[at : at + size])]
        assert heard == [
            Message("gr\u00fc\u00df".encode(), text=True),
            Ping(b"p"),
            Message(b"\xff", text=False),
            Pong(b"q"),
            Close(1000, "bye"),
        ]
        assert server.closed
    assert list(client.receive(server.message(b"", text=True))) == [Message(b"", text=True)]
    assert list(client.receive(server.close(1005))) == [Close(1005, "")]


def test_a_message_in_pieces_is_given_whole():
    server = WebSocketWire(client=True)
    assert list(server.receive(b"\x01\x02ab\x89\x00\x80\x02cd")) == [Ping(b""), Message(b"abcd", text=True)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x81\0\0\0\0x", 1002),
        (b"\xc1\x01x", 1002),
        (b"\x83\x00", 1002),
        (b"\x80\x00", 1002),
        (b"\x09\x00", 1002),
        (b"\x88\x01x", 1002),
        (b"\x81\x7e\x00\x01x", 1002),
        (b"\x81\x01\xff", 1007),
        (b"\x82\x0bhello world", 1009),
        (b"\x02\x00" + b"\x00\x00" * 5000, 1009),
    ],
)
def test_what_is_not_websocket_has_its_code(data, code):
    with pytest.raises(WebSocketError) as fault:
        list(WebSocketWire(client=True, max_message_bytes=10).receive(data))
    assert fault.value.code == code
