"""Some columns of a run of DataRow messages, cut out and put back: no Python call for each value, nor for each row.

It knows nothing of masks: `rows` says which columns, and what stands in place of their values.
The layout of DataRow is in `rows`; a CopyData that holds one row of binary COPY has the same, but for its type.

Invariants:
- A row with another number of fields than was announced, or with lengths that do not add up, raises
  UpstreamProtocolError (or struct.error, where the buffer ends): then nothing was cut.
- Values put back as they were cut give the very bytes that came.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import add
from struct import Struct
from typing import Final

from doorward_core.errors import UpstreamProtocolError

_HEAD: Final = Struct("!BIH")
_SIZE: Final = Struct("!i")
DATA_ROW: Final = 0x44
_NULL: Final = b"\xff\xff\xff\xff"
_FIELDS_BYTES: Final = 6  # what a row's length word counts besides its fields: itself, and their number
_REMEMBERED: Final = 65_536  # words for longer values are made each time


class Words(dict[int, bytes]):
    """The length word of a value, by its length."""

    def __missing__(self, length: int) -> bytes:
        word = _SIZE.pack(length)
        if length < _REMEMBERED:
            self[length] = word
        return word


class Heads(dict[int, bytes]):
    """The header of a row with so many fields, by the bytes that they take."""

    def __init__(self, fields: int, kind: int = DATA_ROW) -> None:
        super().__init__()
        self._fields = fields
        self._kind = kind

    def __missing__(self, length: int) -> bytes:
        head = _HEAD.pack(self._kind, length + _FIELDS_BYTES, self._fields)
        if length < _REMEMBERED:
            self[length] = head
        return head


WORDS: Final = Words()


@dataclass(slots=True)
class RowBatch:
    """The rows in pieces: for each column that was cut, what stands before it and its values; then what stands behind.

    A value of None is NULL. The length word of a value that was cut is in no piece.
    `before` is empty for a column that follows the row's header or another one that was cut.
    """

    before: list[list[bytes]]
    values: list[list[bytes | None]]
    after: list[bytes] = field(default_factory=list)

    def joined(self, columns: Sequence[Sequence[bytes | None]], heads: Heads) -> bytes:
        """The rows again, with these values in the columns that were cut."""
        lengths = list(map(len, self.after))
        pieces: list[list[bytes]] = []
        for before, values in zip(self.before, columns, strict=True):
            words, bodies = _framed(values)
            parts: list[list[bytes]] = [before, words, bodies] if before else [words, bodies]
            pieces += parts
            for part in parts:
                lengths = list(map(add, lengths, map(len, part)))
        width = len(pieces) + 2
        out = [b""] * (len(lengths) * width)
        out[::width] = map(heads.__getitem__, lengths)
        for place, part in enumerate((*pieces, self.after), start=1):
            out[place::width] = part
        return b"".join(out)


def _framed(values: Sequence[bytes | None]) -> tuple[list[bytes], list[bytes]]:
    """Length words and bodies; no body for NULL."""
    if None in values:
        words = [_NULL if value is None else WORDS[len(value)] for value in values]
        return words, [value or b"" for value in values]
    bodies = [value for value in values if value is not None]
    return list(map(WORDS.__getitem__, map(len, bodies))), bodies


def cut(  # noqa: PLR0917 - called once a batch, always with these
    buffer: bytes, start: int, end: int, places: Sequence[int], fields: int, kind: int = DATA_ROW
) -> RowBatch:
    """Cut the columns at `places` (rising) out of a run of whole messages of this kind, headers included."""
    batch = RowBatch([[] for _ in places], [[] for _ in places])
    skips = [last - first - 1 for first, last in zip((-1, *places), places, strict=False)]
    steps = [
        (range(skip), before.append, values.append)
        for skip, before, values in zip(skips, batch.before, batch.values, strict=True)
    ]
    rest, put_after = range(fields - places[-1] - 1), batch.after.append
    head, size_at = _HEAD.unpack_from, _SIZE.unpack_from
    position = start
    while position < end:
        found, length, count = head(buffer, position)
        stop = position + 1 + length
        if found != kind or stop > end or count != fields:
            raise UpstreamProtocolError("a DataRow does not have the fields that its RowDescription announced")
        kept = at = position + _HEAD.size
        for skipped, put_before, put_value in steps:
            if skipped:
                for _ in skipped:
                    (size,) = size_at(buffer, at)
                    at += size + 4 if size >= 0 else _null(size)
                put_before(buffer[kept:at])
            (size,) = size_at(buffer, at)
            kept = at + 4 + size if size >= 0 else at + _null(size)
            put_value(None if size < 0 else buffer[at + 4 : kept])
            at = kept
        for _ in rest:
            (size,) = size_at(buffer, at)
            at += size + 4 if size >= 0 else _null(size)
        if at != stop:
            raise UpstreamProtocolError("the fields of a DataRow do not add up to its length")
        put_after(buffer[kept:stop] if rest else b"")
        position = stop
    return batch


def _null(size: int) -> int:
    """The bytes that NULL takes: its length word."""
    if size != -1:
        raise UpstreamProtocolError("a DataRow has a field of negative length")
    return 4
