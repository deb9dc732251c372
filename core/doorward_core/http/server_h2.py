"""One HTTP/2 connection from a client: one task reads, each stream's handler runs in a task of its own.

What it will not do: HPACK, frames and the streams' states, which are the h2 library's; push; extended CONNECT.
Implements: RFC 9113 sections 3.4 (preface), 5.4 (errors), 6.8 (GOAWAY), 8 (HTTP) and 10.5 (denial of service).

Invariants:

- What a peer can make us keep is bounded: handlers, windows, header blocks, tables, and frames that ask for nothing.
- What goes wrong on the wire ends the connection with GOAWAY; what goes wrong in a head is answered on its stream.
- Handlers are not cut short when their client goes: they are told, as over HTTP/1.1.
"""

from contextlib import suppress
from typing import Final

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import trio

from doorward_core.errors import ClientProtocolError
from doorward_core.http.deadlines import Watch
from doorward_core.http.h2_guard import FloodGuard
from doorward_core.http.h2_wire import encode_response, request_head, trailers
from doorward_core.http.limits import HttpLimits
from doorward_core.http.messages import BadRequest, Head
from doorward_core.http.problem import problem
from doorward_core.http.server_h1 import Handler, Refused
from doorward_core.http.server_h2_stream import H2Exchange, Stream
from doorward_core.model import Peer
from doorward_core.net.listen import Connection

_READ_BYTES: Final = 65_536
# What a client may have our encoder remember; more of it saves a client nothing.
_MAX_TABLE_BYTES: Final = 4096
# What a client that has said goodbye may take to hang up.
_LEAVE_S: Final = 1.0
_GONE: Final = (trio.BrokenResourceError, trio.ClosedResourceError)


def new_state(limits: HttpLimits) -> h2.connection.H2Connection:
    """The h2 library's side of a connection, with our bounds in its settings."""
    state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
    codes = h2.settings.SettingCodes
    initial = {
        codes.MAX_CONCURRENT_STREAMS: limits.streams,
        codes.MAX_HEADER_LIST_SIZE: limits.head_bytes,
        codes.INITIAL_WINDOW_SIZE: limits.stream_window_bytes,
    }
    state.local_settings = h2.settings.Settings(client=False, initial_values=initial)
    state.decoder.max_header_list_size = limits.head_bytes
    return state


class H2Connection:
    """The connection."""

    def __init__(
        self, connection: Connection, peer: Peer, connection_id: int, handler: Handler, limits: HttpLimits
    ) -> None:
        self._connection = connection
        self._handler = handler
        self._link = connection.link
        self._scheme = "https" if peer.encrypted else "http"
        self._watch = Watch(connection.link, connection.draining)
        self._guard = FloodGuard(ClientProtocolError, limits.head_bytes, preface=True)
        self._streams: dict[int, Stream] = {}
        self._on_refused: Refused | None = None
        self.id = connection_id
        self.peer = peer
        self.limits = limits
        self.h2 = new_state(limits)

    async def serve(self, on_refused: Refused | None) -> None:
        """Serve streams until either side has had enough."""
        self._on_refused = on_refused
        try:
            async with trio.open_nursery() as nursery:
                try:
                    await self._read(nursery)
                except (ClientProtocolError, h2.exceptions.H2Error):
                    self._lose()
                    await self._goodbye()
                except _GONE:
                    pass  # the client has gone: there is nobody to tell
                finally:
                    self._link.close()
                    self._lose()
        finally:
            self._watch.forget()

    def _lose(self) -> None:
        for stream in self._streams.values():
            stream.lost()

    async def _read(self, nursery: trio.Nursery) -> None:
        self.h2.initiate_connection()
        more = self.limits.connection_window_bytes - self.h2.inbound_flow_control_window
        if more > 0:
            self.h2.increment_flow_control_window(more)
        self._watch.receive_within(self.limits.head_s)
        await self.flush()
        while True:
            data = await self._link.receive(_READ_BYTES)
            if not data:
                return
            for event in self.h2.receive_data(self._guard.receive(data, trio.current_time())):
                self._take(event, nursery)
            self._rest()
            await self.flush()

    def _rest(self) -> None:
        """A connection without streams may be idle for a while, and goes when the gateway does."""
        leaving = self._guard.goaway is not None
        self._watch.idle = not self._streams
        self._watch.receive_within(None if self._streams else _LEAVE_S if leaving else self.limits.idle_s)

    def _take(self, event: h2.events.Event, nursery: trio.Nursery) -> None:
        match event:
            case h2.events.RequestReceived():
                self._request(event, nursery)
            case h2.events.DataReceived():
                self._data(event)
            case h2.events.TrailersReceived():
                self._trailers(event)
            case h2.events.StreamEnded() | h2.events.StreamReset():
                self._ended(event)
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                # What our encoder keeps is ours to bound, whatever the client offers to remember.
                self.h2.encoder.header_table_size = min(self.h2.encoder.header_table_size, _MAX_TABLE_BYTES)
                for stream in self._streams.values():
                    stream.writable.set()

    def _request(self, event: h2.events.RequestReceived, nursery: trio.Nursery) -> None:
        ended = event.stream_ended is not None
        if self._connection.draining.is_set() or len(self._streams) >= self.limits.streams:
            self._guard.charge_reset()
            self.h2.reset_stream(event.stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
            return
        try:
            head = request_head(event.headers or [], self._scheme, self.limits, ended=ended)
        except BadRequest as refused:
            self._guard.charge_reset()
            self._refuse(event.stream_id, refused, ended=ended)
            return
        stream = self._streams[event.stream_id] = Stream(ended=ended)
        nursery.start_soon(self._handle, event.stream_id, stream, head)

    def _refuse(self, stream_id: int, refused: BadRequest, *, ended: bool) -> None:
        """Answer a request that no handler saw, and read nothing more of it."""
        if self._on_refused is not None:
            self._on_refused(refused, self.peer, self.id)
        head, body = problem(refused.status, refused.detail)
        self.h2.send_headers(stream_id, encode_response(head))
        if self.h2.local_flow_control_window(stream_id) >= len(body):
            self.h2.send_data(stream_id, body, end_stream=True)
            if ended:
                return
        self.h2.reset_stream(stream_id, h2.errors.ErrorCodes.NO_ERROR)

    def _data(self, event: h2.events.DataReceived) -> None:
        stream = self._streams.get(event.stream_id)
        cost = event.flow_controlled_length or 0
        if stream is None or stream.gone.is_set():
            if cost:
                self.h2.acknowledge_received_data(cost, event.stream_id)
            return
        stream.pieces.append((event.data or b"", cost))
        stream.readable.set()

    def _ended(self, event: h2.events.StreamEnded | h2.events.StreamReset) -> None:
        stream = self._streams.get(event.stream_id)
        if isinstance(event, h2.events.StreamReset):
            if not event.remote_reset:
                self._guard.charge_reset()  # the client made the library do it
            if stream is not None:
                stream.lost()
        elif stream is not None:
            stream.ended = True
            stream.readable.set()

    def _trailers(self, event: h2.events.TrailersReceived) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is None:
            return
        try:
            stream.trailers = trailers(event.headers or [], BadRequest, self.limits.header_count)
        except BadRequest as fault:
            stream.fault = fault
            stream.readable.set()

    async def _handle(self, stream_id: int, stream: Stream, head: Head) -> None:
        """Run one handler, to the end of its stream."""
        exchange = H2Exchange(self, stream_id, stream, head)
        try:
            try:
                await self._handler(exchange)
            except BadRequest as refused:
                if not exchange.started:
                    await exchange.respond(*problem(refused.status, refused.detail))
            except _GONE:
                exchange.cut()
            await exchange.settle()
        except _GONE:
            return
        except h2.exceptions.ProtocolError:
            return  # the stream or the connection ended under it
        finally:
            del self._streams[stream_id]
            self._rest()

    async def flush(self) -> None:
        """Send what the h2 library has ready."""
        data = self.h2.data_to_send()
        if data:
            self._guard.sent(len(data))
            self._watch.send_within(self.limits.stall_s)
            await self._link.send_all(data)
            self._watch.send_within(None)

    def established(self) -> None:
        """Tell the listener that this client has proved who it is."""
        self._connection.established()

    async def _goodbye(self) -> None:
        """Say that the connection ends, and why as far as HTTP/2 has words for it."""
        with suppress(h2.exceptions.ProtocolError):  # the h2 library has said so already
            self.h2.close_connection(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)
        try:
            await self.flush()
            await self._link.aclose()
        except _GONE:
            return
