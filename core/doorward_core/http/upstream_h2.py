"""One HTTP/2 connection to a target, shared by many requests.

What it will not do: choose or keep connections (`upstream`); HPACK, frames and stream states are the h2 library's.
Implements: RFC 9113 from the client's side; push is refused, GOAWAY is waited out.

There is no task of its own: of those that wait for something, one reads for all, and hands over when it is served.

Invariants:

- A window is opened again only when the response's reader has taken the bytes.
- A stream that its caller leaves is ended on both sides: reset, if it was not whole.
- After GOAWAY or a fault nobody begins a stream here, and those beyond GOAWAY's last were not looked at by the target.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Final

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import trio

from doorward_core.errors import UpstreamProtocolError, UpstreamUnavailable
from doorward_core.http.deadlines import Watch
from doorward_core.http.h2_guard import FloodGuard
from doorward_core.http.h2_wire import encode_request, response_head, trailers
from doorward_core.http.limits import UpstreamLimits
from doorward_core.http.messages import NO_HEADERS, Head, Headers, ResponseHead, UpstreamTimeout
from doorward_core.http.upstream_h1 import Stale
from doorward_core.net.link import Link

_READ_BYTES: Final = 65_536
_MAX_TABLE_BYTES: Final = 4096
_GONE: Final = (trio.BrokenResourceError, trio.ClosedResourceError)


def new_state(limits: UpstreamLimits) -> h2.connection.H2Connection:
    """The h2 library's side of a connection, with our bounds in its settings."""
    state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
    codes = h2.settings.SettingCodes
    initial = {
        codes.ENABLE_PUSH: 0,
        codes.MAX_HEADER_LIST_SIZE: limits.head_bytes,
        codes.INITIAL_WINDOW_SIZE: limits.stream_window_bytes,
    }
    state.local_settings = h2.settings.Settings(client=True, initial_values=initial)
    state.decoder.max_header_list_size = limits.head_bytes
    return state


class H2Upstream:
    """The connection."""

    def __init__(self, link: Link, limits: UpstreamLimits, shown: str) -> None:
        self._link = link
        self._reading = False
        self._guard = FloodGuard(UpstreamProtocolError, limits.head_bytes, preface=False)
        self._watch = Watch(link)
        self._failure = ""
        self.h2 = new_state(limits)
        self.limits = limits
        self.scheme = "https" if link.encrypted else "http"
        self.shown = shown
        self.streams: dict[int, H2Call] = {}
        self.calls = 0  # requests that have a place here

    async def begin(self) -> None:
        """Say hello; the target's own settings come with its first answer."""
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(self.limits.connection_window_bytes - self.h2.inbound_flow_control_window)
        await self.flush()

    @property
    def broken(self) -> bool:
        """Whether nothing can be sent or received any more."""
        return bool(self._failure)

    @property
    def dead(self) -> bool:
        """Whether it can take no more requests, ever."""
        return bool(self._failure) or self._guard.goaway is not None or self._watch.expired

    def usable(self) -> bool:
        """Whether it can take one more request now. What the target has said meanwhile is looked at first."""
        if not self.dead and not self._reading:
            self._catch_up()
        room = min(self.limits.streams, self.h2.remote_settings.max_concurrent_streams)
        return not self.dead and self.calls < room

    def _catch_up(self) -> None:
        try:
            while (data := self._link.read_ready()) is not None:
                self._receive(data)
                if not data:
                    return
        except (*_GONE, UpstreamProtocolError, h2.exceptions.H2Error):
            self.fail("broke the connection")

    def _receive(self, data: bytes) -> None:
        if not data:
            self.fail("ended the connection")
            return
        for event in self.h2.receive_data(self._guard.receive(data, trio.current_time())):
            self._take(event)
        if self._guard.goaway is not None:
            last, _ = self._guard.goaway
            for stream_id, call in self.streams.items():
                if stream_id > last:
                    call.refused()

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.WindowUpdated | h2.events.RemoteSettingsChanged):
            self.h2.encoder.header_table_size = min(self.h2.encoder.header_table_size, _MAX_TABLE_BYTES)
            for other in self.streams.values():
                other.news.set()
            return
        call = self.streams.get(getattr(event, "stream_id", 0) or 0)
        if call is not None:
            call.take(event)
        elif isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    async def wait(self, call: "H2Call", ready: Callable[[], bool], within_s: float | None) -> None:
        """Wait until `ready`: by reading for everybody, or until somebody who reads has news for this call."""
        with trio.move_on_after(float("inf") if within_s is None else within_s) as scope:
            try:
                while not ready():
                    if self._failure:
                        raise call.failed(self._failure)
                    if self._reading:
                        call.news = trio.Event()
                        await call.news.wait()
                    else:
                        await self._lead(ready)
            finally:
                call.news.set()  # who does not wait here must not be chosen to read
                self._hand_over()
        if scope.cancelled_caught:
            raise UpstreamTimeout(f"{self.shown} was silent for too long")

    async def _lead(self, ready: Callable[[], bool]) -> None:
        self._reading = True
        try:
            while not ready() and not self._failure:
                self._receive(await self._link.receive(_READ_BYTES))
                await self.flush()
        except _GONE:
            self.fail("broke the connection")
        except (UpstreamProtocolError, h2.exceptions.H2Error) as error:
            self.fail("broke the protocol")
            raise UpstreamProtocolError(f"{self.shown} broke HTTP/2") from error
        finally:
            self._reading = False

    def _hand_over(self) -> None:
        """Wake one that waits, so that somebody reads."""
        if not self._reading:
            for call in self.streams.values():
                if not call.news.is_set():
                    call.news.set()
                    return

    async def flush(self) -> None:
        """Send what the h2 library has ready."""
        data = self.h2.data_to_send()
        if not data:
            return
        self._guard.sent(len(data))
        self._watch.send_within(self.limits.answer_s)
        try:
            await self._link.send_all(data)
        except _GONE:
            self.fail("broke the connection")
        self._watch.send_within(None)

    def fail(self, how: str) -> None:
        """The connection is over: everybody is told."""
        if not self._failure:
            self._failure = how
            self._link.close()
        for call in self.streams.values():
            call.news.set()

    def rest(self) -> None:
        """After a request: an unused connection is watched for being so too long."""
        self._watch.receive_within(None if self.calls else self.limits.idle_s)

    def close(self) -> None:
        """End it at once."""
        self._watch.forget()
        self.fail("was closed")


class H2Call:
    """One request and its response. `kept` says that the connection has been idle before."""

    __slots__ = (
        "_answered",
        "_ended",
        "_fault",
        "_head",
        "_pieces",
        "_refused",
        "_reset",
        "_sent",
        "_stream_id",
        "_trailers",
        "kept",
        "news",
        "upstream",
    )

    def __init__(self, upstream: H2Upstream, *, kept: bool) -> None:
        self._stream_id = 0
        self._head: ResponseHead | None = None
        self._pieces: deque[tuple[bytes, int]] = deque()
        self._trailers: Headers = NO_HEADERS
        self._fault: UpstreamProtocolError | None = None
        self._answered = False
        self._ended = False
        self._refused = False
        self._reset = False
        self._sent = False
        self.kept = kept
        self.news = trio.Event()
        self.news.set()
        self.upstream = upstream

    @property
    def untouched(self) -> bool:
        """Whether the target has said that it did nothing (RFC 9113 section 8.7): then it may be asked again."""
        return self._refused

    # --- what comes in -----------------------------------------------------------------------------------------------

    def take(self, event: h2.events.Event) -> None:
        """Take what the connection's reader has for this stream."""
        try:
            self._take(event, self.upstream.limits.header_count)
        except UpstreamProtocolError as fault:
            self._fault = fault
            self._reset = True
        self._answered = self._answered or self._head is not None
        self.news.set()

    def _take(self, event: h2.events.Event, count: int) -> None:
        match event:
            case h2.events.ResponseReceived():
                self._head = response_head(event.headers or [], count)
            case h2.events.DataReceived():
                self._pieces.append((event.data or b"", event.flow_controlled_length or 0))
            case h2.events.TrailersReceived():
                self._trailers = trailers(event.headers or [], UpstreamProtocolError, count)
            case h2.events.StreamEnded():
                self._ended = True
            case h2.events.StreamReset():
                self._refused = event.error_code == h2.errors.ErrorCodes.REFUSED_STREAM
                self._reset = not self._ended

    def refused(self) -> None:
        """The target said that it will not look at this stream: it may be asked elsewhere."""
        self._refused = self._reset = True
        self.news.set()

    def failed(self, how: str) -> UpstreamUnavailable:
        """The exception for an end of the connection."""
        return (UpstreamUnavailable if self._answered else Stale)(f"{self.upstream.shown} {how}")

    def _check(self) -> None:
        if self._fault is not None:
            raise self._fault
        if self._reset:
            how = "refused the request" if self._refused else "took its response back"
            raise self.failed(how)

    # --- the request -------------------------------------------------------------------------------------------------

    async def begin(self, head: Head, body: bytes | None) -> None:
        """Send the request, or its head alone where the body comes in pieces (None)."""
        upstream = self.upstream
        length = head.length if body is None else len(body)
        try:
            self._stream_id = upstream.h2.get_next_available_stream_id()
            fields = encode_request(head, length, upstream.scheme)
            upstream.h2.send_headers(self._stream_id, fields, end_stream=length == 0)
        except h2.exceptions.ProtocolError as error:
            upstream.fail("takes no more requests")
            raise Stale(f"{upstream.shown} takes no more requests") from error
        upstream.streams[self._stream_id] = self
        self._sent = length == 0
        if body:
            await self.send(body, end=True)
        else:
            await upstream.flush()

    async def send_body(self, pieces: AsyncIterator[bytes], length: int) -> bool:
        """Send a body as it comes. False if the target stopped reading."""
        left = length
        async for piece in pieces:
            left -= len(piece)
            if length >= 0 and left < 0:
                raise UpstreamUnavailable("the body is longer than was said")
            if not await self.send(piece, end=False):
                return False
        if length >= 0 and left:
            raise UpstreamUnavailable("the body is shorter than was said")
        return self._sent or await self.send(b"", end=True)

    async def send(self, data: bytes, *, end: bool) -> bool:
        """Send a piece as the target's window allows. False if the target stopped reading."""
        upstream, state = self.upstream, self.upstream.h2
        rest = memoryview(data)
        while rest and not self._over():
            room = min(state.local_flow_control_window(self._stream_id), state.max_outbound_frame_size)
            if room <= 0:
                await upstream.flush()
                await upstream.wait(self, self._writable, upstream.limits.answer_s)
                continue
            piece, rest = rest[:room], rest[room:]
            state.send_data(self._stream_id, bytes(piece), end_stream=end and not rest)
            self._sent = end and not rest
        if end and not self._sent and not self._over():
            state.end_stream(self._stream_id)
            self._sent = True
        await upstream.flush()
        return not self._over()

    def _over(self) -> bool:
        return self._reset or (self._ended and not self._sent) or self.upstream.broken

    def _writable(self) -> bool:
        return self._over() or self.upstream.h2.local_flow_control_window(self._stream_id) > 0

    # --- the response ------------------------------------------------------------------------------------------------

    async def answer(self, method: str) -> None:  # noqa: ARG002 - the h2 library knows what it asked
        """Wait for the response's head."""
        await self.upstream.wait(self, lambda: self._head is not None or self._reset, self.upstream.limits.answer_s)
        if self._head is None:
            self._check()

    @property
    def head(self) -> ResponseHead:
        """The response's head."""
        assert self._head is not None
        return self._head

    @property
    def trailers(self) -> Headers:
        """Its trailers, once the body was read to its end."""
        return self._trailers

    def ready(self) -> bytes | None:
        """A piece of the body that is there already; b"" at its end; None where `read` would wait."""
        while self._pieces:
            piece, cost = self._pieces.popleft()
            if cost and not self.upstream.broken:
                self.upstream.h2.acknowledge_received_data(cost, self._stream_id)
            if piece:
                return piece
        if self._ended:
            return b""
        self._check()
        return None

    async def read(self) -> bytes:
        """Wait for the next piece of the body; b"" at its end."""
        while (piece := self.ready()) is None:
            await self.upstream.flush()
            await self.upstream.wait(
                self, lambda: bool(self._pieces) or self._ended or self._reset, self.upstream.limits.stall_s
            )
        return piece

    def end(self) -> None:
        """Leave the stream: reset it if it was not whole. What says so leaves with the next flush."""
        upstream = self.upstream
        upstream.streams.pop(self._stream_id, None)
        if not upstream.broken:
            with suppress(h2.exceptions.ProtocolError):
                if not (self._ended and self._sent) and not self._reset:
                    code = h2.errors.ErrorCodes.NO_ERROR if self._ended else h2.errors.ErrorCodes.CANCEL
                    upstream.h2.reset_stream(self._stream_id, code)
                cost = sum(cost for _, cost in self._pieces)
                if cost:
                    upstream.h2.acknowledge_received_data(cost, self._stream_id)
            self._pieces.clear()
        upstream.rest()
