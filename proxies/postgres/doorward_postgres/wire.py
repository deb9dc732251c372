"""Frames of the PostgreSQL frontend/backend protocol, 3.0 and 3.2, and the names of their types.

What it will not do: look into a body (`wire_decode`), say which message may come next (`machine`), or touch a socket.
Implements: PostgreSQL documentation, "Frontend/Backend Protocol", "Message Formats".

Invariants:

- A frame is `type:u8  length:i32  body`, big-endian; the length counts itself and the body, not the type.
- Garbage gives frames or the side's ProtocolError and nothing else, however it is cut into chunks.
- What is held for one unfinished frame never exceeds `max_message_bytes`.
- `FrameReader.buffer` is immutable `bytes`: a slice that was handed out stays what it was, whatever arrives later.
"""

from collections.abc import Iterator
from enum import Enum
from functools import cache
from struct import Struct
from typing import Final

from doorward_core.errors import ClientProtocolError, LocalProtocolError, ProtocolError, UpstreamProtocolError

# --- types -----------------------------------------------------------------------------------------------------------


class Frontend:
    """Type bytes of what a client sends."""

    Bind: Final = 0x42  # B
    Close: Final = 0x43  # C
    Describe: Final = 0x44  # D
    Execute: Final = 0x45  # E
    FunctionCall: Final = 0x46  # F
    Flush: Final = 0x48  # H
    Parse: Final = 0x50  # P
    Query: Final = 0x51  # Q
    Sync: Final = 0x53  # S
    Terminate: Final = 0x58  # X
    CopyDone: Final = 0x63  # c
    CopyData: Final = 0x64  # d
    CopyFail: Final = 0x66  # f
    Password: Final = 0x70  # p: PasswordMessage, SASLInitialResponse, SASLResponse, GSSResponse


class Backend:
    """Type bytes of what a server sends."""

    ParseComplete: Final = 0x31  # 1
    BindComplete: Final = 0x32  # 2
    CloseComplete: Final = 0x33  # 3
    NotificationResponse: Final = 0x41  # A
    CommandComplete: Final = 0x43  # C
    DataRow: Final = 0x44  # D
    ErrorResponse: Final = 0x45  # E
    CopyInResponse: Final = 0x47  # G
    CopyOutResponse: Final = 0x48  # H
    EmptyQueryResponse: Final = 0x49  # I
    BackendKeyData: Final = 0x4B  # K
    NoticeResponse: Final = 0x4E  # N
    Authentication: Final = 0x52  # R
    ParameterStatus: Final = 0x53  # S
    RowDescription: Final = 0x54  # T
    FunctionCallResponse: Final = 0x56  # V
    CopyBothResponse: Final = 0x57  # W
    ReadyForQuery: Final = 0x5A  # Z
    CopyDone: Final = 0x63  # c
    CopyData: Final = 0x64  # d
    NoData: Final = 0x6E  # n
    PortalSuspended: Final = 0x73  # s
    ParameterDescription: Final = 0x74  # t
    NegotiateProtocolVersion: Final = 0x76  # v


class AuthCode:
    """The first word of an Authentication message."""

    Ok: Final = 0
    CleartextPassword: Final = 3
    MD5Password: Final = 5
    SASL: Final = 10
    SASLContinue: Final = 11
    SASLFinal: Final = 12


class Side(Enum):
    """Who sent the bytes: it chooses the legal types and the error."""

    CLIENT = "client"
    UPSTREAM = "upstream"


# --- frames ----------------------------------------------------------------------------------------------------------

HEADER_BYTES: Final = 5
# MaxAllocSize - 1 of PostgreSQL: no server builds or takes a longer message.
_PROTOCOL_MAX: Final = 0x3FFF_FFFE
# PostgreSQL's own PQ_SMALL_MESSAGE_LIMIT, and libpq's limit (30,000) for types that are never long.
_SMALL_CLIENT: Final = 10_000
_SMALL_UPSTREAM: Final = 30_000
# One statement or one row that must be read whole before anything is decided about it.
MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
# PG_MAX_AUTH_TOKEN_LENGTH of PostgreSQL: tokens with many groups are long.
MAX_AUTH_BYTES: Final = 65_535

_ALONE: Final = (4, 4)  # a header and nothing behind it
_LONG: Final = (4, _PROTOCOL_MAX)

_CLIENT_LENGTHS: Final[dict[int, tuple[int, int]]] = {
    Frontend.Bind: _LONG,
    Frontend.Close: (6, _SMALL_CLIENT),
    Frontend.Describe: (6, _SMALL_CLIENT),
    Frontend.Execute: (9, _SMALL_CLIENT),
    Frontend.FunctionCall: _LONG,
    Frontend.Flush: _ALONE,
    Frontend.Parse: _LONG,
    Frontend.Query: (5, _PROTOCOL_MAX),
    Frontend.Sync: _ALONE,
    Frontend.Terminate: _ALONE,
    Frontend.CopyDone: _ALONE,
    Frontend.CopyData: _LONG,
    Frontend.CopyFail: (5, _SMALL_CLIENT),
    Frontend.Password: (4, MAX_AUTH_BYTES),
}
_UPSTREAM_LENGTHS: Final[dict[int, tuple[int, int]]] = {
    Backend.ParseComplete: _ALONE,
    Backend.BindComplete: _ALONE,
    Backend.CloseComplete: _ALONE,
    Backend.NotificationResponse: (10, _PROTOCOL_MAX),
    Backend.CommandComplete: (5, _SMALL_UPSTREAM),
    Backend.DataRow: (6, _PROTOCOL_MAX),
    Backend.ErrorResponse: (5, _PROTOCOL_MAX),
    Backend.CopyInResponse: (7, _SMALL_UPSTREAM),
    Backend.CopyOutResponse: (7, _SMALL_UPSTREAM),
    Backend.EmptyQueryResponse: _ALONE,
    Backend.BackendKeyData: (12, 4 + 4 + 256),
    Backend.NoticeResponse: (5, _PROTOCOL_MAX),
    Backend.Authentication: (8, MAX_AUTH_BYTES),
    Backend.ParameterStatus: (6, _SMALL_UPSTREAM),
    Backend.RowDescription: (6, _PROTOCOL_MAX),
    Backend.FunctionCallResponse: (8, _PROTOCOL_MAX),
    Backend.CopyBothResponse: (7, _SMALL_UPSTREAM),
    Backend.ReadyForQuery: (5, 5),
    Backend.CopyDone: _ALONE,
    Backend.CopyData: _LONG,
    Backend.NoData: _ALONE,
    Backend.PortalSuspended: _ALONE,
    Backend.ParameterDescription: (6, 4 + 2 + 4 * 65_535),
    Backend.NegotiateProtocolVersion: (12, _SMALL_UPSTREAM),
}
# These may be passed on in pieces while they arrive, so their declared length alone is no reason to refuse.
_STREAMED: Final = {
    Side.CLIENT: frozenset({Frontend.CopyData}),
    Side.UPSTREAM: frozenset({Backend.DataRow, Backend.CopyData}),
}

_HEADER = Struct("!BI").unpack_from  # unsigned: a negative length is merely far too long


@cache
def _bounds(side: Side, max_message_bytes: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shortest and longest legal length word per type byte; an unknown type has no legal length."""
    lengths = _CLIENT_LENGTHS if side is Side.CLIENT else _UPSTREAM_LENGTHS
    low, high = [1] * 256, [0] * 256
    for kind, (shortest, longest) in lengths.items():
        low[kind] = shortest
        streamed = kind in _STREAMED[side]
        high[kind] = longest if streamed else min(longest, max(max_message_bytes - 1, shortest))
    return tuple(low), tuple(high)


class FrameReader:
    """Walks message boundaries over what was received; no object per byte, no copy of a body.

    `receive` takes a chunk; iterating gives `(type, start, end)` of each frame that is whole, offsets into `buffer`,
    the header included; `consume(end)` lets go of everything before `end`.
    Offsets are good until the next `receive`; slices of `buffer` are good for ever.
    `run()` steps over further whole frames of the type that was just given, for rows that leave in one send.
    `head()` shows the header of a frame that is not whole yet, and `take_partial()` takes what has arrived of it.
    """

    __slots__ = (
        "_error",
        "_high",
        "_low",
        "_max",
        "_need",
        "_partial",
        "_side",
        "buffer",
        "consumed",
        "owed",
        "position",
    )

    def __init__(self, side: Side, *, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._side = side
        self._error: type[ProtocolError] = ClientProtocolError if side is Side.CLIENT else UpstreamProtocolError
        self._max = max_message_bytes
        self._low, self._high = _bounds(side, max_message_bytes)
        # While the frame at `position` lacks bytes they gather here, and are joined once: linear, not quadratic.
        self._partial = bytearray()
        self._need = 0
        self.buffer = b""
        self.consumed = 0  # everything before is let go
        self.position = 0  # where the walk stands
        self.owed = 0  # bytes still to come of a frame whose beginning was taken

    def receive(self, data: bytes) -> None:
        """Take a chunk. Raise the side's ProtocolError if a frame that nobody takes outgrows the bound."""
        if self._partial:
            self._partial += data
            self._bound(len(self._partial))
            if len(self._partial) >= self._need:
                self.buffer, self._partial = bytes(self._partial), bytearray()
            return
        kept = len(self.buffer) - self.consumed
        if not kept:
            self.buffer = data
            self.position = self.consumed = self._need = 0
            return
        self.position -= self.consumed
        if not self.position and kept + len(data) < self._need:
            self._partial += memoryview(self.buffer)[self.consumed :]
            self._partial += data
            self.buffer, self.consumed = b"", 0
            self._bound(len(self._partial))
            return
        self.buffer = self.buffer[self.consumed :] + data
        self.consumed = 0
        self._bound(len(self.buffer) - self.position)

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """Give each whole frame from `position` on; stop at the first that is not whole, or while bytes are owed."""
        low, high = self._low, self._high
        if self._partial:
            return  # known to be unfinished
        self._need = 0
        while not self.owed:
            buffer, start = self.buffer, self.position
            if len(buffer) - start < HEADER_BYTES:
                self._short_header(start)
                return
            kind, length = _HEADER(buffer, start)
            if not low[kind] <= length <= high[kind]:
                self._refuse(kind, length)
            end = start + 1 + length
            if end > len(buffer):
                self._need = 1 + length
                return
            self.position = end
            yield kind, start, end

    def run(self, kind: int, limit: int = 1 << 30) -> tuple[int, int]:
        """Step over further whole frames of this type, at most `limit`; give (how many, where the walk now stands)."""
        low, high = self._low[kind], self._high[kind]
        buffer, start, count = self.buffer, self.position, 0
        last = len(buffer) - HEADER_BYTES
        while start <= last and count < limit:
            found, length = _HEADER(buffer, start)
            end = start + 1 + length
            if found != kind or not low <= length <= high or end > last + HEADER_BYTES:
                break  # another type; or the walk itself refuses or waits
            start = end
            count += 1
        if count:
            self.position, self._need = start, 0
        return count, start

    def consume(self, end: int) -> None:
        """Let go of everything before `end`, which the walk has passed."""
        if not self.consumed <= end <= self.position:
            message = "consumed what was not walked"
            raise LocalProtocolError(message)
        self.consumed = end

    def body(self, start: int, end: int) -> bytes:
        """The body of a whole frame, for a decoder."""
        return self.buffer[start + HEADER_BYTES : end]

    def view(self, start: int, end: int) -> memoryview:
        """Bytes to send on, uncopied."""
        return memoryview(self.buffer)[start:end]

    def head(self) -> tuple[int, int, int] | None:
        """The frame at `position` that is not whole: (type, whole length with header, how much has arrived).

        None while its header is not whole. Call it after the walk has stopped.
        """
        data = self._partial or memoryview(self.buffer)[self.position :]
        if self.owed or len(data) < HEADER_BYTES:
            return None
        kind, length = _HEADER(data)
        return kind, 1 + length, len(data)

    def take_partial(self) -> memoryview:
        """Take what has arrived of the unfinished frame, and go on taking after each `receive` until `owed` is 0.

        Everything before it must have been consumed. Only for types that may be passed on in pieces.
        """
        if self.consumed != self.position:
            message = "the beginning of a frame was taken before what stands in front of it"
            raise LocalProtocolError(message)
        if not self.owed:
            head = self.head()
            if head is None or head[0] not in _STREAMED[self._side] or head[2] >= head[1]:
                message = "there is no unfinished frame that may be passed on in pieces"
                raise LocalProtocolError(message)
            self.owed = head[1]
        if self._partial:
            self.buffer, self._partial = bytes(self._partial), bytearray()
            self.position = self.consumed = 0
        start = self.position
        end = min(len(self.buffer), start + self.owed)
        self.owed -= end - start
        self._need = 0
        self.position = self.consumed = end
        return memoryview(self.buffer)[start:end]

    @property
    def buffered(self) -> int:
        """Bytes held and not consumed."""
        return len(self._partial) or len(self.buffer) - self.consumed

    @property
    def idle(self) -> bool:
        """Whether what was received has been consumed to the last byte, and nothing is owed."""
        return not (self.owed or self._partial) and len(self.buffer) == self.consumed

    def _short_header(self, start: int) -> None:
        """Refuse an unknown type at its first byte, before its length has arrived."""
        self._need = HEADER_BYTES
        if len(self.buffer) > start and not self._high[self.buffer[start]]:
            self._refuse(self.buffer[start], 0)

    def _refuse(self, kind: int, length: int) -> None:
        if not self._high[kind]:
            raise self._error(f"message type 0x{kind:02x} is not one that a {self._side.value} sends")
        raise self._error(f"message type 0x{kind:02x} of a {self._side.value} declares a length of {length} bytes")

    def _bound(self, size: int) -> None:
        """Refuse a frame that may be passed on in pieces, is longer than the bound, and is taken by nobody."""
        if size > self._max < self._need:
            raise self._error(f"an unfinished message of a {self._side.value} has outgrown {self._max} bytes")
