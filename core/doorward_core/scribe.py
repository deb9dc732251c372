"""One session's events about what it does again and again, with all that stays the same written once.

What it is: `entries.decided` and `entries.finished`, remembered: an event whose like was written before comes as a
`forms.Form` over the same base, which the log packs by joining.
What it will not do: write anything down in another way; what it gives is equal to what `entries` gives.

Invariant: a base is used only for the very decision and atoms it was made of, and for equal words and flags.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from doorward_core import entries
from doorward_core.event import Event, EventKind, Outcome, Value
from doorward_core.forms import Base, Form
from doorward_core.model import Atom, Decision, Operation, Permit, Record, RecordLevel, Session

MAX_KEPT: Final = 256  # statements of one session whose constant parts are kept; past them all is begun anew

_LEAST: Final = RecordLevel.DECISION
_HEADER: Final = ("seq",)
_PAYLOAD: Final = ("parameters", "text")
_END_HEADER: Final = (
    "bytes_down",
    "bytes_up",
    "code",
    "decided",
    "duration_ns",
    "masked",
    "rows",
    "seq",
    "status",
)
_END_PAYLOAD: Final = ("shown", "shown_digest", "shown_truncated")


@dataclass(slots=True)
class _Known:
    """What was decided once. It holds on to the decision and the atoms, so that their identity means them."""

    decision: Decision
    atoms: tuple[Atom, ...]
    attributes: dict[str, str]
    header: Base | None = None
    payload: Base | None = None


class Scribe:
    """Writes the events of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._decided: dict[tuple[Any, ...], _Known] = {}
        self._finished: dict[tuple[Any, ...], tuple[Base, Base | None]] = {}

    def decided(self, operation: Operation, decision: Decision, request_id: str = "") -> Event:
        """An operation was permitted or denied."""
        if request_id:
            return entries.decided(self._session, operation, decision, request_id=request_id)
        key = (
            id(decision),
            id(operation.atoms),
            operation.verb,
            operation.complete,
            operation.in_transaction,
            operation.text_truncated,
            operation.unseen,
        )
        known = self._decided.get(key)
        if known is None or known.attributes != operation.attributes:
            if len(self._decided) >= MAX_KEPT:
                self._decided.clear()
            self._decided[key] = _Known(decision, operation.atoms, dict(operation.attributes))
            return entries.decided(self._session, operation, decision)
        if known.header is None or known.payload is None:
            # The second of its kind: most statements with their literals in them never come again.
            event = entries.decided(self._session, operation, decision)
            known.header, known.payload = _without(event.header, _HEADER), _without(event.payload, _PAYLOAD)
            return event
        return Event(
            EventKind.OPERATION_DECIDED,
            Form(known.header, {"seq": operation.seq}),
            Form(known.payload, {"parameters": list(operation.parameters), "text": operation.text}),
            self._session.id,
            operation.id,
        )

    def finished(self, permit: Permit, outcome: Outcome, level: RecordLevel) -> Event:
        """A permitted operation ended."""
        if outcome.changes or outcome.changes_truncated:  # of each its own
            return entries.finished(self._session, permit, outcome, level)
        whole = level is not _LEAST or any(
            isinstance(item, Record) and item.level is not _LEAST for item in permit.decision.obligations
        )
        key = (outcome.columns, outcome.column_types, outcome.column_formats, outcome.shown_format, whole)
        known = self._finished.get(key)
        if known is None:
            event = entries.finished(self._session, permit, outcome, level)
            if len(self._finished) >= MAX_KEPT:
                self._finished.clear()
            self._finished[key] = (
                _without(event.header, _END_HEADER),
                _without(event.payload, _END_PAYLOAD) if whole else None,
            )
            return event
        header, payload = known
        rest: dict[str, Value] = {
            "bytes_down": outcome.bytes_down,
            "bytes_up": outcome.bytes_up,
            "code": outcome.native_code,
            "decided": permit.entry,
            "duration_ns": outcome.duration_ns,
            "masked": dict(outcome.masked),
            "rows": outcome.rows,
            "seq": permit.operation.seq,
            "status": str(outcome.status),
        }
        content: Mapping[str, Value] = {}
        if payload is not None:
            content = Form(
                payload,
                {
                    "shown": outcome.shown,
                    "shown_digest": outcome.shown_digest,
                    "shown_truncated": outcome.shown_truncated,
                },
            )
        return Event(EventKind.OPERATION_FINISHED, Form(header, rest), content, self._session.id, permit.operation.id)


def _without(fields: Mapping[str, Value], varying: tuple[str, ...]) -> Base:
    return Base({name: value for name, value in fields.items() if name not in varying})
