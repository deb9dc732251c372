"""What a content detector's findings do to one value: spans replaced where the format allows it, else all of it.

It searches nothing: `rows` and `copy_rows` gather values, one search runs over all of them, and the findings of each
come here.
Implements ARCHITECTURE.md, "Masking".

Invariants:
- What comes out is a valid value of its type and format, or None for NULL.
- A finding that cannot be cut out exactly takes the whole value with it.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from doorward_core.mask.detect import Detectors, Span
from doorward_core.mask.transforms import redacted
from doorward_core.model import Transform
from doorward_postgres import arrays
from doorward_postgres.cells import Column, cell, read_bytea, read_numeric
from doorward_postgres.types import Family, element, family, opaque, scanned

Hide = Callable[[bytes, Sequence[Span]], bytes | None]
Read = Callable[[bytes], bytes]

_NUMERIC: Final = 1700
_BYTEA: Final = 17
_JSON: Final = 114
_JSON_NUMBER: Final = b"0123456789+-.eE"
_UNICODE_ESCAPE: Final = 5  # u and four digits, after the backslash
_BACKSLASH: Final = 0x5C


@dataclass(frozen=True, slots=True)
class Content:
    """How one column is searched.

    `hide` makes a value without what was found in it.
    `read` is there where the bytes do not show what they say: search what it gives; a finding takes the whole value.
    `escapes`: the value may spell a character as a unicode escape; `unescape` it before a search.
    `spliced`: `hide` does what `Detectors.replaced` does, so that many values can be done at once.
    """

    hide: Hide
    read: Read | None = None
    escapes: bool = False
    spliced: bool = False


def content(column: Column, detectors: Detectors, key: bytes) -> Content | None:
    """How this column is searched; None where no detector means anything by its type."""
    if not scanned(column.type_oid):
        return None
    whole = cell(column, Transform.REDACT, "content", key)
    hide_all = _whole(whole.constant, whole.replace)
    base = element(column.type_oid) or column.type_oid
    if opaque(column.type_oid, column.format_code):
        return Content(hide_all, _reader(column, base))
    if column.binary:
        return _binary(column, hide_all, detectors, key)
    if base in (_JSON, 3802):
        hide = _json_splice(detectors, key) if base == column.type_oid else hide_all
        return Content(hide, escapes=base == _JSON)
    if family(base) in (Family.TEXT, Family.XML, None):
        return Content(_splice(detectors, key), spliced=True)
    return Content(hide_all)


def _binary(column: Column, hide_all: Hide, detectors: Detectors, key: bytes) -> Content:
    """A binary value whose bytes show what they say, but which may have lengths inside it."""
    kind = family(column.type_oid)
    if kind in (Family.TEXT, Family.XML, Family.BYTES):
        return Content(_splice(detectors, key), spliced=True)
    if kind in (Family.JSON, Family.JSONB):
        return Content(_json_splice(detectors, key), escapes=kind is Family.JSON)
    if family(element(column.type_oid) or 0) is Family.TEXT:
        return Content(_array_splice(detectors, key))
    return Content(hide_all, escapes=element(column.type_oid) == _JSON)


def unescape(value: bytes) -> bytes:
    """JSON text with every ASCII character that is spelled as a unicode escape written out, for a search only."""
    pieces = value.split(b"\\u00")
    out = [pieces[0]]
    for piece in pieces[1:]:
        try:
            out += [bytes((int(piece[:2], 16),)), piece[2:]]
        except ValueError:
            out += [b"\\u00", piece]
    return b"".join(out)


def _whole(constant: bytes | None, replace: Callable[[bytes], bytes | None] | None) -> Hide:
    return lambda value, _spans: constant if replace is None else replace(value)


def _splice(detectors: Detectors, key: bytes) -> Hide:
    """Each finding cut out. A replacement needs no quoting in any text form, so that arrays and rows stay whole."""
    return lambda value, spans: detectors.replaced(value, spans, key=key)


def _array_splice(detectors: Detectors, key: bytes) -> Hide:
    """A binary array has a length before each element: each is searched again by itself."""

    def hide(value: bytes, _spans: Sequence[Span]) -> bytes | None:
        try:
            return arrays.replace_binary(value, lambda item: detectors.mask(item, key=key)[0])
        except ValueError:
            return None

    return hide


# --- JSON ------------------------------------------------------------------------------------------------------------


def _json_splice(detectors: Detectors, key: bytes) -> Hide:
    """Findings cut out of strings; a number that is one becomes a string; anything else takes the document with it."""

    def hide(value: bytes, spans: Sequence[Span]) -> bytes:
        pieces, position, strings = [], 0, _Strings(value)
        for start, end, label in spans:
            within = strings.hold(start, end)
            first, last = (_after_escape(value, start), end) if within else _number_around(value, start, end)
            new = detectors.replacement(value[first:last], label, key=key)
            new = new if within else b'"' + new + b'"'
            if first < position or last <= first:
                version = value[:1] if value[:1] == b"\1" else b""
                return version + b'"' + redacted(label).encode() + b'"'
            pieces += [value[position:first], new]
            position = last
        return b"".join([*pieces, value[position:]])

    return hide


class _Strings:
    """Where the strings of a JSON text lie. Asked in rising order, it reads the text once."""

    def __init__(self, value: bytes) -> None:
        self._value = value
        self._start, self._end = -1, -1  # of the string last found: its two quotation marks

    def hold(self, start: int, end: int) -> bool:
        """Whether one string holds all of this."""
        while self._end < start:
            self._start = self._value.find(b'"', self._end + 1)
            if self._start < 0 or self._start >= start:
                self._end = self._start - 1 if self._start >= 0 else len(self._value)
                return False
            self._end = self._closing(self._start + 1)
        return 0 <= self._start < start and end <= self._end

    def _closing(self, position: int) -> int:
        while (position := self._value.find(b'"', position)) >= 0:
            if not _escaped(self._value, position):
                return position
            position += 1
        return len(self._value)


def _escaped(value: bytes, position: int) -> bool:
    """Whether an odd number of backslashes stands before this byte."""
    first = position
    while first and value[first - 1] == _BACKSLASH:
        first -= 1
    return (position - first) % 2 == 1


def _after_escape(value: bytes, start: int) -> int:
    """A finding may begin within an escape, as after a newline: the escape stays whole."""
    if not _escaped(value, start):
        return start
    return start + (_UNICODE_ESCAPE if value[start : start + 1] == b"u" else 1)


def _number_around(value: bytes, start: int, end: int) -> tuple[int, int]:
    """All of the number that a finding is part of; (0, 0) where it is not in one."""
    if value[start:end].translate(None, _JSON_NUMBER):
        return 0, 0
    while start and value[start - 1] in _JSON_NUMBER:
        start -= 1
    while end < len(value) and value[end] in _JSON_NUMBER:
        end += 1
    return start, end


# --- values that do not show what they say ---------------------------------------------------------------------------


def _reader(column: Column, base: int) -> Read:
    """What one value says, as text; nothing where it cannot be read (a number that is no number hides nobody)."""

    def one(value: bytes) -> bytes:
        if base == _BYTEA:
            return read_bytea(value, column.format_code)
        if base == _NUMERIC:
            return f"{Decimal(read_numeric(value)):f}".encode()
        if base in (869, 650):
            return ".".join(str(byte) for byte in value[4:]).encode()
        return str(int.from_bytes(value, "big", signed=True)).encode()

    def every(value: bytes) -> bytes:
        found: list[bytes] = []

        def note(item: bytes) -> bytes:
            found.append(one(item))
            return b""

        walk = arrays.replace_binary if column.binary else arrays.replace_text
        walk(value, note)
        return b" | ".join(found)

    read = one if base == column.type_oid else every

    def safe(value: bytes) -> bytes:
        try:
            return read(value)
        except (ValueError, struct.error):
            return b""

    return safe
