"""HTTP as a session's entries keep it: each request with its answer, read back.

What it is: `exchanges`, from the entries of one session to requests and answers; `answer_of`, one answer's bytes read.
What it will not do: prove anything (`doorward verify`), or guess at what the record does not keep: the headers that
were left out, a body's rest, the place of a body that streamed past.

It reads `http.message` of docs/spec/event-log.md, and the text of an operation as the HTTP gateway writes it: method
and path, headers, an empty line, the body.

Invariant: pure, and bounded by its input: a coded body is decoded to `MAX_DECODED_BYTES` at most.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from doorward_core.event import EventKind, Value
from doorward_core.record.reader import Entry

FORMAT: Final = "http.message"
REQUEST: Final = "request"
MAX_DECODED_BYTES: Final = 4 * 1024 * 1024
_STATUS_LINE_PARTS: Final = 3

Lines = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as the client saw it. `note` says what became of its body, where that is not all of it as it was."""

    status: int
    reason: str
    headers: Lines
    body: bytes
    note: str = ""

    def header(self, name: str) -> str:
        """The first value of a header; empty where there is none."""
        return next((value for key, value in self.headers if key == name), "")


@dataclass(slots=True)
class Exchange:
    """A request, what was decided about it, and its answer, as far as the record has them."""

    operation: bytes
    index: int
    began_unix_ns: int
    verb: str
    target: str = ""  # path and query, below the resource's place
    place: str = ""
    authority: str = ""
    headers: Lines = ()
    body: str | None = None
    readable: bool = True
    denied: bool = False
    held: str = ""
    reason: str = ""
    advice: str = ""
    rules: tuple[str, ...] = ()
    decided_unix_ns: int = 0
    finished: bool = False
    code: str = ""
    bytes_up: int = 0
    bytes_down: int = 0
    duration_ns: int = 0
    masked: dict[str, int] = field(default_factory=dict)
    answer: Answer | None = None


def exchanges(entries: Iterable[Entry]) -> list[Exchange]:
    """Every request of one session, in the order in which they were first told of."""
    found: dict[bytes, Exchange] = {}
    for entry in entries:
        if entry.kind in (EventKind.OPERATION_HELD, EventKind.OPERATION_DECIDED):
            known = found.get(entry.operation_id)
            if known is None and (known := _asked(entry)) is not None:
                found[entry.operation_id] = known
            if known is not None:
                _decided(known, entry)
        elif entry.kind == EventKind.OPERATION_FINISHED and entry.operation_id in found:
            _finished(found[entry.operation_id], entry)
    return list(found.values())


def is_request(entry: Entry) -> bool:
    """Whether an operation is a request: what was decided on says so."""
    atoms = entry.payload.get("atoms") if entry.payload else None
    listed = atoms if isinstance(atoms, list) else []
    return any(isinstance(atom, dict) and atom.get("kind") == REQUEST for atom in listed)


def read_request(text: str) -> tuple[str, Lines, str | None]:
    """(request line, headers, body) of an operation's text."""
    head, separator, body = text.partition("\n\n")
    first, *lines = head.split("\n")
    pairs = (line.partition(": ") for line in lines)
    return first, tuple((name, value) for name, _, value in pairs), body if separator else None


def answer_of(data: bytes, *, cut: bool) -> Answer | None:
    """Read `http.message`. `cut`: the record keeps the beginning only. None for what is none."""
    head, separator, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ", _STATUS_LINE_PARTS - 1)
    if not separator or not parts[0].startswith("HTTP/") or len(parts) < 2 or not parts[1].isdigit():  # noqa: PLR2004 - and a status
        return None
    pairs = (line.partition(":") for line in lines)
    headers = tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)
    coding = next((value for name, value in headers if name == "content-encoding"), "")
    note = "the record keeps the beginning only" if cut else ""
    if coding and body:
        decoded, problem = _decoded(coding, body)
        body, note = (body if decoded is None else decoded), ", ".join(filter(None, (note, problem)))
    return Answer(int(parts[1]), parts[2] if len(parts) == _STATUS_LINE_PARTS else "", headers, body, note)


def _decoded(coding: str, body: bytes) -> tuple[bytes | None, str]:
    """The body without its coding, and what went wrong. Needs what doorward-core's `http` extra brings."""
    try:
        from doorward_core.http.codings import CodingLimits, Decoder, read_codings  # noqa: PLC0415 - an extra of core's
    except ModuleNotFoundError:
        return None, f"shown in its coding, {coding}"
    from doorward_core.errors import UnreadableBody  # noqa: PLC0415 - beside its only use

    pieces: list[bytes] = []
    try:
        Decoder(read_codings((coding.encode("latin-1"),)), pieces.append, CodingLimits(MAX_DECODED_BYTES)).feed(body)
    except UnreadableBody as error:
        return (b"".join(pieces) or None), f"its coding, {coding}, could not be undone whole: {error}"
    return b"".join(pieces), ""


def _asked(entry: Entry) -> Exchange | None:
    head = entry.header
    if entry.payload is not None and not is_request(entry):
        return None
    made = Exchange(entry.operation_id, entry.index, entry.time_unix_ns, _text(head, "verb"))
    if entry.payload is None:
        made.readable = False
        return made
    first, made.headers, made.body = read_request(_text(entry.payload, "text"))
    made.target = first.partition(" ")[2]
    attributes = entry.payload.get("attributes")
    if isinstance(attributes, dict):
        made.place, made.authority = _text(attributes, "place"), _text(attributes, "authority")
    return made


def _decided(known: Exchange, entry: Entry) -> None:
    head = entry.header
    known.held = _text(head, "request") or known.held
    if entry.kind == EventKind.OPERATION_HELD:
        return
    known.index = entry.index
    known.denied = head.get("verdict") == "deny"
    known.reason = _text(head, "reason")
    known.advice = _text(entry.payload, "advice") if entry.payload else ""
    rules = head.get("rules")
    known.rules = tuple(str(rule) for rule in rules) if isinstance(rules, list) else ()
    known.decided_unix_ns = entry.time_unix_ns


def _finished(known: Exchange, entry: Entry) -> None:
    head = entry.header
    known.finished = True
    known.code = _text(head, "code")
    known.bytes_up, known.bytes_down = _number(head, "bytes_up"), _number(head, "bytes_down")
    known.duration_ns = _number(head, "duration_ns")
    masked = head.get("masked")
    known.masked = (
        {name: count for name, count in masked.items() if isinstance(count, int)} if isinstance(masked, dict) else {}
    )
    if entry.payload is None:
        known.readable = False
        return
    shown = entry.payload.get("shown")
    if entry.payload.get("shown_format") == FORMAT and isinstance(shown, bytes) and shown:
        known.answer = answer_of(shown, cut=bool(entry.payload.get("shown_truncated")))


def _text(fields: Mapping[str, Value], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _number(fields: Mapping[str, Value], name: str) -> int:
    value = fields.get(name)
    return value if isinstance(value, int) else 0
