"""WebSocket: the opening handshake of both sides, and messages made whole, so that they can be looked at.

What it will not do: wait, or know what a message means. Compression is not negotiated: a masked value would hide in it.
Implements: RFC 6455 sections 4 (handshake), 5 (framing), 7 (closing); frames are wsproto's.

Invariants:

- What is asked of a target is made here: our own key, version 13, no extensions; its answer must prove that key.
- A message is given whole or not at all, and never longer than its bound; control frames come between as they came.
- What a peer sends against the protocol is one exception, with the code that it is to be told.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from wsproto.frame_protocol import CloseReason, Frame, FrameProtocol, Opcode, ParseFailed

from doorward_core.errors import ProtocolError, UpstreamProtocolError
from doorward_core.http.messages import BadRequest, Head, Header, Headers, ResponseHead, get, get_all

PROTOCOL: Final = "websocket"
_ACCEPT_SALT: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY_BYTES: Final = 16
_MAX_SUBPROTOCOLS: Final = 16
# A message is kept whole while it is looked at; events and commands are far smaller.
MAX_MESSAGE_BYTES: Final = 4 << 20
# An empty frame costs its sender six bytes: so many may make up one message.
_MAX_FRAMES: Final = 4096
_OURS: Final = frozenset(
    {b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-extensions", b"sec-websocket-accept"}
)


# --- the handshake ----------------------------------------------------------------------------------------------------


def accept_key(key: bytes) -> bytes:
    """What a server answers to a client's key."""
    return base64.b64encode(hashlib.sha1(key + _ACCEPT_SALT, usedforsecurity=False).digest())


def check_request(head: Head) -> bytes:
    """The key of a client's handshake. Raises BadRequest if it is none that a server may answer."""
    if head.upgrade != PROTOCOL or head.method != "GET" or head.version != "1.1":
        raise BadRequest("a WebSocket begins with GET over HTTP/1.1, and Upgrade: websocket")
    if get(head.headers, b"sec-websocket-version") != b"13":
        raise BadRequest("the version of WebSocket must be 13", 426)
    key = get(head.headers, b"sec-websocket-key") or b""
    try:
        nonce = base64.b64decode(key, validate=True)
    except binascii.Error:
        nonce = b""
    if len(nonce) != KEY_BYTES:
        raise BadRequest("Sec-WebSocket-Key must be 16 bytes in base64")
    return key


def subprotocols(headers: Headers) -> tuple[bytes, ...]:
    """The subprotocols that a client offers, in its order. Raises BadRequest for too many."""
    offered = [
        name.strip(b" \t") for value in get_all(headers, b"sec-websocket-protocol") for name in value.split(b",")
    ]
    if len(offered) > _MAX_SUBPROTOCOLS or not all(offered):
        raise BadRequest("Sec-WebSocket-Protocol must be a short list of names")
    return tuple(offered)


def request_headers(headers: Headers, key: bytes) -> Headers:
    """The headers of our own handshake towards a target: `key` is `KEY_BYTES` random bytes in base64."""
    kept = [header for header in headers if header[0] not in _OURS]
    return (*kept, (b"sec-websocket-version", b"13"), (b"sec-websocket-key", key))


def check_response(head: ResponseHead, key: bytes, offered: tuple[bytes, ...]) -> bytes:
    """The subprotocol that a target chose (empty for none). Raises UpstreamProtocolError if its 101 proves nothing."""
    if get(head.headers, b"sec-websocket-accept") != accept_key(key):
        raise UpstreamProtocolError("the target's WebSocket handshake does not answer ours")
    if get_all(head.headers, b"sec-websocket-extensions"):
        raise UpstreamProtocolError("the target chose a WebSocket extension that it was not offered")
    chosen = get_all(head.headers, b"sec-websocket-protocol")
    if len(chosen) > 1 or (chosen and chosen[0] not in offered):
        raise UpstreamProtocolError("the target chose a subprotocol that it was not offered")
    return chosen[0] if chosen else b""


def response_headers(key: bytes, subprotocol: bytes) -> Headers:
    """The headers of our 101 to a client, for `Exchange.upgrade`."""
    headers: list[Header] = [(b"sec-websocket-accept", accept_key(key))]
    if subprotocol:
        headers.append((b"sec-websocket-protocol", subprotocol))
    return tuple(headers)


# --- messages ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Message:
    """One whole message; text is UTF-8, and was checked to be."""

    data: bytes
    text: bool


@dataclass(frozen=True, slots=True)
class Ping:
    """A question whether we are there."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a ping."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """The peer sends nothing more. `code` is 1005 where it gave none."""

    code: int
    reason: str


WebSocketEvent: TypeAlias = Message | Ping | Pong | Close


class WebSocketError(ProtocolError):
    """The peer broke WebSocket; `code` is what it is to be told, and the end."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class WebSocketWire:
    """One side of a WebSocket after its handshake: `client` where we are the client."""

    __slots__ = ("_frames", "_max_bytes", "_pieces", "_protocol", "_size", "closed")

    def __init__(self, *, client: bool, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._protocol = FrameProtocol(client, [])
        self._max_bytes = max_message_bytes
        self._pieces: list[bytes] = []
        self._size = 0
        self._frames = 0
        self.closed = False  # the peer has said goodbye

    def receive(self, data: bytes) -> Iterator[WebSocketEvent]:
        """What the bytes amount to, as far as they go. Raises WebSocketError, after what came before the fault."""
        self._protocol.receive_bytes(data)
        try:
            for frame in self._protocol.received_frames():
                event = self._take(frame)
                if event is not None:
                    yield event
        except ParseFailed as fault:
            raise WebSocketError("this is not WebSocket as it is read here", int(fault.code)) from fault

    def _take(self, frame: Frame) -> WebSocketEvent | None:
        payload = frame.payload
        match frame.opcode:
            case Opcode.CLOSE:
                assert isinstance(payload, tuple)
                self.closed = True
                return Close(int(payload[0]), payload[1])
            case Opcode.PING:
                return Ping(_raw(payload))
            case Opcode.PONG:
                return Pong(_raw(payload))
        return self._piece(frame)

    def _piece(self, frame: Frame) -> Message | None:
        piece = _raw(frame.payload)
        self._size += len(piece)
        self._frames += frame.frame_finished
        if self._size > self._max_bytes or self._frames > _MAX_FRAMES:
            raise WebSocketError("a message is too long", CloseReason.MESSAGE_TOO_BIG)
        if piece:
            self._pieces.append(piece)
        if not frame.message_finished:
            return None
        message = Message(b"".join(self._pieces), frame.opcode is Opcode.TEXT)
        self._pieces, self._size, self._frames = [], 0, 0
        return message

    def message(self, data: bytes, *, text: bool) -> bytes:
        """A whole message, as one frame. Text must be UTF-8."""
        return bytes(self._protocol.send_data(data.decode("utf-8") if text else data))

    def ping(self, data: bytes = b"") -> bytes:
        """Ask whether the peer is there."""
        return bytes(self._protocol.ping(data))

    def pong(self, data: bytes) -> bytes:
        """Answer a ping."""
        return bytes(self._protocol.pong(data))

    def close(self, code: int, reason: str = "") -> bytes:
        """Say goodbye. 1005 and its kin, which are not for the wire, are sent as no code at all, or as 1000."""
        if code == CloseReason.NO_STATUS_RCVD:
            return bytes(self._protocol.close())
        return bytes(self._protocol.close(code, reason))


def _raw(payload: bytes | bytearray | str | tuple[int, str]) -> bytes:
    """A payload as it was on the wire, but for a close frame's."""
    assert not isinstance(payload, tuple)
    return payload.encode("utf-8") if isinstance(payload, str) else bytes(payload)
