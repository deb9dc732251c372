"""SPDY/3.1 as a server, as far as kubectl's port-forward speaks it within its WebSocket.

What it is: frames in, events out, and the frames to answer with; one instance for one connection.
What it will not do: wait, or bound what a stream may send: windows are opened as soon as bytes are taken.
Implements: the SPDY protocol, draft 3.1 (frames, header blocks, flow control).
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

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
DICTIONARY_ID: Final = 0xE3C6A7C2  # its Adler-32, which every SPDY/3 header block names
_HEAD: Final = struct.Struct("!II")
_CONTROL: Final = 0x8003 << 16
_FIN: Final = 0x01
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY, _WINDOW_UPDATE = 1, 2, 3, 6, 7, 9
_STREAM_HEAD_BYTES: Final = 10
_MASK: Final = 0x7FFFFFFF
_MAX_DATA_BYTES: Final = 16_384


@dataclass(frozen=True, slots=True)
class Opened:
    """The client has opened a stream."""

    stream: int
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes on a stream; `last` says that the client sends no more."""

    stream: int
    data: bytes
    last: bool


@dataclass(frozen=True, slots=True)
class Reset:
    """The client has given up a stream, or with stream 0 the connection."""

    stream: int


class SpdyServer:
    """One connection. What is to be sent is given by its methods."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)
        self.answers = bytearray()
        """What the protocol itself owes the client: take it after each `receive`."""

    def receive(self, data: bytes) -> Iterator[Opened | Data | Reset]:
        """Take bytes, and give what has happened."""
        self._held += data
        while len(self._held) >= _HEAD.size:
            first, second = _HEAD.unpack_from(self._held)
            flags, length = second >> 24, second & 0xFFFFFF
            if len(self._held) < _HEAD.size + length:
                return
            payload = bytes(self._held[_HEAD.size : _HEAD.size + length])
            del self._held[: _HEAD.size + length]
            event = self._control(first & 0xFFFF, payload) if first >> 31 else self._data(first, flags, payload)
            if event is not None:
                yield event

    def _data(self, stream: int, flags: int, payload: bytes) -> Data:
        if payload:
            for opened in (stream, 0):
                self.answers += self._frame(_WINDOW_UPDATE, struct.pack("!II", opened, len(payload)))
        return Data(stream, payload, bool(flags & _FIN))

    def _control(self, kind: int, payload: bytes) -> Opened | Data | Reset | None:
        if kind == _SYN_STREAM:
            stream = struct.unpack_from("!I", payload)[0] & _MASK
            return Opened(stream, self._headers(payload[_STREAM_HEAD_BYTES:]))
        if kind == _RST_STREAM:
            return Reset(struct.unpack_from("!I", payload)[0] & _MASK)
        if kind == _GOAWAY:
            return Reset(0)
        if kind == _PING:
            self.answers += self._frame(_PING, payload)
        return None

    def _headers(self, block: bytes) -> dict[str, str]:
        raw = self._inflate.decompress(block)
        (count,) = struct.unpack_from("!I", raw)
        place, texts = 4, []
        for _ in range(2 * count):
            (size,) = struct.unpack_from("!I", raw, place)
            texts.append(raw[place + 4 : place + 4 + size].decode("latin-1"))
            place += 4 + size
        return dict(zip(texts[::2], texts[1::2], strict=True))

    @staticmethod
    def _frame(kind: int, payload: bytes, flags: int = 0) -> bytes:
        return _HEAD.pack(_CONTROL | kind, flags << 24 | len(payload)) + payload

    def reply(self, stream: int) -> bytes:
        """Accept a stream."""
        block = self._deflate.compress(struct.pack("!I", 0)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return self._frame(_SYN_REPLY, struct.pack("!I", stream) + block)

    @staticmethod
    def data(stream: int, data: bytes, *, last: bool = False) -> bytes:
        """Bytes on a stream, cut into frames; `last` ends our side."""
        frames = [
            _HEAD.pack(stream, len(piece)) + piece
            for piece in (data[at : at + _MAX_DATA_BYTES] for at in range(0, len(data), _MAX_DATA_BYTES))
        ]
        if last:
            frames.append(_HEAD.pack(stream, _FIN << 24))
        return b"".join(frames)
