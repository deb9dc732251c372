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
from typing import Final, Protocol, Self

import trio

from doorward_core.errors import GatewayError, UpstreamProtocolError, UpstreamUnavailable
from doorward_core.http.dial import UpstreamSettings, dial
from doorward_core.http.messages import IDEMPOTENT, Head, Headers, ResponseHead
from doorward_core.http.upstream_h1 import H1Call, H1Upstream, Stale, request_bytes
from doorward_core.http.upstream_h2 import H2Call, H2Upstream
from doorward_core.net.link import Link

# What a target may take to read that a stream is over, while its caller has been cancelled.
_GOODBYE_S: Final = 1.0


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
        self._shared: list[H2Upstream] = []
        self._dialling = trio.Lock()  # where h2 is offered: who comes second may share what the first gets
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
        return _Request(self, head, body)

    def upgrade(self, head: Head) -> "Upgrade":
        """Ask to leave HTTP for `head.upgrade`: `async with pool.upgrade(head) as answer`, and look at its status."""
        return Upgrade(self, head)

    async def acquire(self, *, kept: bool = True, shared: bool = True) -> H1Call | H2Call:
        """A connection for one request, kept from an earlier one if there is one that is still good."""
        offers_h2 = shared and (self.settings.http2 or self.settings.prior_knowledge)
        if offers_h2 and (call := self._join(kept=True)) is not None:
            return call
        await self._place()
        try:
            while kept and self._idle:
                upstream = self._idle.pop()
                if upstream.fresh():
                    upstream.watch.receive_within(None)
                    return H1Call(upstream, kept=True)
                upstream.close()
            if not offers_h2:
                return self._h1(await dial(self.settings, h2=False))
            async with self._dialling:
                call = self._join(kept=False)
                if call is not None:
                    self._places.release()
                    return call
                return await self._dial_h2()
        except BaseException:
            self._places.release()
            raise

    def _h1(self, link: Link) -> H1Call:
        return H1Call(H1Upstream(link, self.settings.limits, self.settings.shown), kept=False)

    async def _dial_h2(self) -> H1Call | H2Call:
        link = await dial(self.settings)
        if link.alpn != "h2" and not self.settings.prior_knowledge:
            return self._h1(link)
        upstream = H2Upstream(link, self.settings.limits, self.settings.shown)
        try:
            await upstream.begin()
        except BaseException:
            upstream.close()
            raise
        self._shared.append(upstream)
        upstream.calls += 1
        return H2Call(upstream, kept=False)

    def _join(self, *, kept: bool) -> H2Call | None:
        """A place on an h2 connection that there is. Those that are of no more use are closed on the way."""
        found = None
        for upstream in list(self._shared):
            if upstream.usable():
                found = found or upstream
            self._prune(upstream)
        if found is None:
            return None
        found.calls += 1
        found.rest()
        return H2Call(found, kept=kept)

    def _prune(self, upstream: H2Upstream) -> None:
        if (upstream.dead or self._closed) and not upstream.calls:
            self._shared.remove(upstream)
            upstream.close()
            self._places.release()

    async def _place(self) -> None:
        try:
            self._places.acquire_nowait()
        except trio.WouldBlock:
            with trio.move_on_after(self.settings.limits.queue_s):
                await self._places.acquire()
                return
            raise UpstreamUnavailable(f"every connection to {self.settings.shown} is busy") from None

    def release(self, call: H1Call | H2Call, *, whole: bool) -> None:
        """Give a connection back; one over HTTP/1.1 that is not whole is closed."""
        if isinstance(call, H2Call):
            call.upstream.calls -= 1
            call.end()
            self._prune(call.upstream)
            return
        self._places.release()
        while self._idle and self._idle[0].watch.expired:
            self._idle.popleft().close()
        if whole and call.whole and not self._closed and len(self._idle) < self.settings.limits.idle_connections:
            call.upstream.rest()
            self._idle.append(call.upstream)
        else:
            call.upstream.close()

    def close(self) -> None:
        """Close what is idle; what is in use closes when it is given back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
        for upstream in list(self._shared):
            self._prune(upstream)


class _Request:
    """One request, from its sending to the end of its response."""

    __slots__ = ("_body", "_broken", "_call", "_head", "_nursery", "_nursery_manager", "_pool")

    def __init__(self, pool: UpstreamPool, head: Head, body: bytes | AsyncIterator[bytes]) -> None:
        self._pool = pool
        self._head = head
        self._body = body
        self._broken: Exception | None = None
        self._call: H1Call | H2Call | None = None
        self._nursery: trio.Nursery | None = None
        self._nursery_manager: AbstractAsyncContextManager[trio.Nursery] | None = None

    async def __aenter__(self) -> UpstreamResponse:
        try:
            return await self._ask()
        except BaseException:
            await self._close(whole=False)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close(whole=error is None)

    async def _ask(self) -> UpstreamResponse:
        """Ask once, or twice where that cannot do anything twice."""
        self._call = call = await self._pool.acquire()
        try:
            return await self._ask_over(call)
        except Stale:
            harmless = call.untouched or (call.kept and self._head.method in IDEMPOTENT)
            if not (harmless and isinstance(self._body, bytes)):
                raise
        self._release(whole=False)
        self._call = call = await self._pool.acquire(kept=False)
        return await self._ask_over(call)

    async def _ask_over(self, call: H1Call | H2Call) -> UpstreamResponse:
        body, head = self._body, self._head
        if isinstance(body, bytes):
            await call.begin(head, body)
            await call.answer(head.method)
            return call
        await call.begin(head, None)
        self._nursery_manager = trio.open_nursery()
        self._nursery = await self._nursery_manager.__aenter__()
        waiting = trio.CancelScope()
        self._nursery.start_soon(self._upload, call, body, waiting)
        with waiting:
            await call.answer(head.method)
            return call
        assert self._broken is not None
        raise self._broken

    async def _upload(self, call: H1Call | H2Call, body: AsyncIterator[bytes], waiting: trio.CancelScope) -> None:
        """Send the body beside reading the response; what the body raises ends the wait for the response."""
        try:
            await call.send_body(body, self._head.length)
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
            call = self._call
            self._release(whole=whole)
            if isinstance(call, H2Call):
                with trio.move_on_after(_GOODBYE_S, shield=True):
                    await call.upstream.flush()  # what tells the target that nobody listens any more

    def _release(self, *, whole: bool) -> None:
        if self._call is not None:
            self._pool.release(self._call, whole=whole)
            self._call = None


class Upgrade:
    """The attempt to leave HTTP. Its connection is never used again, whatever came of it."""

    __slots__ = ("_asked", "_call", "_pool")

    def __init__(self, pool: UpstreamPool, head: Head) -> None:
        self._pool = pool
        self._asked = head
        self._call: H1Call | None = None

    async def __aenter__(self) -> Self:
        call = await self._pool.acquire(kept=False, shared=False)
        assert isinstance(call, H1Call)
        self._call = call
        try:
            await call.upstream.send([request_bytes(self._asked, 0, self._asked.upgrade)])
            await call.answer(self._asked.method, upgrade=True)
            self._check(call)
        except BaseException:
            self._end()
            raise
        return self

    def _check(self, call: H1Call) -> None:
        framing = call.upstream.reader.framing
        if self.upgraded and (framing is None or framing.upgrade != self._asked.upgrade):
            raise UpstreamProtocolError("the target changed to another protocol than it was asked for")

    @property
    def head(self) -> ResponseHead:
        """What the target answered."""
        assert self._call is not None
        return self._call.head

    @property
    def upgraded(self) -> bool:
        """Whether the target agreed: only then is there a stream; else it is a response like any other."""
        return self.head.status == 101  # noqa: PLR2004 - Switching Protocols

    def stream(self) -> tuple[Link, bytes]:
        """The stream, and what the target has already sent on it. Raises UpstreamUnavailable if it did not agree."""
        if self._call is None or not self.upgraded:
            raise UpstreamUnavailable("the target did not agree to upgrade")
        return self._call.upstream.link, self._call.upstream.reader.take_rest()

    @property
    def response(self) -> UpstreamResponse:
        """The refusal, to be read."""
        if self._call is None or self.upgraded:
            raise UpstreamUnavailable("the target agreed to upgrade: there is no response")
        return self._call

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        if self._call is not None:
            self._pool.release(self._call, whole=False)
            self._call = None
