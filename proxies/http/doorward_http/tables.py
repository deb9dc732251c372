"""Tables (CSV, and values separated by tabs) on their way through: columns by their heading, row by row.

What it will not do: read a table in two ways. Where quotes or the number of fields leave room for that, it is refused.
It looks at columns only; detectors go over what it gives out, as over any text (`text`).
Implements: RFC 4180; a table is to paths what an array of objects is, so `$..email` and `$[*].email` name a column.

Invariants:

- Every row has as many fields as the heading: a row that shifts a value into another column does not leave.
- Fields that owe nothing leave as the bytes that came.
"""

import re
from typing import Final

from doorward_core.errors import UnreadableBody
from doorward_core.mask.transforms import apply
from doorward_core.model import Mask
from doorward_http.owed import Owed, count

_DELIMITERS: Final = (b",", b";", b"\t", b"|")
_QUOTED: Final = rb'"(?:[^"]|"")*+"'
_END: Final = rb"(?:\r\n|\n|\r(?=[^\n]))"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_NOT_A_TABLE: Final = "the body is not the table that it says it is: quotes or the number of fields do not add up"


class Table:
    """One table in UTF-8 with a heading. `masked` counts by label."""

    def __init__(self, owed: Owed, *, tabs: bool) -> None:
        self._key = owed.key
        self._root = owed.paths.root
        self._max = owed.limits.max_token_bytes
        self._tabs = tabs
        self._held = bytearray()
        self._row: re.Pattern[bytes] | None = None
        self._masks: list[Mask] = []
        self.masked: dict[str, int] = {}

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk, and give the rows that are whole."""
        self._held += chunk
        if len(self._held) > self._max + len(chunk):
            raise UnreadableBody(f"a row is longer than {self._max} bytes")
        return self._rows() if b"\n" in chunk or b"\r" in self._held else b""

    def end(self) -> bytes:
        """The table is over: the last row may do without an end."""
        if not self._held:
            return b""
        ended = self._held.endswith((b"\n", b"\r"))
        self._held += b"\n"
        out = self._rows()
        if self._held and self._held != b"\n":
            raise UnreadableBody(_NOT_A_TABLE)
        return out if ended and self._held else out[:-1]

    def _rows(self) -> bytes:
        out, position = [], 0
        if self._row is None:
            heading = re.match(rb"(?:[^\"\r\n]|" + _QUOTED + rb")*+" + _END, self._held)
            if heading is None:
                return b""
            self._read_heading(heading[0].rstrip(b"\r\n"))
            out.append(heading[0])
            position = heading.end()
        row = self._row
        while row is not None and (found := row.match(self._held, position)) is not None:
            out.append(self._shown(found))
            position = found.end()
        if _whole_row(self._held, position):
            raise UnreadableBody(_NOT_A_TABLE)
        del self._held[:position]
        return b"".join(out)

    def _read_heading(self, heading: bytes) -> None:
        heading = heading.removeprefix(_BYTE_ORDER_MARK)
        bare = re.sub(_QUOTED, b"", heading)
        delimiter = b"\t" if self._tabs else max(_DELIMITERS, key=bare.count)
        mark = re.escape(delimiter)
        field = rb"(?:" + _QUOTED + rb'|[^"\r\n' + mark + rb"]*+)"
        names = re.findall(rb"(" + field + rb")(?:" + mark + rb"|\Z)", heading)[: bare.count(delimiter) + 1]
        if not re.fullmatch(field + rb"(?:" + mark + field + rb")*+", heading):
            raise UnreadableBody(_NOT_A_TABLE)
        parts = []
        for name in names:
            mask = self._root.other.member(_text(name)).mask
            parts.append(rb"(" + field + rb")" if mask else field)
            if mask:
                self._masks.append(mask)
        # An empty line is no row: readers skip it.
        self._row = re.compile(mark.join(parts) + _END + rb"|[ ]*+" + _END)

    def _shown(self, found: re.Match[bytes]) -> bytes:
        row = found[0]
        pieces, position = [], 0
        for place, mask in enumerate(self._masks, 1):
            start, end = found.span(place)
            if start == end:
                continue
            start, end = start - found.start(), end - found.start()
            shown = apply(mask.transform, _text(row[start:end]), key=self._key, label=mask.label)
            pieces += [row[position:start], (shown or "").encode("utf-8", "replace")]
            position = end
            count(self.masked, mask.label)
        return b"".join([*pieces, row[position:]])


def _whole_row(held: bytearray, position: int) -> bool:
    """Whether what could not be read has an end, so that more will not help."""
    return re.compile(rb'(?:[^"\r\n]|' + _QUOTED + rb")*+" + _END).match(held, position) is not None


def _text(field: bytes) -> str:
    if field.startswith(b'"'):
        field = field[1:-1].replace(b'""', b'"')
    return field.decode("utf-8", "surrogateescape")
