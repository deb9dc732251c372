"""One masked value of one column: what stands in its place, valid for its type and format.

It frames nothing and finds nothing: `rows` and `copy_rows` cut the values out and put the replacements in.
Implements ARCHITECTURE.md, "Masking"; the transforms are core's (`doorward_core.mask.transforms`).

Invariants:
- A replacement is valid for its type, in the format asked for, or None: the caller's NULL.
- A value that cannot be read as its type says becomes NULL, never itself.
- The hash of a value is the same in text and in binary, so that a join across formats holds.
- Typed values (numbers, dates, addresses) are never shown in part: `partial` hides them whole.
"""

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from struct import Struct
from typing import Final, TypeAlias

from doorward_core.mask import many, transforms
from doorward_core.model import Transform
from doorward_postgres import arrays
from doorward_postgres.types import BINARY_FORMAT, CONSTANTS, Family, element, family, max_chars, numeric_digits

Replace: TypeAlias = Callable[[bytes], bytes | None]
ReplaceAll: TypeAlias = Callable[[Sequence[bytes]], Sequence[bytes | None]]

_INT_SIZES: Final = {Family.INT2: 2, Family.INT4: 4, Family.INT8: 8}
# Tokens that stand for numbers: positive, and below 2^53 so that JavaScript keeps them apart.
_INT_LIMITS: Final = {Family.INT2: 2**15, Family.INT4: 2**31, Family.INT8: 2**53}
_NUMERIC_TOKEN_DIGITS: Final = 15
_NUMERIC_HEAD: Final = Struct("!HhHH")
_NUMERIC_NEGATIVE: Final = 0x4000
_NUMERIC_SPECIAL: Final = 0xC000  # NaN and the infinities
_UUID_BYTES: Final = 16
_JSONB_VERSION: Final = b"\1"


@dataclass(frozen=True, slots=True)
class Cell:
    """How the values of one column are replaced: always by `constant`, or by what `replace` makes of each.

    `replace_all` makes the same of many, for less; it is there where there is a way to.
    """

    constant: bytes | None = None
    replace: Replace | None = None
    replace_all: ReplaceAll | None = None

    def values(self, values: Sequence[bytes]) -> Sequence[bytes | None]:
        """What stands in place of each of these; None stands for NULL."""
        if self.replace_all is not None:
            return self.replace_all(values)
        if self.replace is None:
            return [self.constant] * len(values)
        return list(map(self.replace, values))


@dataclass(frozen=True, slots=True)
class Column:
    """What a cell has to know of its column. `iso_dates`: the session writes dates in the ISO style."""

    type_oid: int
    format_code: int
    typmod: int = -1
    iso_dates: bool = True

    @property
    def binary(self) -> bool:
        """Whether the values are in the binary format."""
        return self.format_code == BINARY_FORMAT


def cell(column: Column, transform: Transform, label: str, key: bytes) -> Cell:
    """What masks this column."""
    if transform is Transform.NULL or column.format_code not in (0, 1):
        return Cell()
    inner = element(column.type_oid)
    if inner is not None:
        return _array(column, inner, transform, label, key)
    kind = family(column.type_oid)
    if kind is None:
        return Cell()
    if kind is Family.TEXT:
        return _text(column, transform, label, key)
    if transform is Transform.HASH and kind in _HASHES:
        return Cell(replace=_reading(_HASHES[kind](column, kind, label, key)))
    return Cell(_constant(column, kind, label))


def _constant(column: Column, kind: Family, label: str) -> bytes | None:
    """The one value that says nothing."""
    if kind is Family.BYTES:
        return _bytea(transforms.redacted(label).encode(), column)
    if kind in (Family.JSON, Family.JSONB):
        return _json(transforms.redacted(label), column, kind)
    if kind is Family.TEMPORAL and not column.binary and not column.iso_dates:
        return None
    constant = CONSTANTS[column.type_oid]
    return constant.binary if column.binary else constant.text


def _reading(replace: Replace) -> Replace:
    """NULL for what cannot be read: a server's value is not ours to trust."""

    def safe(value: bytes) -> bytes | None:
        try:
            return replace(value)
        except (ValueError, ArithmeticError, struct.error):
            return None

    return safe


# --- text ------------------------------------------------------------------------------------------------------------


def _text(column: Column, transform: Transform, label: str, key: bytes) -> Cell:
    limit = max_chars(column.type_oid, column.typmod)
    if transform is Transform.REDACT:
        return Cell(_fit(transforms.redacted(label), limit).encode())
    if transform is Transform.HASH:

        def tokens(values: Sequence[bytes]) -> list[bytes]:
            return [_fit_token(shown, limit) for shown in many.tokens(values, key=key, label=label)]

        return Cell(replace=lambda value: tokens((value,))[0], replace_all=tokens)

    def partial(value: bytes) -> bytes:
        shown = transforms.partial(value.decode("utf-8", "surrogateescape"), label)
        return _fit(shown, limit).encode("utf-8", "replace")

    def partials(values: Sequence[bytes]) -> list[bytes]:
        shown = many.partials(values, label)
        if limit is None or max(map(len, shown), default=0) <= limit:  # no text has more characters than bytes
            return shown
        return [new if len(new) <= limit else partial(value) for new, value in zip(shown, values, strict=True)]

    return Cell(replace=partial, replace_all=partials)


def _fit(text: str, limit: int | None) -> str:
    """No longer than the column allows; a word cut in two says less than stars do."""
    return text if limit is None or len(text) <= limit else "*" * min(limit, len(transforms.HIDDEN))


def _fit_token(text: bytes, limit: int | None) -> bytes:
    """The end of a token where the column is too short for it: that is the part that tells values apart."""
    return text if limit is None or len(text) <= limit else text[len(text) - limit :]


# --- bytes and documents ---------------------------------------------------------------------------------------------


def _bytea(content: bytes, column: Column) -> bytes:
    return content if column.binary else b"\\x" + content.hex().encode()


def _json(text: str, column: Column, kind: Family) -> bytes:
    """A JSON string. jsonb in binary has its version in front."""
    document = json.dumps(text).encode()
    return _JSONB_VERSION + document if kind is Family.JSONB and column.binary else document


def _hash_bytea(column: Column, _kind: Family, label: str, key: bytes) -> Replace:
    def replace(value: bytes) -> bytes:
        return _bytea(transforms.token(read_bytea(value, column.format_code), key=key, label=label).encode(), column)

    return replace


def read_bytea(value: bytes, format_code: int) -> bytes:
    """The bytes that a bytea says: from hexadecimal, the older escape form, or as they are. ValueError if neither."""
    if format_code == BINARY_FORMAT:
        return value
    if value[:2] == b"\\x":
        return bytes.fromhex(value[2:].decode("ascii"))
    out = bytearray()
    position = 0
    while position < len(value):
        if value[position] != 0x5C:  # noqa: PLR2004 - a backslash
            out.append(value[position])
            position += 1
        elif value[position : position + 2] == b"\\\\":
            out.append(0x5C)
            position += 2
        else:
            out.append(int(value[position + 1 : position + 4], 8))
            position += 4
    return bytes(out)


def _hash_json(column: Column, kind: Family, label: str, key: bytes) -> Replace:
    def replace(value: bytes) -> bytes:
        text = value[1:] if kind is Family.JSONB and column.binary else value
        return _json(transforms.token(text, key=key, label=label), column, kind)

    return replace


# --- numbers ---------------------------------------------------------------------------------------------------------


def _number(value: bytes, label: str, key: bytes, limit: int) -> int:
    """A positive number below `limit` that stands for this one; 0 is left to `redact`."""
    return int.from_bytes(transforms.digest(value, key=key, label=label)[:16], "big") % (limit - 1) + 1


def _hash_int(column: Column, kind: Family, label: str, key: bytes) -> Replace:
    size, limit = _INT_SIZES[kind], _INT_LIMITS[kind]

    def replace(value: bytes) -> bytes:
        if column.binary and len(value) != size:
            raise ValueError("an integer of another size")
        number = int.from_bytes(value, "big", signed=True) if column.binary else int(value)
        new = _number(str(number).encode(), label, key, limit)
        return new.to_bytes(size, "big") if column.binary else str(new).encode()

    return replace


def _hash_numeric(column: Column, _kind: Family, label: str, key: bytes) -> Replace:
    digits = max(0, min(numeric_digits(column.typmod), _NUMERIC_TOKEN_DIGITS))

    def replace(value: bytes) -> bytes:
        text = read_numeric(value) if column.binary else value.decode("ascii")
        number = Decimal(text)
        same = f"{number.normalize():f}" if number.is_finite() else text  # 1.50 and 1.5 are equal, and join
        new = _number(same.encode(), label, key, 10**digits) if digits else 0
        return _numeric_binary(new) if column.binary else str(new).encode()

    return replace


def read_numeric(value: bytes) -> str:
    """The number that a binary numeric says. ValueError for what is none."""
    count, weight, sign, _scale = _NUMERIC_HEAD.unpack_from(value, 0)
    if len(value) != _NUMERIC_HEAD.size + 2 * count:
        raise ValueError("a numeric of another length than it says")
    if sign & _NUMERIC_SPECIAL == _NUMERIC_SPECIAL:
        return "NaN"
    places = [int.from_bytes(value[at : at + 2], "big") for at in range(_NUMERIC_HEAD.size, len(value), 2)]
    if any(place > 9999 for place in places):  # noqa: PLR2004 - base 10,000
        raise ValueError("a numeric with a digit beyond its base")
    whole = "".join(f"{place:04d}" for place in places)
    return f"{'-' if sign == _NUMERIC_NEGATIVE else ''}{whole or '0'}E{(weight - count + 1) * 4}"


def _numeric_binary(number: int) -> bytes:
    places: list[int] = []
    while number:
        number, place = divmod(number, 10_000)
        places.insert(0, place)
    body = b"".join(place.to_bytes(2, "big") for place in places)
    return _NUMERIC_HEAD.pack(len(places), max(len(places) - 1, 0), 0, 0) + body


def _hash_uuid(column: Column, _kind: Family, label: str, key: bytes) -> Replace:
    def replace(value: bytes) -> bytes:
        raw = value if column.binary else bytes.fromhex(value.decode("ascii").replace("-", ""))
        if len(raw) != _UUID_BYTES:
            raise ValueError("a uuid of another size")
        new = bytearray(transforms.digest(raw, key=key, label=label)[:_UUID_BYTES])
        new[6] = new[6] & 0x0F | 0x80  # RFC 9562, version 8: free to define
        new[8] = new[8] & 0x3F | 0x80
        if column.binary:
            return bytes(new)
        text = new.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}".encode()

    return replace


_HASHES: Final[dict[Family, Callable[[Column, Family, str, bytes], Replace]]] = {
    Family.BYTES: _hash_bytea,
    Family.JSON: _hash_json,
    Family.JSONB: _hash_json,
    Family.INT2: _hash_int,
    Family.INT4: _hash_int,
    Family.INT8: _hash_int,
    Family.NUMERIC: _hash_numeric,
    Family.UUID: _hash_uuid,
}


# --- arrays ----------------------------------------------------------------------------------------------------------


def _array(column: Column, inner: int, transform: Transform, label: str, key: bytes) -> Cell:
    """Each element masked as a value of its own; NULL for what does not read as an array."""
    limit = column.typmod if inner in (1042, 1043, 1700) else -1
    one = cell(Column(inner, column.format_code, limit, column.iso_dates), transform, label, key)
    each: Replace = one.replace or (lambda _value: one.constant)
    walk = arrays.replace_binary if column.binary else arrays.replace_text
    return Cell(replace=_reading(lambda value: walk(value, each)))
