"""Content codings: gzip, deflate, br and zstd, undone and made again while a body streams.

What it will not do: guess. A coding that it does not know, or a body that is not coded as it says, is refused.
Implements: RFC 9110 section 8.4 (Content-Encoding), RFC 1952 (gzip, of several members), RFC 1950 and 1951 (deflate,
with and without its envelope, since servers send both), RFC 7932 (br), RFC 8878 and 9659 (zstd, window of 8 MiB).

Invariants:

- What is decoded is handed on in pieces of `PIECE_BYTES` or so: memory stays flat whatever a bomb holds.
- It stops at `CodingLimits`, by bytes and by ratio, whatever was declared.
- What goes into an `Encoder` by one `feed` can be decoded without waiting for the next: events are not held back.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import brotli  # type: ignore[import-untyped]  # it ships no types
import zstandard

from doorward_core.errors import UnreadableBody

PIECE_BYTES: Final = 65_536
MAX_CODINGS: Final = 3  # one on top of the other; nobody means more than one
DECODED: Final = ("gzip", "deflate", "br", "zstd")
_ALIASES: Final = {"x-gzip": "gzip"}
_ZSTD_WINDOW_BYTES: Final = 8 * 2**20  # RFC 9659: no decoder of HTTP has to take more
_FASTEST: Final = 1  # what is made again is on its way to one client, and not kept
_GZIP_WINDOW: Final = 31
_ZLIB_WINDOW: Final = 15
_RAW_WINDOW: Final = -15
_METHOD_MASK: Final = 0x0F
_DEFLATED: Final = 8  # RFC 1950: the method in the low bits of the first byte
_CHECKED_BY: Final = 31  # RFC 1950: the first two bytes are a multiple of it

Sink = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class CodingLimits:
    """How much may come out: at most `max_bytes`, and `grace_bytes` and `max_ratio` for each byte that went in."""

    max_bytes: int = 4 * 2**30
    max_ratio: int = 200  # logs and tables reach 50; gzip can say 1,000, the others 30,000
    grace_bytes: int = 8 * 2**20


class _Stage(Protocol):
    def feed(self, chunk: bytes) -> None:
        """Decode a chunk into the sink."""
        ...

    def end(self) -> None:
        """There is no more. Raise UnreadableBody where that is too early."""
        ...


def read_codings(values: tuple[bytes, ...]) -> tuple[str, ...]:
    """The codings of Content-Encoding, in the order they were applied. Raise UnreadableBody for one not known."""
    names = [name.strip().lower().decode("latin-1") for value in values for name in value.split(b",")]
    codings = tuple(_ALIASES.get(name, name) for name in names if name not in ("", "identity"))
    if len(codings) > MAX_CODINGS or not set(codings) <= set(DECODED):
        raise UnreadableBody("the body has a content coding that cannot be undone; gzip, deflate, br and zstd can")
    return codings


class _Inflate:
    """gzip, or deflate of either kind."""

    def __init__(self, sink: Sink, *, gzip: bool) -> None:
        self._sink = sink
        self._gzip = gzip
        self._state = zlib.decompressobj(_GZIP_WINDOW) if gzip else None
        self._first = b""

    def feed(self, chunk: bytes) -> None:
        if self._state is None:
            self._first += chunk
            if len(self._first) < len(b"\x78\x9c"):
                return
            chunk, self._first = self._first, b""
            self._state = zlib.decompressobj(_ZLIB_WINDOW if _has_envelope(chunk) else _RAW_WINDOW)
        try:
            while chunk:
                chunk = self._step(self._state, chunk)
        except zlib.error as error:
            raise UnreadableBody("the body is not coded as its Content-Encoding says") from error

    def _step(self, state: "zlib._Decompress", chunk: bytes) -> bytes:
        """Give out one piece; what is left of the chunk."""
        if state.eof:
            if not self._gzip:
                raise UnreadableBody("something follows the end of a deflated body")
            state = self._state = zlib.decompressobj(_GZIP_WINDOW)
        self._sink(state.decompress(chunk, PIECE_BYTES))
        while not state.eof and not state.unconsumed_tail and (more := state.decompress(b"", PIECE_BYTES)):
            self._sink(more)
        return state.unused_data if state.eof else state.unconsumed_tail

    def end(self) -> None:
        if self._first or (self._state is not None and not self._state.eof):
            raise UnreadableBody("a coded body ends before it is whole")


def _has_envelope(start: bytes) -> bool:
    return start[0] & _METHOD_MASK == _DEFLATED and int.from_bytes(start[:2], "big") % _CHECKED_BY == 0


class _Brotli:
    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._state = brotli.Decompressor()

    def feed(self, chunk: bytes) -> None:
        try:
            self._sink(self._state.process(chunk, output_buffer_limit=PIECE_BYTES))
            # It takes more input while it still has output: only an empty piece says that it has not.
            while not self._state.is_finished():
                more = self._state.process(b"", output_buffer_limit=PIECE_BYTES)
                if not more and self._state.can_accept_more_data():
                    break
                self._sink(more)
        except brotli.error as error:
            raise UnreadableBody("the body is not coded as its Content-Encoding says") from error

    def end(self) -> None:
        if not self._state.is_finished():
            raise UnreadableBody("a coded body ends before it is whole")


class _Zstandard:
    """The library pushes pieces into what looks like a file, so that it holds no more than one of them."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._writer = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).stream_writer(
            self  # type: ignore[arg-type]  # all that it asks of a file is `write`
        )

    def write(self, piece: bytes) -> int:
        """Take a piece from the library."""
        self._sink(bytes(piece))
        return len(piece)

    def feed(self, chunk: bytes) -> None:
        try:
            self._writer.write(chunk)
        except zstandard.ZstdError as error:
            raise UnreadableBody("the body is not coded as its Content-Encoding says") from error

    def end(self) -> None:
        """The library does not say whether a frame is whole: a text cut short is cut short for the client too."""


class Decoder:
    """Undoes some codings, the last first. What comes out goes to `sink`."""

    def __init__(self, codings: tuple[str, ...], sink: Sink, limits: CodingLimits | None = None) -> None:
        self._limits = limits or CodingLimits()
        self._sink = sink
        self._in = 0
        self._out = 0
        self._stages: list[_Stage] = []
        next_sink = self._deliver if codings else sink
        for coding in codings:
            stage = _stage(coding, next_sink)
            self._stages.append(stage)
            next_sink = stage.feed
        self._first = next_sink

    def feed(self, chunk: bytes) -> None:
        """Take a chunk. Raise UnreadableBody for what is not coded so, or past a limit."""
        self._in += len(chunk)
        if chunk:
            self._first(chunk)

    def end(self) -> None:
        """There is no more. Raise UnreadableBody where the coding says that there is; no byte at all is no body."""
        if self._in:
            for stage in reversed(self._stages):
                stage.end()

    def _deliver(self, piece: bytes) -> None:
        self._out += len(piece)
        limits = self._limits
        if self._out > limits.max_bytes or self._out > limits.grace_bytes + limits.max_ratio * self._in:
            raise UnreadableBody("a coded body holds more than it may")
        if piece:
            self._sink(piece)


def _stage(coding: str, sink: Sink) -> _Stage:
    if coding == "br":
        return _Brotli(sink)
    return _Zstandard(sink) if coding == "zstd" else _Inflate(sink, gzip=coding == "gzip")


class Encoder:
    """Applies some codings, in order."""

    def __init__(self, codings: tuple[str, ...]) -> None:
        self._stages = [_Coder(coding) for coding in codings]

    def feed(self, chunk: bytes) -> bytes:
        """Code a chunk, whole."""
        for stage in self._stages:
            chunk = stage.feed(chunk) if chunk else b""
        return chunk

    def end(self) -> bytes:
        """What ends the body."""
        rest = b""
        for stage in self._stages:
            rest = stage.end(rest)
        return rest


class _Coder:
    """One coding. The three libraries say the same in different words."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        if coding == "br":
            self._brotli = brotli.Compressor(quality=_FASTEST)
        elif coding == "zstd":
            self._zstd = zstandard.ZstdCompressor(level=_FASTEST).compressobj()
        else:
            window = _GZIP_WINDOW if coding == "gzip" else _ZLIB_WINDOW
            self._zlib = zlib.compressobj(_FASTEST, zlib.DEFLATED, window)

    def feed(self, chunk: bytes) -> bytes:
        if self._coding == "br":
            return bytes(self._brotli.process(chunk) + self._brotli.flush())
        if self._coding == "zstd":
            return self._zstd.compress(chunk) + self._zstd.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        return self._zlib.compress(chunk) + self._zlib.flush(zlib.Z_SYNC_FLUSH)

    def end(self, chunk: bytes) -> bytes:
        if self._coding == "br":
            return bytes((self._brotli.process(chunk) if chunk else b"") + self._brotli.finish())
        if self._coding == "zstd":
            return self._zstd.compress(chunk) + self._zstd.flush(zstandard.COMPRESSOBJ_FLUSH_FINISH)
        return self._zlib.compress(chunk) + self._zlib.flush(zlib.Z_FINISH)
