"""A recording, as it went by: harmless, behind a margin, and in its own time.

What it is: `Player`, which turns pieces of output into what may be written to a terminal of ours, and says how long to
wait before each.
What it will not do: obey an escape sequence. Lines are followed as far as a line editor moves about in them
(`screen_line`), and drawn anew with plain characters; what else a sequence would do is left out (threat model SSH-14).
What a full-screen program draws is not told: that is for a player of asciicasts.

Invariants: pure; every line begins with the margin, whatever is sent; nothing but printable characters, spaces,
backspaces and line ends of our own leaves.
"""

import codecs
from typing import Final

from doorward_console.escapes import Escapes, Part, Token
from doorward_console.output import line
from doorward_console.recording import Piece
from doorward_console.screen_line import ScreenLine

MARGIN: Final = "    | "
WHOLE_SCREEN: Final = "(a full-screen program; see --asciicast)"
BACK: Final = "\b"
_WHOLE_SCREEN: Final = frozenset({"?1049", "?1047", "?47"})
_S: Final = 1_000_000_000


class Player:
    """Plays the pieces of one session. `speed` 2 is twice as fast; no pause is longer than `idle_s`."""

    def __init__(self, speed: float, idle_s: float) -> None:
        self._speed = speed
        self._idle_s = idle_s
        self._line = ScreenLine()
        self._readers: dict[str, tuple[codecs.IncrementalDecoder, Escapes]] = {}
        self._last_unix_ns = 0
        self._drawn: list[str] = []
        self._begun = False
        self._elsewhere = False

    def pause_s(self, piece: Piece) -> float:
        """How long to wait before a piece is shown."""
        since = piece.unix_ns - self._last_unix_ns if self._last_unix_ns else 0
        self._last_unix_ns = piece.unix_ns
        return min(max(0, since) / _S / self._speed, self._idle_s)

    def show(self, piece: Piece) -> str:
        """What to write for it."""
        if piece.resize:
            self._line.columns = piece.size[0] if piece.size else self._line.columns
            return ""
        decoder, escapes = self._readers.setdefault(
            piece.stream, (codecs.getincrementaldecoder("utf-8")("replace"), Escapes())
        )
        return "".join(map(self._token, escapes.feed(decoder.decode(piece.data)))) + self._draw()

    def end(self) -> str:
        """What is left to write before something else is told."""
        rest = "\n" if self._begun else ""
        self._readers.clear()
        self._fresh()
        return rest

    def _token(self, token: Token) -> str:
        if token.part is Part.CSI and token.final in "hl" and token.text in _WHOLE_SCREEN:
            return self._whole_screen(on=token.final == "h")
        if self._elsewhere:
            return ""
        if token.part is Part.TEXT:
            self._line.put(token.text)
        elif token.part is Part.CONTROL and token.text == "\n":
            out = self._draw() + ("\n" if self._begun else f"{MARGIN}\n")
            self._fresh()
            return out
        else:
            self._line.control(token)
        return ""

    def _whole_screen(self, *, on: bool) -> str:
        said = ""
        if on and not self._elsewhere:
            said = self.end() + f"{MARGIN}{WHOLE_SCREEN}\n"
        self._elsewhere = on
        self._fresh()
        return said

    def _fresh(self) -> None:
        self._line.clear()
        self._drawn, self._begun = [], False

    def _draw(self) -> str:
        """Bring our own line to what theirs is, with plain characters and backspaces."""
        cells = self._line.cells
        if cells == self._drawn and (self._begun or not cells):
            return ""
        margin = "" if self._begun else MARGIN
        self._begun = True
        same, most = 0, min(len(cells), len(self._drawn))
        while same < most and cells[same] == self._drawn[same]:
            same += 1
        old, new = ("".join(map(line, some[same:])) for some in (self._drawn, cells))
        over = max(0, len(old) - len(new))
        self._drawn = [*cells]
        return f"{margin}{BACK * len(old)}{new}{' ' * over}{BACK * over}"
