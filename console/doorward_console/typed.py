"""The command lines that somebody seems to have typed into a terminal: an aid for whoever reads a recording.

What it is: a guess from what the terminal showed, which is all that is recorded: a line is taken for typed where the
shell says so (bracketed paste: `CSI ? 2004 h` before its prompt, `CSI ? 2004 l` when the line is sent), or where it
looks like a prompt with words behind it.
What it will not do: be evidence. What was typed without an echo is not in the recording, and so never here; a program
can draw a line that nobody typed, and hide one that somebody did. Observed, not enforced.

Invariants: pure; bounded; what a full-screen program draws is passed over.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from doorward_console.escapes import Escapes, Part, Token
from doorward_console.recording import STDERR, Piece
from doorward_console.screen_line import ScreenLine

LABEL: Final = "observed, not enforced"
MAX_LINES: Final = 10_000
_PROMPT: Final = re.compile(r"^[^\n]{0,200}?[$#%>\u276f»](?: +|$)")
_LOOSE_PROMPT: Final = re.compile(r"^(?:\([^)]*\) ?)?\[?[\w.-]+@[\w.-]+[^\n]{0,150}?[$#%>] +\S")
_WHOLE_SCREEN: Final = frozenset({"?1049", "?1047", "?47"})
_PASTE: Final = "?2004"


@dataclass(frozen=True, slots=True)
class TypedLine:
    """One line, and when it was sent."""

    unix_ns: int
    text: str


class TypedReader:
    """Follows one terminal, piece by piece."""

    def __init__(self) -> None:
        self._line = ScreenLine()
        self._escapes = Escapes()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._whole_screen = False
        self._asked = False  # the shell has said that it reads a line
        self._says_so = False  # it is one that does
        self._found = 0

    def feed(self, piece: Piece) -> list[TypedLine]:
        """The lines that were sent by the end of this piece."""
        if piece.size:
            self._line.columns = piece.size[0]
        if piece.resize or piece.stream == STDERR or self._found >= MAX_LINES:
            return []
        found = [TypedLine(piece.unix_ns, text) for text in self._read(self._decoder.decode(piece.data))]
        self._found += len(found)
        return found

    def _read(self, text: str) -> Iterator[str]:
        for token in self._escapes.feed(text):
            if token.part is Part.CSI and token.final in "hl":
                yield from self._mode(token)
            elif self._whole_screen:
                continue
            elif token.part is Part.TEXT:
                self._line.put(token.text)
            elif token.part is Part.CONTROL and token.text == "\n":
                yield from self._sent()
            else:
                self._line.control(token)

    def _mode(self, token: Token) -> Iterator[str]:
        on = token.final == "h"
        if token.text in _WHOLE_SCREEN:
            self._whole_screen = on
            self._line.clear()
        elif token.text == _PASTE and on:
            self._says_so = self._asked = True
            self._line.clear()
        elif token.text == _PASTE:
            yield from self._sent()

    def _sent(self) -> Iterator[str]:
        text, asked, lost = self._line.text.rstrip(), self._asked, self._line.lost
        self._asked = False
        self._line.clear()
        prompt = _PROMPT.match(text)
        if lost or not prompt or not (asked or (not self._says_so and _LOOSE_PROMPT.match(text))):
            return
        command = text[prompt.end() :].strip()
        if command:
            yield command
