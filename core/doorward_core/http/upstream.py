"""The connections to one target: kept, bounded, and used again only where that is safe.

What it will not do: follow redirects, keep cookies, decompress, or repeat what may have had an effect.
Implements: RFC 9110 section 9.2.2 (which requests may be repeated), RFC 9112 section 9.3.1 (retrying requests).

Invariants:

- A request is sent a second time only over a connection that was kept, that ended before it said anything in answer,
  and only if the method is idempotent and the body is at hand.
- A connection whose request or response was not whole is closed, so that no answer is taken for another's.
- There is a bound to the connections, and to the time that a request waits for one.

Cancelled anywhere, a request leaves no connection behind that is half used.
"""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Protocol, Self

import trio

from doorward_core.errors import GatewayError, UpstreamUnavailable
from doorward_core.http.dial import UpstreamSettings, dial
from doorward_core.http.messages import IDEMPOTENT, Head, Headers, ResponseHead
from doorward_core.http.upstream_h1 import H1Response, H1Upstream, Stale, request_bytes
from doorward_core.net.link import Link


class UpstreamResponse(Protocol):
    """A response, as it comes in. Reading raises UpstreamUnavailable or UpstreamProtocolError if it is not whole."""

    @property
    def head(self) -> ResponseHead:
        """Its head: hop-by-hop headers and all, as the target sent them."""
        ...

    @property
    def trailers(self) -> Headers:
        """Its trailers, once the body was read to its end."""
        ...

    def ready(self) -> bytes | None:
        """A piece of the body that is there already; b"" at its end; None where `read` would wait."""
        ...

    async def read(self) -> bytes:
        """Wait for the next piece of the body; b"" at its end."""
        ...


class UpstreamPool:
    """The connections to one target."""

    def __init__(self, settings: UpstreamSettings) -> None:
        self.settings = settings
        self._idle: deque[H1Upstream] = deque()
        self._places = trio.Semaphore(settings.limits.connections)
        self._closed = False

    def request(
        self, head: Head, body: bytes | AsyncIterator[bytes] = b""
    ) -> AbstractAsyncContextManager[UpstreamResponse]:
        """Send a request and wait for the head of its response: `async with pool.request(head, body) as response`.

        Of `head` count the method, the target, the authority (as Host), the end-to-end headers, and `length` where
        `body` comes in pieces: it is sent in chunks if that is -1. What `body` raises is raised here.
        Raises UpstreamUnavailable, UpstreamTimeout or UpstreamProtocolError.
        """
        return _H1Call(self, head, body)

    def upgrade(self, head: Head) -> "Upgrade":
        """Ask to leave HTTP for `head.upgrade`: `async with pool.upgrade(head) as answer`, and look at its status."""
        return Upgrade(self, head)

    async def acquire(self, *, kept: bool = True) -> H1Upstream:
        """A connection for one request, kept from an earlier one if there is one that is still good."""
        await self._place()
        try:
            while kept and self._idle:
                upstream = self._idle.pop()
                if upstream.fresh():
                    upstream.watch.receive_within(None)
                    return upstream
                upstream.close()
            return H1Upstream(await dial(self.settings), self.settings.limits, self.settings.shown)
        except BaseException:
            self._places.release()
            raise

    async def _place(self) -> None:
        try:
            self._places.acquire_nowait()
        except trio.WouldBlock:
            with trio.move_on_after(self.settings.limits.queue_s):
                await self._places.acquire()
                return
            raise UpstreamUnavailable(f"every connection to {self.settings.shown} is busy") from None

    def release(self, upstream: H1Upstream, *, whole: bool) -> None:
        """Give a connection back; one that is not whole is closed."""
        self._places.release()
        while self._idle and self._idle[0].watch.expired:
            self._idle.popleft().close()
        if whole and not self._closed and len(self._idle) < self.settings.limits.idle_connections:
            upstream.rest()
            self._idle.append(upstream)
        else:
            upstream.close()

    def close(self) -> None:
        """Close what is idle; what is in use closes when it is given back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()


class _H1Call:
    """One request over HTTP/1.1."""

    __slots__ = (
        "_body",
        "_broken",
        "_head",
        "_nursery",
        "_nursery_manager",
        "_pool",
        "_response",
        "_sent",
        "_upstream",
    )

    def __init__(self, pool: UpstreamPool, head: Head, body: bytes | AsyncIterator[bytes]) -> None:
        self._pool = pool
        self._head = head
        self._body = body
        self._sent = False
        self._broken: Exception | None = None
        self._upstream: H1Upstream | None = None
        self._response: H1Response | None = None
        self._nursery: trio.Nursery | None = None
        self._nursery_manager: AbstractAsyncContextManager[trio.Nursery] | None = None

    async def __aenter__(self) -> H1Response:
        try:
            self._response = await self._ask()
        except BaseException:
            await self._close(whole=False)
            raise
        return self._response

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close(whole=error is None)

    async def _ask(self) -> H1Response:
        """Ask once, or twice where the first connection was found to have ended."""
        self._upstream = upstream = await self._pool.acquire()
        try:
            return await self._ask_over(upstream)
        except Stale:
            if not (upstream.used and isinstance(self._body, bytes) and self._head.method in IDEMPOTENT):
                raise
        self._release(whole=False)
        self._upstream = upstream = await self._pool.acquire(kept=False)
        return await self._ask_over(upstream)

    async def _ask_over(self, upstream: H1Upstream) -> H1Response:
        body, head = self._body, self._head
        if isinstance(body, bytes):
            first = request_bytes(head, len(body))
            await upstream.send([first, body] if body else [first])
            self._sent = True
            return H1Response(upstream, await upstream.read_head(head.method))
        await upstream.send([request_bytes(head, head.length)])
        self._nursery_manager = trio.open_nursery()
        self._nursery = await self._nursery_manager.__aenter__()
        waiting = trio.CancelScope()
        self._nursery.start_soon(self._upload, upstream, body, waiting)
        with waiting:
            return H1Response(upstream, await upstream.read_head(head.method))
        assert self._broken is not None
        raise self._broken

    async def _upload(self, upstream: H1Upstream, body: AsyncIterator[bytes], waiting: trio.CancelScope) -> None:
        """Send the body beside reading the response; what the body raises ends the wait for the response."""
        try:
            self._sent = await upstream.send_body(body, self._head.length)
        except (GatewayError, trio.BrokenResourceError) as error:
            self._broken = error
            waiting.cancel()

    async def _close(self, *, whole: bool) -> None:
        manager, nursery = self._nursery_manager, self._nursery
        try:
            if manager is not None and nursery is not None:
                self._nursery_manager = None
                nursery.cancel_scope.cancel()  # an answer was given before the body was all there: the rest is moot
                await manager.__aexit__(None, None, None)
        finally:
            self._release(whole=whole and self._sent and self._response is not None and self._response.whole)

    def _release(self, *, whole: bool) -> None:
        if self._upstream is not None:
            self._pool.release(self._upstream, whole=whole)
            self._upstream = None


class Upgrade:
    """The attempt to leave HTTP. Its connection is never used again, whatever came of it."""

    __slots__ = ("_asked", "_pool", "_upstream", "head")

    def __init__(self, pool: UpstreamPool, head: Head) -> None:
        self._pool = pool
        self._asked = head
        self._upstream: H1Upstream | None = None
        self.head = ResponseHead(0)

    async def __aenter__(self) -> Self:
        self._upstream = upstream = await self._pool.acquire(kept=False)
        try:
            await upstream.send([request_bytes(self._asked, 0, self._asked.upgrade)])
            self.head = await upstream.read_head(self._asked.method, upgrade=True)
            self._check(upstream)
        except BaseException:
            self._end()
            raise
        return self

    def _check(self, upstream: H1Upstream) -> None:
        framing = upstream.reader.framing
        if self.upgraded and (framing is None or framing.upgrade != self._asked.upgrade):
            raise UpstreamUnavailable("the target changed to another protocol than it was asked for")

    @property
    def upgraded(self) -> bool:
        """Whether the target agreed: only then is there a stream; else it is a response like any other."""
        return self.head.status == 101  # noqa: PLR2004 - Switching Protocols

    def stream(self) -> tuple[Link, bytes]:
        """The stream, and what the target has already sent on it. Raises UpstreamUnavailable if it did not agree."""
        if self._upstream is None or not self.upgraded:
            raise UpstreamUnavailable("the target did not agree to upgrade")
        return self._upstream.link, self._upstream.reader.take_rest()

    @property
    def response(self) -> H1Response:
        """The refusal, to be read."""
        if self._upstream is None or self.upgraded:
            raise UpstreamUnavailable("the target agreed to upgrade: there is no response")
        return H1Response(self._upstream, self.head)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        if self._upstream is not None:
            self._pool.release(self._upstream, whole=False)
            self._upstream = None
