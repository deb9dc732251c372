"""Text and markup on their way through: detectors over lines, and over character references as a reader sees them.

What it will not do: know where in a document a value stands. Paths name nothing here, and `contents` refuses them.
Implements: docs/http-masks.md, "Text"; numeric character references as of HTML and XML, and the names of HTML for
what values are made of.

Invariants:

- A body without a find leaves as it came, but that references to plain letters, digits and the marks of addresses and
  numbers are spelt as what they stand for: the same document, whoever reads it.
- A line leaves when it is whole, when it is longer than a window, or when its reader has waited; never the last of
  these where a mask is `strict`.
- NUL is refused: it stands in no text, and hides the two halves of a value from each other.
"""

import re
from typing import Final

from doorward_core.errors import UnreadableBody
from doorward_core.mask.detect import Detectors
from doorward_core.mask.stream import TextWindow

FLUSH_S: Final = 0.2  # a line is held back to its end, to 64 KiB, or for so long, whichever is first
TIMED: Final = "text without a line end was let go after 200 ms: a value that came in two parts was not seen whole"
CUT: Final = (
    "a line longer than the masks' window was let go in parts: a value longer than their overlap was not seen whole"
)
# What a value may be made of, and no markup is.
_PLAIN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@.+-_ ()/#$%*=?^~")
_NAMED: Final = {
    b"commat": b"@", b"period": b".", b"plus": b"+", b"lowbar": b"_", b"UnderBar": b"_", b"sol": b"/",
    b"lpar": b"(", b"rpar": b")", b"num": b"#", b"dollar": b"$", b"percnt": b"%", b"ast": b"*", b"midast": b"*",
    b"equals": b"=", b"quest": b"?", b"Hat": b"^",
}  # fmt: skip
_REFERENCE: Final = re.compile(rb"&(?:#(?:0*([0-9]{1,7});?|[xX]0*([0-9A-Fa-f]{1,6});?)|([A-Za-z]{3,8});)")
_MAX_REFERENCE_BYTES: Final = 64  # with as many zeros in front as anybody writes
_PARTIAL: Final = re.compile(rb"&(?:#(?:[xX]?[0-9A-Fa-f]*+)?|[A-Za-z]{0,8}+)?\Z")


class Text:
    """Text in UTF-8, line by line. `strict` says that no line is let go before it is whole."""

    def __init__(self, detectors: Detectors, key: bytes, *, strict: bool = False) -> None:
        self._window = TextWindow(detectors, key)
        self._strict = strict
        self.masked = self._window.masked

    @property
    def flush_after_s(self) -> float | None:
        """See `Patient`."""
        return FLUSH_S if self._window.holding and not self._strict else None

    @property
    def coverage(self) -> tuple[str, ...]:
        """See `Patient`."""
        return (*((TIMED,) if self._window.flushes else ()), *((CUT,) if self._window.cuts else ()))

    def flush(self) -> bytes:
        """See `Patient`."""
        return self._window.flush()

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk, and give what may leave now."""
        if b"\0" in chunk:
            raise UnreadableBody("there is a NUL byte in a text")
        return self._window.feed(chunk)

    def end(self) -> bytes:
        """The text is over: the rest."""
        return self._window.end()


class Markup(Text):
    """The same for HTML and XML."""

    def __init__(self, detectors: Detectors, key: bytes, *, strict: bool = False) -> None:
        super().__init__(detectors, key, strict=strict)
        self._tail = b""

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk, and give what may leave now."""
        text = self._tail + chunk
        cut = text.rfind(b"&")
        if cut < 0 or not _PARTIAL.match(text, cut):
            cut = len(text)
        elif len(text) - cut > _MAX_REFERENCE_BYTES:
            raise UnreadableBody("a character reference is longer than it may be")
        self._tail = text[cut:]
        return super().feed(_REFERENCE.sub(_plain, text[:cut]))

    def end(self) -> bytes:
        """The text is over: the rest."""
        tail, self._tail = self._tail, b""
        return super().feed(_REFERENCE.sub(_plain, tail)) + super().end()


def _plain(match: re.Match[bytes]) -> bytes:
    """What a reference stands for, where that is plain."""
    if match[3] is not None:
        return _NAMED.get(match[3], match[0])
    number = int(match[1]) if match[1] is not None else int(match[2], 16)
    return chr(number).encode() if number < 0x80 and chr(number) in _PLAIN else match[0]  # noqa: PLR2004 - ASCII
