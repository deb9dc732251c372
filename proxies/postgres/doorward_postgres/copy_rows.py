"""COPY TO STDOUT on its way to the client: the same masks as for rows, in text, CSV and binary.

It will not mask what it cannot read row by row (see `copy_formats.copy_format`), and does not touch COPY FROM: what a
client sends is decided on, not masked.
Implements ARCHITECTURE.md, "Masking", and PostgreSQL's protocol, "COPY Operations":

    CopyData   u8 'd', i32 length (itself included), any part of the data

Invariants:
- However the server cuts the data into messages, the client gets one row in each, which is what drivers expect.
- Where each message of a run is one row, which is what servers send, they are masked column by column; else row by row.
- What comes out is the same however the data was cut.
- A row with another number of fields than its columns raises UpstreamProtocolError; nothing of its batch is given out.
"""

from collections.abc import Iterator, Sequence
from struct import Struct
from struct import error as struct_error
from typing import Final

from doorward_core.errors import UpstreamProtocolError
from doorward_core.mask.detect import Hits
from doorward_postgres import copy_batch, copy_formats, row_batch
from doorward_postgres.cells import Column, cell
from doorward_postgres.copy_formats import MAX_ROW_BYTES, CopyFormat
from doorward_postgres.row_batch import DATA_ROW
from doorward_postgres.rows import Piece, RowMasker, RowPlan, Verdict, hide
from doorward_postgres.scan import Candidate, FrameScanner
from doorward_postgres.types import BINARY_FORMAT, TEXT_FORMAT

_HEAD: Final = Struct("!BI")
_COPY_DATA: Final = 0x64


class CopyMasker:
    """Does what a plan says to the rows of one COPY, and counts what it hid.

    `messages` takes a run of whole CopyData messages, `finish` is called at CopyDone.
    """

    def __init__(self, row_plan: RowPlan, key: bytes, copy: CopyFormat, *, max_row_bytes: int = MAX_ROW_BYTES) -> None:
        binary = copy.kind == "binary"
        self.plan = row_plan.in_formats((BINARY_FORMAT if binary else TEXT_FORMAT,))
        self._cutter = copy_formats.cutter(copy, max_row_bytes)
        self._binary = BinaryRows(self.plan, key) if binary else None
        self._lines = LineRows(self.plan, key, copy)

    @property
    def masked(self) -> dict[str, int]:
        """Masked values by label."""
        return self._binary.masked if self._binary else self._lines.masked

    def messages(self, buffer: bytes, start: int, end: int) -> Piece:
        """Mask a run of whole CopyData messages, headers included, from `start` to `end` of `buffer`."""
        if self.plan.untouched:
            return memoryview(buffer)[start:end]
        done: Piece | None = None
        if self._binary is not None and self._cutter.between_rows:
            done = self._binary.messages(buffer, start, end)
        elif self._binary is None and self._cutter.between_rows:
            done = self._lines.messages(buffer, start, end)
        if done is not None:
            return done
        rows = [row for data in _bodies(buffer, start, end) for row in self._cutter.cut(data)]
        masked = self._binary.mask(rows) if self._binary else self._lines.mask(rows)
        return b"".join([piece for row in masked for piece in (_HEAD.pack(_COPY_DATA, len(row) + 4), row)])

    def finish(self) -> None:
        """The server says that this was all. Raise UpstreamProtocolError if it ends within a row."""
        if not self.plan.untouched and self._cutter.pending:
            raise UpstreamProtocolError("COPY ends within a row")


def _bodies(buffer: bytes, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        if end - start < _HEAD.size:
            raise UpstreamProtocolError("a CopyData ends within its header")
        kind, length = _HEAD.unpack_from(buffer, start)
        stop = start + 1 + length
        if kind != _COPY_DATA or length < _HEAD.size - 1 or stop > end:
            raise UpstreamProtocolError("a CopyData is not as long as it says")
        yield buffer[start + _HEAD.size : stop]
        start = stop


class BinaryRows:
    """Binary rows have the layout of a DataRow's body, and are masked as such."""

    def __init__(self, row_plan: RowPlan, key: bytes) -> None:
        self._masker = RowMasker(row_plan, key)
        self._by_message = RowMasker(row_plan, key, kind=_COPY_DATA, masked=self._masker.masked)
        self._header = False

    @property
    def masked(self) -> dict[str, int]:
        """Masked values by label."""
        return self._masker.masked

    def messages(self, buffer: bytes, start: int, end: int) -> Piece | None:
        """Mask a run of messages that are a row each; None, and nothing done, where they are not."""
        fields = len(self._masker.plan.columns)
        if not fields:
            return None
        try:
            row_batch.cut(buffer, start, end, (0,), fields, _COPY_DATA)
        except (UpstreamProtocolError, struct_error):
            return None  # the trailer, a row in pieces, or what the careful way refuses
        return self._by_message.rows(buffer, start, end)

    def mask(self, rows: Sequence[bytes]) -> Iterator[bytes]:
        """Each row masked; the header and the trailer as they are. The header goes with what follows it."""
        if not rows:
            return
        head = b"" if self._header else rows[0]
        body = list(rows[0 if self._header else 1 :])
        self._header = True
        trailer = body.pop() if body and len(body[-1]) == 2 and body[-1] == b"\xff\xff" else b""  # noqa: PLR2004 - i16 -1
        framed = b"".join([piece for row in body for piece in (_HEAD.pack(DATA_ROW, len(row) + 4), row)])
        for row in _data_rows(bytes(self._masker.rows(framed, 0, len(framed)))):
            yield head + row
            head = b""
        if head or trailer:
            yield head + trailer


def _data_rows(framed: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(framed):
        _, length = _HEAD.unpack_from(framed, position)
        stop = position + 1 + length
        yield framed[position + _HEAD.size : stop]
        position = stop


class LineRows:
    """Text and CSV rows: masked columns first, then one search over all that is left of a batch."""

    def __init__(self, row_plan: RowPlan, key: bytes, copy: CopyFormat) -> None:
        self.masked: dict[str, int] = {}
        self._copy = copy
        self._header = copy.header
        self._fields = len(row_plan.columns)
        columns = [Column(item.type_oid, TEXT_FORMAT, item.typmod, row_plan.iso_dates) for item in row_plan.columns]
        self._owed = [
            (place, item.label, cell(column, item.transform, item.label, key))
            for place, (item, column) in enumerate(zip(row_plan.columns, columns, strict=True))
            if item.verdict is not Verdict.CLEAR
        ]
        self._detectors = row_plan.detectors
        self._scanner: FrameScanner | None = None
        if row_plan.detectors:
            clear = [
                column if item.verdict is Verdict.CLEAR else None
                for item, column in zip(row_plan.columns, columns, strict=True)
            ]
            self._scanner = FrameScanner(clear, row_plan.detectors, key, self.masked)

    def messages(self, buffer: bytes, start: int, end: int) -> Piece | None:
        """Mask a run of messages that are a line each, column by column; None, and nothing done, where they are not."""
        rows = None if self._header else copy_batch.lines(buffer, start, end)
        if rows is None or not copy_batch.whole(self._copy, rows) or not (self._scanner is None or self._copy.plain):
            return None
        written: list[bytes] | None = None
        if self._owed:
            written = copy_batch.fields(self._copy, rows, self._fields)
            if written is None:
                return None
            self._hide_columns(written)
            rows = copy_batch.joined(self._copy, written, self._fields)
        if self._scanner is not None:
            found = self._search(self._scanner, rows, written)
            if found is rows and written is None:
                return memoryview(buffer)[start:end]
            if found is None:
                return None
            rows = found
        return copy_batch.messages(rows)

    def _hide_columns(self, written: list[bytes]) -> None:
        """Replace the owed columns in the fields of many lines."""
        for place, label, made in self._owed:
            column = slice(place, None, self._fields)
            new, count = hide(made, copy_batch.decoded(self._copy, written[column]))
            written[column] = copy_batch.encoded(self._copy, new)
            if count:
                self.masked[label] = self.masked.get(label, 0) + count

    def _search(self, scanner: FrameScanner, rows: list[bytes], written: list[bytes] | None) -> list[bytes] | None:
        """The lines without what the detectors find: the same object where that is nothing, None to be careful."""
        text = b"\n".join(rows)
        hits = scanner.hits(text)
        everything = scanner.everything(text)
        if not hits and not everything:
            return rows
        if everything or not scanner.crowded(text, hits):
            found = list(rows)
            return found if self._scan(scanner, found, 0, b"") else rows
        if written is None:
            written = copy_batch.fields(self._copy, rows, self._fields)
        if written is None:
            return None
        if not self._search_columns(scanner, written, hits):
            return rows
        return copy_batch.joined(self._copy, written, self._fields)

    def _search_columns(self, scanner: FrameScanner, written: list[bytes], hits: Hits) -> bool:
        """Replace what is found in the fields of many lines; whether that is anything."""
        changed = False
        for place in scanner.places:
            column = slice(place, None, self._fields)
            values = copy_batch.decoded(self._copy, written[column])
            new = scanner.column(place, values, hits)
            if new is not None:
                changed = True
                fresh = copy_batch.encoded(self._copy, new)
                written[column] = [
                    old if value == was else made
                    for old, was, value, made in zip(written[column], values, new, fresh, strict=True)
                ]
        return changed

    def mask(self, rows: Sequence[bytes]) -> list[bytes]:
        """Each row masked, its newline included. The header line names columns and says nothing else."""
        done = list(rows)
        first = 0
        if self._header and done:
            self._header, first = False, 1
            self._split(done[0])
        if self._owed:
            done[first:] = [self._mask_columns(row) for row in done[first:]]
        if self._scanner is not None:
            self._scan(self._scanner, done, first, b"\n")
        return done

    def _split(self, row: bytes) -> list[bytes]:
        fields = copy_formats.split(self._copy, row)
        if len(fields) != self._fields:
            raise UpstreamProtocolError("a row of COPY does not have the fields that its columns call for")
        return fields

    def _mask_columns(self, row: bytes) -> bytes:
        fields = self._split(row)
        for place, label, made in self._owed:
            value = copy_formats.decode(self._copy, fields[place])
            if value is None:
                continue
            new = made.constant if made.replace is None else made.replace(value)
            fields[place] = copy_formats.encode(self._copy, new)
            self.masked[label] = self.masked.get(label, 0) + 1
        return self._copy.delimiter.join(fields) + b"\n"

    def _scan(self, scanner: FrameScanner, rows: list[bytes], first: int, newline: bytes) -> bool:
        """Replace in `rows` what the detectors find, if anything. Rows that no alarm touches are not even split."""
        touched = scanner.touched(rows, everything=not self._copy.plain)
        candidates: list[Candidate] = []
        values: list[bytes] = []
        for index in touched:
            if index < first:
                continue
            for place, field in enumerate(self._split(rows[index])):
                value = copy_formats.decode(self._copy, field)
                text = b"" if value is None else scanner.text(place, value)
                if value is not None and text:
                    candidates.append(Candidate(index, place, 0, 0, text))
                    values.append(value)
        fields: dict[int, list[bytes]] = {}
        for index, spans in scanner.search(candidates).items():
            item = candidates[index]
            row = fields.setdefault(item.row, self._split(rows[item.row]))
            row[item.place] = copy_formats.encode(self._copy, scanner.hidden(item, values[index], spans))
        for number, row in fields.items():
            rows[number] = self._copy.delimiter.join(row) + newline
        return bool(fields)
