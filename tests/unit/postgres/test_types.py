"""The type tables agree with each other and with PostgreSQL's own numbers."""

import struct
from datetime import date

import pytest

from doorward_postgres import types
from doorward_postgres.types import CONSTANTS, Family


def test_every_typed_family_has_a_constant() -> None:
    made = {Family.TEXT, Family.BYTES, Family.JSON, Family.JSONB}
    needed = {oid for oid, family in types._FAMILIES.items() if family not in made}
    assert needed == set(CONSTANTS)


def test_every_array_has_an_element_that_can_be_masked() -> None:
    assert all(types.family(inner) is not None for inner in types._ARRAYS.values())
    assert types.element(25) is None
    assert types.element(1009) == 25


@pytest.mark.parametrize(
    ("oid", "layout"),
    [
        (21, "!h"), (23, "!i"), (20, "!q"), (26, "!I"), (700, "!f"), (701, "!d"), (16, "!?"), (790, "!q"),
        (1700, "!HhHH"), (1082, "!i"), (1114, "!q"), (1184, "!q"), (1083, "!q"), (1266, "!qi"), (1186, "!qii"),
        (2950, "!16s"), (869, "!BBBB4s"), (650, "!BBBB4s"), (829, "!6s"), (774, "!8s"),
    ],
)  # fmt: skip
def test_a_binary_constant_has_the_size_of_its_type(oid: int, layout: str) -> None:
    assert len(CONSTANTS[oid].binary) == struct.calcsize(layout)


def test_the_dates_are_the_same_day_in_both_formats() -> None:
    (days,) = struct.unpack("!i", CONSTANTS[1082].binary)
    assert date.fromordinal(date(2000, 1, 1).toordinal() + days).isoformat() == CONSTANTS[1082].text.decode()
    (microseconds,) = struct.unpack("!q", CONSTANTS[1184].binary)
    assert microseconds == days * 86_400_000_000


@pytest.mark.parametrize(
    ("oid", "typmod", "limit"),
    [(1043, 14, 10), (1043, -1, None), (25, -1, None), (25, 14, None), (1042, 5, 1), (19, -1, 63), (18, -1, 1)],
)
def test_declared_lengths(oid: int, typmod: int, limit: int | None) -> None:
    assert types.max_chars(oid, typmod) == limit


@pytest.mark.parametrize(
    ("precision", "scale", "digits"), [(10, 2, 8), (5, 0, 5), (5, 5, 0), (3, -2, 5), (1000, 1000, 0)]
)
def test_digits_before_the_point(precision: int, scale: int, digits: int) -> None:
    assert types.numeric_digits(((precision << 16) | (scale & 0x7FF)) + 4) == digits
    assert types.numeric_digits(-1) > 100_000


def test_what_is_searched() -> None:
    assert types.scanned(25)
    assert types.scanned(20)
    assert types.scanned(999_999)
    assert not types.scanned(2950)
    assert not types.scanned(1184)
    assert not types.scanned(1007)
    assert types.opaque(20, 1)
    assert not types.opaque(20, 0)
    assert types.opaque(17, 0)
    assert not types.opaque(17, 1)
    assert types.opaque(1016, 1)
