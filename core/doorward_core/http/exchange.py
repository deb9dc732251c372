"""One request and its response, as a handler sees them, whatever version carries them.

What it will not do: parse, route or decide. `server_h1` and `server_h2` are the two that there are.
Implements: RFC 9110 section 3.9 (an exchange); the promises that both versions keep to a handler.

Invariants:

- A handler that is done with an exchange has answered it, or its connection (h2: its stream) is cut: nothing hangs.
- The body is read only when the handler asks, and sending waits for the client: back-pressure is not reading.
- Whatever a handler does, a response is framed by us: hop-by-hop headers it gives are dropped.

Who reads or writes here must be ready for

- `trio.BrokenResourceError`: the client has gone, or was too slow, or took its request back;
- `BadRequest` (from `read` alone): the body is not what its head promised, or too long.
  A handler may let both pass: the server knows what to do.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from doorward_core.http.messages import NO_HEADERS, Head, Headers, ResponseHead
from doorward_core.model import Peer


class ByteStream(Protocol):
    """What an upgraded connection is: bytes both ways. `net.link.Link` is one."""

    async def receive(self, max_bytes: int = ...) -> bytes:
        """Wait for bytes; b"" when the peer has ended its side."""
        ...

    async def send_all(self, data: bytes) -> None:
        """Send bytes; returns when they have left."""
        ...


class Exchange(Protocol):
    """One request and its response.

    `connection_id` numbers connections within the process, so that a session can be one connection and one credential.
    `trailers` are those of the request, once its body was read to the end.
    `started` says that a response's head was given, so that no other can be.
    """

    head: Head
    peer: Peer
    connection_id: int
    trailers: Headers
    started: bool

    def established(self) -> None:
        """Its client has proved who it is: the connection no longer counts as a handshake (`net.listen`)."""
        ...

    async def read(self) -> bytes:
        """Wait for the next piece of the request's body; b"" at its end."""
        ...

    def body(self) -> AsyncIterator[bytes]:
        """The pieces of the request's body."""
        ...

    async def send_head(self, head: ResponseHead, *, more: bool = False) -> None:
        """Begin the response. With `more`, it may wait for the first bytes of the body, which are to come at once.

        A `content-length` among the headers is a promise that is checked; without one the body ends when it ends.
        """
        ...

    async def send_data(self, data: bytes, *, more: bool = False) -> None:
        """Send a piece of the response's body. With `more`, it may wait for what is to come at once."""
        ...

    async def send_trailers(self, trailers: Headers) -> None:
        """Send trailers as the response's end, as far as the version and the client take them; then only `finish`."""
        ...

    async def finish(self) -> None:
        """End the response."""
        ...

    async def respond(self, head: ResponseHead, body: bytes = b"") -> None:
        """Send a whole response in one write, its length declared by us."""
        ...

    async def wait_disconnected(self) -> None:
        """Wait until the client has gone, or has taken this request back."""
        ...

    async def upgrade(self, headers: Headers = NO_HEADERS) -> tuple[ByteStream, bytes]:
        """Answer 101 and leave HTTP: the stream, and what the client has already sent on it. Only HTTP/1.1 can."""
        ...

    def cut(self) -> None:
        """End the response where it stands, so that the client can see that it is not whole."""
        ...


class BodyPieces:
    """The pieces of an exchange's body, for `async for`."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._exchange.read()
        if not piece:
            raise StopAsyncIteration
        return piece
