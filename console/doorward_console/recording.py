"""What the clients of one session were sent, channel by channel, from the entries of the log.

What it is: entries in, one `Recording` for each command or terminal out: the pieces of its output with their times, its
sizes, and how it ended.
What it will not do: read files (the log's reader does), show anything, or guess at what is not in the log.

Implements docs/spec/event-log.md, section 10 (`stream.chunk`). It is pure.

Invariants: pieces are in the order of the log; what is missing (sealed, erased, or not kept) is counted or said.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from doorward_core.event import EventKind, Value
from doorward_core.record.reader import Entry

SHOWN: Final = "ssh.output"  # the format of a command's beginning, in `operation.finished`
SIZE: Final = "resize"
STDERR: Final = "stderr"
STANDARD: Final = (80, 24)  # of a terminal that never said
_SIZE: Final = re.compile(rb"([0-9]{1,5})x([0-9]{1,5})\Z")


@dataclass(frozen=True, slots=True)
class Piece:
    """Something that the client was sent at one moment; of a `resize`, the size in `data`."""

    unix_ns: int
    stream: str
    data: bytes

    @property
    def resize(self) -> bool:
        """Whether it is a size, and no output."""
        return self.stream == SIZE

    @property
    def size(self) -> tuple[int, int] | None:
        """(columns, rows) of a resize; None where it says nothing, as a terminal does that does not know its own."""
        found = _SIZE.match(self.data) if self.resize else None
        return (int(found[1]), int(found[2])) if found and int(found[1]) and int(found[2]) else None


@dataclass(slots=True)
class Recording:
    """One channel. `code` is its exit status in the target's own words; `missing` are pieces that cannot be read."""

    session: bytes
    operation: bytes
    who: str
    where: str
    verb: str
    text: str
    term: str
    began_unix_ns: int
    ended_unix_ns: int = 0
    code: str = ""
    missing: int = 0
    cut: bool = False
    pieces: list[Piece] = field(default_factory=list)

    @property
    def terminal(self) -> bool:
        """Whether somebody had a terminal there."""
        return bool(self.term) or any(piece.resize for piece in self.pieces)

    @property
    def size(self) -> tuple[int, int]:
        """(columns, rows) at the beginning."""
        return next((size for piece in self.pieces if (size := piece.size)), STANDARD)


def recordings(entries: Iterable[Entry]) -> list[Recording]:
    """Every channel of which the log keeps output, in the order in which they were permitted."""
    found: dict[bytes, Recording] = {}
    for entry in entries:
        if entry.kind == EventKind.OPERATION_DECIDED and entry.header.get("verdict") == "permit":
            found.setdefault(entry.operation_id, _begun(entry))
        known = found.get(entry.operation_id) if entry.operation_id else None
        if known is None:
            continue
        if entry.kind == EventKind.STREAM_CHUNK:
            _add(known, entry)
        elif entry.kind == EventKind.OPERATION_FINISHED:
            _end(known, entry)
    return [one for one in found.values() if one.pieces or one.missing]


def piece(entry: Entry) -> Piece | None:
    """The piece in a `stream.chunk`; None where its content cannot be read."""
    data = entry.payload.get("data") if entry.payload else None
    return Piece(entry.time_unix_ns, _text(entry.header, "stream"), data) if isinstance(data, bytes) else None


def _begun(entry: Entry) -> Recording:
    payload = entry.payload or {}
    return Recording(
        session=entry.session_id,
        operation=entry.operation_id,
        who=_text(entry.header, "subject"),
        where=f"{_text(entry.header, 'account')}@{_text(entry.header, 'resource')}",
        verb=_text(entry.header, "verb"),
        text=_text(payload, "text"),
        term=_term(payload),
        began_unix_ns=entry.time_unix_ns,
    )


def _add(known: Recording, entry: Entry) -> None:
    read = piece(entry)
    if read is None:
        known.missing += 1
    else:
        known.pieces.append(read)
        known.ended_unix_ns = max(known.ended_unix_ns, entry.time_unix_ns)


def _end(known: Recording, entry: Entry) -> None:
    known.ended_unix_ns = entry.time_unix_ns
    known.code = _text(entry.header, "code")
    if entry.payload is None:
        known.missing += not known.pieces
        return
    shown = entry.payload.get("shown")
    if not known.pieces and entry.payload.get("shown_format") == SHOWN and isinstance(shown, bytes) and shown:
        known.pieces.append(Piece(entry.time_unix_ns, "stdout", shown))
        known.cut = bool(entry.payload.get("shown_truncated"))


def _term(payload: Mapping[str, Value]) -> str:
    """The kind of terminal that was asked for: policy decided on it, so it is among the atoms."""
    atoms = payload.get("atoms")
    for atom in atoms if isinstance(atoms, list) else ():
        if isinstance(atom, dict) and atom.get("kind") == "pty":
            return _text(atom, "name") or "unknown"
    return ""


def _text(fields: Mapping[str, Value], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
