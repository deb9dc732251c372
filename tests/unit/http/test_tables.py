"""Tables: columns by their heading."""

import pytest

from doorward_core.errors import UnreadableBody
from doorward_core.model import Mask, Transform
from doorward_http.owed import BodyLimits, Owed
from doorward_http.tables import Table


def table(path: str = "$..email", *, tabs: bool = False, transform: Transform = Transform.REDACT) -> Table:
    owing = Owed((Mask("r", (path,), (), transform, "pii"),), b"k" * 32, BodyLimits(max_token_bytes=1000))
    return Table(owing, tabs=tabs)


def shown(made: Table, body: bytes, size: int = 1000) -> bytes:
    return b"".join([*(made.feed(body[at : at + size]) for at in range(0, len(body), size)), made.end()])


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("body", "after"),
    [
        (b"id,email\n1,a@b\n2,c@d\n", b"id,email\n1,[masked:pii]\n2,[masked:pii]\n"),
        (b"id,email\r\n1,a@b", b"id,email\r\n1,[masked:pii]"),
        (b"id;EMAIL;x\n1;a,b;2\n", b"id;EMAIL;x\n1;[masked:pii];2\n"),
        (b'"e""m","email"\n"a,\n""b""","x\ny"\n', b'"e""m","email"\n"a,\n""b""",[masked:pii]\n'),
        (b"email\ta\nx\ty\n", b"email\ta\n[masked:pii]\ty\n"),
        (b"\xef\xbb\xbfemail,a\nx,y\n", b"\xef\xbb\xbfemail,a\n[masked:pii],y\n"),
        (b"email,a\n,y\n\n\nz,\n", b"email,a\n,y\n\n\n[masked:pii],\n"),
        (b"email,email\na,b\n", b"email,email\n[masked:pii],[masked:pii]\n"),
        (b"a,b\n1,2,3\n", None),
        (b"email\n", b"email\n"),
        (b"email", b"email"),
        (b"", b""),
    ],
)
def test_a_column_is_masked(body: bytes, after: bytes | None, size: int) -> None:
    if after is None:
        with pytest.raises(UnreadableBody):
            shown(table(), body, size)
    else:
        assert shown(table(), body, size) == after


@pytest.mark.parametrize(
    "body",
    [b"id,email\n1\n", b"id,email\n1,2,3\n", b'id,email\n"a"b,c\n', b'id,email\na"b,c\n', b'id,email\n "a",c\n', b'id,email\n"a,c\n',
     b'i"d,email\n1,2\n'],
)  # fmt: skip
def test_a_row_that_can_be_read_in_two_ways_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableBody):
        shown(table(), body)


def test_a_row_longer_than_the_bound_is_refused() -> None:
    with pytest.raises(UnreadableBody, match="1000"):
        shown(table(), b"id,email\n" + b"x" * 3000, 100)


def test_null_is_an_empty_field() -> None:
    assert shown(table(transform=Transform.NULL), b"email\nx\n") == b"email\n\n"
