"""Server-sent events, and messages that come whole."""

import pytest

from doorward_core.errors import UnreadableBody
from doorward_core.model import Mask, Transform
from doorward_http.events import Events, Messages
from doorward_http.owed import BodyLimits, Owed
from doorward_http.text import FLUSH_S

KEY = b"k" * 32


def owed(*columns: str, detect: tuple[str, ...] = ()) -> Owed:
    return Owed((Mask("r", columns, detect, Transform.REDACT, "pii"),), KEY, BodyLimits(max_token_bytes=1000))


def shown(owing: Owed, body: bytes, size: int = 1000) -> bytes:
    events = Events(owing)
    return b"".join([*(events.feed(body[at : at + size]) for at in range(0, len(body), size)), events.end()])


def test_an_event_leaves_when_it_is_whole() -> None:
    events = Events(owed("$.a"))
    assert events.feed(b'event: x\ndata: {"a":') == b""
    assert events.feed(b"1}\n") == b""
    assert events.feed(b"\ndata") == b'event: x\ndata: {"a":0}\n\n'
    assert events.masked == {"pii": 1}


def test_a_comment_waits_for_no_event_and_an_event_for_its_end() -> None:
    events = Events(owed("$.a", detect=("email",)))
    assert events.feed(b": jane@example.com\r\n:\n: half") == b""
    assert events.flush_after_s == FLUSH_S
    assert events.flush() == b": [masked:email]\r\n:\n"
    assert events.flush_after_s is None
    assert events.feed(b'\ndata: {"a":1}\n') == b""
    assert (events.flush_after_s, events.flush()) == (FLUSH_S, b": half\n")
    assert (events.flush_after_s, events.flush()) == (None, b"")
    assert events.feed(b"\n") == b'data: {"a":0}\n\n'
    assert events.coverage == ()


@pytest.mark.parametrize(
    ("body", "after"),
    [
        (b'data:{"a":1}\n\n', b'data: {"a":0}\n\n'),
        (b'data: {\r\ndata: "a": 1}\r\nid: 5\r\n\r\n', b'data: {\r\ndata: "a": 0}\r\nid: 5\r\n\r\n'),
        (b'data: {"b":1}\n\n', b'data: {"b":1}\n\n'),
        (b": keep\n\n\n\ndata\n\ndata: [DONE]\n\n", b": keep\n\n\n\ndata\n\ndata: [DONE]\n\n"),
        (b'\xef\xbb\xbfdata: {"a":"x"}\n\n', b'\xef\xbb\xbfdata: {"a":"[masked:pii]"}\n\n'),
        (b'data: {"a":1}', b'data: {"a":0}\n'),
        (b"data: 17\n\n", b"data: 17\n\n"),
    ],
)
def test_the_data_of_an_event_is_masked_by_path(body: bytes, after: bytes) -> None:
    assert shown(owed("$.a"), body) == after
    assert shown(owed("$.a"), body, 1) == after


def test_every_line_is_masked_by_detector() -> None:
    body = b": jane@example.com\nid: a@b.com\nretry: 5\ndata: mail a@b.com\ndata: now\n\n"
    after = b": [masked:email]\nid: [masked:email]\nretry: 5\ndata: mail [masked:email]\ndata: now\n\n"
    assert shown(owed(detect=("email",)), body) == after


@pytest.mark.parametrize("data", [b"email=jane", b"{a: 1}", b'{"a": ', b"[1, 2", b"[email jane]"])
def test_data_that_no_path_can_name_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableBody):
        shown(owed("$.a"), b"data: " + data + b"\n\n")


def test_an_event_longer_than_the_bound_is_refused() -> None:
    with pytest.raises(UnreadableBody, match="1000"):
        shown(owed("$.a"), b"data: " + b"x" * 2000)


def test_a_message_is_json_or_text() -> None:
    messages = Messages(owed(detect=("email",)), {})
    assert messages.mask(b'{"x":"a\\u0040b.com"}') == b'{"x":"[masked:email]"}'
    assert messages.mask(b"{not json} a@b.com") == b"{not json} [masked:email]"
    assert messages.masked == {"email": 2}
    with pytest.raises(UnreadableBody):
        messages.mask(b"a\0b")
