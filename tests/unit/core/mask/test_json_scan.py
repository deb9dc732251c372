"""Where the masked members are: structure, refusals, and what is waited for."""

import pytest

from doorward_core.errors import UnreadableBody
from doorward_core.mask.json_paths import Paths
from doorward_core.mask.json_scan import MAX_DEPTH, PathScanner
from doorward_core.model import Mask, Transform

PATHS = Paths([Mask("r", ("$..email", "$.all.*", "$.list[*].x"), (), Transform.REDACT, "pii")])


def found(text: bytes) -> list[bytes]:
    edits: list[tuple[int, int, Mask]] = []
    held = bytearray(text + b"\n")
    scanner = PathScanner(PATHS)
    assert scanner.scan(held, 0, edits) == len(held)
    assert scanner.between
    return [text[start:end] for start, end, _ in edits]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (b'{"email": "a"}', [b'"a"']),
        (b'{"email": {"x": 1, "y": [true, null]}}', [b"1", b"true", b"null"]),
        (b'{"e\\u006dail": 1}', [b"1"]),
        (b'{"EMAIL" : -1.5e3 }', [b"-1.5e3"]),
        (b'{"x": "email", "y": "\\"email\\": 1"}', []),
        (b'[[[[{"email": "a"}]]], {"a": {"b": {"c": {"email": "b"}}}}]', [b'"a"', b'"b"']),
        (b'{"all": {"a": 1, "b": {"c": "d"}}, "b": 1}', [b"1", b'"d"']),
        (b'{"all": [ ], "list": [{"x": 1}, {"y": 2}, {"x":{"y":3}}]}', [b"1", b"3"]),
        (b'{"all": [ 1 , 2 ] , "z": 3}', [b"1", b"2"]),
        (b'"email"', []),
        (b"1 2 3", []),
        (b'\xef\xbb\xbf{"email":1}', [b"1"]),
        (b'\x1e{"email":1}\n\x1e{"email":2}\n', [b"1", b"2"]),
        (b'{"email":1,"email":2}', [b"1", b"2"]),
        (b"", []),
    ],
)
def test_the_masked_members_are_found(text: bytes, values: list[bytes]) -> None:
    assert found(text) == values


@pytest.mark.parametrize(
    "text",
    [b"{]", b"[}", b"}", b"{'email': 1}", b"{email: 1}", b'{"email" 1}', b'{"email" "a"}', b"[1 true x]", b"NaN", b"/* */ {}",
     b'{"a": "b" "c"}', b'{"email": }', b"<html>", b"[tru1]", b'{"e\\x6dail": 1}', b")]}'\n{}", b'{"x": tru}'],
)  # fmt: skip
def test_what_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(UnreadableBody):
        PathScanner(PATHS).scan(bytearray(text + b"\n,"), 0, [])


def test_nesting_is_bounded() -> None:
    PathScanner(PATHS).scan(bytearray(b"[" * MAX_DEPTH), 0, [])
    with pytest.raises(UnreadableBody, match="deep"):
        PathScanner(PATHS).scan(bytearray(b"[" * (MAX_DEPTH + 1)), 0, [])


def test_a_long_string_is_not_read_again_with_every_chunk() -> None:
    """A quadratic reader takes minutes here."""
    held, scanner = bytearray(b'{"a": "'), PathScanner(PATHS)
    at = scanner.scan(held, 0, [])
    for _ in range(20_000):
        held += b"x" * 100
        assert scanner.scan(held, at, []) == at
    held += b'"}'
    assert scanner.scan(held, at, []) == len(held)


def test_blanks_that_never_end_are_not_read_again_with_every_chunk() -> None:
    held, scanner = bytearray(b'{"email": "x"'), PathScanner(PATHS)
    at = scanner.scan(held, 0, [])
    for _ in range(20_000):
        held += b" " * 100
        assert scanner.scan(held, at, []) == at
    held += b"}"
    assert scanner.scan(held, at, []) == len(held)
