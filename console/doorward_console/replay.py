"""One session as it went: what was asked, what was decided and by whom, what was seen, and what was not covered.

It is pure: entries of the log in, lines out.
Everything that a client, a target or an approver wrote is made harmless before it is put into a line, and stands
behind a margin, so that none of it passes for ours (threat model SSH-14).
It tells what the record says, and proves nothing: that is `doorward verify`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from doorward_console import rows
from doorward_console.exchanges import FORMAT as HTTP
from doorward_console.exchanges import is_request
from doorward_console.output import line, moment, shown, span
from doorward_console.recording import piece
from doorward_console.transcript import answer_lines, request_lines
from doorward_console.typed import LABEL, TypedLine, TypedReader
from doorward_core.event import EventKind, Value
from doorward_core.record.reader import Content, Entry

CHANGE = 3  # a field, what it was, what it is
MARGIN = "    | "
DEFAULT_ROWS = 20
MAX_CELL_CHARACTERS = 200
COUNTED = ("permitted", "denied", "held", "rows", "masked")
NOT_HERE = {
    Content.SEALED: "(sealed: what was said can be read with an auditor's key only)",
    Content.ERASED: "(erased: its key was deleted; that it was said remains provable)",
}


@dataclass(slots=True)
class Replay:
    """Tells the entries of one session, in order. `max_rows` bounds how much of each answer is shown."""

    max_rows: int = DEFAULT_ROWS
    _opened_unix_ns: int = 0
    _asked: set[bytes] = field(default_factory=set)
    _last: bytes = b""
    _terminals: dict[bytes, TypedReader] = field(default_factory=dict)
    _typed: dict[bytes, list[TypedLine]] = field(default_factory=dict)

    def lines(self, entries: Iterable[Entry]) -> Iterator[str]:
        """Tell them; an empty line separates one thing asked from the next."""
        for entry in entries:
            if not self._opened_unix_ns:
                self._opened_unix_ns = entry.time_unix_ns
            lines = [text for text in self._tell(entry) if text]
            if not lines:
                continue
            if entry.operation_id and entry.kind.startswith("operation.") and entry.operation_id != self._last:
                self._last = entry.operation_id
                yield ""
            first = f"{self._when(entry)}  {lines[0]}"
            if not entry.protected:
                first += "  (no checkpoint covers this yet)"
            yield first
            yield from lines[1:]

    def played(self, entry: Entry) -> None:
        """Take note of a `stream.chunk` that is shown by other means."""
        read = piece(entry)
        if read is None:
            return
        if read.resize and entry.operation_id not in self._terminals:
            self._terminals[entry.operation_id] = TypedReader()
        if (reader := self._terminals.get(entry.operation_id)) is not None:
            self._typed.setdefault(entry.operation_id, []).extend(reader.feed(read))

    def _tell(self, entry: Entry) -> list[str]:  # noqa: PLR0911, C901 - one line for each kind
        match entry.kind:
            case EventKind.SESSION_OPENED:
                return self._session_opened(entry)
            case EventKind.OPERATION_DECIDED:
                return self._decided(entry)
            case EventKind.OPERATION_HELD:
                return self._held(entry)
            case EventKind.OPERATION_FINISHED:
                return self._finished(entry)
            case EventKind.APPROVAL_VOTED:
                return self._voted(entry)
            case EventKind.STREAM_CHUNK:
                return self._chunk(entry)
            case EventKind.SESSION_WATCHED | EventKind.SESSION_ENDED:
                return self._attended(entry)
            case EventKind.GATEWAY_ERROR:
                return [f"the gateway failed: {_text(entry.header, 'what')}"]
            case EventKind.SESSION_CLOSED:
                return self._session_closed(entry)
            case kind if kind.startswith("approval."):
                return self._ended(entry)
            case kind:
                return [line(kind)]

    def _when(self, entry: Entry) -> str:
        since = entry.time_unix_ns - self._opened_unix_ns
        return moment(entry.time_unix_ns) if since <= 0 else offset(since)

    def _session_opened(self, entry: Entry) -> list[str]:
        head = entry.header
        who = f"{_text(head, 'subject')} ({_text(head, 'principal') or _text(head, 'agent')})"
        if head.get("sponsor"):
            who += f", sponsor {_text(head, 'sponsor')}"
        who += "".join(f", with {actor}" for actor in _texts(head, "act"))
        posture = "read only" if head.get("read_only") else ""
        posture += " OBSERVE MODE: nothing was enforced" if head.get("observe") else ""
        return [
            f"session {entry.session_id.hex()}",
            f"    who      {who}; {_text(head, 'issuer')}",
            *_attributes(head),
            f"    groups   {', '.join(_texts(head, 'groups')) or '-'}",
            f"    on       {_text(head, 'resource')} as {_text(head, 'account')}{f'; {posture}' if posture else ''}",
            f"    from     {_text(head, 'peer')}{'' if head.get('encrypted') else ' without TLS'}",
            f"    policy   {_bytes(head, 'policy').hex()[:16]}",
        ]

    def _asked_once(self, entry: Entry) -> list[str]:
        """What was asked, the first time that it is told of."""
        if entry.operation_id in self._asked:
            return []
        self._asked.add(entry.operation_id)
        if entry.payload is None:
            return [f"    {NOT_HERE.get(entry.content, '')}"]
        text = str(entry.payload.get("text", ""))
        lines = [one for part in request_lines(text) for one in _quoted(part)] if is_request(entry) else _quoted(text)
        if entry.payload.get("text_truncated"):
            lines.append(f"{MARGIN}... (there was more)")
        for place, value in enumerate(_list(entry.payload, "parameters"), start=1):
            lines.append(f"{MARGIN}${place} = {'NULL' if value is None else repr_of(value)}")
        return lines

    def _decided(self, entry: Entry) -> list[str]:
        head = entry.header
        rules = ", ".join(_texts(head, "rules")) or "no rule"
        verdict = _text(head, "verdict")
        told = {"permit": "permitted", "deny": "DENIED"}.get(verdict, verdict)
        first = f"{_text(head, 'verb')}: {told} ({_text(head, 'reason')}; {rules})"
        if head.get("observed"):
            first += f"; without observe mode: {_text(head, 'observed')}"
        if head.get("request"):
            first += f"; request {_text(head, 'request')}"
        lines = [first, *self._asked_once(entry)]
        advice = str(entry.payload.get("advice", "")) if entry.payload else ""
        return [*lines, f"    told: {line(advice)}"] if advice and verdict != "permit" else lines

    def _held(self, entry: Entry) -> list[str]:
        head = entry.header
        needs = [
            f"{_number(item, 'quorum')} of {', '.join(_texts(item, 'groups'))} (rule {_text(item, 'rule')})"
            for item in _list(head, "approvals")
            if isinstance(item, dict)
        ]
        until = head.get("expires_unix_ns")
        until_text = f", until {moment(until)}" if isinstance(until, int) else ""
        first = f"{_text(head, 'verb')}: HELD, request {_text(head, 'request')}, needs {'; '.join(needs)}{until_text}"
        return [first, *self._asked_once(entry)]

    def _voted(self, entry: Entry) -> list[str]:
        head = entry.header
        reason = str(entry.payload.get("reason", "")) if entry.payload else ""
        said = f': "{line(reason)}"' if reason else ""
        refused = "" if head.get("counted", True) else f"; NOT COUNTED: {_text(head, 'reason')}"
        verdict = "approves" if head.get("verdict") == "approve" else "rejects"
        retry = {True: ", and an identical retry", False: ", for the one that waits alone"}
        chosen = head.get("retry")
        said = f"{retry[chosen] if isinstance(chosen, bool) else ''}{said}"
        who = f"{_text(head, 'approver')} ({_text(head, 'approver_issuer')}, proof: {_text(head, 'proof')})"
        return [f"{who} {verdict} {_text(head, 'request')}{said}{refused}"]

    def _attended(self, entry: Entry) -> list[str]:
        does = "watches this session" if entry.kind == EventKind.SESSION_WATCHED else "ENDS this session"
        reason = str(entry.payload.get("reason", "")) if entry.payload else ""
        return [
            f"{_text(entry.header, 'operator')} ({_text(entry.header, 'operator_issuer')}) {does}"
            + (f': "{line(reason)}"' if reason else "")
        ]

    def _ended(self, entry: Entry) -> list[str]:
        ending = entry.kind.removeprefix("approval.")
        why = _text(entry.header, "reason")
        return [f"request {_text(entry.header, 'request')} {line(ending)}{f': {why}' if why else ''}"]

    def _finished(self, entry: Entry) -> list[str]:
        head = entry.header
        parts = [f"{_text(head, 'status')}{f' {code}' if (code := _text(head, 'code')) else ''}"]
        counted = [f"{_number(head, 'rows')} rows"] if _shown_as(entry) != HTTP else []
        parts.append(", ".join([*counted, f"{_number(head, 'bytes_down')} bytes"]))
        masked = head.get("masked")
        if isinstance(masked, dict) and masked:
            parts.append("masked: " + ", ".join(f"{_number(masked, name)} {line(name)}" for name in sorted(masked)))
        parts.append(span(_number(head, "duration_ns")))
        told = [f"answered: {'; '.join(parts)}", *self._changed(entry)]
        return [*told, *self._answer(entry), *self._typed_lines(entry)]

    def _changed(self, entry: Entry) -> list[str]:
        """What a write has changed, field by field."""
        found = [one for one in _list(entry.payload or {}, "changes") if isinstance(one, list) and len(one) == CHANGE]
        told = [
            f"{MARGIN}{line(str(path))}: " + " -> ".join("(none)" if one is None else line(str(one)) for one in sides)
            for path, *sides in found
        ]
        more = [f"{MARGIN}... (there was more)"] if (entry.payload or {}).get("changes_truncated") else []
        return ["    changed:", *self._bounded(told), *more] if told else []

    def _typed_lines(self, entry: Entry) -> list[str]:
        self._terminals.pop(entry.operation_id, None)
        found = self._typed.pop(entry.operation_id, [])
        if not found:
            return []
        told = [f"{MARGIN}{offset(one.unix_ns - self._opened_unix_ns)}  {line(one.text)}" for one in found]
        return [f"    lines that seem to have been typed ({LABEL}):", *self._bounded(told)]

    def _answer(self, entry: Entry) -> list[str]:
        if entry.payload is None:
            return [f"    {NOT_HERE.get(entry.content, '')}"]
        data, form = _bytes(entry.payload, "shown"), entry.payload.get("shown_format", "")
        if not data:
            return []
        cut = bool(entry.payload.get("shown_truncated"))
        if form == HTTP and (told := answer_lines(data, cut=cut)) is not None:
            return self._bounded([one for part in told for one in _quoted(part)])
        more = f"{MARGIN}... (the record keeps the beginning only)" if cut else ""
        if form == rows.ROWS:
            lines = self._table([str(name) for name in _list(entry.payload, "columns")], data)
        else:
            text = rows.copy_text(data) if form == rows.COPY else rows.text_of(data)
            lines = self._bounded(_quoted(text.removesuffix("\n")))
        return [*lines, more]

    def _table(self, names: list[str], data: bytes) -> list[str]:
        seen = list(rows.data_rows(data))
        if not seen:
            return []
        # One text of several statements gives rows of several shapes: only those that fit the names have them.
        lines: list[str] = []
        start = 0
        for index in range(1, len(seen) + 1):
            if index == len(seen) or len(seen[index]) != len(seen[start]):
                width = len(seen[start])
                headers = names if len(names) == width else [f"column {place + 1}" for place in range(width)]
                cells = [[_cell(value) for value in row] for row in seen[start:index][: self.max_rows]]
                lines += [f"{MARGIN}{text}" for text in rows.aligned([line(name) for name in headers], cells)]
                hidden = index - start - len(cells)
                lines += [f"{MARGIN}... and {hidden} rows more (--rows)"] if hidden else []
                start = index
        return lines

    def _bounded(self, lines: list[str]) -> list[str]:
        hidden = len(lines) - self.max_rows
        return [*lines[: self.max_rows], f"{MARGIN}... and {hidden} lines more (--rows)"] if hidden > 0 else lines

    def _chunk(self, entry: Entry) -> list[str]:
        if entry.payload is None:
            return ["stream", f"    {NOT_HERE.get(entry.content, '')}"]
        self.played(entry)
        data = b"".join(value for value in entry.payload.values() if isinstance(value, bytes))
        return ["stream", *self._bounded(_quoted(rows.text_of(data)))]

    def _session_closed(self, entry: Entry) -> list[str]:
        head = entry.header
        totals = head.get("totals")
        counts = totals if isinstance(totals, dict) else {}
        told = ", ".join(
            f"{_number(counts, name)} {name}"
            for name in ("permitted", "denied", "held", "rows", "masked")
            if name in counts
        )
        coverage = _texts(head, "coverage")
        return [
            f"session closed: {_text(head, 'reason')}, after {span(_number(head, 'duration_ns'))}; {told}",
            "    coverage: " + ("all of it was seen and enforced" if not coverage else "NOT covered:"),
            *(f"      - {item}" for item in coverage),
        ]


def offset(duration_ns: int) -> str:
    """A time since the session began."""
    return f"+{duration_ns / 1_000_000_000:.3f} s".rjust(12)


def repr_of(value: Value) -> str:
    """A parameter's value within a line."""
    return f"'{line(value if isinstance(value, str) else repr(value))}'"


def _shown_as(entry: Entry) -> str:
    return str(entry.payload.get("shown_format", "")) if entry.payload else ""


def _quoted(text: str) -> list[str]:
    return [f"{MARGIN}{part}" for part in shown(text).split("\n")]


def _cell(value: str | None) -> str:
    if value is None:
        return "NULL"
    text = line(value)
    return text if len(text) <= MAX_CELL_CHARACTERS else f"{text[:MAX_CELL_CHARACTERS]}..."


def _text(fields: Mapping[str, Value], name: str) -> str:
    value = fields.get(name)
    return line(value) if isinstance(value, str) else ""


def _attributes(head: Mapping[str, Value]) -> list[str]:
    """What the issuer said of the principal beyond its name, such as its crew and its task."""
    found = head.get("attributes")
    told = (f"{line(str(name))} {line(str(value))}" for name, value in found.items()) if isinstance(found, dict) else ()
    text = ", ".join(told)
    return [f"    for      {text}"] if text else []


def _number(fields: Mapping[str, Value], name: str) -> int:
    value = fields.get(name)
    return value if isinstance(value, int) else 0


def _bytes(fields: Mapping[str, Value], name: str) -> bytes:
    value = fields.get(name)
    return value if isinstance(value, bytes) else b""


def _list(fields: Mapping[str, Value], name: str) -> list[Value]:
    value = fields.get(name)
    return value if isinstance(value, list) else []


def _texts(fields: Mapping[str, Value], name: str) -> list[str]:
    return [line(item) for item in _list(fields, name) if isinstance(item, str)]
