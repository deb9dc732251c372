"""A run of CopyData messages as the lines and columns that they are, in text and CSV: no Python call for each row.

It masks nothing, and gives None for what is not one whole line in each message: that is for the careful way
(`copy_formats.LineCutter`, `split`), which also names what is wrong.
What a line's fields say is in `copy_formats`.

Invariants:
- Lines and fields are those that the careful way gives, for every input that is not given up.
- Fields joined again as they were split give the very bytes that came.
"""

from collections.abc import Sequence
from itertools import chain
from operator import methodcaller
from struct import Struct
from typing import Final

from doorward_core.errors import UpstreamProtocolError
from doorward_postgres import copy_formats
from doorward_postgres.copy_formats import CopyFormat

_COPY_DATA: Final = 0x64
_HEAD: Final = Struct("!BI")
_SMALLEST: Final = _HEAD.size + 1  # a message that holds an empty line
_WORD_BYTES: Final = 4
_BETWEEN: Final = b"\n" + bytes(
    (_COPY_DATA,)
)  # where one line ends and the next message begins; and elsewhere, perhaps
_REMEMBERED: Final = 65_536  # headers of longer lines are made each time
_TEXT_SPECIAL: Final = b"\\\b\f\n\r\t\v"


class _Heads(dict[int, bytes]):
    """The header of a CopyData that holds a line of this length and its newline."""

    def __missing__(self, length: int) -> bytes:
        head = _HEAD.pack(_COPY_DATA, length + _WORD_BYTES + 1)
        if length < _REMEMBERED:
            self[length] = head
        return head


_heads: Final = _Heads()


def lines(buffer: bytes, start: int, end: int) -> list[bytes] | None:
    """The lines of these messages without their newlines, if each message is one."""
    if end - start < _SMALLEST or buffer[start] != _COPY_DATA or buffer[end - 1 : end] != b"\n":
        return None
    pieces = buffer[start + 1 : end - 1].split(_BETWEEN)
    found = [piece[_WORD_BYTES:] for piece in pieces]
    # The first header is where it should be. If each length word is that of its piece, so is every other.
    words = b"d".join([piece[:_WORD_BYTES] for piece in pieces])
    if b"d" + words != b"".join(map(_heads.__getitem__, map(len, found))):
        return None
    return None if b"\n" in b"".join(found) else found


def messages(rows: Sequence[bytes]) -> bytes:
    """Each line and its newline as a message."""
    out = [b"\n"] * (3 * len(rows))
    out[::3] = map(_heads.__getitem__, map(len, rows))
    out[1::3] = rows
    return b"".join(out)


def whole(copy: CopyFormat, rows: Sequence[bytes]) -> bool:
    """Whether each line is a row for certain: none begins or ends within quotes."""
    if copy.kind == "text" or copy.quote not in b"".join(rows):
        return True
    return copy.quote == copy.escape and not any(row.count(copy.quote) & 1 for row in rows)


def fields(copy: CopyFormat, rows: Sequence[bytes], count: int) -> list[bytes] | None:
    """The fields of `whole` lines as they are written, one line's after another's; None unless each has so many."""
    # Beyond the plain delimiter only these mean anything: a delimiter behind a backslash, or a quote.
    special = copy.quote if copy.kind == "csv" else b"\\" + copy.delimiter
    text = b"\n".join(rows)
    if special not in text:
        return _plain(copy, rows, count)
    found = _quoted(copy, text, count) if copy.kind == "csv" and copy.quote == copy.escape else None
    if found is not None:
        return found
    try:
        each = [copy_formats.split(copy, row) if special in row else row.split(copy.delimiter) for row in rows]
    except UpstreamProtocolError:
        return None  # whether anybody has to split that line, the careful way knows
    return list(chain.from_iterable(each)) if set(map(len, each)) == {count} else None


def _plain(copy: CopyFormat, rows: Sequence[bytes], count: int) -> list[bytes] | None:
    """The fields where every delimiter is one."""
    if set(map(methodcaller("count", copy.delimiter), rows)) != {count - 1}:
        return None
    return copy.delimiter.join(rows).split(copy.delimiter)


def _quoted(copy: CopyFormat, text: bytes, count: int) -> list[bytes] | None:
    """The fields of CSV lines with quotes in pairs; None where quotes stand elsewhere than around fields and in them.

    Between quotes, NUL stands for the delimiter while fields are split; no text of PostgreSQL holds a NUL.
    """
    quote, delimiter = copy.quote, copy.delimiter
    pieces = text.split(quote)
    outside = pieces[::2]
    edges = {piece[-1:] for piece in outside[:-1]} | {piece[:1] for piece in outside[1:]}
    if b"\0" in text or not edges <= {delimiter, b"\n", b""}:
        return None
    pieces[1::2] = quote.join(pieces[1::2]).replace(delimiter, b"\0").split(quote)
    found = _plain(copy, quote.join(pieces).split(b"\n"), count)
    return None if found is None else b"\n".join(found).replace(b"\0", delimiter).split(b"\n")


def joined(copy: CopyFormat, written: Sequence[bytes], count: int) -> list[bytes]:
    """Lines from the fields of all of them."""
    one = iter(written)
    return list(map(copy.delimiter.join, zip(*[one] * count, strict=True)))


def decoded(copy: CopyFormat, written: Sequence[bytes]) -> list[bytes | None]:
    """`copy_formats.decode` of each."""
    text = b"".join(written)
    if copy.kind == "text":
        if b"\\" not in text:
            return list(written)
    elif copy.quote not in text:
        return [None if one == copy.null else one for one in written] if copy.null in written else list(written)
    return [copy_formats.decode(copy, one) for one in written]


def encoded(copy: CopyFormat, values: Sequence[bytes | None]) -> list[bytes]:
    """`copy_formats.encode` of each."""
    text, quote = b"".join([value or b"" for value in values]), copy.quote
    if copy.kind == "text" and len(text.translate(None, _TEXT_SPECIAL + copy.delimiter)) == len(text):
        return [copy.null if value is None else value for value in values]
    if copy.kind == "csv" and quote not in text and copy.escape not in text:
        return [copy.null if value is None else quote + value + quote for value in values]
    return [copy_formats.encode(copy, value) for value in values]
