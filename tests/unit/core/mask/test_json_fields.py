"""What detectors find in JSON text."""

import pytest

from doorward_core.errors import UnreadableBody
from doorward_core.mask.detect import Detectors
from doorward_core.mask.json_fields import found_in
from doorward_core.model import Transform

KEY = b"k" * 32
DETECTORS = Detectors(["email", "card", "phone"])


def shown(piece: bytes, *, hidden: frozenset[int] = frozenset()) -> tuple[bytes, dict[str, int]]:
    masked: dict[str, int] = {}
    out, position = [], 0
    for start, end, new in found_in(piece, DETECTORS, key=KEY, hidden=hidden, masked=masked):
        out += [piece[position:start], new]
        position = end
    return b"".join([*out, piece[position:]]), masked


@pytest.mark.parametrize(
    ("piece", "after"),
    [
        (b'{"a":"x jane@example.com y"}', b'{"a":"x j***@***.com y"}'),
        (b'{"jane@example.com":1}', b'{"j***@***.com":1}'),
        (b'["jane\\u0040example.com"]', b'["j***@***.com"]'),
        (b'["jane@\\u0065xample.com"]', b'["j***@***.com"]'),
        (b'["jane@\\u00e9xample.com"]', b'["j***@***.com"]'),
        (b'["+49\\/30\\/1234567"]', b'["+** ** *****67"]'),
        (b'["\\u002b49301234567"]', b'["+*********67"]'),
        (b'["a\\"b", "c\\\\", "jane@example.com"]', b'["a\\"b", "c\\\\", "j***@***.com"]'),
        (b"[1, 4111111111111111, 2]", b"[1, 0, 2]"),
        (b'{"card":4111111111111111}', b'{"card":0}'),
        (b"[-4111111111111111]", b"[0]"),
        (b"[4111111111111111.0]", b"[0]"),
        (b"[0.4111111111111111]", b"[0.4111111111111111]"),
        (b'["@handle", "a@", "1.5"]', b'["@handle", "a@", "1.5"]'),
    ],
)
def test_what_is_found_is_replaced(piece: bytes, after: bytes) -> None:
    assert shown(piece)[0] == after


def test_a_string_may_stand_alone_on_its_line() -> None:
    assert shown(b'"a\\u0040b.com"\nnull\n"c@d.com"\n{}')[0] == b'"***@***.com"\nnull\n"***@***.com"\n{}'


def test_counts_are_of_values_by_label() -> None:
    assert shown(b'["a@b.com and c@d.com", 4111111111111111]')[1] == {"email": 2, "card": 1}


def test_what_is_hidden_already_is_left_alone() -> None:
    piece = b'["a@b.com",4111111111111111]'
    assert shown(piece, hidden=frozenset({1, 11})) == (piece, {})


@pytest.mark.parametrize("piece", [b"call jane@example.com now", b"[4111 1111 1111 1111]", b'{"a": jane@example.com }'])
def test_what_is_found_outside_of_values_refuses_the_text(piece: bytes) -> None:
    with pytest.raises(UnreadableBody):
        shown(piece)


def test_a_transform_is_kept_to() -> None:
    detectors = Detectors(["card"], {"card": Transform.NULL})
    assert found_in(b"[4111111111111111]", detectors, key=KEY, hidden=frozenset(), masked={}) == [(1, 17, b"null")]


def test_many_numbers_in_one_stretch_are_read_once() -> None:
    piece = b"[" + b",".join([b"4111111111111111"] * 20_000) + b"]"
    assert shown(piece)[1] == {"card": 20_000}
