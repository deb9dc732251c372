"""Charsets: a body in another one is read as UTF-8, and leaves in the one that it came in.

What it will not do: guess from the text, as browsers do; only a byte order mark, and the NULs of JSON, count.
Implements: RFC 9110 section 8.3.2 (charset), the WHATWG Encoding Standard where it lets a byte order mark win, RFC 8259
section 8.1 with RFC 4627 section 3 (parsers still take JSON in UTF-16 and UTF-32).

Invariants:

- A charset that is not in `CHARSETS` is refused: UTF-7 and its like can spell a value so that nobody sees it.
- UTF-8 and ASCII pass as the bytes they are, valid or not.
"""

import codecs
from typing import Final

from doorward_core.errors import UnreadableBody

_UTF8: Final = "utf-8"
# What may be declared, and what reads it. UTF-16 and UTF-32 without a byte order mark say too little.
CHARSETS: Final = {
    "": _UTF8, "utf-8": _UTF8, "utf8": _UTF8, "us-ascii": _UTF8, "ascii": _UTF8,
    "iso-8859-1": "latin-1", "latin1": "latin-1", "latin-1": "latin-1", "iso-8859-15": "iso8859-15",
    "windows-1252": "cp1252", "cp1252": "cp1252",
    "utf-16": "", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be",
    "utf-32": "", "utf-32le": "utf-32-le", "utf-32be": "utf-32-be",
}  # fmt: skip
# UTF-32 in its little-endian form begins as UTF-16 does, so it is asked for first.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, _UTF8),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LOOK_BYTES: Final = 4
# RFC 4627 section 3: which of the first bytes are NUL, since JSON begins with two ASCII characters.
_NULS: Final = {
    b"\1\1\1\0": "utf-32-be",
    b"\1\0\1\0": "utf-16-be",
    b"\0\1\1\1": "utf-32-le",
    b"\0\1\0\1": "utf-16-le",
}


def check(name: str) -> None:
    """Raise UnreadableBody for a declared charset that is not known."""
    if name.lower() not in CHARSETS:
        raise UnreadableBody("the body has a charset that is not read; UTF-8, UTF-16, Latin-1 and Windows-1252 are")


class Charset:
    """One body's charset, found out with its first bytes. `json` says that NULs may tell it."""

    def __init__(self, declared: str, *, json: bool = False) -> None:
        check(declared)
        self._declared = declared.lower()
        self._json = json
        self._first = b""
        self._decided = False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._encoder: codecs.IncrementalEncoder | None = None
        self._utf8 = codecs.getincrementaldecoder(_UTF8)("strict")

    def decode(self, chunk: bytes, *, final: bool = False) -> bytes:
        """A chunk as UTF-8. Raise UnreadableBody for what is none in its charset."""
        if not self._decided:
            self._first += chunk
            if len(self._first) < _LOOK_BYTES and not final:
                return b""
            chunk, self._first = self._first, b""
            self._decide(chunk)
        if self._decoder is None:
            return chunk
        try:
            return self._decoder.decode(chunk, final).encode()
        except UnicodeError as error:
            raise UnreadableBody("the body is not in the charset that it says it is in") from error

    def encode(self, chunk: bytes, *, final: bool = False) -> bytes:
        """UTF-8 in the body's own charset."""
        if self._encoder is None:
            return chunk
        try:
            return self._encoder.encode(self._utf8.decode(chunk, final), final)
        except UnicodeError as error:
            raise UnreadableBody("a masked body cannot be written in its own charset") from error

    def _decide(self, start: bytes) -> None:
        self._decided = True
        name = next((name for mark, name in _MARKS if start.startswith(mark)), None)
        if name is None:
            name = CHARSETS[self._declared]
            if self._json and name in ("", _UTF8) and len(start) >= _LOOK_BYTES:
                name = _NULS.get(bytes(not byte for byte in start[:_LOOK_BYTES]), name)
        if not name:
            raise UnreadableBody("the body does not say which byte order it is in")
        if name != _UTF8:
            self._decoder = codecs.getincrementaldecoder(name)("strict")
            self._encoder = codecs.getincrementalencoder(name)("strict")
