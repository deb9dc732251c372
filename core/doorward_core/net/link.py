"""One connection as chunks: a raw non-blocking socket, with or without TLS beside it.

What it will not do: find messages in the chunks, set deadlines, or decide when to read: back-pressure is not reading.
Implements: section "The hot path" of ARCHITECTURE.md: wait first, no stream object, no lock and no task per message.

Invariants:

- One task reads. Several may send: bytes leave in the order of the calls, and a call returns when its bytes have left.
- A send that is cancelled leaves its unsent bytes queued, so what a peer sees is never cut and never out of order;
  the next send goes on with them. `aclose` gives up on them after its deadline.
- Nothing plain is left over when TLS begins: unsent bytes are refused here, received ones by the protocol's machine.
"""

import select
import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, TypeAlias

import trio

from doorward_core.errors import LocalProtocolError
from doorward_core.net.farewell import SHORT, Farewell, drop_until_gone
from doorward_core.net.secured import Secured

CHUNK_BYTES: Final = 65_536  # one read: four of TLS's largest records, and what the kernel has ready when busy
# Slices per sendmsg; IOV_MAX is 1,024 on Linux.
_MAX_SLICES: Final = 512
# Plain bytes per step of encryption: bounds what TLS holds besides the queue.
_SEAL_BYTES: Final = 65_536
# A silent peer is found dead after KEEPIDLE + KEEPCNT * KEEPINTVL seconds (two minutes), not after Linux's two hours.
_KEEPALIVE: Final = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))

Sendable: TypeAlias = bytes | memoryview
# Broken, closed by another task, or read by another task: in each case there is nobody to say goodbye to.
_CANNOT_SEND: Final = (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError)
_WANT: Final = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Link(Secured):
    """A connected stream socket. Raises trio.BrokenResourceError when the peer or the network has broken it."""

    __slots__ = (
        "_busy",
        "_closed",
        "_epoll",
        "_incoming",
        "_leave",
        "_out",
        "_outgoing",
        "_queued_bytes",
        "_sent_bytes",
        "_socket",
        "_turn",
        "_unread",
        "_wire",
        "more",
    )

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        if connected.family in {socket.AF_INET, socket.AF_INET6}:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _KEEPALIVE:
                connected.setsockopt(socket.IPPROTO_TCP, option, value)
        self._socket = connected
        self._closed = False
        self._epoll: select.epoll | None = None
        self._leave: Callable[[], None] | None = None  # who must hear of the end before the descriptor is gone
        # Sending: plain slices wait in _out; what is ready for the wire (the same, or TLS records) in _wire.
        self._out: deque[memoryview] = deque()
        self._wire: deque[memoryview] = deque()
        self._queued_bytes = 0  # ever, plain
        self._sent_bytes = 0  # ever, plain, as far as it has left
        self._busy = False
        self._turn: trio.Event | None = None
        self._tls = None
        self.more = False  # the socket may have something: `read_ready` says when no longer
        self._unread = True  # TLS may hold bytes, or the end, that need no further read from the socket
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()

    # --- receiving ---------------------------------------------------------------------------------------------------

    async def receive(self, max_bytes: int = CHUNK_BYTES) -> bytes:
        """Wait for bytes; b"" when the peer has ended its side. Cancellation loses nothing."""
        return await (self._receive_raw(max_bytes) if self._tls is None else self._receive_tls(max_bytes))

    async def _receive_raw(self, max_bytes: int) -> bytes:
        while True:
            self._check_open()
            try:
                await trio.lowlevel.wait_readable(self._socket)
                return self._socket.recv(max_bytes)
            except BlockingIOError:
                continue
            except OSError as error:
                raise trio.BrokenResourceError(error.strerror) from None

    async def _receive_tls(self, max_bytes: int) -> bytes:
        data: bytes | None = None
        if self._unread:
            data = self._unseal(max_bytes)
            # Bytes were there without waiting: let others run, or a flood over TLS would keep the loop to itself.
            await trio.lowlevel.cancel_shielded_checkpoint()
        while data is None:
            self._feed(await self._receive_raw(CHUNK_BYTES))
            data = self._unseal(max_bytes)
            if self._outgoing.pending and not self._busy:
                # An answer of TLS itself, to a key update for one; a peer that is gone has still sent what it sent.
                with suppress(trio.BrokenResourceError):
                    await self._drain(self._queued_bytes)
        return data

    def _feed(self, raw: bytes) -> None:
        if raw:
            self._incoming.write(raw)
        else:
            self._incoming.write_eof()

    def stale(self) -> bool:
        """Whether the peer has said something, or has ended, while nobody waited; then it is fit for closing only."""
        try:  # what TLS holds, then what the socket has, which may be TLS's own (session tickets), then its end
            return self._closed or any(self.read_ready() is not None for _ in range(3 if self._tls else 1))
        except trio.BrokenResourceError:
            return True

    def _unseal(self, max_bytes: int) -> bytes | None:
        """Plain bytes that are there; b"" at the end; None if more is needed."""
        assert self._tls is not None
        pieces: list[bytes] = []
        room = max_bytes
        self._unread = True
        try:
            while room > 0:
                piece = self._tls.read(room)
                if not piece:
                    break
                pieces.append(piece)
                room -= len(piece)
        except ssl.SSLWantReadError:
            self._unread = False
            return b"".join(pieces) if pieces else None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            pass  # close_notify, or an end without one: the protocol above knows whether it was complete
        except ssl.SSLError as error:
            raise trio.BrokenResourceError(f"TLS: {error.reason}") from None
        return b"".join(pieces)

    def read_ready(self) -> bytes | None:
        """At most one chunk of what is there without waiting: None if nothing, b"" at the end. For `net.attend`."""
        if self._tls is None or not self._unread:
            self.more = False
            try:
                raw = self._socket.recv(CHUNK_BYTES)
            except BlockingIOError:
                return None
            except OSError as error:
                raise trio.BrokenResourceError(error.strerror) from None
            self.more = len(raw) == CHUNK_BYTES
            if self._tls is None:
                return raw
            self._feed(raw)
        data = self._unseal(CHUNK_BYTES)
        if self._outgoing.pending and not self._busy:
            self._write_ready()  # an answer of TLS itself
        return data

    @property
    def unread(self) -> bool:
        """Whether TLS may hold bytes that need no more from the socket."""
        return self._unread and self._tls is not None

    def watched(self, leave: Callable[[], None]) -> socket.socket:
        """Give the socket to one who only watches it; `leave` is called before it is closed."""
        self._leave = leave
        return self._socket

    # --- sending -----------------------------------------------------------------------------------------------------

    async def send_all(self, data: Sendable | Iterable[Sendable]) -> None:
        """Send bytes, or many slices as one. Returns when they have left; does not yield if they leave at once."""
        self._check_open()
        for piece in (data,) if isinstance(data, bytes | memoryview) else data:
            if piece:
                self._out.append(memoryview(piece))
                self._queued_bytes += len(piece)
        await self._drain(self._queued_bytes)

    def offer(self, data: Sequence[Sendable]) -> bool:
        """Queue bytes and send what leaves without waiting. False: what is left, or why, is for `send_all`."""
        if self._tls is None and not (self._busy or self._out or self._wire or self._closed):
            whole = data[0] if len(data) == 1 else b"".join(data)
            try:
                sent = self._socket.send(whole)
            except OSError:
                sent = 0
            self._queued_bytes, self._sent_bytes = self._queued_bytes + sent, self._sent_bytes + sent
            if sent == len(whole):
                return True
            data = (memoryview(whole)[sent:],)
        for piece in data:
            if piece:
                self._out.append(memoryview(piece))
                self._queued_bytes += len(piece)
        return not self._busy and not self._closed and self._write_ready()

    def _write_ready(self) -> bool:
        try:
            while self._wire or self._load_wire():
                self._advance(self._push())
        except (OSError, trio.BrokenResourceError):
            return False
        return True

    @property
    def unsent_bytes(self) -> int:
        """Plain bytes that were queued and have not left (with TLS: are not sealed yet)."""
        return self._queued_bytes - self._sent_bytes

    async def _drain(self, mark: int) -> None:
        """Have everything up to `mark` leave: by writing, or by waiting for the task that writes."""
        while self._busy and self._sent_bytes < mark:
            if self._turn is None:
                self._turn = trio.Event()
            await self._turn.wait()
            self._check_open()
        if self._sent_bytes >= mark and not (self._wire or self._outgoing.pending):
            return
        self._busy = True
        try:
            await self._write()
        finally:
            self._busy = False
            if self._turn is not None:
                self._turn.set()
                self._turn = None

    async def _write(self) -> None:
        """Write until nothing is left, whoever queued it."""
        while True:
            if not self._wire and not self._load_wire():
                return
            try:
                self._advance(self._push())
            except BlockingIOError:
                self._check_open()
                await trio.lowlevel.wait_writable(self._socket)
                self._check_open()
            except OSError as error:
                raise trio.BrokenResourceError(error.strerror) from None

    def _load_wire(self) -> bool:
        """Bring the next plain slices to the wire, sealed if there is TLS. False if there are none."""
        if self._tls is None:
            self._wire, self._out = self._out, self._wire
            return bool(self._wire)
        pieces: list[memoryview] = []
        room = _SEAL_BYTES
        while self._out and room > 0:
            piece = self._out.popleft()
            if len(piece) > room:
                self._out.appendleft(piece[room:])
                piece = piece[:room]
            room -= len(piece)
            pieces.append(piece)
        if pieces:
            # One call, so that many small slices make few records.
            plain = b"".join(pieces) if len(pieces) > 1 else pieces[0]
            try:
                self._tls.write(plain)
            except ssl.SSLError as error:
                raise trio.BrokenResourceError(f"TLS: {error.reason}") from None
            self._sent_bytes += len(plain)  # sealed: it leaves in order before `_write` returns
        if self._outgoing.pending:
            self._wire.append(memoryview(self._outgoing.read()))
        return bool(self._wire)

    def _push(self) -> int:
        if len(self._wire) == 1:
            return self._socket.send(self._wire[0])
        return self._socket.sendmsg([self._wire[at] for at in range(min(len(self._wire), _MAX_SLICES))])

    def _advance(self, sent: int) -> None:
        if self._tls is None:
            self._sent_bytes += sent
        while sent:
            first = self._wire[0]
            if sent < len(first):
                self._wire[0] = first[sent:]
                return
            sent -= len(first)
            self._wire.popleft()

    # --- TLS ---------------------------------------------------------------------------------------------------------

    async def start_tls_server(self, context: ssl.SSLContext, early: bytes = b"") -> None:
        """Shake hands as the server. `early` is the ClientHello where the client began with it (direct TLS)."""
        await self._start_tls(context.wrap_bio(self._incoming, self._outgoing, server_side=True), early)

    async def start_tls_client(self, context: ssl.SSLContext, host: str) -> None:
        """Shake hands as the client of `host`, whose name or address the certificate must carry."""
        await self._start_tls(context.wrap_bio(self._incoming, self._outgoing, server_hostname=host), b"")

    async def _start_tls(self, tls: ssl.SSLObject, early: bytes) -> None:
        """Cancelled or failed, the link is fit for closing only."""
        if self._tls is not None or self._busy or self.unsent_bytes:
            raise LocalProtocolError("TLS was started twice, or over unsent bytes")
        self._tls = tls
        if early:
            self._incoming.write(early)
        while True:
            try:
                tls.do_handshake()
            except _WANT:
                await self._drain_handshake()
                raw = await self._receive_raw(CHUNK_BYTES)
                if not raw:
                    raise trio.BrokenResourceError("the peer left during the TLS handshake") from None
                self._incoming.write(raw)
            except (ssl.SSLError, ssl.CertificateError) as error:
                with suppress(trio.BrokenResourceError):
                    await self._drain_handshake()  # the alert that says why
                raise trio.BrokenResourceError(f"TLS handshake: {error}") from None
            else:
                await self._drain_handshake()
                return

    async def _drain_handshake(self) -> None:
        if self._outgoing.pending:
            await self._drain(self._queued_bytes)

    # --- the end -----------------------------------------------------------------------------------------------------

    async def wait_hangup(self) -> None:
        """Wait until the peer has ended its side or the connection has broken, whatever is unread before it.

        An epoll set of its own watches EPOLLRDHUP: the loop's own set looks for readable bytes, and those hide it.
        """
        self._check_open()
        if self._epoll is None:
            self._epoll = select.epoll()
            self._epoll.register(self._socket, select.EPOLLRDHUP)  # EPOLLHUP and EPOLLERR come unasked
        await trio.lowlevel.wait_readable(self._epoll.fileno())

    async def aclose(self, farewell: Farewell = SHORT) -> None:
        """Send what is queued, say goodbye, wait within bounds for the peer to have read it, and close.

        Cancelled, it closes at once.
        """
        try:
            with trio.move_on_after(farewell.whole_s), suppress(*_CANNOT_SEND):
                await self._goodbye(farewell)
        finally:
            self.close()

    async def _goodbye(self, farewell: Farewell) -> None:
        self._check_open()
        await self._drain(self._queued_bytes)
        if self._tls is not None:
            with suppress(ssl.SSLError, ValueError):
                self._tls.unwrap()  # queues close_notify; its answer is of no interest
            await self._drain_handshake()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        await drop_until_gone(farewell, self._receive_raw, self.wait_hangup)

    def duplicate(self) -> socket.socket:
        """The connection on a descriptor of the caller's own, to close; from here on nothing is read or sent here."""
        self._check_open()
        return self._socket.dup()

    def close(self) -> None:
        """Close at once; tasks that wait here are woken with trio.ClosedResourceError."""
        if self._closed:
            return
        self._closed = True
        if self._leave is not None:
            self._leave()
        if self._epoll is not None:
            trio.lowlevel.notify_closing(self._epoll.fileno())
            self._epoll.close()
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this link was closed")
