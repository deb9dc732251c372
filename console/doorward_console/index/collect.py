"""From the entries of one log to the rows of the index.

What it is: a reader that remembers which sessions are open and which operations have not ended, and says what changed.
What it will not do: read files, write any, or judge: it takes the log's word (`doorward verify` proves it).

What is searched: texts, parameters, names of what was touched, who asked, and the lines that seem to have been typed
into a terminal. What was shown is not (ADR 20): it is read from the log when somebody opens the session.

Invariants: pure; the same entries give the same rows, in however many runs they are read; what is long is cut, and the
row says so; header and payload are hostile as far as their types go, and a missing key is an empty one.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from doorward_console.index.states import NOBODY, Asked, Batch, Cast, Opened, Place, Principal, Requested, Told, Touched
from doorward_console.recording import piece
from doorward_console.typed import TypedReader
from doorward_core.event import EventKind, Value
from doorward_core.record.reader import Content, Entry

MAX_TEXT: Final = 65_536  # characters of a statement that are searched and kept; longer ones are data, not questions
MAX_PARAMETERS: Final = 16_384  # characters, all of them together
MAX_TYPED: Final = 16_384
MAX_TOUCHED: Final = 128  # of one operation: a join of more relations is rare, and is in the log whole
MAX_NAME: Final = 512
MAX_REASON: Final = 2_000
MAX_ABOUT: Final = 8_000  # of what is kept of an event that is none of a session's doings

MAX_NUMBER: Final = (1 << 63) - 1

_ENDINGS: Final = {
    EventKind.APPROVAL_GRANTED: "granted",
    EventKind.APPROVAL_REJECTED: "rejected",
    EventKind.APPROVAL_EXPIRED: "expired",
    EventKind.APPROVAL_WITHDRAWN: "withdrawn",
}
_SESSION: Final = re.compile(r"[0-9a-f]{32}\Z")
_WHO: Final = ("subject", "issuer", "principal", "sponsor")


class Collector:
    """Reads one log. `sessions` and `asked` are what was open when the last update stopped.

    Content of the sessions in `forget` is taken for erased, whether its key is gone yet or not; `readable` are the
    sessions of which there was any.
    """

    def __init__(
        self,
        sessions: list[Opened] | None = None,
        asked: list[Asked] | None = None,
        *,
        forget: frozenset[bytes] = frozenset(),
    ) -> None:
        self._forget = forget
        self.readable: set[bytes] = set()
        self._sessions = {one.session: one for one in sessions or ()}
        self._asked = {one.operation: one for one in asked or ()}
        self._of = {one.request: one for one in asked or () if one.request}
        self._requests: dict[str, Requested] = {}
        self._batch = Batch()

    def take(self) -> Batch:
        """What has changed since it was asked last."""
        batch, self._batch = self._batch, Batch()
        return batch

    def feed(self, entry: Entry) -> None:
        """Read one entry."""
        if entry.session_id in self._forget:
            entry = replace(entry, payload=None, content=Content.ERASED)
        elif entry.payload:
            self.readable.add(entry.session_id)
        match entry.kind:
            case EventKind.OPERATION_DECIDED | EventKind.OPERATION_HELD:
                self._decided(entry)
            case EventKind.OPERATION_FINISHED:
                self._finished(entry)
            case EventKind.STREAM_CHUNK:
                self._chunk(entry)
            case EventKind.SESSION_OPENED | EventKind.SESSION_REFUSED:
                self._opened(entry)
            case EventKind.SESSION_CLOSED:
                self._closed(entry)
            case EventKind.APPROVAL_VOTED:
                self._voted(entry)
            case kind if kind in _ENDINGS:
                self._ended(entry, _ENDINGS[EventKind(kind)])
            case _:
                self._other(entry)

    # --- sessions -----------------------------------------------------------------------------------------------------

    def _opened(self, entry: Entry) -> None:
        head, payload = entry.header, entry.payload or {}
        refused = entry.kind == EventKind.SESSION_REFUSED
        place = (text(head, "resource") or text(payload, "resource"), text(head, "protocol"), text(head, "account"))
        session = Opened(
            entry.session_id,
            entry.index,
            entry.time_unix_ns,
            "refused" if refused else "open",
            _who(head),
            place,
            closed_ns=entry.time_unix_ns if refused else 0,
            about={
                "attributes": _attributes(head),
                "groups": names(head, "groups"),
                "peer": text(head, "peer"),
                "encrypted": bool(head.get("encrypted")),
                "method": text(head, "method"),
                "observe": bool(head.get("observe")),
                "read_only": bool(head.get("read_only")),
                "display": text(payload, "display"),
                "software": text(payload, "software"),
                "reason": text(head, "reason")[:MAX_REASON],
                "coverage": [],
            },
        )
        self._batch.sessions[session.at] = session
        if entry.session_id:
            self._sessions[entry.session_id] = session

    def _closed(self, entry: Entry) -> None:
        session = self._sessions.pop(entry.session_id, None)
        if session is not None:
            session.about["reason"] = text(entry.header, "reason")[:MAX_REASON]
            session.about["coverage"] = names(entry.header, "coverage")
            self._end(session, "closed", entry.time_unix_ns)

    def _end(self, session: Opened, state: str, at_ns: int) -> None:
        session.state, session.closed_ns = state, at_ns
        self._batch.sessions[session.at] = session
        for asked in [one for one in self._asked.values() if one.session == session.session]:
            self._is_over(asked)

    def _count(self, session: bytes) -> Opened | None:
        found = self._sessions.get(session)
        if found is not None:
            self._batch.sessions[found.at] = found
        return found

    # --- operations ---------------------------------------------------------------------------------------------------

    def _decided(self, entry: Entry) -> None:
        head, held = entry.header, entry.kind == EventKind.OPERATION_HELD
        asked = self._asked.get(entry.operation_id) or self._new(entry)
        asked.verdict = "hold" if held else text(head, "verdict")
        asked.reason, asked.observed = text(head, "reason"), text(head, "observed")
        asked.rules = names(head, "rules")
        asked.request = text(head, "request") or asked.request
        if entry.payload is not None and not asked.content:
            _fill(asked, entry.payload)
        asked.content = asked.content or entry.content.value
        self._batch.asked[asked.operation] = asked
        if asked.request:
            self._of[asked.request] = asked
        if (session := self._count(entry.session_id)) is not None:
            session.held += held
            session.permitted += asked.verdict == "permit"
            session.denied += asked.verdict == "deny"
        if held:
            asked.held = True
            self._request(entry, asked)
        elif asked.verdict != "permit":
            self._is_over(asked)

    def _new(self, entry: Entry) -> Asked:
        head = entry.header
        session = self._sessions.get(entry.session_id)
        place: Place = (text(head, "resource"), session.place[1] if session else "", text(head, "account"))
        asked = Asked(
            entry.operation_id,
            entry.session_id,
            entry.index,
            entry.time_unix_ns,
            number(head, "seq"),
            _who(head),
            place,
            text(head, "action"),
            text(head, "verb"),
        )
        self._asked[asked.operation] = asked
        return asked

    def _finished(self, entry: Entry) -> None:
        asked = self._asked.get(entry.operation_id)
        if asked is None:
            return
        head = entry.header
        asked.status, asked.code = text(head, "status"), text(head, "code")
        asked.rows, asked.bytes_down = number(head, "rows"), number(head, "bytes_down")
        asked.duration_ns = number(head, "duration_ns")
        found = head.get("masked")
        asked.masked = {name: number(found, name) for name in found} if isinstance(found, dict) else {}
        self._batch.asked[asked.operation] = asked
        self._is_over(asked)
        if (session := self._count(entry.session_id)) is not None:
            session.rows += asked.rows
            session.masked += sum(asked.masked.values())

    def _is_over(self, asked: Asked) -> None:
        """Nothing more is told of it."""
        asked.terminal = None
        self._asked.pop(asked.operation, None)
        self._of.pop(asked.request, None)
        self._batch.asked[asked.operation] = asked
        self._batch.ended.add(asked.operation)

    def _chunk(self, entry: Entry) -> None:
        asked = self._asked.get(entry.operation_id)
        read = piece(entry) if asked is not None else None
        if asked is None or read is None:
            return
        if asked.terminal is None:
            if not read.resize:
                return  # a command without a terminal: nobody types into its output
            asked.terminal = TypedReader()
        for line in asked.terminal.feed(read):
            if sum(len(one) for one in asked.typed) + len(line.text) <= MAX_TYPED:
                asked.typed.append(line.text)
                self._batch.asked[asked.operation] = asked

    # --- people -------------------------------------------------------------------------------------------------------

    def _request(self, entry: Entry, asked: Asked) -> None:
        found = entry.header.get("approvals")
        needs = [
            {"rule": text(one, "rule"), "groups": names(one, "groups"), "quorum": number(one, "quorum")}
            for one in (found if isinstance(found, list) else ())
            if isinstance(one, dict)
        ]
        self._batch.requests[asked.request] = self._requests[asked.request] = Requested(
            asked.request,
            asked.operation,
            entry.session_id,
            entry.time_unix_ns,
            number(entry.header, "expires_unix_ns"),
            needs,
        )

    def _voted(self, entry: Entry) -> None:
        head = entry.header
        request, counted = text(head, "request"), head.get("counted", True) is True
        self._batch.votes.append(
            Cast(
                entry.index,
                request,
                entry.time_unix_ns,
                text(head, "approver"),
                text(head, "approver_issuer"),
                text(head, "verdict"),
                text(head, "proof"),
                counted,
                text(head, "reason")[:MAX_REASON],
                None if entry.payload is None else text(entry.payload, "reason")[:MAX_REASON],
            )
        )
        asked = self._of.get(request)
        if asked is not None and counted:
            asked.approvers.append(text(head, "approver"))
            self._batch.asked[asked.operation] = asked

    def _ended(self, entry: Entry, state: str) -> None:
        request = text(entry.header, "request")
        known = self._requests.pop(request, None)
        if known is None:  # it was asked before the last update: the row is there
            known = Requested(request, entry.operation_id, entry.session_id, 0, 0, [])
        known.state, known.ended_ns = state, entry.time_unix_ns
        known.why = text(entry.header, "reason")[:MAX_REASON]
        self._batch.requests[request] = known

    # --- everything else ----------------------------------------------------------------------------------------------

    def _other(self, entry: Entry) -> None:
        if entry.kind == EventKind.CONTENT_ERASED:
            whole = names(entry.payload or {}, "what") or names(entry.header, "what")
            self._batch.erased |= {bytes.fromhex(one) for one in whole if _SESSION.match(one)}
        if entry.kind == EventKind.LOG_OPENED and entry.header.get("previous") == "unclean":
            for session in list(self._sessions.values()):
                self._end(session, "lost", entry.time_unix_ns)
            self._sessions.clear()
        about: dict[str, Any] = {}
        room = MAX_ABOUT
        for name, value in entry.header.items():
            told = value.hex() if isinstance(value, bytes) else value
            room -= len(name) + len(str(told))
            if room < 0:
                break
            about[name] = _plain(told)
        self._batch.told.append(Told(entry.index, entry.time_unix_ns, str(entry.kind), entry.session_id, about))


def text(fields: Mapping[str, Value], name: str) -> str:
    """A text of a header or a payload; empty where there is none. What SQLite could not keep is replaced."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def number(fields: Mapping[str, Value], name: str) -> int:
    """A number; 0 where there is none, and the largest that SQLite has where it is larger."""
    value = fields.get(name)
    return max(-MAX_NUMBER, min(value, MAX_NUMBER)) if isinstance(value, int) else 0


def names(fields: Mapping[str, Value], name: str) -> list[str]:
    """A list of texts."""
    value = fields.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _who(head: Mapping[str, Value]) -> Principal:
    if not head.get("subject"):
        return NOBODY
    subject, issuer, kind, sponsor = (text(head, name) for name in _WHO)
    return subject, issuer, kind, sponsor


def _attributes(head: Mapping[str, Value]) -> dict[str, str]:
    found = head.get("attributes")
    items = found.items() if isinstance(found, dict) else ()
    return {str(name): value[:MAX_NAME] for name, value in items if isinstance(value, str)}


def _fill(asked: Asked, payload: Mapping[str, Value]) -> None:
    """What was asked: its text, its parameters, and what it touches."""
    whole = text(payload, "text")
    asked.text, asked.cut = whole[:MAX_TEXT], len(whole) > MAX_TEXT or bool(payload.get("text_truncated"))
    found = payload.get("parameters")
    room = MAX_PARAMETERS
    for value in found if isinstance(found, list) else ():
        told = value if isinstance(value, str) or value is None else str(value)
        room -= len(told or "") + 1
        if room < 0:
            asked.cut = True
            break
        asked.parameters.append(told)
    atoms = payload.get("atoms")
    touched: dict[Touched, None] = {}
    for atom in atoms if isinstance(atoms, list) else ():
        if isinstance(atom, dict):
            touched[text(atom, "action"), text(atom, "kind"), text(atom, "name")[:MAX_NAME]] = None
    asked.touched = list(touched)[:MAX_TOUCHED]


def _plain(value: object) -> object:
    """A value that JSON has."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    return value
