r"""COPY's three formats: where a row ends, what its fields say, and how a field is written.

It masks nothing: `copy_rows` does.
Source: PostgreSQL documentation, "COPY", File Formats.

    text     fields between delimiters, a row ends at a newline; backslash escapes what would be either; NULL is \N
    CSV      RFC 4180 with a choice of delimiter, quote and escape; newlines stand inside quotes; NULL is unquoted
    binary   11 bytes signature, u32 flags, u32 n, n bytes of extension, then per row i16 fields (-1 ends the data)
             and per field i32 length (-1 is NULL) and the value

Invariants:
- A cutter gives the same rows however the data is cut into messages, in time linear in the data, and holds no more
  than `max_row_bytes` of an unfinished row; beyond, and for what is not the format, it raises UpstreamProtocolError.
- `decode(encode(value)) == value`, for every value and NULL.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Final, Protocol

from doorward_core.errors import UpstreamProtocolError

# As long as the longest message that is held anywhere (`wire.MAX_MESSAGE_BYTES`).
MAX_ROW_BYTES: Final = 16 * 1024 * 1024

_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0"
_HEADER: Final = Struct("!11sII")
_COUNT: Final = Struct("!h")
_SIZE: Final = Struct("!i")
_CRITICAL_FLAGS: Final = 0xFFFF_0000  # a reader must stop at a flag of these that it does not know
_MAX_EXTENSION: Final = 65_536
_MAX_FIELDS: Final = 1664  # MaxTupleAttributeNumber
_UTF8: Final = frozenset({"UTF8", "UTF-8", "UNICODE"})
_NULL_TEXT: Final = b"\\N"
_NOT_A_DELIMITER: Final = b"\\\r\n.abcdefghijklmnopqrstuvwxyz0123456789"
# A delimiter of these may stand inside what a detector looks for, and is then escaped in the text format.
_IN_PATTERNS: Final = b" -@()/+_ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ESCAPES: Final = {b: f"\\{c}".encode() for b, c in zip(b"\b\f\n\r\t\v", "bfnrtv", strict=True)}
_UNESCAPES: Final = dict(zip(b"bfnrtv", b"\b\f\n\r\t\v", strict=True))
_BACKSLASH: Final = 0x5C
_HEX: Final = b"0123456789abcdefABCDEF"
_OCTAL: Final = b"01234567"


@dataclass(frozen=True, slots=True)
class CopyFormat:
    """How a COPY writes. Make it with `copy_format`, which knows the defaults."""

    kind: str
    delimiter: bytes
    null: bytes
    quote: bytes
    escape: bytes
    header: bool

    @property
    def plain(self) -> bool:
        """Whether no setting can hide from a detector's prefilter what a field says."""
        if self.kind == "text":
            return self.delimiter not in _IN_PATTERNS
        return self.kind == "binary" or self.quote == self.escape == b'"'


def copy_format(
    kind: str,
    *,
    delimiter: str | None = None,
    null: str | None = None,
    quote: str | None = None,
    escape: str | None = None,
    header: bool = False,
    encoding: str | None = None,
) -> CopyFormat:
    """The format with PostgreSQL's defaults filled in. Raise ValueError for one that cannot be masked for certain."""
    if kind not in {"text", "csv", "binary"}:
        raise ValueError(f"COPY has no format {kind!r}")
    if encoding and encoding.upper() not in _UTF8:
        raise ValueError("COPY in another encoding than UTF8 cannot be masked")
    csv = kind == "csv"
    parts = [delimiter or ("," if csv else "\t"), quote or '"', escape or quote or '"']
    delimiter_byte, quote_byte, escape_byte = (part.encode() for part in parts)
    if any(len(part) != 1 or part in b"\r\n" for part in (delimiter_byte, quote_byte, escape_byte)):
        raise ValueError("COPY's delimiter, quote and escape are one byte each")
    if csv and delimiter_byte in (quote_byte, escape_byte):
        raise ValueError("COPY with a delimiter that is also quote or escape cannot be masked")
    if kind == "text" and delimiter_byte in _NOT_A_DELIMITER:
        raise ValueError("COPY does not take this delimiter")
    null_bytes = ("" if csv else "\\N") if null is None else null
    return CopyFormat(kind, delimiter_byte, null_bytes.encode(), quote_byte, escape_byte, header)


class Cutter(Protocol):
    """Cuts data that arrives in pieces into rows."""

    def cut(self, data: bytes) -> Iterator[bytes]:
        """The rows that are whole now."""
        ...

    @property
    def pending(self) -> bool:
        """Whether the data may not end here."""
        ...

    @property
    def between_rows(self) -> bool:
        """Whether nothing is held, and a row may begin with what comes next."""
        ...


def cutter(copy: CopyFormat, max_row_bytes: int = MAX_ROW_BYTES) -> Cutter:
    """The cutter of a format."""
    return BinaryCutter(max_row_bytes) if copy.kind == "binary" else LineCutter(copy, max_row_bytes)


class LineCutter:
    """Text and CSV: a row ends at a newline that is not quoted; it is given with the newline."""

    def __init__(self, copy: CopyFormat, max_row_bytes: int = MAX_ROW_BYTES) -> None:
        self._copy = copy
        self._max = max_row_bytes
        self._held = bytearray()
        self._quoted = False
        self._escaped = False

    @property
    def pending(self) -> bool:
        """Whether a row has begun."""
        return bool(self._held)

    @property
    def between_rows(self) -> bool:
        """Whether nothing is held."""
        return not self._held

    def cut(self, data: bytes) -> Iterator[bytes]:
        """The rows that are whole now."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            line, start = data[start : end + 1], end + 1
            if self._copy.kind == "csv" and self._within_quotes(line):
                self._hold(line)
                continue
            if self._held:
                line = bytes(self._held) + line
                self._held.clear()
            yield line
        if start < len(data):
            rest = data[start:]
            if self._copy.kind == "csv":
                self._within_quotes(rest)
            self._hold(rest)

    def _hold(self, piece: bytes) -> None:
        self._held += piece
        if len(self._held) > self._max:
            raise UpstreamProtocolError(f"a row of COPY is longer than {self._max} bytes and cannot be masked")

    def _within_quotes(self, piece: bytes) -> bool:
        """Whether quotes are open after this piece."""
        quote, escape = self._copy.quote, self._copy.escape
        if quote == escape:  # a doubled quote opens and closes: only their number counts
            self._quoted ^= bool(piece.count(quote) & 1)
            return self._quoted
        for byte in piece:
            if self._escaped:
                self._escaped = False
            elif self._quoted and byte == escape[0]:
                self._escaped = True
            elif byte == quote[0]:
                self._quoted = not self._quoted
        return self._quoted


class BinaryCutter:
    """Binary: the header and the trailer are given as rows of their own, each row with its field count."""

    def __init__(self, max_row_bytes: int = MAX_ROW_BYTES) -> None:
        self._max = max_row_bytes
        self._data = bytearray()
        self._at = 0  # as far as the row at the beginning of `_data` has been walked
        self._fields = 0  # how many of its fields are still to be walked
        self._header = False
        self._ended = False

    @property
    def pending(self) -> bool:
        """Whether the trailer is still to come, or a row has begun."""
        return not self._ended or bool(self._data)

    @property
    def between_rows(self) -> bool:
        """Whether nothing is held, the header has come, and the trailer has not."""
        return self._header and not self._ended and not self._data

    def cut(self, data: bytes) -> Iterator[bytes]:
        """The rows that are whole now."""
        if self._ended and data:
            raise UpstreamProtocolError("COPY goes on after its trailer")
        self._data += data
        start = 0
        while (end := self._end(start)) is not None:
            yield bytes(self._data[start:end])
            start, self._at = end, end
        del self._data[:start]
        self._at -= start
        if len(self._data) > self._max:
            raise UpstreamProtocolError(f"a row of COPY is longer than {self._max} bytes and cannot be masked")

    def _end(self, start: int) -> int | None:
        """Where the header, trailer or row at `start` ends; None while it has not arrived whole."""
        if not self._header:
            return self._header_end()
        if self._ended:
            if start != len(self._data):
                raise UpstreamProtocolError("COPY goes on after its trailer")
            return None
        if self._at == start:
            if len(self._data) - start < _COUNT.size:
                return None
            (count,) = _COUNT.unpack_from(self._data, start)
            if count == -1:
                self._ended = True
                return start + _COUNT.size
            if not 0 <= count <= _MAX_FIELDS:
                raise UpstreamProtocolError("a row of COPY has a number of fields that no row has")
            self._at, self._fields = start + _COUNT.size, count
        return self._walk(start)

    def _walk(self, start: int) -> int | None:
        """Walk the fields that have arrived; where the last one ends, if they all have."""
        while self._fields:
            if len(self._data) - self._at < _SIZE.size:
                return None
            (size,) = _SIZE.unpack_from(self._data, self._at)
            end = self._at + _SIZE.size + max(size, 0)
            if size < -1 or end - start > self._max:
                raise UpstreamProtocolError("a row of COPY has a field of a length that it cannot have")
            if end > len(self._data):
                return None
            self._at = end
            self._fields -= 1
        return self._at

    def _header_end(self) -> int | None:
        if len(self._data) < _HEADER.size:
            return None
        signature, flags, extension = _HEADER.unpack_from(self._data, 0)
        if signature != _SIGNATURE or flags & _CRITICAL_FLAGS or extension > _MAX_EXTENSION:
            raise UpstreamProtocolError("COPY's binary header is not one that can be read")
        if len(self._data) < _HEADER.size + extension:
            return None
        self._header = True
        return _HEADER.size + int(extension)


# --- fields of text and CSV ------------------------------------------------------------------------------------------


def split(copy: CopyFormat, row: bytes) -> list[bytes]:
    """The fields of a row as they are written, without its newline."""
    line = row.removesuffix(b"\n")
    if copy.kind == "csv":
        return line.split(copy.delimiter) if copy.quote not in line else _split_quoted(copy, line)
    pieces = line.split(copy.delimiter)
    return pieces if _BACKSLASH not in line else _joined_at_escapes(copy, pieces)


def _joined_at_escapes(copy: CopyFormat, pieces: list[bytes]) -> list[bytes]:
    """Pieces joined again where the delimiter between them was escaped: an odd number of backslashes before it."""
    fields: list[list[bytes]] = [[]]
    for piece in pieces:
        fields[-1].append(piece)
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2 == 0:
            fields.append([])
    return [copy.delimiter.join(field) for field in fields if field]


def _split_quoted(copy: CopyFormat, line: bytes) -> list[bytes]:
    """CSV with quotes in it."""
    fields = []
    start = 0
    while True:
        end = start
        if line[start : start + 1] == copy.quote:
            end = _closing(copy, line, start + 1) + 1
            if line[end : end + 1] not in (b"", copy.delimiter):
                raise UpstreamProtocolError("a quoted field of COPY goes on after its quote")
        else:
            end = line.find(copy.delimiter, start)
            end = len(line) if end < 0 else end
        fields.append(line[start:end])
        if end >= len(line):
            return fields
        start = end + 1


def _closing(copy: CopyFormat, line: bytes, position: int) -> int:
    """Where the quote that was opened before `position` closes."""
    if copy.quote == copy.escape:
        while (position := line.find(copy.quote, position)) >= 0:
            if line[position + 1 : position + 2] != copy.quote:
                return position
            position += 2
        raise UpstreamProtocolError("a quoted field of COPY does not end")
    quote, escape = copy.quote[0], copy.escape[0]
    while position < len(line):
        byte = line[position]
        if byte == escape and line[position + 1 : position + 2] in (copy.quote, copy.escape):
            position += 2
        elif byte == quote:
            return position
        else:
            position += 1
    raise UpstreamProtocolError("a quoted field of COPY does not end")


def decode(copy: CopyFormat, field: bytes) -> bytes | None:
    """What a field says; None for NULL.

    The text format with a NULL string of the client's choice cannot tell NULL from that very value: it counts as the
    value, which is then masked.
    """
    if copy.kind == "csv":
        return _unquoted(copy, field) if field[:1] == copy.quote else (None if field == copy.null else field)
    if field == copy.null == _NULL_TEXT:
        return None
    return field if _BACKSLASH not in field else _unescaped(field)


def encode(copy: CopyFormat, value: bytes | None) -> bytes:
    """How a value is written. CSV values are always quoted, so that none of them is taken for NULL."""
    if value is None:
        return copy.null
    if copy.kind == "csv":
        inner = value if copy.escape == copy.quote else value.replace(copy.escape, copy.escape * 2)
        return copy.quote + inner.replace(copy.quote, copy.escape + copy.quote) + copy.quote
    escapes = {_BACKSLASH: b"\\\\", copy.delimiter[0]: b"\\" + copy.delimiter} | _ESCAPES
    if len(value.translate(None, bytes(escapes))) == len(value):
        return value
    return b"".join(escapes.get(byte) or bytes((byte,)) for byte in value)


def _unquoted(copy: CopyFormat, field: bytes) -> bytes:
    inner = field[1:-1]
    if copy.escape == copy.quote:
        return inner.replace(copy.quote * 2, copy.quote)
    pieces = inner.split(copy.escape * 2)
    return copy.escape.join(piece.replace(copy.escape + copy.quote, copy.quote) for piece in pieces)


def _unescaped(field: bytes) -> bytes:
    """The text format's backslashes undone, octal and hexadecimal forms included."""
    first, *pieces = field.split(b"\\")
    out = [first]
    literal = False  # the piece before was empty: a doubled backslash, and this one stands for itself
    for place, piece in enumerate(pieces):
        if literal:
            out.append(piece)
            literal = False
        elif not piece:
            out.append(b"\\")
            literal = place + 1 < len(pieces)
        else:
            out.append(_escape_said(piece))
    return b"".join(out)


def _escape_said(piece: bytes) -> bytes:
    """What follows a backslash, with the escape at its beginning read."""
    if piece[:1] == b"x" and piece[1:2] and piece[1] in _HEX:
        width = 2 if piece[2:3] and piece[2] in _HEX else 1
        return bytes((int(piece[1 : 1 + width], 16),)) + piece[1 + width :]
    width = 0
    while width < 3 and piece[width : width + 1] and piece[width] in _OCTAL:  # noqa: PLR2004 - three octal digits
        width += 1
    if width:
        return bytes((int(piece[:width], 8) & 0xFF,)) + piece[width:]
    return bytes((_UNESCAPES.get(piece[0], piece[0]),)) + piece[1:]
