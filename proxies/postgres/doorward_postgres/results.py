"""What the results, errors and notices of one permitted message owe, and who pays it: the machine's `Plan`.

What it is: the join of a statement's analysis (what its tree proves), the server's description of its result, the
catalogue and the masks in force, into one masker for each result. Closed world: what is not proved is hidden.
What it will not do: parse, decide, or send.

Implements ARCHITECTURE.md, "Masks".

Invariants:
- A statement that can reach a masked relation, that could not be read whole, or that runs code which was not seen
  through, has every column hidden that is not proved to owe no mask.
- Where masks are in force, rows pass only under a description.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from doorward_core.errors import UpstreamProtocolError
from doorward_core.mask.detect import Detectors
from doorward_core.model import Action, Mask, Transform
from doorward_core.sql.analysis import StatementAnalysis
from doorward_core.sql.session import Begin
from doorward_postgres import refusals, results_copy, rows, wire, wire_decode, wire_encode
from doorward_postgres.diagnostics import hide_diagnostic, hide_text
from doorward_postgres.operations import View
from doorward_postgres.plan import Masker
from doorward_postgres.wire import Backend
from doorward_postgres.wire_decode import CopyResponse, Field, Notification

OPAQUE: Final = frozenset({Action.EXECUTE, Action.UNKNOWN})
STORED: Final = frozenset({"r", "p"})  # relkind: ordinary and partitioned tables, whose columns are what they say
HIDDEN_PAYLOAD: Final = "[masked]"


@dataclass(slots=True)
class MaskDuty:
    """What one session owes: its detectors, the key of its stable tokens, and whether any column is masked for it.

    `parameters` are the server's ParameterStatus values: DateStyle decides how a masked date must look.
    """

    key: bytes
    hides_columns: bool
    detectors: Detectors | None
    strict: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def owes(self) -> bool:
        """Tell whether anything may have to be hidden in this session."""
        return self.hides_columns or self.detectors is not None

    @property
    def iso_dates(self) -> bool:
        """Tell whether dates in text format are ISO."""
        return self.parameters.get("DateStyle", "ISO").startswith("ISO")

    def diagnostic(self, frame: bytes, *, exact: bool) -> bytes:
        """An ErrorResponse or NoticeResponse; `exact` says that no masked value can be in it but by content."""
        hide = self.hides_columns and not exact
        if not hide and self.detectors is None:
            return frame
        fields = wire_decode.decode_error_fields(frame[wire.HEADER_BYTES :])
        shown, _ = hide_diagnostic(fields.items(), touches_masked=hide, detectors=self.detectors, key=self.key)
        return wire_encode.encode_error_fields(dict(shown), notice=frame[0] == Backend.NoticeResponse)


class SessionMessages:
    """Messages that belong to no statement: anything may be in them (the machine's `Ambient`)."""

    def __init__(self, duty: MaskDuty) -> None:
        self._duty = duty

    def diagnostic(self, frame: bytes) -> bytes:
        """Hide what the target composed, wherever any column is masked for this session."""
        return self._duty.diagnostic(frame, exact=False)

    def notification(self, frame: bytes) -> bytes:
        """Another session wrote the payload, perhaps from columns that this one may not see."""
        duty = self._duty
        if not duty.hides_columns and duty.detectors is None:
            return frame
        heard = wire_decode.decode_notification(frame[wire.HEADER_BYTES :])
        payload = heard.payload
        if duty.hides_columns and payload:
            payload = HIDDEN_PAYLOAD
        elif duty.detectors is not None:
            payload, _ = hide_text(payload, detectors=duty.detectors, key=duty.key)
        return wire_encode.encode_notification(Notification(heard.pid, heard.channel, payload))


class Clear:
    """The masker of a result that owes nothing."""

    clear = True
    width = -1

    def __init__(self) -> None:
        self.masked: dict[str, int] = {}

    def frames(self, buffer: bytes, start: int, end: int) -> bytes:
        """As they came."""
        return buffer[start:end]

    def finish(self) -> bytes:
        """Nothing was held back."""
        return b""


class Rows:
    """The masker of one described result."""

    def __init__(self, plan: rows.RowPlan, key: bytes) -> None:
        self.clear = plan.untouched
        # What was proved of the described columns says nothing of fields that were not described.
        self.width = len(plan.columns)
        self._rows = rows.RowMasker(plan, key)
        self.masked = self._rows.masked

    def frames(self, buffer: bytes, start: int, end: int) -> bytes:
        """Mask a run of whole DataRow messages."""
        return bytes(self._rows.rows(buffer, start, end))

    def finish(self) -> bytes:
        """Rows are masked one by one; nothing is held back."""
        return b""


@dataclass(slots=True)
class MessagePlan:
    """The plan of one permitted message."""

    statements: tuple[StatementAnalysis, ...]
    view: View
    duty: MaskDuty

    @property
    def analyses(self) -> tuple[StatementAnalysis, ...]:
        """The statements, in order."""
        return self.statements

    @property
    def needs_fields(self) -> bool:
        """Tell whether rows may only pass when their RowDescription is known."""
        silent = bool(self.statements) and all(one.complete and not one.returns_rows for one in self.statements)
        return self.duty.owes and not silent

    @property
    def copies_in(self) -> bool:
        """Tell whether the server may ask for COPY data."""
        return any(one.copy is not None and one.copy.end == "stdin" for one in self.statements)

    def rows(self, index: int, fields: tuple[Field, ...] | None) -> Masker:
        """The masker for the result of statement `index`."""
        if fields is None:
            if self.duty.owes:
                raise UpstreamProtocolError("rows without a description where a mask is owed")
            return Clear()
        known = self.statements[index] if index < len(self.statements) else None
        # A column that the catalogue does not know was added since it was read: nothing proves what it owes.
        closed = self._closed(index) or (self.duty.hides_columns and not all(map(self._known_clear, fields)))
        if not closed and self.duty.detectors is None:
            return Clear()
        plan = rows.plan(
            fields,
            _proofs(known, fields),
            lookup=self._lookup,
            closed_world=closed,
            detectors=self.duty.detectors,
            iso_dates=self.duty.iso_dates,
        )
        if isinstance(plan, rows.Refusal):
            plan = _nothing(fields)
        return Rows(plan, self.duty.key)

    def copy_out(self, index: int, response: CopyResponse) -> Masker:
        """The masker for COPY TO STDOUT; what cannot be masked was refused before it was sent (`objection`)."""
        copy = self.statements[index].copy if index < len(self.statements) else None
        closed = self._closed(index)
        if not closed and self.duty.detectors is None:
            return Clear()
        if copy is None:
            raise UpstreamProtocolError("COPY data from a statement that is no COPY")
        return results_copy.masker(
            copy,
            self.view,
            response,
            lookup=self._lookup,
            closed_world=closed,
            detectors=self.duty.detectors,
            iso_dates=self.duty.iso_dates,
            key=self.duty.key,
        )

    def objection(self, *, fast_path: bool = False, read_only: bool = False) -> str:
        """Why this message is refused whatever policy says of it; "" where what it owes can be paid."""
        if fast_path and self.duty.owes:
            return refusals.FAST_PATH
        if read_only and any(isinstance(one.effect, Begin) and one.effect.read_write for one in self.statements):
            return refusals.READ_ONLY
        for index, one in enumerate(self.statements):
            if one.copy is not None and (self._closed(index) or self.duty.detectors is not None):
                found = results_copy.objection(
                    one.copy, self.view, lookup=self._lookup, closed_world=self._closed(index)
                )
                if found:
                    return found
        return ""

    def diagnostic(self, index: int, frame: bytes) -> bytes:
        """An ErrorResponse or NoticeResponse as the client may see it."""
        return self.duty.diagnostic(frame, exact=not self._closed(index))

    def _closed(self, index: int) -> bool:
        if not self.duty.hides_columns:
            return False
        if index >= len(self.statements):
            return True
        one = self.statements[index]
        return one.touches_masked or not one.complete or any(atom.action in OPAQUE for atom in one.atoms)

    def _known_clear(self, field: Field) -> bool:
        return not field.table_oid or self._lookup(field.table_oid, field.attnum) == "clear"

    def _lookup(self, table_oid: int, attnum: int) -> Mask | Literal["clear"] | None:
        return lookup(self.view, table_oid, attnum)


def lookup(view: View, table_oid: int, attnum: int) -> Mask | Literal["clear"] | None:
    """What a column of a relation owes: its mask, "clear" where it is proved to owe none, None where it is not."""
    known = view.owed.get((table_oid, attnum))
    if known is None:
        known = _look_up(view, table_oid, attnum)
        if known is not None:  # a column that is not known is not remembered: a server could make up any number
            view.owed[table_oid, attnum] = known
    return known


def _look_up(view: View, table_oid: int, attnum: int) -> Mask | Literal["clear"] | None:
    mask = view.masks.get(table_oid, {}).get(attnum)
    if mask is not None:
        return mask
    catalog = view.catalog
    relation = catalog.relation_by_oid(table_oid) if catalog is not None else None
    bases = catalog.base_columns(table_oid, attnum) if catalog is not None else None
    if relation is None or bases is None:
        return None
    found = [owed for oid, number in sorted(bases) if (owed := view.masks.get(oid, {}).get(number)) is not None]
    if not found:
        return "clear"
    # A partition's column is its parent's; a view's may be anything made of it, and only the tree can say.
    return found[0] if relation.kind in STORED else None


def _proofs(known: StatementAnalysis | None, fields: tuple[Field, ...]) -> tuple[rows.OutputLike, ...] | None:
    """What the tree proves, if the server describes the very columns that the tree derived."""
    if known is None or known.outputs is None:
        return None
    if [one.name for one in known.outputs] != [one.name for one in fields]:
        return None
    return known.outputs


def _nothing(fields: tuple[Field, ...]) -> rows.RowPlan:
    """A strict mask is owed on a result that is already on its way: every value of it becomes NULL."""
    return rows.RowPlan(
        tuple(
            rows.ColumnPlan(
                one.name, rows.Verdict.WHOLE, one.type_oid, one.typmod, one.format, Transform.NULL, rows.UNPROVED
            )
            for one in fields
        )
    )
