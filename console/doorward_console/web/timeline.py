"""A session's entries as a page shows them: one step for each thing that was asked, and what came between.

What it is: entries in, steps out: what was asked, what was decided and by which rules, who voted, what was shown.
What it will not do: read a log (`library`), or make text harmless: every text here is as it was recorded, and templates
show it with `marked` and `line` alone (SSH-14). What was masked when it was shown is masked in the record, and here.

Invariants: pure; bounded: of each answer so many rows, lines and characters, and what was left out is counted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from doorward_console import rows
from doorward_console.exchanges import FORMAT as HTTP
from doorward_console.exchanges import is_request
from doorward_console.index.collect import names, number, text
from doorward_console.transcript import answer_lines, request_lines
from doorward_core.event import EventKind, Value
from doorward_core.record.reader import Content, Entry

MAX_ROWS: Final = 50
MAX_LINES: Final = 200
MAX_CELL: Final = 300
MAX_TEXT: Final = 100_000
NOT_HERE: Final = {
    Content.SEALED: "Sealed: what was said can be read with an auditor's key only.",
    Content.ERASED: "Erased: its key was deleted. That it was said remains provable.",
}
ENDINGS: Final = frozenset(
    {
        EventKind.APPROVAL_GRANTED,
        EventKind.APPROVAL_REJECTED,
        EventKind.APPROVAL_EXPIRED,
        EventKind.APPROVAL_WITHDRAWN,
    }
)


@dataclass(frozen=True, slots=True)
class Vote:
    """A vote; `reason` is None where it is sealed, `refused` says why it did not count, `retry` what was chosen."""

    cast_unix_ns: int
    approver: str
    issuer: str
    verdict: str
    proof: str
    reason: str | None
    refused: str
    retry: bool | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that were shown, as far as they are here; `more` were not put on the page."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    more: int


@dataclass(slots=True)
class Step:
    """One thing that was asked."""

    operation: str
    index: int
    unix_ns: int
    since_ns: int
    verb: str
    action: str
    protected: bool = True
    text: str | None = None
    cut: bool = False
    missing: str = ""
    parameters: tuple[str | None, ...] = ()
    touched: tuple[tuple[str, str, str], ...] = ()
    verdict: str = ""
    reason: str = ""
    rules: tuple[str, ...] = ()
    observed: str = ""
    advice: str = ""
    unseen: tuple[str, ...] = ()
    request: str = ""
    needs: tuple[str, ...] = ()
    ended: str = ""
    votes: list[Vote] = field(default_factory=list)
    status: str = ""
    code: str = ""
    rows: int = 0
    bytes_down: int = 0
    masked: tuple[tuple[str, int], ...] = ()
    duration_ns: int = 0
    tables: list[Table] = field(default_factory=list)
    shown: str = ""
    shown_cut: bool = False
    shown_missing: str = ""
    request_form: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened in between."""

    unix_ns: int
    since_ns: int
    words: str
    bad: bool = False


@dataclass(slots=True)
class Timeline:
    """A page of a session. `items` are in the order in which they began."""

    items: list[Step | Note] = field(default_factory=list)
    closed: bool = False


def timeline(entries: Iterable[Entry], opened_unix_ns: int) -> Timeline:
    """The steps of these entries; what was begun on an earlier page has no beginning here."""
    made = Timeline()
    steps: dict[bytes, Step] = {}
    for entry in entries:
        since = max(0, entry.time_unix_ns - opened_unix_ns)
        match entry.kind:
            case EventKind.SESSION_OPENED | EventKind.STREAM_CHUNK:
                continue
            case EventKind.SESSION_CLOSED:
                made.closed = True
            case EventKind.OPERATION_DECIDED | EventKind.OPERATION_HELD | EventKind.OPERATION_FINISHED:
                step = steps.get(entry.operation_id)
                if step is None:
                    step = steps[entry.operation_id] = _begun(entry, since)
                    made.items.append(step)
                _told(step, entry)
            case EventKind.APPROVAL_VOTED if entry.operation_id in steps:
                steps[entry.operation_id].votes.append(_vote(entry))
            case kind if kind in ENDINGS and entry.operation_id in steps:
                why = text(entry.header, "reason")
                steps[entry.operation_id].ended = kind.removeprefix("approval.") + (f": {why}" if why else "")
            case _:
                made.items.append(_note(entry, since))
    return made


def _begun(entry: Entry, since_ns: int) -> Step:
    head = entry.header
    return Step(
        operation=entry.operation_id.hex(),
        index=entry.index,
        unix_ns=entry.time_unix_ns,
        since_ns=since_ns,
        verb=text(head, "verb"),
        action=text(head, "action"),
        protected=entry.protected,
    )


def _told(step: Step, entry: Entry) -> None:
    if entry.kind == EventKind.OPERATION_FINISHED:
        _finished(step, entry)
        return
    head = entry.header
    step.verdict = "hold" if entry.kind == EventKind.OPERATION_HELD else text(head, "verdict")
    step.reason, step.observed = text(head, "reason"), text(head, "observed")
    step.rules, step.unseen = tuple(names(head, "rules")), tuple(names(head, "unseen"))
    step.request = text(head, "request") or step.request
    approvals = head.get("approvals")
    if isinstance(approvals, list):
        needs = (one for one in approvals if isinstance(one, dict))
        step.needs = tuple(
            f"{number(one, 'quorum')} of {', '.join(names(one, 'groups'))} (rule {text(one, 'rule')})" for one in needs
        )
    if entry.payload is None:
        step.missing = NOT_HERE.get(entry.content, "")
        return
    step.advice = text(entry.payload, "advice") if step.verdict == "deny" else ""
    if step.text is None:
        _asked(step, entry, entry.payload)


def _asked(step: Step, entry: Entry, payload: Mapping[str, Value]) -> None:
    whole = text(payload, "text")
    step.request_form = is_request(entry)
    step.text = "\n".join(request_lines(whole)) if step.request_form else whole
    step.cut = bool(payload.get("text_truncated")) or len(step.text) > MAX_TEXT
    step.text = step.text[:MAX_TEXT]
    values = payload.get("parameters")
    step.parameters = tuple(
        value if isinstance(value, str) or value is None else str(value)
        for value in (values if isinstance(values, list) else ())
    )
    atoms = payload.get("atoms")
    told = (atom for atom in (atoms if isinstance(atoms, list) else ()) if isinstance(atom, dict))
    step.touched = tuple(dict.fromkeys((text(atom, "action"), text(atom, "kind"), text(atom, "name")) for atom in told))


def _finished(step: Step, entry: Entry) -> None:
    head = entry.header
    step.status, step.code = text(head, "status"), text(head, "code")
    step.rows, step.bytes_down = number(head, "rows"), number(head, "bytes_down")
    step.duration_ns = number(head, "duration_ns")
    masked = head.get("masked")
    counted = masked if isinstance(masked, dict) else {}
    step.masked = tuple((name, number(counted, name)) for name in sorted(counted))
    if entry.payload is None:
        step.shown_missing = NOT_HERE.get(entry.content, "")
        return
    shown = entry.payload.get("shown")
    if isinstance(shown, bytes) and shown:
        _shown(step, shown, text(entry.payload, "shown_format"), names(entry.payload, "columns"))
        step.shown_cut = step.shown_cut or bool(entry.payload.get("shown_truncated"))


def _shown(step: Step, data: bytes, form: str, columns: list[str]) -> None:
    if form == rows.ROWS:
        step.tables = _tables(data, columns)
        return
    lines = answer_lines(data, cut=False) if form == HTTP else None
    if lines is None:
        lines = (rows.copy_text(data) if form == rows.COPY else rows.text_of(data)).split("\n")
    told = "\n".join(lines[:MAX_LINES])
    step.shown_cut = len(lines) > MAX_LINES or len(told) > MAX_TEXT
    step.shown = told[:MAX_TEXT]


def _tables(data: bytes, columns: list[str]) -> list[Table]:
    """Rows of one shape are one table: a text of several statements gives several."""
    found: list[Table] = []
    shape: list[tuple[str | None, ...]] = []

    def close() -> None:
        if shape:
            width = len(shape[0])
            headers = columns if len(columns) == width else [f"column {place + 1}" for place in range(width)]
            cells = tuple(tuple(_cell(value) for value in row) for row in shape[:MAX_ROWS])
            found.append(Table(tuple(headers), cells, len(shape) - len(cells)))

    for row in rows.data_rows(data):
        if shape and len(row) != len(shape[0]):
            close()
            shape = []
        shape.append(row)
    close()
    return found


def _cell(value: str | None) -> str | None:
    return value if value is None or len(value) <= MAX_CELL else f"{value[:MAX_CELL]}…"


def _vote(entry: Entry) -> Vote:
    head = entry.header
    return Vote(
        entry.time_unix_ns,
        text(head, "approver"),
        text(head, "approver_issuer"),
        text(head, "verdict"),
        text(head, "proof"),
        None if entry.payload is None else text(entry.payload, "reason"),
        "" if head.get("counted", True) else text(head, "reason") or "it does not count",
        chosen if isinstance(chosen := head.get("retry"), bool) else None,
    )


def _note(entry: Entry, since_ns: int) -> Note:
    head = entry.header
    said = text(entry.payload, "reason") if entry.payload else ""
    operator = f"{text(head, 'operator')} ({text(head, 'operator_issuer')})"
    match entry.kind:
        case EventKind.SESSION_WATCHED:
            return Note(entry.time_unix_ns, since_ns, f"{operator} watches this session")
        case EventKind.SESSION_ENDED:
            return Note(entry.time_unix_ns, since_ns, f"{operator} ends this session: {said}", bad=True)
        case EventKind.GATEWAY_ERROR:
            return Note(entry.time_unix_ns, since_ns, f"the gateway failed: {text(head, 'what')}", bad=True)
        case kind:
            about = text(head, "request") or text(head, "reason")
            return Note(entry.time_unix_ns, since_ns, f"{kind} {about}".strip())
