"""Headers: masked by name and detector, without what was computed, and asked so that bodies can be masked."""

from doorward_core.model import Mask, Transform
from doorward_http.header_masks import (
    mask_headers,
    mask_reason,
    prepare_request_headers,
    without_computed,
)
from doorward_http.owed import Owed

KEY = b"k" * 32


def owed(*columns: str, detect: tuple[str, ...] = ("email",), transform: Transform = Transform.REDACT) -> Owed:
    return Owed((Mask("r", columns, detect, transform, "pii"),), KEY)


def test_parts_and_conditions_are_not_asked_for() -> None:
    headers = ((b"range", b"bytes=0-1"), (b"if-none-match", b'"x"'), (b"accept", b"*/*"))
    asked = prepare_request_headers(headers, "GET", owes_mask=True)
    assert asked == ((b"accept", b"*/*"), (b"accept-encoding", b"identity"))
    assert prepare_request_headers(headers, "GET", owes_mask=False) == headers


def test_the_condition_of_a_change_is_kept() -> None:
    headers = ((b"if-match", b'"x"'), (b"range", b"bytes=0-1"))
    assert (b"if-match", b'"x"') in prepare_request_headers(headers, "PUT", owes_mask=True)


def test_what_was_computed_is_gone() -> None:
    headers = ((b"etag", b"x"), (b"x-amz-checksum-sha256", b"y"), (b"content-length", b"5"), (b"vary", b"accept"))
    assert without_computed(headers) == ((b"vary", b"accept"),)


def test_values_are_masked_by_detector() -> None:
    masked: dict[str, int] = {}
    headers = (
        (b"location", b"/people/jane%40example.com/edit?x=1"),
        (b"x-owner", b"jane@example.com"),
        (b"content-type", b"text/plain"),
        (b"set-cookie", b"user=jane@example.com; Path=/"),
    )
    assert mask_headers(headers, owed(), masked) == (
        (b"location", b"/people/[masked:email]/edit?x=1"),
        (b"x-owner", b"[masked:email]"),
        (b"content-type", b"text/plain"),
        (b"set-cookie", b"user=[masked:email]; Path=/"),
    )
    assert masked == {"email": 3}


def test_values_are_masked_by_name() -> None:
    headers = ((b"x-customer", b"Jane"), (b"x-other", b"Jane"))
    assert mask_headers(headers, owed("header.x-cust*", detect=()), {}) == (
        (b"x-customer", b"[masked:pii]"),
        (b"x-other", b"Jane"),
    )
    assert mask_headers(headers, owed("header.x-cust*", detect=(), transform=Transform.NULL), {}) == headers[1:]


def test_the_words_of_a_status_line_say_nothing() -> None:
    assert mask_reason(b"OK", owed()) == b"OK"
    assert mask_reason(b"No jane@example.com", owed()) == b""
