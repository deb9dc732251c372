"""Bodies of several parts."""

import pytest

from doorward_core.errors import UnreadableBody
from doorward_core.model import Mask, Transform
from doorward_http.contents import content_for
from doorward_http.media import Media, read_media
from doorward_http.owed import Owed

KEY = b"k" * 32
FORM = read_media(b"multipart/form-data; boundary=B")


def owed(*columns: str, detect: tuple[str, ...] = ()) -> Owed:
    return Owed((Mask("r", columns, detect, Transform.REDACT, "pii"),), KEY)


def shown(owing: Owed, body: bytes, size: int = 10_000, media: Media = FORM) -> bytes:
    content = content_for(media, owing)
    return b"".join([*(content.feed(body[at : at + size]) for at in range(0, len(body), size)), content.end()])


def part(name: str, value: bytes, *lines: bytes) -> bytes:
    head = [f'Content-Disposition: form-data; name="{name}"'.encode(), *lines]
    return b"--B\r\n" + b"".join(line + b"\r\n" for line in head) + b"\r\n" + value + b"\r\n"


@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
def test_each_part_is_masked_as_what_it_is(size: int) -> None:
    body = b"".join([
        part("email", b"x\r\ny"),
        part("note", b"from a@b.com"),
        part("doc", b'{"email":1}', b"Content-Type: application/json"),
        part("empty", b""),
        b"--B--\r\n",
    ])  # fmt: skip
    after = b"".join([
        part("email", b"[masked:pii]"),
        part("note", b"from [masked:email]"),
        part("doc", b'{"email":0}', b"Content-Type: application/json"),
        part("empty", b""),
        b"--B--\r\n",
    ])  # fmt: skip
    assert shown(owed("$.email", detect=("email",)), body, size) == after
    assert shown(owed("$.email", detect=("email",)), body.removesuffix(b"\r\n"), size) == after.removesuffix(b"\r\n")


def test_the_headers_of_a_part_are_masked() -> None:
    body = part("f", b"x", b"X-From: a@b.com") + b"--B--\r\n"
    assert b"a@b.com" not in shown(owed(detect=("email",)), body)


@pytest.mark.parametrize(
    "body",
    [
        b"preamble\r\n" + part("a", b"b") + b"--B--\r\n",
        part("a", b"b"),
        part("a", b"b") + b"--B--\r\ntrailing",
        part("a", b"x\n--B\nContent-Disposition: form-data; name=b") + b"--B--\r\n",
        part("a", b"x --B y") + b"--B--\r\n",
        part("a", b"x\r\n--Bother") + b"--B--\r\n",
        part("a", b"b", b"Content-Transfer-Encoding: base64") + b"--B--\r\n",
        part("a", b"b", b"Content-Type: application/pdf") + b"--B--\r\n",
        part("a", b"b", b"no colon") + b"--B--\r\n",
        part("a", b"b", b" folded: x") + b"--B--\r\n",
        part("a", b"b", b'Content-Disposition: form-data; name="c"') + b"--B--\r\n",
        b"--B\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nx\r\n--B--\r\n",
        b"--B\r\nContent-Disposition: form-data; name*=utf-8''x\r\n\r\ny\r\n--B--\r\n",
        b'--B\r\nContent-Disposition: form-data; name="a"; Name *0=x\r\n\r\ny\r\n--B--\r\n',
        b"--B\r\n" + b"X: " + b"y" * 20_000,
        b"--B\r\n\r\nno name, no type\r\n--B--\r\n",
    ],
)
def test_what_can_be_cut_in_two_ways_or_not_seen_into_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableBody):
        shown(owed("$.x"), body)


@pytest.mark.parametrize("boundary", ["", "x" * 71, "é", "a\x7fb"])
def test_a_boundary_that_is_none_is_refused(boundary: str) -> None:
    with pytest.raises(UnreadableBody):
        content_for(Media("multipart/mixed", FORM.kind, {"boundary": boundary}), owed("$.x"))


def test_nesting_is_bounded() -> None:
    inner = b"--C\r\nContent-Type: multipart/mixed; boundary=D\r\n\r\n--D--"
    body = b"--B\r\nContent-Type: multipart/mixed; boundary=C\r\n\r\n" + inner
    with pytest.raises(UnreadableBody, match="nested"):
        shown(owed("$.x"), body)
