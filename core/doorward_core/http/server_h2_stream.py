"""One stream of an HTTP/2 connection from a client: a request and its response, as a handler sees them.

What it will not do: read from the link; `server_h2` does, and wakes who waits here.
Implements: RFC 9113 sections 5.1 (stream states), 6.9 (flow control) and 8.1 (message framing).

Invariants:

- A window is opened again only when the handler has taken the bytes.
- A response that is not whole ends with RST_STREAM, never with END_STREAM.
"""

from collections import deque
from collections.abc import AsyncIterator
from typing import Protocol

import h2.connection
import h2.errors
import h2.exceptions
import trio

from doorward_core.errors import LocalProtocolError
from doorward_core.http.exchange import BodyPieces
from doorward_core.http.fields import declared_length
from doorward_core.http.h2_wire import encode_response, encode_trailers
from doorward_core.http.limits import HttpLimits
from doorward_core.http.messages import BODILESS, NO_HEADERS, BadRequest, Head, Headers, ResponseHead
from doorward_core.http.problem import problem
from doorward_core.model import Peer
from doorward_core.net.link import Link


class Connection(Protocol):
    """What a stream needs of its connection."""

    id: int
    peer: Peer
    h2: h2.connection.H2Connection
    limits: HttpLimits

    async def flush(self) -> None:
        """Send what the h2 library has ready."""
        ...

    def established(self) -> None:
        """Tell the listener that this client has proved who it is."""
        ...


class Stream:
    """What a request has received, and what its handler waits for."""

    __slots__ = ("ended", "fault", "gone", "pieces", "readable", "trailers", "writable")

    def __init__(self, *, ended: bool) -> None:
        self.pieces: deque[tuple[bytes, int]] = deque()  # each with what it took of the window
        self.ended = ended
        self.fault: BadRequest | None = None
        self.trailers: Headers = NO_HEADERS
        self.gone = trio.Event()
        self.readable = trio.Event()
        self.writable = trio.Event()

    def wake(self) -> None:
        """Wake who reads, and who sends."""
        self.readable.set()
        self.writable.set()

    def lost(self) -> None:
        """The client has taken its request back, or has gone."""
        self.gone.set()
        self.wake()


class H2Exchange:
    """One request and its response over HTTP/2. See `Exchange` for what each method promises."""

    __slots__ = (
        "_connection",
        "_continue_due",
        "_finished",
        "_left",
        "_read_bytes",
        "_stream",
        "_stream_id",
        "_tail",
        "_trailers_out",
        "connection_id",
        "head",
        "peer",
        "started",
        "trailers",
    )

    def __init__(self, connection: Connection, stream_id: int, stream: Stream, head: Head) -> None:
        self._connection = connection
        self._stream_id = stream_id
        self._stream = stream
        self._continue_due = head.expect_continue
        self._finished = False
        self._left: int | None = None
        self._read_bytes = 0
        self._tail: list[bytes] = []
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
        stream = self._stream
        while not stream.pieces:
            if stream.fault is not None:
                raise stream.fault
            if stream.ended:
                self.trailers = stream.trailers
                return b""
            if self._continue_due and not self.started:
                self._continue_due = False
                self._connection.h2.send_headers(self._stream_id, [(b":status", b"100")])
                await self._connection.flush()
            stream.readable = trio.Event()
            await self._wait(stream.readable)
        piece, cost = stream.pieces.popleft()
        self._read_bytes += len(piece)
        if self._read_bytes > self._connection.limits.body_bytes:
            raise BadRequest("the body is too large", 413)
        await self._give_back(cost)
        return piece or await self.read()

    async def _give_back(self, cost: int) -> None:
        """Open the window again by what was taken."""
        if cost:
            self._connection.h2.acknowledge_received_data(cost, self._stream_id)
            await self._connection.flush()

    async def _wait(self, event: trio.Event) -> None:
        """Wait for the client. Raises trio.BrokenResourceError if it has gone, or lets us wait for too long."""
        if not self._stream.gone.is_set():
            with trio.move_on_after(self._connection.limits.stall_s) as scope:
                await event.wait()
            if scope.cancelled_caught:
                self.cut()
                await self._connection.flush()
        if self._stream.gone.is_set():
            raise trio.BrokenResourceError("the client has taken its request back, or was too slow")

    def body(self) -> AsyncIterator[bytes]:
        """See `Exchange`."""
        return BodyPieces(self)

    # --- the response ------------------------------------------------------------------------------------------------

    async def send_head(self, head: ResponseHead, *, more: bool = False) -> None:
        """See `Exchange`."""
        if self.started or 100 <= head.status < 200:  # noqa: PLR2004 - 1xx, RFC 9110 section 15.2
            raise LocalProtocolError("a response has one head, and that is no informational one")
        self._check_here()
        length = declared_length(head.headers, LocalProtocolError)
        self._left = 0 if self.head.method == "HEAD" or head.status in BODILESS else length
        self.started = True
        self._connection.h2.send_headers(self._stream_id, encode_response(head))
        if not more:
            await self._connection.flush()

    async def send_data(self, data: bytes, *, more: bool = False) -> None:
        """See `Exchange`."""
        if not self.started or self._finished:
            raise LocalProtocolError("a body before its head, or after its end")
        if self.head.method != "HEAD" and data:
            if self._left is not None:
                self._left -= len(data)
                if self._left < 0:
                    self.cut()
                    raise LocalProtocolError("a body longer than its head said")
            self._tail.append(data)
        if not more:
            await self._write(end=False)

    async def send_trailers(self, trailers: Headers) -> None:
        """See `Exchange`. Over h2 they are always taken."""
        self._trailers_out = trailers

    async def finish(self) -> None:
        """See `Exchange`."""
        if not self.started or self._finished:
            raise LocalProtocolError("an end before the head, or a second end")
        if self._left and self.head.method != "HEAD":
            self.cut()
            raise LocalProtocolError("a body shorter than its head said")
        self._finished = True
        await self._write(end=True)

    async def respond(self, head: ResponseHead, body: bytes = b"") -> None:
        """See `Exchange`."""
        headers = [header for header in head.headers if header[0] != b"content-length"]
        if head.status not in BODILESS:
            headers.append((b"content-length", b"%d" % len(body)))
        await self.send_head(ResponseHead(head.status, tuple(headers), head.reason), more=True)
        await self.send_data(b"" if head.status in BODILESS else body, more=True)
        await self.finish()

    async def _write(self, *, end: bool) -> None:
        """Send what waits, as the client's window allows; with `end`, the response's end in its last frame."""
        state, stream_id = self._connection.h2, self._stream_id
        data = memoryview(self._tail[0] if len(self._tail) == 1 else b"".join(self._tail))
        self._tail = []
        last = end and not self._trailers_out
        while data:
            self._check_here()
            room = min(state.local_flow_control_window(stream_id), state.max_outbound_frame_size)
            if room <= 0:
                self._stream.writable = trio.Event()
                await self._connection.flush()
                await self._wait(self._stream.writable)
                continue
            piece, data = data[:room], data[room:]
            state.send_data(stream_id, bytes(piece), end_stream=last and not data)
            if last and not data:
                last = False
                end = False
        if end:
            self._check_here()
            if self._trailers_out:
                state.send_headers(stream_id, encode_trailers(self._trailers_out), end_stream=True)
            else:
                state.end_stream(stream_id)
        await self._connection.flush()

    def _check_here(self) -> None:
        if self._stream.gone.is_set():
            raise trio.BrokenResourceError("the client has taken its request back, or has gone")

    # --- other ends --------------------------------------------------------------------------------------------------

    async def wait_disconnected(self) -> None:
        """See `Exchange`."""
        await self._stream.gone.wait()

    async def upgrade(self, headers: Headers = NO_HEADERS) -> tuple[Link, bytes]:  # noqa: ARG002 - as in `Exchange`
        """See `Exchange`: nothing is upgraded over h2 (RFC 9113 section 8.6)."""
        raise LocalProtocolError("an h2 stream cannot be upgraded")

    def cut(self) -> None:
        """See `Exchange`. What is queued of it leaves with the connection's next flush."""
        self._reset(h2.errors.ErrorCodes.INTERNAL_ERROR)
        self._stream.lost()

    def _reset(self, code: h2.errors.ErrorCodes) -> None:
        try:
            self._connection.h2.reset_stream(self._stream_id, code)
        except h2.exceptions.ProtocolError:
            return  # the stream, or the connection, has ended already

    async def settle(self) -> None:
        """After the handler: leave the stream ended on both sides, and its share of the window given back."""
        silent = not self.started and not self._stream.gone.is_set()
        if silent:
            await self.respond(*problem(500, "the gateway had no answer"))
        if not self._finished and not self._stream.gone.is_set():
            self.cut()
        elif not self._stream.ended:
            self._reset(h2.errors.ErrorCodes.NO_ERROR)
        cost = sum(cost for _, cost in self._stream.pieces)
        self._stream.pieces.clear()
        await self._give_back(cost)
        await self._connection.flush()
        if silent:
            raise LocalProtocolError("a handler that did not answer")
