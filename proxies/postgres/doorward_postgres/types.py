"""PostgreSQL's types as far as a masker needs them: families, arrays, and one harmless value of each.

It masks nothing itself (`cells` does), and knows no extension's types: their OIDs differ from database to database.
Sources: PostgreSQL `pg_type.dat` (OIDs below 10,000 never change), and the `*_send` functions for the binary layouts:

    int2 i16 | int4 i32 | int8 i64 | float4, float8 IEEE 754 | bool u8 | date i32 days since 2000-01-01
    timestamp[tz] i64 microseconds since 2000-01-01 | time i64 microseconds | timetz i64 + i32 zone
    interval i64 + i32 days + i32 months | uuid 16 bytes | money i64
    numeric  u16 ndigits, i16 weight, u16 sign, u16 dscale, then ndigits u16 digits in base 10,000
    inet, cidr  u8 family, u8 bits, u8 is_cidr, u8 length, address | jsonb  u8 version 1, text

Invariants:
- A constant of `CONSTANTS` is accepted by its type's own input and receive function, whatever the session's settings;
  dates are the exception and need the ISO DateStyle.
- What is not in these tables has no valid replacement, and a masked value of it becomes NULL.
"""

from enum import Enum
from struct import Struct
from typing import Final, NamedTuple

TEXT_FORMAT: Final = 0
BINARY_FORMAT: Final = 1


class Family(Enum):
    """What a masked value of a type may look like."""

    TEXT = "text"  # any text; both formats are the same bytes
    BYTES = "bytes"
    JSON = "json"
    JSONB = "jsonb"
    INT2 = "int2"
    INT4 = "int4"
    INT8 = "int8"
    NUMERIC = "numeric"
    UUID = "uuid"
    XML = "xml"
    CONSTANT = "constant"  # too few values to be worth a token: always the same one
    TEMPORAL = "temporal"  # constant, and its text depends on DateStyle


class Constant(NamedTuple):
    """One harmless value of a type, in both formats."""

    text: bytes
    binary: bytes


_FAMILIES: Final[dict[int, Family]] = {
    25: Family.TEXT,  # text
    1043: Family.TEXT,  # varchar
    1042: Family.TEXT,  # bpchar
    19: Family.TEXT,  # name
    18: Family.TEXT,  # "char"
    705: Family.TEXT,  # unknown
    2275: Family.TEXT,  # cstring
    142: Family.XML,
    17: Family.BYTES,  # bytea
    114: Family.JSON,
    3802: Family.JSONB,
    21: Family.INT2,
    23: Family.INT4,
    20: Family.INT8,
    1700: Family.NUMERIC,
    2950: Family.UUID,
    16: Family.CONSTANT,  # bool
    700: Family.CONSTANT,  # float4
    701: Family.CONSTANT,  # float8
    790: Family.CONSTANT,  # money
    26: Family.CONSTANT,  # oid
    1083: Family.CONSTANT,  # time
    1266: Family.CONSTANT,  # timetz
    1186: Family.CONSTANT,  # interval
    869: Family.CONSTANT,  # inet
    650: Family.CONSTANT,  # cidr
    829: Family.CONSTANT,  # macaddr
    774: Family.CONSTANT,  # macaddr8
    1082: Family.TEMPORAL,  # date
    1114: Family.TEMPORAL,  # timestamp
    1184: Family.TEMPORAL,  # timestamptz
}

_DAYS_1970: Final = -10_957  # 1970-01-01, counted from 2000-01-01
_MICROSECONDS_1970: Final = _DAYS_1970 * 86_400_000_000
_I64: Final = Struct("!q").pack

CONSTANTS: Final[dict[int, Constant]] = {
    21: Constant(b"0", bytes(2)),
    23: Constant(b"0", bytes(4)),
    20: Constant(b"0", bytes(8)),
    26: Constant(b"0", bytes(4)),
    700: Constant(b"0", bytes(4)),
    701: Constant(b"0", bytes(8)),
    1700: Constant(b"0", bytes(8)),
    790: Constant(b"$0.00", bytes(8)),
    16: Constant(b"f", b"\0"),
    2950: Constant(b"00000000-0000-0000-0000-000000000000", bytes(16)),
    1082: Constant(b"1970-01-01", Struct("!i").pack(_DAYS_1970)),
    1114: Constant(b"1970-01-01 00:00:00", _I64(_MICROSECONDS_1970)),
    1184: Constant(b"1970-01-01 00:00:00+00", _I64(_MICROSECONDS_1970)),
    1083: Constant(b"00:00:00", bytes(8)),
    1266: Constant(b"00:00:00+00", bytes(12)),
    1186: Constant(b"00:00:00", bytes(16)),
    869: Constant(b"0.0.0.0", bytes((2, 32, 0, 4, 0, 0, 0, 0))),
    650: Constant(b"0.0.0.0/32", bytes((2, 32, 1, 4, 0, 0, 0, 0))),
    829: Constant(b"00:00:00:00:00:00", bytes(6)),
    774: Constant(b"00:00:00:00:00:00:00:00", bytes(8)),
    142: Constant(b"<masked/>", b"<masked/>"),
}

# Array types by element type (pg_type.typarray).
_ARRAYS: Final[dict[int, int]] = {
    1000: 16, 1001: 17, 1002: 18, 1003: 19, 1005: 21, 1007: 23, 1009: 25, 1014: 1042, 1015: 1043, 1016: 20, 1021: 700,
    1022: 701, 1028: 26, 1040: 829, 1041: 869, 1115: 1114, 1182: 1082, 1183: 1083, 1185: 1184, 1187: 1186, 1231: 1700,
    1263: 2275, 1270: 1266, 143: 142, 199: 114, 3807: 3802, 2951: 2950, 651: 650, 775: 774, 791: 790,
}  # fmt: skip

# No detector means anything by these: their text is short, or shaped like a card or a telephone number by chance.
_NEVER_SCANNED: Final = frozenset({16, 18, 21, 23, 26, 700, 701, 1082, 1083, 1114, 1184, 1186, 1266, 2950, 829, 774})
# Their bytes do not show what they say: a detector has to be given the value in clear.
_OPAQUE_BINARY: Final = frozenset({20, 1700, 790, 869, 650})
_OPAQUE_TEXT: Final = frozenset({17})

_TYPMOD_HEADER: Final = 4  # VARHDRSZ, added to the declared length
_LENGTH_LIMITED: Final = frozenset({1042, 1043, 1014, 1015})
_NAME_BYTES: Final = 63  # NAMEDATALEN - 1


def family(type_oid: int) -> Family | None:
    """How a value of this type is masked; None where nothing valid can stand in its place."""
    return _FAMILIES.get(type_oid)


def element(type_oid: int) -> int | None:
    """The element type of an array type; None for what is no array known here."""
    return _ARRAYS.get(type_oid)


def max_chars(type_oid: int, typmod: int) -> int | None:
    """The most characters a value of `varchar(n)`, `char(n)`, `name` or `"char"` may have; None for no limit."""
    if type_oid in _LENGTH_LIMITED and typmod >= _TYPMOD_HEADER:
        return typmod - _TYPMOD_HEADER
    return {18: 1, 1002: 1, 19: _NAME_BYTES, 1003: _NAME_BYTES}.get(type_oid)


def numeric_digits(typmod: int) -> int:
    """How many digits `numeric(p, s)` allows before the point; PostgreSQL's own limit where nothing was declared."""
    if typmod < _TYPMOD_HEADER:
        return 131_072
    packed = typmod - _TYPMOD_HEADER
    scale = ((packed & 0x7FF) ^ 1024) - 1024  # 11 bits, signed since PostgreSQL 15
    return (packed >> 16 & 0xFFFF) - scale


def scanned(type_oid: int) -> bool:
    """Whether content detectors look at this type at all."""
    return element(type_oid) not in _NEVER_SCANNED and type_oid not in _NEVER_SCANNED


def opaque(type_oid: int, format_code: int) -> bool:
    """Whether a value's bytes hide what it says, so that it must be read before a detector can see it."""
    base = element(type_oid) or type_oid
    return base in (_OPAQUE_BINARY if format_code == BINARY_FORMAT else _OPAQUE_TEXT)
