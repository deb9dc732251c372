"""What COPY TO STDOUT owes: it comes without a RowDescription, so the tree and the catalogue must say it all.

What it is: the plan and the masker of one COPY, and the reason for refusing one that cannot be masked.
What it will not do: mask on a guess; a COPY whose columns or options are not known is refused before it is sent.

Source: PostgreSQL protocol, "COPY Operations"; PostgreSQL documentation, COPY.
"""

from typing import Final

from doorward_core.errors import UpstreamProtocolError
from doorward_core.mask.detect import Detectors
from doorward_core.sql.analysis import CopyInfo, OutputColumn
from doorward_postgres import rows
from doorward_postgres.copy_formats import CopyFormat, copy_format
from doorward_postgres.copy_rows import CopyMasker
from doorward_postgres.operations import View
from doorward_postgres.wire_decode import CopyResponse, Field

TEXT_OID: Final = 25
UNKNOWN_OID: Final = 0
BINARY: Final = "binary"
ADVICE: Final = "this COPY cannot be masked: {why}; copy plain columns of one table by name, or use SELECT"


class Copied:
    """The masker of one COPY TO STDOUT."""

    width = -1

    def __init__(self, plan: rows.RowPlan, key: bytes, form: CopyFormat) -> None:
        self.clear = plan.untouched
        self._copy = CopyMasker(plan, key, form)

    @property
    def masked(self) -> dict[str, int]:
        """Masked values by label."""
        return self._copy.masked

    def frames(self, buffer: bytes, start: int, end: int) -> bytes:
        """Mask a run of whole CopyData messages."""
        return bytes(self._copy.messages(buffer, start, end))

    def finish(self) -> bytes:
        """The server says that this was all."""
        self._copy.finish()
        return b""


def objection(copy: CopyInfo, view: View, *, lookup: rows.Lookup, closed_world: bool) -> str:
    """Why this COPY could not be masked, or a strict mask does not let it go; "" where it can."""
    if copy.direction != "out" or copy.end != "stdout":
        return ""
    if not copy.readable:
        return ADVICE.format(why="one of its options was not understood")
    if copy.outputs is None:
        return ADVICE.format(why="its columns could not be derived")
    try:
        _form(copy)
    except ValueError as error:
        return ADVICE.format(why=str(error))
    fields = tuple(_field(one, view, int(copy.format == BINARY)) for one in copy.outputs)
    plan = rows.plan(fields, copy.outputs, lookup=lookup, closed_world=closed_world)
    return plan.advice if isinstance(plan, rows.Refusal) else ""


def masker(
    copy: CopyInfo,
    view: View,
    response: CopyResponse,
    *,
    lookup: rows.Lookup,
    closed_world: bool,
    detectors: Detectors | None,
    iso_dates: bool,
    key: bytes,
) -> Copied:
    """The masker for a COPY that `objection` has nothing against."""
    outputs = copy.outputs
    if outputs is None or len(outputs) != len(response.column_formats):
        raise UpstreamProtocolError("a COPY has other columns than were derived for it")
    fields = tuple(_field(one, view, response.format) for one in outputs)
    plan = rows.plan(
        fields, outputs, lookup=lookup, closed_world=closed_world, detectors=detectors, iso_dates=iso_dates
    )
    if isinstance(plan, rows.Refusal):
        raise UpstreamProtocolError("a strict mask is owed on a COPY that was not refused")
    return Copied(plan, key, _form(copy))


def _form(copy: CopyInfo) -> CopyFormat:
    binary = copy.format == BINARY
    return copy_format(
        copy.format,
        delimiter=None if binary else copy.delimiter,
        null=None if binary else copy.null,
        quote=None if binary else copy.quote,
        escape=None if binary else copy.escape,
        header=copy.header,
        encoding=copy.encoding or None,
    )


def _field(output: OutputColumn, view: View, form: int) -> Field:
    """What RowDescription would have said of this column, as far as the catalogue knows it."""
    if output.origin is None or view.catalog is None:
        return Field(output.name, 0, 0, UNKNOWN_OID if form else TEXT_OID, -1, -1, form)
    oid, attnum = output.origin
    relation = view.catalog.relation_by_oid(oid)
    column = next((one for one in relation.columns if one.attnum == attnum), None) if relation else None
    if column is None:
        return Field(output.name, 0, 0, UNKNOWN_OID if form else TEXT_OID, -1, -1, form)
    return Field(output.name, oid, attnum, column.type_oid, -1, column.typmod, form)
