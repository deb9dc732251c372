"""The client's half of a port-forward's tunnel, read for one thing: which ports it asks for.

What it is: `Openings`, which is fed what the client sends and says the port of every stream that it opens.
What it will not do: change a byte, keep what streams carry, or read what the target says.

Implements: the SPDY protocol, draft 3.1 (frames, header blocks and their compression), as `SPDY/3.1+portforward.k8s.io`
carries it in the messages of a WebSocket (KEP-4006); the headers of `portForwardProtocolV1`.
Invariants: pure; bounded; what cannot be read, and a stream that names no port, is ChannelError and ends the tunnel,
for a target that read it in another way could open what nobody decided on.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from doorward_k8s.channels import ChannelError

_WORDS: Final = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status"
)
_PAIRS: Final = ("200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin")
_TAIL: Final = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative "
    "Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 "
    "Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec "
    "00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8"
    "charset=iso-8859-1,utf-,*,enq=0."
)


def _dictionary() -> bytes:
    """What both sides' compression begins with: words, each behind its length, and what is common in values."""
    counted = b"".join(struct.pack("!I", len(word)) + word.encode() for word in (*_WORDS.split(), *_PAIRS))
    return counted + _TAIL.encode()


DICTIONARY: Final = _dictionary()
MAX_CONTROL_BYTES: Final = 16 * 1024  # a stream's headers are three, of a few bytes each
MAX_HEADERS: Final = 32
_VERSION: Final = 3
_HEAD_BYTES: Final = 8
# Kinds of frames, and where in them the header block begins.
_SYN_STREAM, _SYN_REPLY, _HEADERS = 1, 2, 8
_BLOCKS: Final = {_SYN_STREAM: 10, _SYN_REPLY: 4, _HEADERS: 4}
_KNOWN: Final = frozenset({*_BLOCKS, 3, 4, 6, 7, 9})  # RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE
_ODD: Final = "the tunnel is not as port-forward makes it"


class Openings:
    """One tunnel."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._skip = 0  # of what a stream carries
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> Iterator[str]:
        """The port of each stream that is opened within these bytes. Raises ChannelError."""
        self._held += data
        while True:
            gone = min(self._skip, len(self._held))
            del self._held[:gone]
            self._skip -= gone
            if self._skip or len(self._held) < _HEAD_BYTES:
                return
            first, second = struct.unpack_from("!II", self._held)
            length = second & 0xFFFFFF
            if not first >> 31:
                self._skip = _HEAD_BYTES + length
                continue
            if first >> 16 & 0x7FFF != _VERSION or first & 0xFFFF not in _KNOWN or length > MAX_CONTROL_BYTES:
                raise ChannelError(_ODD)
            if len(self._held) < _HEAD_BYTES + length:
                return
            payload = bytes(self._held[_HEAD_BYTES : _HEAD_BYTES + length])
            del self._held[: _HEAD_BYTES + length]
            yield from self._control(first & 0xFFFF, payload)

    def _control(self, kind: int, payload: bytes) -> Iterator[str]:
        if kind not in _BLOCKS:
            return
        headers = self._block(payload[_BLOCKS[kind] :])
        ports = [value for name, value in headers if name.lower() == "port"]
        if kind == _SYN_STREAM:
            if len(ports) != 1 or not ports[0].isascii() or not ports[0].isdigit():
                raise ChannelError(_ODD)
            yield str(int(ports[0]))
        elif ports:
            raise ChannelError(_ODD)

    def _block(self, block: bytes) -> list[tuple[str, str]]:
        """The headers of one block: each makes the next one readable, whatever it is of."""
        try:
            raw = self._inflate.decompress(block, MAX_CONTROL_BYTES)
            if self._inflate.unconsumed_tail or self._inflate.eof:
                raise ChannelError(_ODD)
            (count,) = struct.unpack_from("!I", raw)
            if count > MAX_HEADERS:
                raise ChannelError(_ODD)
            place, texts = 4, []
            for _ in range(2 * count):
                (size,) = struct.unpack_from("!I", raw, place)
                texts.append(raw[place + 4 : place + 4 + size].decode("latin-1"))
                place += 4 + size
        except (zlib.error, struct.error):
            raise ChannelError(_ODD) from None
        if place != len(raw):
            raise ChannelError(_ODD)
        return list(zip(texts[::2], texts[1::2], strict=True))
