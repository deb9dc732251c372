"""The events that a report cites: read again by their index, and told in harmless words.

What it is: `Cited`, a set of places in logs, and a `Told` for each of them, in pages of bounded size.
What it will not do: prove anything; the entries themselves are in the bundle, and verify.py reads those.

Invariants: what is told of one event is bounded; nothing in it is obeyed by a terminal or by a browser.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from doorward_console.evidence.opening import CLEAR, NONE, REVEALED, SEALED, Opener
from doorward_console.evidence.source import Source
from doorward_console.output import line, moment, span
from doorward_console.replay import Replay
from doorward_core.event import EventKind, Value
from doorward_core.record.encode import decode
from doorward_core.record.reader import Content, Entry

PAGE: Final = 100
MAX_CITED: Final = 12_000  # entry pages of a few MB in all; what goes beyond is named by its index
LINES: Final = 40
LINE: Final = 400
VALUE: Final = 400
_CONTENT: Final = {NONE: Content.NONE, CLEAR: Content.CLEAR, REVEALED: Content.OPENED, SEALED: Content.SEALED}
_CONTENT_WORDS: Final = {
    NONE: "no content", CLEAR: "content in the clear", REVEALED: "sealed content, revealed in this bundle",
    SEALED: "sealed content, not readable here",
}  # fmt: skip

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Told:
    """One event in words."""

    log: int
    index: int
    when: str
    kind: str
    who: str
    what: str
    lines: tuple[str, ...]
    header: tuple[tuple[str, str], ...]
    content: str
    session: str


class Cited:
    """Collects places, then reads them."""

    def __init__(self, sources: Sequence[Source], openers: Sequence[Opener]) -> None:
        self._sources, self._openers = sources, openers
        self._places: set[Place] = set()
        self._pages: dict[Place, int] = {}
        self.told: dict[Place, Told] = {}

    def add(self, places: Sequence[Place]) -> None:
        """Cite these, as far as there is room."""
        for place in places:
            if len(self._places) < MAX_CITED:
                self._places.add(place)

    def read(self) -> list[list[Told]]:
        """All of them in pages, in the order of the logs."""
        ordered = sorted(self._places)
        pages = [ordered[at : at + PAGE] for at in range(0, len(ordered), PAGE)]
        for number, page in enumerate(pages, start=1):
            for place in page:
                self._pages[place] = number
                self.told[place] = self._tell(*place)
        return [[self.told[place] for place in page] for page in pages]

    def href(self, place: Place, base: str = "report/") -> str:
        """Where the report tells of this event; empty where it does not."""
        number = self._pages.get(place)
        return f"{base}entries-{number:03d}.html#e-{place[0]}-{place[1]}" if number else ""

    def _tell(self, log: int, index: int) -> Told:
        source = self._sources[log]
        item = source.parsed(index)
        parts = [item, *(source.parsed(place) for place in range(index + 1, index + item.parts - item.part))]
        content, opened = self._openers[log].open(item, b"".join(part.payload for part in parts))
        body = decode(opened[1]) if opened is not None else None
        payload: dict[str, Value] | None = body if isinstance(body, dict) else ({} if content == NONE else None)
        head: dict[str, Value] = item.head  # type: ignore[assignment]  # read strictly: its values are those of the log
        entry = Entry(
            index, item.at, item.kind, item.session, item.op, head, payload, _CONTENT[content], item.commit,
            item.parts, True,
        )  # fmt: skip
        return Told(
            log, index, moment(item.at), line(item.kind), _who(head), _what(entry), tuple(_lines(entry)),
            tuple((line(key), value_of(key, value)) for key, value in head.items()), _CONTENT_WORDS[content],
            item.session.hex(),
        )  # fmt: skip


def _lines(entry: Entry) -> list[str]:
    if entry.kind == EventKind.STREAM_CHUNK:
        data = entry.payload.get("data") if entry.payload else None
        return [f"{len(data)} bytes of output" if isinstance(data, bytes) else "output"]
    told = [text for text in Replay(8).lines((entry,)) if text]
    cut = [text if len(text) <= LINE else f"{text[:LINE]}..." for text in told[:LINES]]
    return [*cut, f"... and {len(told) - LINES} lines more"] if len(told) > LINES else cut


def _who(head: dict[str, Value]) -> str:
    name = _text(head, "approver") or _text(head, "operator") or _text(head, "subject")
    sponsor = _text(head, "sponsor")
    return line(f"{name} for {sponsor}" if sponsor and name == _text(head, "subject") else name)[:VALUE]


def _what(entry: Entry) -> str:
    head = entry.header
    words = [_text(head, name) for name in ("resource", "verb", "verdict", "status", "stream", "reason")]
    return line(" · ".join(word for word in words if word))[:VALUE]


def value_of(key: str, value: Value) -> str:
    """A header's value in words."""
    if isinstance(value, bool) or value is None:
        text = {True: "yes", False: "no", None: "-"}[value]
    elif isinstance(value, bytes):
        text = value.hex()
    elif isinstance(value, int) and key.endswith("_unix_ns"):
        text = moment(value) if 0 < value < 1 << 62 else str(value)
    elif isinstance(value, int) and key.endswith("_ns"):
        text = span(value)
    elif isinstance(value, list):
        text = ", ".join(value_of("", item) for item in value)
    elif isinstance(value, dict):
        text = ", ".join(f"{name}: {value_of(name, item)}" for name, item in value.items())
    else:
        text = str(value)
    text = line(text)
    return text if len(text) <= VALUE else f"{text[:VALUE]}..."


def _text(head: dict[str, Value] | object, name: str) -> str:
    value = head.get(name) if hasattr(head, "get") else None
    return value if isinstance(value, str) else ""
