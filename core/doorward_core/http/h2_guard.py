"""Frames of HTTP/2 counted before anything reads them: floods and oversized blocks end here.

What it will not do: understand frames (the h2 library does), or wait.
Implements: RFC 9113 sections 4.1 (the frame header), 6.10 (CONTINUATION) and 10.5 (denial of service), as far as they
say what may be refused: frame floods (CVE-2019-9512, -9515, -9518), rapid reset (CVE-2023-44487), resets that a client
makes the server send (CVE-2025-8671), endless header blocks (CVE-2024-28182).

    frame = length (3 bytes, big-endian), type (1), flags (1), stream (4), then `length` bytes

Invariants:

- A frame longer than we allow is refused at its header, not when it has been kept whole.
- What costs us work and the peer nothing is paid from a purse: it fills with time, and with the bytes that we send.
"""

from collections.abc import Callable
from typing import Final

MAX_FRAME_BYTES: Final = 16_384
"""What we allow: RFC 9113's initial value, which every peer may use and none needs to exceed."""

PREFACE_BYTES: Final = 24
_HEADER_BYTES: Final = 9
_DATA, _HEADERS, _PRIORITY, _RST_STREAM, _SETTINGS, _PUSH, _PING, _GOAWAY, _WINDOW_UPDATE, _CONTINUATION = range(10)
_END_STREAM: Final = 0x1
_END_HEADERS: Final = 0x4
# A block of 64 KiB fills four frames; who needs more than this is splitting it for the sake of it.
_MAX_CONTINUATIONS: Final = 8
# Browsers open with half a dozen SETTINGS, PRIORITY and WINDOW_UPDATE frames; gRPC cancels calls by the hundred.
_PURSE: Final = 400.0
_PURSE_PER_S: Final = 100.0
# One WINDOW_UPDATE for each KiB that we sent is far more than any client gives.
_PURSE_PER_SENT_BYTE: Final = 1 / 1024
# A cancelled request has cost us the most: opening a session, deciding, asking the target.
_COSTS: Final = {_RST_STREAM: 4.0, _SETTINGS: 4.0, _PING: 2.0, _PRIORITY: 1.0, _WINDOW_UPDATE: 1.0, _GOAWAY: 4.0}
_UNKNOWN_COST: Final = 1.0


class FloodGuard:
    """Looks at what one peer sends, before the h2 library does. `fault` makes the exception for a refusal."""

    __slots__ = ("_block", "_continuations", "_fault", "_header", "_max_block", "_purse", "_skip", "_when")

    def __init__(self, fault: Callable[[str], Exception], max_block_bytes: int, *, preface: bool) -> None:
        self._fault = fault
        self._max_block = max_block_bytes
        self._skip = PREFACE_BYTES if preface else 0
        self._header = b""
        self._block = 0
        self._continuations = 0
        self._purse = _PURSE
        self._when: float | None = None

    def receive(self, data: bytes, now_s: float) -> None:
        """Look at what was received. Raises `fault` for what must not be read."""
        if self._when is not None:
            self._purse = min(_PURSE, self._purse + (now_s - self._when) * _PURSE_PER_S)
        self._when = now_s
        at, end = 0, len(data)
        while at < end:
            if self._skip:
                step = min(self._skip, end - at)
                self._skip -= step
                at += step
                continue
            step = min(_HEADER_BYTES - len(self._header), end - at)
            self._header += data[at : at + step]
            at += step
            if len(self._header) == _HEADER_BYTES:
                header, self._header = self._header, b""
                self._frame(int.from_bytes(header[:3], "big"), header[3], header[4])

    def sent(self, size: int) -> None:
        """We sent so many bytes, for which the peer may well have to say something."""
        self._purse = min(_PURSE, self._purse + size * _PURSE_PER_SENT_BYTE)

    def charge_reset(self) -> None:
        """The peer made us reset a stream."""
        self._pay(_COSTS[_RST_STREAM])

    def _frame(self, length: int, kind: int, flags: int) -> None:
        if length > MAX_FRAME_BYTES:
            raise self._fault("a frame is longer than was agreed")
        self._skip = length
        if kind == _HEADERS:
            self._block, self._continuations = length, 0
        elif kind == _CONTINUATION:
            self._block += length
            self._continuations += 1
            if self._block > self._max_block or self._continuations > _MAX_CONTINUATIONS:
                raise self._fault("a block of headers is too long")
        elif kind == _PUSH:
            raise self._fault("nobody may push here")
        elif kind != _DATA:
            self._pay(_COSTS.get(kind, _UNKNOWN_COST))
        elif length == 0 and not flags & _END_STREAM:
            self._pay(_UNKNOWN_COST)

    def _pay(self, cost: float) -> None:
        self._purse -= cost
        if self._purse < 0:
            raise self._fault("too many frames that ask for nothing")
