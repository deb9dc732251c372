"""Media types: read once, or refused."""

import pytest

from doorward_core.errors import UnreadableBody
from doorward_http.media import Kind, media_of, read_media


@pytest.mark.parametrize(
    ("value", "kind", "charset"),
    [
        (b"application/json", Kind.JSON, ""),
        (b"Application/JSON; Charset=UTF-8", Kind.JSON, "UTF-8"),
        (b'application/problem+json;charset="utf-8";', Kind.JSON, "utf-8"),
        (b"application/x-ndjson", Kind.JSON, ""),
        (b"text/event-stream", Kind.EVENTS, ""),
        (b"text/csv; header=present", Kind.TABLE, ""),
        (b"text/html", Kind.MARKUP, ""),
        (b"image/svg+xml", Kind.MARKUP, ""),
        (b"text/x-anything", Kind.TEXT, ""),
        (b"multipart/form-data; boundary=x", Kind.MULTIPART, ""),
        (b"application/x-www-form-urlencoded", Kind.FORM, ""),
        (b"application/pdf", Kind.OPAQUE, ""),
        (b"application/grpc+proto", Kind.OPAQUE, ""),
        (b"image/png", Kind.OPAQUE, ""),
    ],
)  # fmt: skip
def test_a_type_means_a_way_of_reading(value: bytes, kind: Kind, charset: str) -> None:
    media = read_media(value)
    assert (media.kind, media.charset) == (kind, charset)


@pytest.mark.parametrize(
    "value",
    [b"", b"json", b"text/html, application/json", b"text/plain; charset=utf-8; charset=utf-7", b"a/b; =x", b"a/b c",
     b"text/html\x0b"],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_is_refused(value: bytes) -> None:
    with pytest.raises(UnreadableBody):
        read_media(value)


def test_a_type_that_is_missing_or_said_twice_is_refused() -> None:
    with pytest.raises(UnreadableBody):
        media_of(())
    with pytest.raises(UnreadableBody):
        media_of(((b"content-type", b"text/html"), (b"content-type", b"application/json")))
    assert media_of(((b"content-type", b"text/html"),) * 2).kind is Kind.MARKUP
