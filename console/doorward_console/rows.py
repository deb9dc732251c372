"""What a client saw, from the bytes that the record kept: rows and COPY data of PostgreSQL, else text.

It is pure, bounded by its input, and guesses nothing: what it cannot read it gives as hexadecimal.
The bytes may be cut anywhere (the record keeps the first 64 KiB); what is cut is left out.

Layout (PostgreSQL protocol, "Message Formats"; all integers big endian, lengths include themselves):

    DataRow     'D'  int32 length  int16 columns  { int32 length or -1 for NULL; that many bytes }...
    CopyData    'd'  int32 length  bytes
"""

import struct
from collections.abc import Iterator, Sequence

ROWS = "postgresql.datarow"
COPY = "postgresql.copydata"
_HEAD = struct.Struct("!ci")
_LENGTH = struct.Struct("!i")
_COLUMNS = struct.Struct("!h")

Row = tuple[str | None, ...]


def data_rows(data: bytes) -> Iterator[Row]:
    """The rows of DataRow messages, each whole one; None is NULL."""
    for body in _messages(data, b"D"):
        if len(body) < _COLUMNS.size:
            return
        (count,) = _COLUMNS.unpack_from(body)
        cells: list[str | None] = []
        at = _COLUMNS.size
        for _ in range(count):
            if at + _LENGTH.size > len(body):
                return
            (length,) = _LENGTH.unpack_from(body, at)
            at += _LENGTH.size
            if length < 0:
                cells.append(None)
                continue
            cells.append(cell(body[at : at + length]))
            at += length
        yield tuple(cells)


def copy_text(data: bytes) -> str:
    """The data of CopyData messages, put together."""
    return text_of(b"".join(_messages(data, b"d")))


def cell(value: bytes) -> str:
    r"""A value as a person reads it; what is not text (a binary format) as \x and hexadecimal."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return "\\x" + value.hex()
    return "\\x" + value.hex() if "\0" in text else text


def text_of(data: bytes) -> str:
    """Bytes as text, whatever they are; a character that was cut at the end is left out."""
    return data.decode("utf-8", "replace").removesuffix("\ufffd")


def aligned(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows in columns, as psql prints them; cells must be harmless already."""
    widths = [len(header) for header in headers]
    for row in rows:
        widths = [max(width, len(value)) for width, value in zip(widths, row, strict=True)]

    def put(values: Sequence[str]) -> str:
        return " | ".join(value.ljust(width) for value, width in zip(values, widths, strict=True)).rstrip()

    return [put(headers), "-+-".join("-" * width for width in widths), *(put(row) for row in rows)]


def _messages(data: bytes, kind: bytes) -> Iterator[bytes]:
    at = 0
    while at + _HEAD.size <= len(data):
        got, length = _HEAD.unpack_from(data, at)
        end = at + 1 + length
        if got != kind or length < _LENGTH.size or end > len(data):
            return
        yield data[at + _HEAD.size : end]
        at = end
