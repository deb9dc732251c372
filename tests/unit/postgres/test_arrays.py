"""Arrays keep their shape; what is no array is refused."""

import struct

import pytest

from doorward_postgres import arrays


def star(value: bytes) -> bytes | None:
    return b'*"\\,{}' if value == b"syntax" else b"*"


@pytest.mark.parametrize(
    ("given", "masked"),
    [
        (b"{}", b"{}"),
        (b"{a}", b'{"*"}'),
        (b'{a,"b c",NULL,null,"NULL"}', b'{"*","*",NULL,NULL,"*"}'),
        (b'{{a,b},{"c\\"d","e\\\\f"}}', b'{{"*","*"},{"*","*"}}'),
        (b"[0:1]={a,b}", b'[0:1]={"*","*"}'),
        (b"[1:2][2:3]={{a,b},{c,d}}", b'[1:2][2:3]={{"*","*"},{"*","*"}}'),
        (b'{""}', b'{"*"}'),
        (b"{syntax}", b'{"*\\"\\\\,{}"}'),
    ],
)
def test_text(given: bytes, masked: bytes) -> None:
    assert arrays.replace_text(given, star) == masked


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"a",
        b"{",
        b"}",
        b"{a",
        b'{"a}',
        b"{a}}",
        b"{}}",
        b"{a}b",
        b'{a"b"}',
        b"{a\\b}",
        b"[0:1]",
        b'{"a\\',
        b"{}{}",
    ],
)
def test_what_is_no_array_is_refused(given: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        arrays.replace_text(given, star)


def test_none_becomes_null() -> None:
    assert arrays.replace_text(b"{a,b}", lambda value: None) == b"{NULL,NULL}"


def binary(*values: bytes | None, shape: tuple[tuple[int, int], ...] | None = None, oid: int = 25) -> bytes:
    shape = ((len(values), 1),) if shape is None else shape
    body = b"".join(
        struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value for value in values
    )
    head = struct.pack("!iiI", len(shape), int(None in values), oid)
    return head + b"".join(struct.pack("!ii", *one) for one in shape) + body


def test_binary_keeps_shape_and_null() -> None:
    given = binary(b"one", None, b"three")
    assert arrays.replace_binary(given, star) == binary(b"*", None, b"*")
    two = binary(b"a", b"b", b"c", b"d", shape=((2, 1), (2, 0)))
    assert arrays.replace_binary(two, star) == binary(b"*", b"*", b"*", b"*", shape=((2, 1), (2, 0)))
    empty = binary(shape=())
    assert arrays.replace_binary(empty, star) == empty


def test_binary_says_that_it_has_nulls_when_it_gets_them() -> None:
    assert arrays.replace_binary(binary(b"a"), lambda value: None) == binary(None)


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"\0" * 11,
        binary(b"abc")[:-1],
        binary(b"abc") + b"x",
        binary(b"a", shape=((2, 1),)),
        binary(b"a", shape=((-1, 1),)),
        binary(b"a", shape=((2**31 - 1, 1), (2**31 - 1, 1))),
        struct.pack("!iiI", 7, 0, 25),
        struct.pack("!iiI", -1, 0, 25),
        struct.pack("!iiIiii", 1, 0, 25, 1, 1, -2),
    ],
)
def test_binary_lies_are_refused(given: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        arrays.replace_binary(given, star)
