"""A terminal's recording for a player in a browser, or to be taken away: harmless, and with a marker at each decision.

What it is: an asciicast (version 2, as docs.asciinema.org describes it), without every sequence that does more than
draw: titles, links, the clipboard, questions to the terminal, strings of any kind, modes but those of the screen.
What it will not do: be the bytes as they were. Those are in the log, and `doorward replay --raw` gives them.

Invariants (threat model SSH-14): pure; what is left of an escape is one of the lists below, of bounded length and with
numbers for parameters; no other control but line ends, tab, backspace and carriage return; characters that turn the
direction of reading, or cannot be seen, are shown by their number; a sequence that was cut into pieces is not missed.
"""

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from doorward_console.asciicast import asciicast
from doorward_console.escapes import Escapes, Part, Token
from doorward_console.output import line
from doorward_console.recording import Piece, Recording

DRAWING: Final = frozenset("@ABCDEFGHIJKLMPSTXZ`abdefgmrsu")
"""Final characters of control sequences that write, erase, move or colour: ECMA-48 8.3, and xterm's `r` (margins)."""
MODES: Final = frozenset({"?1", "?7", "?25", "?47", "?1047", "?1048", "?1049", "4", "20"})
"""Of the screen: wrapping, the cursor, the other screen. Not: reports of the mouse, of focus, of pasting."""
SHORT: Final = frozenset({"\x1b7", "\x1b8", "\x1bD", "\x1bE", "\x1bM", "\x1b(B", "\x1b(0", "\x1b)B", "\x1b)0"})
CONTROLS: Final = frozenset("\n\r\t\b")
MAX_LABEL: Final = 60
MAX_MARKERS: Final = 2_000
_NUMBERS: Final = re.compile(r"(?:[0-9]{0,4}[;:]){0,24}[0-9]{0,4}\Z")


@dataclass(frozen=True, slots=True)
class Marker:
    """A moment worth jumping to."""

    unix_ns: int
    label: str


@dataclass(slots=True)
class _Reader:
    decoder: codecs.IncrementalDecoder = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"))
    escapes: Escapes = field(default_factory=Escapes)


def harmless(recording: Recording) -> Recording:
    """The same recording, with nothing in it but what draws."""
    readers: dict[str, _Reader] = {}
    pieces: list[Piece] = []
    for piece in recording.pieces:
        if piece.resize:
            pieces.append(piece)
            continue
        reader = readers.setdefault(piece.stream, _Reader())
        drawn = "".join(map(_drawn, reader.escapes.feed(reader.decoder.decode(piece.data))))
        if drawn:
            pieces.append(Piece(piece.unix_ns, piece.stream, drawn.encode("utf-8", "replace")))
    return Recording(
        session=recording.session,
        operation=recording.operation,
        who=line(recording.who),
        where=line(recording.where),
        verb=line(recording.verb),
        text=line(recording.text),
        term=line(recording.term),
        began_unix_ns=recording.began_unix_ns,
        ended_unix_ns=recording.ended_unix_ns,
        code=line(recording.code),
        missing=recording.missing,
        cut=recording.cut,
        pieces=pieces,
    )


def cast(recording: Recording, markers: Iterable[Marker]) -> Iterator[str]:
    """The lines of an asciicast of version 2, its markers among its events in the order of time."""
    lines = asciicast(harmless(recording), 2)
    yield next(lines)
    began = recording.pieces[0].unix_ns if recording.pieces else recording.began_unix_ns
    waiting = sorted((max(0, one.unix_ns - began) / 1_000_000_000, one.label) for one in markers)[:MAX_MARKERS]
    for event in lines:
        at = json.loads(event)[0]
        while waiting and waiting[0][0] <= at:
            yield _marker(*waiting.pop(0))
        yield event
    for moment, label in waiting:
        yield _marker(moment, label)


def _marker(at_s: float, label: str) -> str:
    return json.dumps([round(at_s, 6), "m", line(label)[:MAX_LABEL]])


def _drawn(token: Token) -> str:
    if token.part is Part.TEXT:
        return line(token.text)
    if token.part is Part.CONTROL:
        return token.text if token.text in CONTROLS else ""
    if token.part is Part.CSI:
        return _sequence(token)
    return token.text if token.text in SHORT else ""


def _sequence(token: Token) -> str:
    if token.final in "hl":
        modes = [mode for mode in _modes(token.text) if mode in MODES]
        return "".join(f"\x1b[{mode}{token.final}" for mode in modes)
    if token.final in DRAWING and _NUMBERS.match(token.text):
        return f"\x1b[{token.text}{token.final}"
    return ""


def _modes(parameters: str) -> list[str]:
    private = "?" if parameters.startswith("?") else ""
    return [f"{private}{number}" for number in parameters.removeprefix("?").split(";")]
