"""What a terminal is sent, cut into text, controls and escape sequences.

What it is: `Escapes`, a reader of ECMA-48 (sections 5.4 and 5.6) and of what xterm adds to it, that may be fed in
pieces; it says what each part is, and obeys none.
What it will not do: know a terminal's answer, its screen, or what a sequence would draw.

Invariants: pure; every character that was fed comes out once, or is part of a sequence that did; what never ends (a
string without a terminator) is given up after `MAX_SEQUENCE` characters, and then is text again.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

MAX_SEQUENCE: Final = 4096  # of a title or a link: xterm takes less

_START: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CSI: Final = re.compile(r"(?:\x1b\[|\x9b)([0-?]*)[ -/]*([@-~])")
_CSI_BEGUN: Final = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*\Z")
# OSC, DCS, SOS, PM, APC: a string up to ST; xterm also ends OSC with BEL.
_STRING: Final = re.compile(r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\x18\x1a]*(?:\x07|\x9c|\x1b\\)")
_STRING_BEGUN: Final = re.compile(r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\x18\x1a]*\x1b?\Z")
_SHORT: Final = re.compile(r"\x1b[ -/]*[0-~]")
_SHORT_BEGUN: Final = re.compile(r"\x1b[ -/]*\Z")


class Part(Enum):
    """What a part is."""

    TEXT = "text"
    CONTROL = "control"
    CSI = "control sequence"
    OTHER = "another sequence"


@dataclass(frozen=True, slots=True)
class Token:
    """One part. Of a control sequence `text` is its parameters, and `final` the character that says what it does."""

    part: Part
    text: str
    final: str = ""

    def number(self, default: int = 1) -> int:
        """The first parameter."""
        first = self.text.partition(";")[0]
        return int(first) if first.isascii() and first.isdigit() and len(first) < 6 else default  # noqa: PLR2004 - no screen is wider


class Escapes:
    """Reads one stream."""

    def __init__(self) -> None:
        self._kept = ""

    def feed(self, text: str) -> Iterator[Token]:
        """Give the parts of this text; a sequence that has not ended waits for more."""
        text, at = self._kept + text, 0
        self._kept = ""
        while at < len(text):
            found = _START.search(text, at)
            end = found.start() if found else len(text)
            if end > at:
                yield Token(Part.TEXT, text[at:end])
            if not found:
                return
            token, at = _sequence(text, end)
            if token is None:
                self._kept = text[end:]
                return
            yield token


def _sequence(text: str, at: int) -> tuple[Token | None, int]:
    """The control at this place, and where what follows begins; None where it may go on."""
    if found := _CSI.match(text, at):
        return Token(Part.CSI, found[1], found[2]), found.end()
    if found := _STRING.match(text, at):
        return Token(Part.OTHER, found[0]), found.end()
    begun = any(form.match(text, at) for form in (_CSI_BEGUN, _STRING_BEGUN, _SHORT_BEGUN))
    if begun and len(text) - at <= MAX_SEQUENCE:
        return None, at
    if not begun and (found := _SHORT.match(text, at)) and found[0][1] not in "[]PX^_":
        return Token(Part.OTHER, found[0]), found.end()
    return Token(Part.CONTROL, text[at]), at + 1
