"""The chunked transfer coding: strictly read, plainly written.

    chunk = size (1 to 15 hexadecimal digits) CRLF size * octet CRLF
    body  = chunk* 1*"0" CRLF trailer-line* CRLF

What it will not do: keep chunk borders, or chunk extensions; both end at this hop.
Implements: RFC 9112 section 7.1.

Invariants:

- A line ends with CRLF, never with LF alone. A client's chunk size has digits and nothing else beside it.
- However the bytes are cut, the same body comes out, or a refusal.
"""

import re
from typing import Final

from doorward_core.http.fields import Fault, check_trailers
from doorward_core.http.messages import Header, Headers

# 15 digits are 2**60: a size that no reader overflows on.
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})")
# Targets pad sizes with blanks and may send extensions, which nobody uses: they are dropped here.
_LENIENT_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e]*)?")
_MAX_SIZE_LINE_BYTES: Final = 256
_TRAILER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)")
_MAX_TRAILERS: Final = 32

LAST_CHUNK: Final = b"0\r\n\r\n"

# What the next bytes are.
_SIZE_LINE, _DATA, _DATA_END, _TRAILERS, _DONE = range(5)


class ChunkReader:
    """Takes the coding off one body. `ended` says that its last byte was seen; `trailers` are then there."""

    __slots__ = ("_fault", "_left", "_max_trailer_bytes", "_size", "_state", "_trailer_bytes", "_trailers", "ended")

    def __init__(self, fault: Fault, max_trailer_bytes: int, *, lenient: bool = False) -> None:
        self._fault = fault
        self._size = _LENIENT_SIZE if lenient else _SIZE
        self._max_trailer_bytes = max_trailer_bytes
        self._trailer_bytes = 0
        self._trailers: list[Header] = []
        self._state = _SIZE_LINE
        self._left = 0
        self.ended = False

    @property
    def trailers(self) -> Headers:
        """The trailer section, once the body has ended."""
        return tuple(self._trailers)

    def read(self, data: bytes, at: int) -> tuple[bytes, int]:
        """Give the body's bytes in `data` from `at` on, and where reading stopped.

        What is left over waits for more, or is not this body's.
        """
        pieces: list[bytes] = []
        end = len(data)
        while at < end and not self.ended:
            if self._state == _DATA:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = _DATA_END
            elif self._state == _DATA_END:
                if not b"\r\n".startswith(data[at : at + 2]):
                    raise self._fault("a chunk is longer than its size")
                if end - at < 2:  # noqa: PLR2004 - CRLF
                    break
                at += 2
                self._state = _SIZE_LINE
            else:
                line_end = self._line_end(data, at)
                if line_end < 0:
                    break
                self._line(data[at:line_end])
                at = line_end + 2
        return (pieces[0] if len(pieces) == 1 else b"".join(pieces)), at

    def _line_end(self, data: bytes, at: int) -> int:
        """Where the line that begins at `at` ends; -1 if its end is not here yet."""
        feed = data.find(b"\n", at)
        if feed > at and data[feed - 1 : feed] == b"\r":
            line_end = feed - 1
        elif feed >= 0:
            raise self._fault("a line must end with CR and LF")
        else:
            line_end = -1
        in_trailers = self._state == _TRAILERS
        room = self._max_trailer_bytes - self._trailer_bytes if in_trailers else _MAX_SIZE_LINE_BYTES
        # What has no end yet may already have its CR.
        if (line_end if line_end >= 0 else len(data) - 1) - at > room:
            raise self._fault("the trailers are too long" if in_trailers else "a chunk's size is too long")
        return line_end

    def _line(self, line: bytes) -> None:
        if self._state == _SIZE_LINE:
            match = self._size.fullmatch(line)
            if match is None:
                raise self._fault("a chunk's size must be a hexadecimal number, and nothing else")
            self._left = int(match[1], 16)
            self._state = _DATA if self._left else _TRAILERS
            return
        if not line:
            check_trailers(self._trailers, self._fault)
            self._state = _DONE
            self.ended = True
            return
        match = _TRAILER.fullmatch(line)
        self._trailer_bytes += len(line) + 2
        if match is None or len(self._trailers) >= _MAX_TRAILERS:
            raise self._fault("the trailers cannot be read, or are too many")
        self._trailers.append((match[1].lower(), match[2].strip(b" \t")))


def encode_chunk(data: bytes) -> tuple[bytes, bytes, bytes]:
    """One chunk, as slices: nothing is copied. `data` must not be empty, or it would end the body."""
    return b"%x\r\n" % len(data), data, b"\r\n"


def encode_last(trailers: Headers) -> bytes:
    """The end of a body, with its trailers."""
    if not trailers:
        return LAST_CHUNK
    return b"".join([b"0\r\n", *(b"%b: %b\r\n" % header for header in trailers), b"\r\n"])
