"""ATTACKS on masks by what stands beside a body: trailers, types, names, queries, and the small frames of a socket."""

import pytest

from doorward_core.http.messages import Head, ResponseHead
from doorward_core.http.websocket import Close, Message, Ping, Pong, WebSocketWire
from doorward_core.model import Decision, Effect, Mask, MaskInput, ReasonCode, Transform
from doorward_http.bodies import Unmaskable, plan
from doorward_http.masking import Owing, Withheld
from doorward_http.owed import Owed
from doorward_http.upgrades import MAX_PINGS, Ended, Masker, Side, _forwarded

KEY = b"k" * 32
SECRET = b"jane.doe@secret.example"
CARD = b"4111111111111111"
BY_PATH = Mask("r", ("$..email",), (), Transform.REDACT, "pii")
BY_CONTENT = Mask("r", (), ("email", "card"), Transform.REDACT, "pii")
JSON = (b"content-type", b"application/json")


def masking(*obligations):
    return Owing(KEY).of(Decision(Effect.PERMIT, ReasonCode.RULE, "", b"", obligations))


# --- H-07, H-09: trailers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [b"content-md5", b"digest", b"repr-digest", b"content-digest", b"etag", b"x-amz-checksum-sha256", b"x-checksum"],
)
@pytest.mark.parametrize("mask", [BY_PATH, BY_CONTENT])
def test_h_07_no_digest_of_the_body_as_it_was_leaves_after_it(mask, name):
    assert masking(mask).trailers(((name, b"of-the-value"), (b"grpc-status", b"0"))) == ((b"grpc-status", b"0"),)


@pytest.mark.parametrize("name", [b"link", b"content-location", b"refresh", b"alt-svc", b"clear-site-data"])
def test_h_10_no_trailer_leads_elsewhere(name):
    assert masking().trailers(((name, b"https://evil.example/"),)) == ()


def test_h_09_a_value_in_a_trailer_is_masked():
    ((_, value),) = masking(BY_CONTENT).trailers(((b"grpc-message", b"no%20jane.doe%40secret.example"),))
    assert b"jane" not in value


# --- H-09: headers that nobody looks at -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        (b"content-type", b'application/json; name="' + SECRET + b'"'),
        (b"content-type", b"application/json; charset=utf-8; x=jane.doe%40secret.example"),
        (b"content-type", b"application/x-" + CARD + b"+json"),
        (b"date", SECRET),
        (b"content-encoding", CARD),
        (b"x-" + CARD, b"1"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_h_09_a_value_in_a_header_that_frames_or_in_a_name_does_not_leave(header, method):
    headers = (header,) if header[0] == b"content-type" else (JSON, header)
    made = plan(ResponseHead(200, headers), Owed((BY_CONTENT,), KEY), method)
    if not isinstance(made, Unmaskable):
        shown = b"\n".join(b": ".join(one) for one in made.headers)
        assert b"secret.example" not in shown
        assert CARD not in shown


def test_h_09_what_frames_a_body_and_holds_no_value_leaves_as_it_came():
    headers = (
        (b"content-type", b"multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxk; charset=utf-8"),
        (b"date", b"Mon, 23 Nov 2026 08:00:00 GMT"),
        (b"content-encoding", b"gzip"),
    )
    assert plan(ResponseHead(200, headers), Owed((BY_CONTENT,), KEY), "GET").headers == headers


# --- flow: in ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query", [b"q=" + SECRET, b"q=jane.doe%40secret.example", b"a=1&to=%6aane.doe@secret.example&b"]
)
def test_h_09_what_is_sent_in_a_query_is_masked(query):
    masked = masking(MaskInput(BY_CONTENT))
    shown = masked.target(b"/search?" + query)
    assert shown.startswith(b"/search?")
    assert b"secret.example" not in shown
    assert masked.masked == {"email": 1}


def test_h_09_a_field_of_a_query_is_masked_by_its_name():
    assert masking(MaskInput(BY_PATH)).target(b"/search?Email=x+y&n=%41") == b"/search?Email=[masked:pii]&n=%41"
    assert masking(BY_PATH).target(b"/search?email=x") == b"/search?email=x"


@pytest.mark.parametrize("path", [b"/people/" + SECRET, b"/people/jane.doe%40secret.example/x"])
def test_h_09_what_is_sent_in_a_path_is_not_sent(path):
    with pytest.raises(Withheld):
        masking(MaskInput(BY_CONTENT)).target(path)


# --- H-09: a WebSocket ------------------------------------------------------------------------------------------------


def sides(mask=BY_CONTENT):
    owed = Owed((mask,), KEY)
    return [Side(None, WebSocketWire(client=client), b"", Masker(owed), lambda _: None) for client in (False, True)]


def heard(frame, *, by_client):
    return next(WebSocketWire(client=by_client).receive(frame))


def test_h_09_a_json_string_is_a_message_too():
    client, target = sides()
    out = _forwarded(Message(b'"jane.doe\\u0040secret.example"', True), target, client)
    assert b"secret.example" not in out


def test_h_09_a_ping_carries_nothing_but_the_question():
    client, target = sides()
    asked = heard(_forwarded(Ping(SECRET), target, client), by_client=True)
    assert SECRET not in asked.data
    answered = heard(_forwarded(Pong(asked.data), client, target), by_client=False)
    assert answered == Pong(SECRET)
    assert _forwarded(Pong(SECRET), target, client) == b""
    assert _forwarded(Pong(asked.data), client, target) == b""


def test_h_08_pings_that_nobody_answers_are_not_kept():
    client, target = sides()
    for _ in range(1000):
        _forwarded(Ping(b"x" * 125), target, client)
    assert len(target.pings) == MAX_PINGS


@pytest.mark.parametrize("mask", [BY_PATH, BY_CONTENT])
def test_h_09_the_reason_of_a_close_is_masked(mask):
    client, target = sides(mask)
    with pytest.raises(Ended) as ended:
        _forwarded(Close(4000, f"no {SECRET.decode()}"), target, client)
    assert (ended.value.code, "secret" in ended.value.reason) == (4000, False)


def test_h_09_a_head_without_a_mask_is_sent_as_it_was_decided():
    head = Head("GET", b"/a?b=c", "gw", "https", (), body="none")
    assert masking(BY_CONTENT).target(head.target) == head.target
