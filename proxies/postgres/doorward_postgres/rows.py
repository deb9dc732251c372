"""Rows on their way to the client: which columns are masked, and DataRow re-framed with the values masked.

`plan` decides once per RowDescription; a `RowMasker` does it, batch by batch, and counts.
It will not read SQL (what the statement's tree proves is handed in), send anything, or guess: a column that is not
proved to owe no mask is hidden whole.
Implements ARCHITECTURE.md, "Masking" (closed world), and PostgreSQL's protocol, "Message Formats":

    DataRow   u8 'D', i32 length (itself included), i16 fields, then per field i32 length (-1 is NULL) and the value

Invariants:
- Rows that owe nothing leave as the very bytes that came, in one slice.
- A row with another number of fields than its description, or with lengths that do not add up, raises
  UpstreamProtocolError; nothing of its batch is given out.
- How the rows are cut into batches never changes what comes out.
- NULL stays NULL. Counts are of values, by label; no value is kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from struct import Struct
from struct import error as struct_error
from typing import Final, Literal, Protocol, TypeAlias

from doorward_core.errors import UpstreamProtocolError
from doorward_core.mask.detect import Detectors
from doorward_core.model import Mask, Transform
from doorward_postgres import row_batch
from doorward_postgres.cells import Cell, Column, cell
from doorward_postgres.row_batch import Heads
from doorward_postgres.scan import FrameScanner

UNPROVED: Final = "unproved"  # the label of a column that is hidden because nothing proves that it owes no mask
_FRAME: Final = Struct("!i").pack

Origin: TypeAlias = tuple[int, int]  # (table OID, attribute number)
Lookup: TypeAlias = Callable[[int, int], Mask | Literal["clear"] | None]
Piece: TypeAlias = bytes | memoryview


class FieldLike(Protocol):
    """A field of RowDescription, as `wire.Field` has it."""

    @property
    def name(self) -> str:
        """As the client sees it."""
        ...

    @property
    def table_oid(self) -> int:
        """0 for what is no plain column."""
        ...

    @property
    def attnum(self) -> int:
        """0 for what is no plain column."""
        ...

    @property
    def type_oid(self) -> int:
        """Of the base type, for a domain."""
        ...

    @property
    def typmod(self) -> int:
        """-1 for none."""
        ...

    @property
    def format(self) -> int:
        """0 is text, 1 is binary."""
        ...


class OutputLike(Protocol):
    """What the statement's tree proves of one output column."""

    @property
    def clear(self) -> bool:
        """Proved to owe no mask."""
        ...

    @property
    def origin(self) -> Origin | None:
        """The base column that this is, unchanged."""
        ...

    @property
    def tainted(self) -> frozenset[Origin]:
        """Masked base columns that may flow in."""
        ...


class Verdict(Enum):
    """What becomes of a column."""

    CLEAR = "clear"  # proved to owe no mask, or no masked relation is in reach
    MASK = "mask"  # a masked column itself: its mask's transform
    WHOLE = "whole"  # derived from a masked column, or not proved: hidden whole


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """One output column: the verdict, and what a replacement has to be valid for."""

    name: str
    verdict: Verdict
    type_oid: int
    typmod: int
    format_code: int
    transform: Transform = Transform.REDACT
    label: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The statement's result may not leave: the column that stands in the way, and what to do about it."""

    column: str
    advice: str


@dataclass(frozen=True, slots=True)
class RowPlan:
    """What is owed on every row of one result. `iso_dates`: the session's DateStyle is ISO."""

    columns: tuple[ColumnPlan, ...]
    detectors: Detectors | None = None
    iso_dates: bool = True

    @property
    def untouched(self) -> bool:
        """Whether nothing is owed: rows may then pass without being looked at, and in pieces."""
        return self.detectors is None and all(column.verdict is Verdict.CLEAR for column in self.columns)

    def in_formats(self, formats: Sequence[int]) -> "RowPlan":
        """The plan for the result formats of a Bind: none is all text, one is for all, else one for each column.

        A RowDescription that answers a Describe of a *statement* says text for every column, whatever Bind asks for.
        """
        each = tuple(formats) or (0,)
        if len(each) == 1:
            each *= len(self.columns)
        if len(each) != len(self.columns):
            raise UpstreamProtocolError("a result has another number of columns than formats were asked for")
        columns = zip(self.columns, each, strict=True)
        return replace(self, columns=tuple(replace(column, format_code=code) for column, code in columns))


def plan(
    fields: Sequence[FieldLike],
    outputs: Sequence[OutputLike] | None,
    *,
    lookup: Lookup,
    closed_world: bool,
    detectors: Detectors | None = None,
    strict: bool = False,
    iso_dates: bool = True,
) -> RowPlan | Refusal:
    """What is owed on each column of a result.

    `lookup` answers for a column of a relation: its mask, "clear" for a plain column that owes none, None where that is
    not proved. `outputs` is what the tree proves, None where it could not be derived, or it has other columns.
    `closed_world`: the statement can reach a masked relation, so that what is not proved is hidden.
    `strict` (or `strict` on the mask in question) refuses instead of hiding what is derived or not proved.
    """
    known = outputs if outputs is not None and len(outputs) == len(fields) else None
    columns = []
    for place, field in enumerate(fields):
        decided = _decide(field, known[place] if known else None, lookup, closed_world=closed_world)
        verdict, mask = decided
        if verdict is Verdict.WHOLE and (strict or (mask is not None and mask.strict)):
            return Refusal(field.name, _advice(field.name, mask))
        transform, label = Transform.REDACT, ""
        if verdict is Verdict.MASK and mask is not None:
            transform, label = mask.transform, mask.label
        elif verdict is Verdict.WHOLE:
            transform = Transform.NULL if mask is not None and mask.transform is Transform.NULL else Transform.REDACT
            label = mask.label if mask is not None else UNPROVED
        columns.append(
            ColumnPlan(field.name, verdict, field.type_oid, field.typmod, field.format, transform, label),
        )
    return RowPlan(tuple(columns), detectors or None, iso_dates)


def _decide(
    field: FieldLike, output: OutputLike | None, lookup: Lookup, *, closed_world: bool
) -> tuple[Verdict, Mask | None]:
    """The verdict on one column, and the mask that it is owed to.

    The server's own word on where a column comes from stands, unless the tree says that a masked column flows into it
    (`UPDATE ... SET note = email RETURNING note` comes from `note`, and says what `email` says).
    """
    origin = (field.table_oid, field.attnum) if field.table_oid and field.attnum else None
    told = output.origin if output is not None else None
    for place in (origin, told):
        found = lookup(*place) if place else None
        if isinstance(found, Mask):
            return Verdict.MASK, found
        if found == "clear" and (output is None or output.clear or not output.tainted):
            return Verdict.CLEAR, None
    if output is not None and output.clear:
        return Verdict.CLEAR, None
    if output is not None and output.tainted:
        return Verdict.WHOLE, _strictest(output.tainted, lookup)
    return (Verdict.WHOLE, None) if closed_world else (Verdict.CLEAR, None)


def _strictest(tainted: frozenset[Origin], lookup: Lookup) -> Mask | None:
    """Of the masks of what flows in: one that refuses before one that hides, then one that says NULL."""
    masks = [found for origin in sorted(tainted) if isinstance(found := lookup(*origin), Mask)]
    return min(masks, key=lambda mask: (not mask.strict, mask.transform is not Transform.NULL), default=None)


def _advice(column: str, mask: Mask | None) -> str:
    why = f"is derived from what mask {mask.rule!r} hides" if mask else "cannot be proved to owe no mask"
    return f"output column {column!r} {why}; leave it out, or select the plain columns of one table by name"


class RowMasker:
    """Does what a plan says to the rows of one result, and counts what it hid.

    `rows` takes a run of whole DataRow messages; `feed_row` the body of one.
    `kind` is the type of the messages, where they are others of the same layout; `masked` a count to add to.
    """

    def __init__(
        self, row_plan: RowPlan, key: bytes, *, kind: int = row_batch.DATA_ROW, masked: dict[str, int] | None = None
    ) -> None:
        self.plan = row_plan
        self.masked: dict[str, int] = {} if masked is None else masked
        self._kind = kind
        owed = [place for place, column in enumerate(row_plan.columns) if column.verdict is not Verdict.CLEAR]
        self._places = owed
        self._labels = [row_plan.columns[place].label for place in owed]
        self._cells = [_cell(row_plan.columns[place], row_plan, key) for place in owed]
        self._heads = Heads(len(row_plan.columns), kind)
        self._scanner: FrameScanner | None = None
        if row_plan.detectors:
            clear = [
                Column(column.type_oid, column.format_code, column.typmod, row_plan.iso_dates)
                if column.verdict is Verdict.CLEAR
                else None
                for column in row_plan.columns
            ]
            self._scanner = FrameScanner(clear, row_plan.detectors, key, self.masked, kind)

    def rows(self, buffer: bytes, start: int, end: int) -> Piece:
        """Mask a run of whole DataRow messages, headers included, from `start` to `end` of `buffer`."""
        if self.plan.untouched:
            return memoryview(buffer)[start:end]
        try:
            masked: Piece | None = self._mask(buffer, start, end) if self._places else None
            if self._scanner is None:
                return memoryview(buffer)[start:end] if masked is None else masked
            if masked is None and start == 0 and end == len(buffer):
                masked = buffer
            return self._scanner.frames(buffer[start:end] if masked is None else bytes(masked))
        except struct_error as problem:
            raise UpstreamProtocolError("a DataRow ends before its fields do") from problem

    def feed_row(self, body: bytes | memoryview) -> bytes:
        """Mask the body of one DataRow, and give the whole message."""
        message = bytes((self._kind,)) + _FRAME(len(body) + 4) + body
        return bytes(self.rows(message, 0, len(message)))

    def _mask(self, buffer: bytes, start: int, end: int) -> bytes | None:
        """Column masks only. None where no row holds anything but NULL in its masked columns."""
        batch = row_batch.cut(buffer, start, end, self._places, len(self.plan.columns), self._kind)
        news, hidden = [], 0
        for values, item, label in zip(batch.values, self._cells, self._labels, strict=True):
            new, count = hide(item, values)
            news.append(new)
            hidden += count
            if count:
                self.masked[label] = self.masked.get(label, 0) + count
        return batch.joined(news, self._heads) if hidden else None


def hide(item: Cell, values: Sequence[bytes | None]) -> tuple[Sequence[bytes | None], int]:
    """What stands in place of a column's values, NULL for NULL, and how many were hidden."""
    present = [value for value in values if value is not None]
    new = item.values(present)
    if len(present) == len(values):
        return new, len(present)
    rest = iter(new)
    return [None if value is None else next(rest) for value in values], len(present)


def _cell(column: ColumnPlan, row_plan: RowPlan, key: bytes) -> Cell:
    shape = Column(column.type_oid, column.format_code, column.typmod, row_plan.iso_dates)
    return cell(shape, column.transform, column.label, key)
