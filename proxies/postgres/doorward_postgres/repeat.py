"""A statement that comes again: how it is recognised, byte for byte, and how its answer is.

What it is: two readers of whole chunks. `split` takes apart a chunk that is one Query, or one Bind with what follows it
up to Sync; `Answer` recognises a server's answer that is the one seen before, but for its rows.
What it will not do: guess. What differs anywhere from what both halves of the machine have read before, is theirs.

Source: PostgreSQL protocol, "Message Formats" (Bind, Query, DataRow, CommandComplete, ReadyForQuery).

Invariant: two chunks with equal keys differ in the values of their parameters, and in nothing else.
"""

from dataclasses import dataclass
from struct import Struct
from typing import Final

from doorward_postgres import wire, wire_encode
from doorward_postgres.wire import Backend, Frontend

MAX_VALUES: Final = 64  # statements with more parameters are read the long way
MAX_CHUNK_BYTES: Final = 32 * 1024
MIN_BIND_BYTES: Final = 13  # its header, two empty names, and three counts of nothing
_NULL: Final = -1
MIN_ROW_BYTES: Final = 6  # of a DataRow: its length and the number of its fields

_U16: Final = Struct("!H").unpack_from
_I32: Final = Struct("!i").unpack_from
_ROW_HEAD: Final = Struct("!BIH").unpack_from

Key = tuple[bytes, bytes, int]


@dataclass(frozen=True, slots=True)
class Shape:
    """One chunk, taken apart. `key` is all of it but `values`; `bound_bytes` is the length of its Bind."""

    key: Key
    values: tuple[bytes | None, ...]
    bound_bytes: int


def split(chunk: bytes) -> Shape | None:
    """Take a chunk apart; None where it is not one Query, nor one Bind of the unnamed portal up to Sync.

    | width | field of Bind |
    |---|---|
    | u8 | `B` |
    | i32 | length |
    | | portal, statement: texts that end with a zero |
    | u16 | number of formats, each u16 |
    | u16 | number of values, each i32 length (-1: NULL) and as many bytes |
    | u16 | number of result formats, each u16 |
    """
    size = len(chunk)
    if not wire.HEADER_BYTES < size <= MAX_CHUNK_BYTES:
        return None
    end = 1 + int(_I32(chunk, 1)[0])
    if chunk[0] == Frontend.Query:
        return Shape((chunk, b"", 0), (), 0) if end == size else None
    bound = chunk[0] == Frontend.Bind and not chunk[5] and MIN_BIND_BYTES <= end < size
    return _bind(chunk, end) if bound and chunk.endswith(wire_encode.SYNC) else None


def _bind(chunk: bytes, end: int) -> Shape | None:
    at = chunk.find(0, 6, end - 6) + 1  # behind the statement's name there are six bytes at least
    if not at:
        return None
    at += 2 + 2 * int(_U16(chunk, at)[0])
    if at + 4 > end:
        return None
    count = int(_U16(chunk, at)[0])
    at += 2
    head = chunk[5:at]
    values: list[bytes | None] = []
    for _ in range(count if count <= MAX_VALUES else 0):
        length = int(_I32(chunk, at)[0]) if at + 4 <= end else end
        at += 4
        values.append(None if length == _NULL else chunk[at : at + length])
        at += 0 if length == _NULL else length
        if at > end or length < _NULL:
            return None
    return Shape((head, chunk[at:], end - at), tuple(values), end) if len(values) == count else None


_ENDS: Final[dict[int, bytes]] = {}
_MAX_ENDS: Final = 1024


def _end(rows: int) -> bytes:
    """CommandComplete of a SELECT with so many rows, and ReadyForQuery outside of a transaction."""
    known = _ENDS.get(rows)
    if known is None:
        tag = wire_encode.encode_command_complete(f"SELECT {rows}")
        known = tag + wire_encode.encode_ready_for_query("I")
        if rows < _MAX_ENDS:
            _ENDS[rows] = known
    return known


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes before the rows, byte for byte, and how many fields a row has (-1: any number)."""

    begin: bytes
    width: int

    def rows(self, data: bytes) -> tuple[int, int, int] | None:
        """How many rows there are in this answer, and where they begin and end; None where it is another answer."""
        if not data.startswith(self.begin):
            return None
        start = at = len(self.begin)
        count, size = 0, len(data)
        while size - at > MIN_ROW_BYTES and data[at] == Backend.DataRow:
            _, length, width = _ROW_HEAD(data, at)
            if length < MIN_ROW_BYTES or (width != self.width and self.width >= 0):
                return None
            at += 1 + length
            count += 1
        return (count, start, at) if data[at:] == _end(count) else None

    @classmethod
    def learned(cls, data: bytes, width: int) -> "Answer | None":
        """Make it of one whole answer, which both halves of the machine have read."""
        at = 0
        while len(data) - at >= wire.HEADER_BYTES and data[at] not in (Backend.DataRow, Backend.CommandComplete):
            at += 1 + _I32(data, at + 1)[0]
        made = cls(data[:at], width)
        return made if made.rows(data) is not None else None
