"""What becomes of a body, decided from its head."""

import pytest

from doorward_core.http.messages import Head, ResponseHead
from doorward_core.model import Mask, Transform
from doorward_http.bodies import Masked, Unmaskable, Untouched, plan, plan_request
from doorward_http.owed import Owed

OWED = Owed((Mask("r", ("$..email",), ("email",), Transform.REDACT, "pii"),), b"k" * 32)
NOTHING = Owed((), b"k" * 32)
JSON = (b"content-type", b"application/json")


def test_without_a_mask_nothing_is_touched() -> None:
    headers = ((b"etag", b'"x"'), (b"content-type", b"application/pdf"), (b"content-length", b"5"))
    assert plan(ResponseHead(200, headers), NOTHING, "GET") == Untouched(headers)


def test_a_masked_body_is_framed_anew() -> None:
    headers = (JSON, (b"content-length", b"15"), (b"etag", b'"x"'), (b"x-owner", b"a@b.com"))
    made = plan(ResponseHead(200, headers), OWED, "GET")
    assert isinstance(made, Masked)
    assert made.headers == (JSON, (b"x-owner", b"[masked:email]"))
    assert made.masked == {"email": 1}
    assert made.body.feed(b'{"email": "a"}') + made.body.end() == b'{"email": "[masked:pii]"}'
    assert made.body.masked == {"pii": 1}


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 103)])
def test_a_head_without_a_body_says_nothing_of_one(method: str, status: int) -> None:
    headers = ((b"content-length", b"15"), (b"etag", b'"x"'), (b"allow", b"GET"))
    assert plan(ResponseHead(status, headers), OWED, method) == Untouched(((b"allow", b"GET"),))


def test_an_empty_body_needs_no_type() -> None:
    assert plan(ResponseHead(200, ((b"content-length", b"0"),)), OWED, "GET") == Untouched(((b"content-length", b"0"),))


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (206, (JSON,)),
        (200, (JSON, (b"content-range", b"bytes 0-1/2"))),
        (200, ()),
        (200, ((b"content-type", b"application/pdf"),)),
        (500, ((b"content-type", b"text/html"),)),
        (200, ((b"content-type", b"application/json; charset=utf-7"),)),
        (200, (JSON, (b"content-encoding", b"compress"))),
        (200, ((b"content-type", b"multipart/byteranges"),)),
    ],
)
def test_what_cannot_be_masked_does_not_leave(status: int, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    assert isinstance(plan(ResponseHead(status, headers), OWED, "GET"), Unmaskable)


def test_requests_are_masked_alike() -> None:
    head = Head(
        "POST", b"/", "a", "https", (JSON, (b"content-length", b"9"), (b"digest", b"x")), body="length", length=9
    )
    made = plan_request(head, OWED)
    assert isinstance(made, Masked)
    assert made.headers == (JSON,)
    assert plan_request(Head("GET", b"/", "a", "https", ((b"accept", b"*/*"),)), OWED) == Untouched(
        ((b"accept", b"*/*"),)
    )
    ranged = Head("PUT", b"/", "a", "https", (JSON, (b"content-range", b"bytes 0-1/2")), body="stream")
    assert isinstance(plan_request(ranged, OWED), Unmaskable)
