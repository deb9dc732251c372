"""Content detectors over runs of framed rows: one search per batch, never one per value.

What it is: the second pass over rows whose masked columns are already replaced.
A prefilter runs over the raw batch, length words and all; only fields that an alarm touches are taken out, searched
together in one text joined by NUL, and put back.
It will not touch a masked column, and decides nothing about columns.
Implements ARCHITECTURE.md, "Masking" and "The hot path"; the layout of DataRow is in `rows`.

Invariants:
- A match over the raw bytes decides nothing: it may swallow a length word. Spans are taken within field bounds only.
- A batch without an alarm is given back as it came.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from operator import itemgetter
from struct import Struct
from typing import Final, NamedTuple

from doorward_core.errors import UpstreamProtocolError
from doorward_core.mask.detect import Detectors, Hits, Span
from doorward_postgres import row_batch
from doorward_postgres.cells import Column
from doorward_postgres.contents import Content, content, unescape
from doorward_postgres.row_batch import Heads

_HEAD: Final = Struct("!BIH")
_SIZE: Final = Struct("!i").unpack_from
_FRAME: Final = Struct("!i").pack
_NULL: Final = b"\xff\xff\xff\xff"
_NEVER: Final = 1 << 62
_ALARM_BYTES: Final = 1_024  # with more than one alarm in so many bytes, whole columns are quicker than single fields


class Candidate(NamedTuple):
    """A field to be searched: its row, its column, where its value lies, and the text that it says."""

    row: int
    place: int
    start: int
    end: int
    text: bytes


class FrameScanner:
    """Searches the clear columns of one result. `columns` has None where a column is masked already.

    `masked` is the caller's count by label, added to.
    """

    def __init__(
        self,
        columns: Sequence[Column | None],
        detectors: Detectors,
        key: bytes,
        masked: dict[str, int],
        kind: int = row_batch.DATA_ROW,
    ) -> None:
        self._kind = kind
        self._detectors = detectors
        self._key = key
        self._contents = [None if column is None else content(column, detectors, key) for column in columns]
        self.places = [place for place, item in enumerate(self._contents) if item is not None]
        self._heads = Heads(len(columns), kind)
        self._opaque = any(item is not None and item.read is not None for item in self._contents)
        self._escapes = any(item is not None and item.escapes for item in self._contents)
        self._masked = masked

    def frames(self, data: bytes) -> bytes:
        """Give a run of whole DataRow messages without what the detectors find in it."""
        hits = self.hits(data)
        escaped = self._escapes and b"\\u00" in data
        everywhere = self._opaque or escaped
        if not hits and not everywhere:
            return data
        if not everywhere and self.crowded(data, hits):
            return self._columns(data, hits)
        areas = _joined(self._detectors.areas(data, hits))
        candidates = self._candidates(data, areas, everywhere=everywhere, escaped=escaped)
        found = self.search(candidates)
        return self._rebuilt(data, candidates, found) if found else data

    def hits(self, data: bytes) -> Hits:
        """Which detectors find a closer look worth it. For what is in columns that nobody searches, there are none."""
        return self._detectors.hits(data) if self.places else ()

    def everything(self, data: bytes) -> bool:
        """Whether `hits` cannot be relied on: the bytes do not show what they say."""
        return self._opaque or (self._escapes and b"\\u00" in data)

    def crowded(self, data: bytes, hits: Hits) -> bool:
        """Whether so much is to be looked at that looking at all of it costs less."""
        return len(data) > _ALARM_BYTES and self._detectors.crowded(data, hits, len(data) // _ALARM_BYTES)

    def _columns(self, data: bytes, hits: Hits) -> bytes:
        """Every searched column as a whole."""
        batch = row_batch.cut(data, 0, len(data), self.places, len(self._contents), self._kind)
        found = [self.column(place, values, hits) for place, values in zip(self.places, batch.values, strict=True)]
        if all(values is None for values in found):
            return data
        news = [old if new is None else new for old, new in zip(batch.values, found, strict=True)]
        return batch.joined(news, self._heads)

    def column(self, place: int, values: Sequence[bytes | None], hits: Hits) -> Sequence[bytes | None] | None:
        """The values of one column without what is found in them, NULL for NULL; None where nothing is.

        `hits` is what `Detectors.hits` gave for these values, or for what holds them.
        """
        item = self._contents[place]
        if item is None:
            return None
        text = b"\0".join([value or b"" for value in values])
        spans = self._detectors.spans(text, hits)
        if not spans:
            return None
        if not item.spliced or text.count(b"\0") != len(values) - 1:
            return self._each(place, values)
        self._count(spans)
        new = self._detectors.replaced(text, spans, key=self._key).split(b"\0")
        if None not in values:
            return new
        return [None if old is None else value for old, value in zip(values, new, strict=True)]

    def _each(self, place: int, values: Sequence[bytes | None]) -> Sequence[bytes | None] | None:
        """`column`, value by value."""
        candidates = [
            Candidate(row, place, 0, 0, text)
            for row, value in enumerate(values)
            if value is not None and (text := self.text(place, value))
        ]
        out = list(values)
        found = self.search(candidates)
        for index, spans in found.items():
            row = candidates[index].row
            out[row] = self.hidden(candidates[index], values[row] or b"", spans)
        return out if found else None

    def touched(self, rows: Sequence[bytes], *, everything: bool) -> list[int]:
        """Which of some rows, in any format, are worth a closer look: places in `rows`, rising."""
        data = b"".join(rows)
        if everything or self.everything(data):
            return list(range(len(rows)))
        starts, position = [], 0
        for row in rows:
            starts.append(position)
            position += len(row)
        found: set[int] = set()
        for start, end in self._detectors.areas(data):
            found.update(range(bisect_right(starts, start) - 1, bisect_right(starts, end - 1)))
        return sorted(found)

    def text(self, place: int, value: bytes) -> bytes:
        """What is to be searched of a value in column `place`; nothing where no detector means anything by it."""
        item = self._contents[place]
        return b"" if item is None else _text(value, item, touched=True, escaped=True)

    def search(self, candidates: Sequence[Candidate]) -> dict[int, list[Span]]:
        """Spans by candidate, counted from the beginning of its text. One search for all of them."""
        starts, position = [], 0
        for item in candidates:
            starts.append(position)
            position += len(item.text) + 1
        found: dict[int, list[Span]] = {}
        for start, end, label in self._detectors.spans(b"\0".join(item.text for item in candidates)):
            index = bisect_right(starts, start) - 1
            found.setdefault(index, []).append(Span(start - starts[index], end - starts[index], label))
        return found

    def hidden(self, candidate: Candidate, value: bytes, spans: Sequence[Span]) -> bytes | None:
        """The candidate's value without what was found in it, counted; None for NULL."""
        item = self._contents[candidate.place]
        if item is None:
            return None
        self._count(spans)
        return item.hide(value, spans if candidate.text == value else (Span(0, len(value), spans[0].label),))

    def _count(self, spans: Sequence[Span]) -> None:
        for label, count in Counter(map(itemgetter(2), spans)).items():
            self._masked[label] = self._masked.get(label, 0) + count

    def _candidates(
        self, data: bytes, areas: list[tuple[int, int]], *, everywhere: bool, escaped: bool
    ) -> list[Candidate]:
        """The fields that an alarm touches, and those whose bytes do not show what they say."""
        found: list[Candidate] = []
        position, nearest = 0, 0
        first, last = areas[0] if areas else (_NEVER, _NEVER)
        while position < len(data):
            _, length, count = _HEAD.unpack_from(data, position)
            stop = position + 1 + length
            if first < stop or everywhere:
                if count != len(self._contents) or stop > len(data):
                    raise UpstreamProtocolError("a DataRow does not have the fields that its RowDescription announced")
                for place, start, end in _fields(data, position, stop, count):
                    while last <= start:
                        nearest += 1
                        first, last = areas[nearest] if nearest < len(areas) else (_NEVER, _NEVER)
                    item = self._contents[place]
                    if item is not None:
                        text = _text(data[start:end], item, touched=first < end, escaped=escaped)
                        if text:
                            found.append(Candidate(position, place, start, end, text))
            while last <= stop:
                nearest += 1
                first, last = areas[nearest] if nearest < len(areas) else (_NEVER, _NEVER)
            position = stop
        return found

    def _rebuilt(self, data: bytes, candidates: Sequence[Candidate], found: dict[int, list[Span]]) -> bytes:
        """Every row again, with the fields that hold something replaced and its length corrected."""
        out: list[bytes] = []
        kept, row, slot, growth = 0, -1, 0, 0
        for index, spans in found.items():
            item = candidates[index]
            if item.row != row:
                if row >= 0:
                    out[slot] = _header(data, row, growth)
                out += [data[kept : item.row], b""]
                row, slot, growth, kept = item.row, len(out) - 1, 0, item.row + _HEAD.size
            new = self.hidden(item, data[item.start : item.end], spans)
            framed = _NULL if new is None else _FRAME(len(new)) + new
            out += [data[kept : item.start - 4], framed]
            growth += len(framed) - 4 - (item.end - item.start)
            kept = item.end
        out[slot] = _header(data, row, growth)
        out.append(data[kept:])
        return b"".join(out)


def _text(value: bytes, item: Content, *, touched: bool, escaped: bool) -> bytes:
    """What is to be searched of a value; nothing where no alarm touches it and its bytes show what they say."""
    if item.read is not None:
        return item.read(value)
    if escaped and item.escapes and b"\\u00" in value:
        return unescape(value)
    return value if touched else b""


def _header(data: bytes, row: int, growth: int) -> bytes:
    kind, length, count = _HEAD.unpack_from(data, row)
    return _HEAD.pack(kind, length + growth, count)


def _fields(data: bytes, position: int, stop: int, count: int) -> list[tuple[int, int, int]]:
    """(place, start, end) of every field that is not NULL. Raise UpstreamProtocolError for lengths that lie."""
    found = []
    at = position + _HEAD.size
    for place in range(count):
        (size,) = _SIZE(data, at)
        at += 4
        if size == -1:
            continue
        if size < 0 or at + size > stop:
            raise UpstreamProtocolError("a DataRow has a field of a length that it cannot have")
        found.append((place, at, at + size))
        at += size
    if at != stop:
        raise UpstreamProtocolError("the fields of a DataRow do not add up to its length")
    return found


def _joined(areas: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Overlapping areas as one: then both their starts and their ends rise."""
    joined: list[tuple[int, int]] = []
    for start, end in areas:
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
