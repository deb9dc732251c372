"""Recordings of a bundle: what terminals and commands were sent, as asciicasts, and as text for reading.

Implements docs/spec/evidence.md sections 4 and 8 (`recordings`).
What is not in the period is not in the recording; one that is too large is left out, and said.

Invariant: pure, and memory is bounded: pieces that wait for the end of their operation are `HELD_BYTES` at most.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from doorward_console.asciicast import asciicast
from doorward_console.escapes import Escapes, Part
from doorward_console.evidence.container import component
from doorward_console.evidence.opening import Opened, body_of
from doorward_console.output import shown
from doorward_console.recording import Recording, recordings
from doorward_core.event import EventKind, Value
from doorward_core.record.reader import Content, Entry
from doorward_core.record.strict import Strict

HELD_BYTES: Final = 64 * 1024 * 1024
ONE_BYTES: Final = 8 * 1024 * 1024  # of output: six times as much as JSON, at most
MAX_RECORDINGS: Final = 5_000

Put = Callable[[str, bytes], None]


@dataclass(slots=True)
class _Running:
    decided: tuple[Strict, Opened | None] | None
    chunks: list[Entry] = field(default_factory=list)
    size: int = 0


@dataclass(frozen=True, slots=True)
class Cast:
    """A recording that is in the bundle."""

    file: str
    log: int
    session: str
    operation: str
    pieces: int
    index: int
    who: str
    where: str
    text: str
    began_unix_ns: int
    ended_unix_ns: int
    terminal: bool

    def data(self) -> dict[str, object]:
        """As report.json has it."""
        return {"file": self.file, "log": self.log, "session": self.session, "operation": self.operation,
                "pieces": self.pieces}  # fmt: skip


class Casts:
    """Takes the events of one log; puts a recording into the bundle when its operation ends, or the period."""

    def __init__(self, origin: str, log: int, put: Put, room: int = MAX_RECORDINGS) -> None:
        self._folder, self._log, self._put, self._room = f"recordings/{component(origin)}", log, put, room
        self._running: dict[tuple[bytes, bytes], _Running] = {}
        self._held = 0
        self.found: list[Cast] = []
        self.left_out = 0

    def take(self, item: Strict, opened: Opened | None) -> None:
        """The next event of the period that is in scope; what is decided or finished is read only if it is recorded."""
        if not item.session or not item.op:
            return
        key = (item.session, item.op)
        if item.kind == EventKind.OPERATION_DECIDED:
            if item.head.get("verdict") == "permit":
                self._running.setdefault(key, _Running((item, opened)))
        elif item.kind == EventKind.STREAM_CHUNK:
            self._chunk(key, item, body_of(item.index, opened))
        elif item.kind == EventKind.OPERATION_FINISHED and (ended := self._running.pop(key, None)) is not None:
            self._end(key, ended, _entry(item, None))

    def _chunk(self, key: tuple[bytes, bytes], item: Strict, body: dict[str, Value] | None) -> None:
        if body is None:
            return
        running = self._running.setdefault(key, _Running(None))
        chunk = _entry(item, body)
        running.size += _size(chunk)
        if running.size <= ONE_BYTES and self._held + _size(chunk) <= HELD_BYTES:
            running.chunks.append(chunk)
            self._held += _size(chunk)
        else:
            running.size = ONE_BYTES + 1

    def finish(self) -> None:
        """The period ends; what still runs is recorded so far."""
        for key, running in sorted(self._running.items()):
            self._end(key, running, None)
        self._running.clear()

    def _end(self, key: tuple[bytes, bytes], running: _Running, finished: Entry | None) -> None:
        self._held -= sum(_size(chunk) for chunk in running.chunks)
        if not running.chunks:
            return
        if running.size > ONE_BYTES or len(self.found) >= self._room:
            self.left_out += 1
            return
        first = running.chunks[0]
        asked, opened = running.decided or (None, None)
        decided = _entry(asked, body_of(asked.index, opened)) if asked else _begun(first)
        one = recordings([decided, *running.chunks, *([finished] if finished else [])])[0]
        name = f"{self._folder}/{key[0].hex()}/{key[1].hex()}"
        self._put(f"{name}.cast", "".join(f"{line}\n" for line in asciicast(one, 2)).encode("ascii"))
        self._put(f"{name}.txt", transcript(one).encode("utf-8", "replace"))
        made = Cast(
            f"{name}.cast", self._log, key[0].hex(), key[1].hex(), len(running.chunks), decided.index,
            one.who, one.where, one.text, one.began_unix_ns, one.ended_unix_ns, one.terminal,
        )  # fmt: skip
        self.found.append(made)


def transcript(recording: Recording) -> str:
    """What was put out, without what a terminal would obey."""
    reader = Escapes()
    data = b"".join(piece.data for piece in recording.pieces if not piece.resize)
    kept = [
        token.text
        for token in reader.feed(data.decode("utf-8", "replace"))
        if token.part is Part.TEXT or (token.part is Part.CONTROL and token.text in "\n\t")
    ]
    return shown("".join(kept)) + "\n"


def _size(entry: Entry) -> int:
    data = entry.payload.get("data") if entry.payload else None
    return len(data) if isinstance(data, bytes) else 0


def _entry(item: Strict, body: dict[str, Value] | None) -> Entry:
    head: dict[str, Value] = item.head  # type: ignore[assignment]  # read strictly: its values are those of the log
    content = Content.SEALED if body is None else Content.CLEAR
    return Entry(item.index, item.at, item.kind, item.session, item.op, head, body, content, item.commit, 1, True)


def _begun(chunk: Entry) -> Entry:
    """What stands for a decision that lies before the period."""
    head: dict[str, Value] = {"verdict": "permit"}
    return Entry(
        chunk.index, chunk.time_unix_ns, EventKind.OPERATION_DECIDED, chunk.session_id, chunk.operation_id, head, None,
        Content.SEALED, b"", 1, True,
    )  # fmt: skip
