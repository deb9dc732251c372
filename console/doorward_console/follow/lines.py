"""An event as one line for other programs: JSON, CSV, and the message of RFC 5424 (syslog).

It is pure: entries of a log in, lines out.
A line is ASCII: what is not is escaped as JSON does, so that nothing in it is obeyed or taken for a line's end.
What it will not do: open what is sealed, or leave out what it does not know: whatever a header has is in the line.

JSON has `time` (RFC 3339, UTC), `unix_ns`, `log`, `index`, `kind`, `session`, `operation`, then the header's keys as
they stand (docs/spec/event-log.md, section 10), and `content`, where it is asked for and can be read.
Bytes are hexadecimal where they are 64 at most (ids, digests), and `{"base64": ...}` beyond.

    <PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG          RFC 5424, section 6

Facility is 13 (log audit); HOSTNAME is the log's origin, MSGID the event's kind, MSG the JSON.
"""

import base64
import csv
import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from doorward_core.event import EventKind, Value
from doorward_core.record.reader import Content, Entry

HEX_BYTES: Final = 64
COLUMNS: Final = (
    "time", "log", "index", "kind", "session", "operation", "subject", "issuer", "principal", "sponsor", "resource",
    "account", "action", "verb", "verdict", "reason", "rules", "request", "approver", "status", "code", "rows",
    "masked", "duration_ns", "text", "content",
)  # fmt: skip
_FACILITY: Final = 13
_ERROR, _WARNING, _NOTICE, _INFO = 3, 4, 5, 6
_NS: Final = 1_000_000_000
_HOST_CHARACTERS: Final = 255
_KIND_CHARACTERS: Final = 32
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_SEVERITIES: Final = {
    EventKind.GATEWAY_ERROR: _ERROR,
    EventKind.LOG_REPAIRED: _WARNING,
    EventKind.POLICY_REFUSED: _WARNING,
    EventKind.SESSION_REFUSED: _WARNING,
    EventKind.BREAK_GLASS_OPENED: _WARNING,
    EventKind.POLICY_LOADED: _NOTICE,
    EventKind.OPERATION_HELD: _NOTICE,
    EventKind.APPROVAL_VOTED: _NOTICE,
    EventKind.SESSION_ENDED: _NOTICE,
    EventKind.CONTENT_ERASED: _NOTICE,
    EventKind.KEY_ROTATED: _NOTICE,
}


def data(entry: Entry, origin: str, *, content: bool) -> dict[str, object]:
    """One event as plain values. `content` asks for its payload, where it can be read."""
    told: dict[str, object] = {
        "time": _time(entry.time_unix_ns),
        "unix_ns": entry.time_unix_ns,
        "log": origin,
        "index": entry.index,
        "kind": entry.kind,
        "session": entry.session_id.hex(),
        "operation": entry.operation_id.hex(),
    }
    told.update({name: _plain(value) for name, value in entry.header.items() if name not in told})
    if content and entry.payload:
        told["content"] = _plain(dict(entry.payload))
    elif entry.content in (Content.SEALED, Content.ERASED):
        told["content"] = str(entry.content)
    return told


def json_line(entry: Entry, origin: str, *, content: bool) -> str:
    """One event as a line of JSON, its end left out."""
    return json.dumps(data(entry, origin, content=content), ensure_ascii=True, separators=(",", ":"))


def csv_head() -> str:
    """The first line of a CSV file (RFC 4180)."""
    return ",".join(COLUMNS)


def csv_line(entry: Entry, origin: str, *, content: bool) -> str:
    """One event as a line of CSV; what a spreadsheet would take for a formula is quoted with an apostrophe."""
    told = data(entry, origin, content=content)
    payload = told.pop("content", "")
    text = payload.pop("text", "") if isinstance(payload, dict) else ""
    row = {**told, "text": text, "content": payload or ""}
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(_cell(row.get(name, "")) for name in COLUMNS)
    return out.getvalue()


def syslog_line(entry: Entry, origin: str, *, content: bool, limit: int) -> bytes:
    """One event as a message of RFC 5424. Longer than `limit` bytes, its content is left out and that is said."""
    told = data(entry, origin, content=content)
    line = json.dumps(told, ensure_ascii=True, separators=(",", ":"))
    head = f"<{_FACILITY * 8 + severity(entry)}>1 {told['time']} {_host(origin)} doorward - {_name(entry.kind)} - "
    if len(head) + len(line) > limit and isinstance(told.get("content"), dict):
        line = json.dumps({**told, "content": "too long"}, ensure_ascii=True, separators=(",", ":"))
    return f"{head}{line}".encode("ascii")


def severity(entry: Entry) -> int:
    """RFC 5424's number: 3 error, 4 warning (also what was refused), 5 notice, 6 informational."""
    if entry.kind == EventKind.OPERATION_DECIDED:
        return _WARNING if entry.header.get("verdict") == "deny" else _INFO
    known = entry.kind if entry.kind in set(EventKind) else None
    return _SEVERITIES.get(EventKind(known), _INFO) if known else _INFO


def _time(unix_ns: int) -> str:
    """RFC 3339 with microseconds, which is what RFC 5424 takes."""
    seconds, rest = divmod(unix_ns, _NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


def _plain(value: Value) -> object:
    if isinstance(value, bytes):
        return value.hex() if len(value) <= HEX_BYTES else {"base64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    escaped = json.dumps(text, ensure_ascii=True)[1:-1].replace('\\"', '"') if not text.isascii() else text
    flat = escaped.replace("\r", "\\r").replace("\n", "\\n").replace("\x1b", "\\u001b").replace("\x00", "\\u0000")
    return f"'{flat}" if isinstance(value, str) and flat.startswith(_FORMULA) else flat


def _host(origin: str) -> str:
    return origin[:_HOST_CHARACTERS] or "-"


def _name(kind: str) -> str:
    return kind[:_KIND_CHARACTERS] or "-"
