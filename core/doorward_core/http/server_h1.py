"""One HTTP/1.1 connection from a client: request after request, in order, by one task.

What it will not do: parse (`h1_wire`), or look ahead: the next request is read when this one is answered.
Implements: RFC 9112 sections 9.3 to 9.6 (persistence, pipelining, tear-down), RFC 9110 section 10.1.1 (Expect).

Invariants:

- A connection outlives a request only if the request's body was read to its end and the response was whole.
- A response that is not whole is seen to be so: its connection is cut, never given a last chunk.
- A task waits on the link or on the handler, never on a scope of its own: deadlines are the sweep's. The exception is a
  short body that nobody wants, which has as long as a head, in whatever pieces it comes.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import lru_cache
from typing import Final

import trio

from doorward_core.errors import LocalProtocolError
from doorward_core.http.deadlines import Watch
from doorward_core.http.exchange import BodyPieces, Exchange
from doorward_core.http.fields import FRAMING, HOP_BY_HOP, declared_length
from doorward_core.http.h1_chunks import encode_chunk, encode_last
from doorward_core.http.h1_wire import RequestReader, encode_response
from doorward_core.http.limits import KIB, HttpLimits
from doorward_core.http.messages import BODILESS, NO_HEADERS, BadRequest, Head, Headers, ResponseHead, get
from doorward_core.http.problem import problem, reason
from doorward_core.model import Peer
from doorward_core.net.farewell import SHORT, UPLOADING, Farewell
from doorward_core.net.link import Link
from doorward_core.net.listen import Connection

Handler = Callable[[Exchange], Awaitable[None]]
Refused = Callable[[BadRequest, Peer, int], None]

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_CLOSE: Final = (b"connection", b"close")
_CHUNKED: Final = (b"transfer-encoding", b"chunked")
_OURS: Final = HOP_BY_HOP | FRAMING
# A head and what comes with it; bodies are read in larger pieces.
_HEAD_READ_BYTES: Final = 64 * KIB
_INFORMATIONAL: Final = range(100, 200)


class H1Connection:
    """The connection, between and within its requests."""

    __slots__ = ("_connection", "_handler", "id", "limits", "link", "peer", "reader", "watch")

    def __init__(
        self, connection: Connection, peer: Peer, connection_id: int, handler: Handler, limits: HttpLimits
    ) -> None:
        self._connection = connection
        self._handler = handler
        self.id = connection_id
        self.link: Link = connection.link
        self.peer = peer
        self.limits = limits
        self.reader = RequestReader(limits, "https" if peer.encrypted else "http")
        self.watch = Watch(self.link, connection.draining)

    async def serve(self, on_refused: Refused | None) -> None:
        """Serve requests until either side has had enough. A refused request ends the connection."""
        try:
            while await self._one():
                pass
        except BadRequest as refused:
            if on_refused is not None:
                on_refused(refused, self.peer, self.id)
            await self._refuse(refused)
        except trio.BrokenResourceError:
            return  # the client has gone: there is nobody to tell
        finally:
            self.watch.forget()

    async def _one(self) -> bool:
        """One request. False ends the connection, with nothing left to say."""
        head = await self._next_head()
        if head is None:
            return False
        exchange = H1Exchange(self, head)
        try:
            await self._handler(exchange)
        except BadRequest:
            if exchange.started:
                return False  # cut: what was begun cannot be taken back
            raise
        except trio.BrokenResourceError:
            raise
        except Exception:  # told to the client, and raised again: the supervisor of the connection has it
            if not exchange.started:
                await exchange.respond(*problem(500, "the gateway could not do this", headers=(_CLOSE,)))
            raise
        if await exchange.settle():
            return True
        if exchange.whole:
            await self.link.aclose(self._farewell())
        return False

    def _farewell(self) -> Farewell:
        """A client that is still sending a body nobody wants is let to see why; one that is done needs no such time."""
        return SHORT if self.reader.body_done else UPLOADING

    async def _next_head(self) -> Head | None:
        """The next request, or None where the client has ended its side between two."""
        reader, watch = self.reader, self.watch
        head = reader.next_head()
        if head is not None:
            return head
        begun = reader.waiting_bytes > 0
        watch.idle = not begun
        watch.receive_within(self.limits.head_s if begun else self.limits.idle_s)
        while True:
            reader.receive(await self.receive(_HEAD_READ_BYTES))
            watch.idle = False
            head = reader.next_head()
            if head is not None or reader.ended:
                watch.receive_within(None)
                return head
            if not begun:
                begun = True
                watch.receive_within(self.limits.head_s)

    async def receive(self, max_bytes: int) -> bytes:
        """Wait for bytes. Raises trio.BrokenResourceError where there will be none."""
        try:
            return await self.link.receive(max_bytes)
        except trio.ClosedResourceError:
            raise trio.BrokenResourceError("the client was too slow") from None

    async def send(self, slices: list[bytes]) -> None:
        """Send, within the time that a reader may take. Raises trio.BrokenResourceError where nobody reads."""
        if len(slices) == 1 and self.link.offer(slices):
            return  # it has left, as a short answer mostly does
        self.watch.send_within(self.limits.stall_s)
        try:
            await self.link.send_all(slices if len(slices) > 1 else ())
        except trio.ClosedResourceError:
            raise trio.BrokenResourceError("the client was too slow") from None
        self.watch.send_within(None)

    async def _refuse(self, refused: BadRequest) -> None:
        head, body = problem(refused.status, refused.detail, headers=(_CLOSE,))
        try:
            await self.send([encode_response(head.status, head.reason, head.headers) + body])
            await self.link.aclose(self._farewell())
        except trio.BrokenResourceError:
            return

    @property
    def draining(self) -> bool:
        """Whether the gateway is going down."""
        return self._connection.draining.is_set()

    def established(self) -> None:
        """Tell the listener that this client has proved who it is."""
        self._connection.established()


@lru_cache(maxsize=64)
def _whole_head(head: ResponseHead) -> bytes:
    """The head of a response that is sent with its body, up to where we say how that ends."""
    headers = [header for header in head.headers if header[0] not in _OURS]
    return encode_response(head.status, head.reason or reason(head.status), tuple(headers))[:-2]


class H1Exchange:
    """One request and its response over HTTP/1.1."""

    __slots__ = (
        "_close",
        "_connection",
        "_continue_due",
        "_cut",
        "_finished",
        "_framing",
        "_left",
        "_out",
        "_read_bytes",
        "_reading",
        "_trailers_out",
        "connection_id",
        "head",
        "peer",
        "started",
        "trailers",
    )

    def __init__(self, connection: H1Connection, head: Head) -> None:
        self._connection = connection
        self._close = connection.reader.close
        self._continue_due = head.expect_continue
        self._cut = False
        self._finished = False
        self._framing = "none"
        self._left = 0
        self._out: list[bytes] = []
        self._read_bytes = 0
        self._reading = False
        self._trailers_out: Headers = NO_HEADERS
        self.connection_id = connection.id
        self.head = head
        self.peer = connection.peer
        self.started = False
        self.trailers: Headers = NO_HEADERS

    def established(self) -> None:
        """See `Exchange`."""
        self._connection.established()

    # --- the request's body ------------------------------------------------------------------------------------------

    async def read(self) -> bytes:
        """See `Exchange`."""
        reader = self._connection.reader
        while True:
            piece = reader.next_data()
            if piece is not None:
                break
            if self._continue_due:
                self._continue_due = False
                await self._connection.send([_CONTINUE])
            await self._receive()
        self._read_bytes += len(piece)
        if self._read_bytes > self._connection.limits.body_bytes:
            raise BadRequest("the body is too large", 413)
        if reader.body_done:
            self.trailers = reader.trailers
        return piece

    async def _receive(self) -> None:
        connection = self._connection
        connection.watch.receive_within(connection.limits.stall_s)
        self._reading = True
        try:
            connection.reader.receive(await connection.receive(connection.limits.read_bytes))
        finally:
            self._reading = False
            connection.watch.receive_within(None)

    def body(self) -> AsyncIterator[bytes]:
        """See `Exchange`."""
        return BodyPieces(self)

    async def _drop_body(self) -> None:
        """Before the response: read what is left of a short body, or else the connection ends with the response."""
        reader = self._connection.reader
        if reader.body_done:
            return
        limits = self._connection.limits
        room = limits.drain_bytes
        if self._reading or self._continue_due or self.head.length > room:
            self._close = True
            return
        with trio.move_on_after(limits.head_s):
            while not reader.body_done and room >= 0:
                piece = reader.next_data()
                if piece is not None:
                    room -= len(piece)
                elif self.head.length < 0:
                    break  # nobody knows how long it takes to come: the answer does not wait for it
                else:
                    await self._receive()
        self._close = self._close or not reader.body_done

    # --- the response ------------------------------------------------------------------------------------------------

    async def send_head(self, head: ResponseHead, *, more: bool = False) -> None:
        """See `Exchange`."""
        if self.started or head.status in _INFORMATIONAL:
            raise LocalProtocolError("a response has one head, and that is no informational one")
        await self._drop_body()
        self._close = self._close or self._connection.draining
        headers = [header for header in head.headers if header[0] not in _OURS]
        headers += self._frame(head)
        if self._close:
            headers.append(_CLOSE)
        self.started = True
        self._out.append(encode_response(head.status, head.reason or reason(head.status), tuple(headers)))
        if not more:
            await self._flush()

    def _frame(self, head: ResponseHead) -> Headers:
        """Decide how the body ends; gives the header that says so."""
        length = declared_length(head.headers, LocalProtocolError)
        declared = NO_HEADERS if length is None else ((b"content-length", b"%d" % length),)
        if head.status in BODILESS:
            return NO_HEADERS
        if self.head.method == "HEAD":
            return declared
        if length is not None:
            self._framing, self._left = "length", length
            return declared
        if self.head.version == "1.0":
            self._framing, self._close = "stream", True
            return NO_HEADERS
        self._framing = "chunked"
        return (_CHUNKED,)

    async def send_data(self, data: bytes, *, more: bool = False) -> None:
        """See `Exchange`."""
        if not self.started or self._finished:
            raise LocalProtocolError("a body before its head, or after its end")
        if data and self._framing == "chunked":
            self._out.extend(encode_chunk(data))
        elif data and self._framing != "none":
            if self._framing == "length":
                self._left -= len(data)
                if self._left < 0:
                    self.cut()
                    raise LocalProtocolError("a body longer than its head said")
            self._out.append(data)
        if not more:
            await self._flush()

    async def send_trailers(self, trailers: Headers) -> None:
        """See `Exchange`."""
        te = get(self.head.headers, b"te") or b""
        if b"trailers" in te.lower():
            self._trailers_out = tuple(header for header in trailers if header[0] not in _OURS)

    async def finish(self) -> None:
        """See `Exchange`."""
        if not self.started or self._finished:
            raise LocalProtocolError("an end before the head, or a second end")
        if self._framing == "length" and self._left:
            self.cut()
            raise LocalProtocolError("a body shorter than its head said")
        if self._framing == "chunked":
            self._out.append(encode_last(self._trailers_out))
        self._finished = True
        await self._flush()

    async def respond(self, head: ResponseHead, body: bytes = b"") -> None:
        """See `Exchange`."""
        if self.started or head.status in _INFORMATIONAL:
            raise LocalProtocolError("a response has one head, and that is no informational one")
        await self._drop_body()
        self._close = self._close or self._connection.draining
        self.started = True
        first = _whole_head(head)
        if head.status not in BODILESS:
            first += b"content-length: %d\r\n" % len(body)
        first += b"connection: close\r\n\r\n" if self._close else b"\r\n"
        self._out.append(first if head.status in BODILESS or self.head.method == "HEAD" else first + body)
        self._finished = True
        await self._flush()

    async def _flush(self) -> None:
        if self._out:
            slices, self._out = self._out, []
            await self._connection.send(slices)

    # --- other ends --------------------------------------------------------------------------------------------------

    async def wait_disconnected(self) -> None:
        """See `Exchange`. A client that has ended its side counts as gone: nobody waits for an answer that way."""
        try:
            await self._connection.link.wait_hangup()
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            return

    async def upgrade(self, headers: Headers = NO_HEADERS) -> tuple[Link, bytes]:
        """See `Exchange`."""
        if self.started or not self.head.upgrade or not self._connection.reader.body_done:
            raise LocalProtocolError("this request cannot be upgraded")
        self.started = True
        self._close = True
        named = (b"connection", b"upgrade"), (b"upgrade", self.head.upgrade.encode("latin-1"))
        kept = tuple(header for header in headers if header[0] not in _OURS)
        await self._connection.send([encode_response(101, reason(101), named + kept)])
        self._finished = True
        return self._connection.link, self._connection.reader.take_rest()

    def cut(self) -> None:
        """See `Exchange`."""
        self._cut = True
        self._connection.link.close()

    @property
    def whole(self) -> bool:
        """Whether the response has left as it was meant."""
        return self._finished and not self._cut

    async def settle(self) -> bool:
        """After the handler: whether the connection can take another request."""
        if not self.started:
            await self.respond(*problem(500, "the gateway had no answer", headers=(_CLOSE,)))
            raise LocalProtocolError("a handler that did not answer")
        return self.whole and not self._close and self._connection.reader.body_done
