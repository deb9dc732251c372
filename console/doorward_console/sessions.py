"""The sessions that a log tells of, each in one row.

It is pure: entries in, rows out, in the order in which sessions were opened.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from doorward_core.event import EventKind, Value
from doorward_core.record.reader import Entry

_OPENINGS = {
    EventKind.SESSION_OPENED: "open",
    EventKind.SESSION_REFUSED: "refused",
}


@dataclass(slots=True)
class SessionRow:
    """One session; `state` is open, closed or refused (one that was never admitted has no id)."""

    session: str
    opened_unix_ns: int
    state: str
    subject: str
    issuer: str
    sponsor: str
    principal: str
    resource: str
    account: str
    peer: str
    attributes: dict[str, str] = field(default_factory=dict)
    permitted: int = 0
    denied: int = 0
    held: int = 0
    duration_ns: int = 0
    reason: str = ""
    coverage: list[str] = field(default_factory=list)


def list_sessions(entries: Iterable[Entry]) -> list[SessionRow]:
    """Every session, those that were refused included."""
    rows: list[SessionRow] = []
    by_id: dict[bytes, SessionRow] = {}
    for entry in entries:
        if entry.kind in _OPENINGS:
            row = _opened(entry)
            rows.append(row)
            if entry.session_id:
                by_id[entry.session_id] = row
            continue
        known = by_id.get(entry.session_id)
        if known is not None:
            _count(known, entry)
    return rows


def _opened(entry: Entry) -> SessionRow:
    head = entry.header
    payload = entry.payload or {}
    return SessionRow(
        session=entry.session_id.hex(),
        opened_unix_ns=entry.time_unix_ns,
        state=_OPENINGS[EventKind(entry.kind)],
        subject=_text(head, "subject"),
        issuer=_text(head, "issuer"),
        sponsor=_text(head, "sponsor"),
        principal=_text(head, "principal"),
        resource=_text(head, "resource") or _text(payload, "resource"),
        account=_text(head, "account"),
        peer=_text(head, "peer"),
        attributes=_attributes(head),
        reason=_text(head, "reason"),
    )


def _count(row: SessionRow, entry: Entry) -> None:
    if entry.kind == EventKind.OPERATION_HELD:
        row.held += 1
    elif entry.kind == EventKind.OPERATION_DECIDED:
        permitted = entry.header.get("verdict") == "permit"
        row.permitted += permitted
        row.denied += not permitted
    elif entry.kind == EventKind.SESSION_CLOSED:
        row.state = "closed"
        row.reason = _text(entry.header, "reason")
        duration, coverage = entry.header.get("duration_ns"), entry.header.get("coverage")
        row.duration_ns = duration if isinstance(duration, int) else 0
        row.coverage = [str(item) for item in coverage] if isinstance(coverage, list) else []


def _attributes(head: Mapping[str, Value]) -> dict[str, str]:
    """What the issuer said of the principal beyond its name: its crew, its task, as far as configuration lets it in."""
    found = head.get("attributes")
    items = found.items() if isinstance(found, dict) else ()
    return {str(name): value for name, value in items if isinstance(value, str)}


def _text(fields: Mapping[str, Value], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
