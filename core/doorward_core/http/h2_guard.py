"""Frames of HTTP/2 counted before anything reads them: floods and oversized blocks end here.

What it will not do: understand frames, which the h2 library does, but for GOAWAY; or wait.
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
_DATA, _HEADERS, _, _RST_STREAM, _SETTINGS, _PUSH, _PING, _GOAWAY, _, _CONTINUATION = range(10)
_END_STREAM: Final = 0x1
_GOAWAY_BYTES: Final = 8
# A block of 64 KiB fills four frames; who needs more than this is splitting it for the sake of it.
_MAX_CONTINUATIONS: Final = 8
# Browsers open with half a dozen SETTINGS, PRIORITY and WINDOW_UPDATE frames; gRPC cancels calls by the hundred.
_PURSE: Final = 400.0
_PURSE_PER_S: Final = 100.0
# One WINDOW_UPDATE for each KiB that we sent is far more than any client gives.
_PURSE_PER_SENT_BYTE: Final = 1 / 1024
_COSTS: Final = {_SETTINGS: 4.0, _PING: 2.0, _GOAWAY: 4.0}
_UNKNOWN_COST: Final = 1.0
# A request that is taken back has cost us the most: deciding, recording, asking the target.
_RESET_COST: Final = 4.0


class FloodGuard:
    """Looks at what one peer sends, before the h2 library does. `fault` makes the exception for a refusal.

    `goaway` says that the peer wants no new streams, with the last stream that it will look at and its reason.
    The library is not shown GOAWAY: it would give up the streams that are under way.
    """

    __slots__ = (
        "_block",
        "_continuations",
        "_fault",
        "_header",
        "_leaving",
        "_max_block",
        "_purse",
        "_reset_cost",
        "_skip",
        "_when",
        "goaway",
    )

    def __init__(self, fault: Callable[[str], Exception], max_block_bytes: int, *, preface: bool) -> None:
        self._fault = fault
        self._max_block = max_block_bytes
        self._skip = PREFACE_BYTES if preface else 0
        self._header = b""
        self._block = 0
        self._continuations = 0
        self._purse = _PURSE
        # A client that resets has made us work; a target that does, has been asked to.
        self._reset_cost = _RESET_COST if preface else _UNKNOWN_COST
        self._when: float | None = None
        self._leaving: bytes | None = None  # what there is of a GOAWAY that is being read
        self.goaway: tuple[int, int] | None = None

    def receive(self, data: bytes, now_s: float) -> bytes:
        """Look at what was received, and give what the h2 library may read. Raises `fault` for what must not be."""
        if self._when is not None:
            self._purse = min(_PURSE, self._purse + (now_s - self._when) * _PURSE_PER_S)
        self._when = now_s
        passed: list[bytes] = []
        at = mark = 0
        end = len(data)
        while at < end:
            if self._skip:
                step = min(self._skip, end - at)
                self._skip -= step
                if self._leaving is not None:
                    self._leaving += data[at : at + step]
                    mark = at + step
                at += step
            else:
                # A header that is cut in two is held back until it is whole.
                begin = at
                step = min(_HEADER_BYTES - len(self._header), end - at)
                at += step
                whole = step == _HEADER_BYTES
                header = data[begin:at] if whole else self._header + data[begin:at]
                if len(header) < _HEADER_BYTES:
                    self._header = header
                    passed.append(data[mark:begin])
                    mark = at
                    break
                self._header = b""
                self._frame(int.from_bytes(header[:3], "big"), header[3], header[4])
                if self._leaving is not None or not whole:
                    passed.append(data[mark:begin])
                    if self._leaving is None:
                        passed.append(header)
                    mark = at
            if self._leaving is not None and not self._skip:
                self._leave()
        if not passed and not mark:
            return data
        passed.append(data[mark:])
        return b"".join(passed)

    def sent(self, size: int) -> None:
        """We sent so many bytes, for which the peer may well have to say something."""
        self._purse = min(_PURSE, self._purse + size * _PURSE_PER_SENT_BYTE)

    def charge_reset(self) -> None:
        """The peer made us reset a stream."""
        self._pay(self._reset_cost)

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
        elif kind == _RST_STREAM:
            self.charge_reset()
        elif kind != _DATA:
            self._pay(_COSTS.get(kind, _UNKNOWN_COST))
        elif length == 0 and not flags & _END_STREAM:
            self._pay(_UNKNOWN_COST)
        if kind == _GOAWAY:
            self._leaving = b""

    def _leave(self) -> None:
        payload, self._leaving = self._leaving, None
        if payload is None or len(payload) < _GOAWAY_BYTES:
            raise self._fault("a GOAWAY that says nothing")
        last = int.from_bytes(payload[:4], "big") & 0x7FFF_FFFF
        self.goaway = last, int.from_bytes(payload[4:8], "big")

    def _pay(self, cost: float) -> None:
        self._purse -= cost
        if self._purse < 0:
            raise self._fault("too many frames that ask for nothing")
