"""The line that a terminal's cursor is on, as far as a line editor moves about in it.

What it is: `ScreenLine`, which follows text and the controls of one line (ECMA-48: BS, CR, HT, CUF, CUB, CHA, EL, ICH,
DCH, ECH), so that what somebody typed and corrected reads as it stood when it was sent.
What it will not do: a screen of several lines: what addresses those (CUP and the like) says so with `lost`.

Invariants: pure; bounded by `MAX_CHARACTERS`; a line that was wrapped at the terminal's width is one line.
"""

from typing import Final

from doorward_console.escapes import Part, Token

MAX_CHARACTERS: Final = 8192  # of one line; a shell's own limit on what is typed is less
TAB: Final = 8
_ELSEWHERE: Final = frozenset("ABEFHJLMSTdfru")  # what moves to another line, or changes others


class ScreenLine:
    """One line. `text` is what is on it, `cursor` where the next character goes."""

    def __init__(self) -> None:
        self.columns = 80
        self.cells: list[str] = []
        self.cursor = 0
        self.lost = False
        self._row = 0  # where the terminal's own row begins, within a line that is longer than that

    @property
    def text(self) -> str:
        """What is on it."""
        return "".join(self.cells)

    def clear(self) -> None:
        """Begin another line."""
        self.cells, self.cursor, self._row, self.lost = [], 0, 0, False

    def put(self, text: str) -> None:
        """Write over what is there."""
        for character in text:
            if self.cursor >= MAX_CHARACTERS:
                return
            if self.cursor - self._row >= self.columns:
                self._row += self.columns
            if self.cursor < len(self.cells):
                self.cells[self.cursor] = character
            else:
                self.cells += [" "] * (self.cursor - len(self.cells)) + [character]
            self.cursor += 1

    def control(self, token: Token) -> None:
        """Do what a control character or sequence says, as far as it is about this line."""
        if token.part is Part.CONTROL:
            self._character(token.text)
        elif token.part is Part.CSI:
            self._sequence(token)

    def _character(self, character: str) -> None:
        if character == "\b":
            self.cursor = max(0, self.cursor - 1)
        elif character == "\r":
            self.cursor = self._row
        elif character == "\t":
            self.put(" " * (TAB - self.cursor % TAB))

    def _sequence(self, token: Token) -> None:
        count = max(1, token.number())
        match token.final:
            case "C":
                self.cursor = min(self.cursor + count, MAX_CHARACTERS)
            case "D":
                self.cursor = max(0, self.cursor - count)
            case "G":
                self.cursor = min(self._row + count - 1, MAX_CHARACTERS)
            case "K":
                self._erase(token.number(0))
            case "P":
                del self.cells[self.cursor : self.cursor + count]
            case "@":
                self.cells[self.cursor : self.cursor] = [" "] * min(count, MAX_CHARACTERS - len(self.cells))
            case "X":
                self._blank(self.cursor, self.cursor + count)
            case "J" if token.number(0) == 0:
                self._erase(0)  # from here on: what a line editor sends before it draws the rest anew
            case final if final in _ELSEWHERE and not token.text.startswith("?"):
                self.lost = True

    def _erase(self, how: int) -> None:
        if how == 0:
            del self.cells[self.cursor :]
        else:
            self._blank(0, self.cursor + 1 if how == 1 else len(self.cells))

    def _blank(self, start: int, end: int) -> None:
        for place in range(start, min(end, len(self.cells))):
            self.cells[place] = " "
