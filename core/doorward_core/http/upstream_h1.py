"""One HTTP/1.1 connection to a target, one request at a time.

What it will not do: choose or keep connections (`upstream`), or parse (`h1_wire`).
Implements: RFC 9112 sections 6 and 9 from the client's side, RFC 9110 section 15.2 (informational responses).

Invariants:

- What is sent is framed from the body that there is: a client's own framing and connection headers never go on.
- A connection is used again only if request and response were whole and nothing came unasked.
- An informational response is dropped; 101 is an answer only where an upgrade was asked for.
"""

from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Final

import trio

from doorward_core.errors import UpstreamProtocolError, UpstreamUnavailable
from doorward_core.http.deadlines import Watch
from doorward_core.http.fields import FRAMING, end_to_end
from doorward_core.http.h1_chunks import LAST_CHUNK, encode_chunk
from doorward_core.http.h1_wire import ResponseReader, encode_request
from doorward_core.http.limits import KIB, UpstreamLimits
from doorward_core.http.messages import Head, Headers, ResponseHead, UpstreamTimeout
from doorward_core.net.link import Link

_HEAD_READ_BYTES: Final = 64 * KIB
_SWITCHING: Final = 101
_FIRST_FINAL: Final = 200
# 100 and a few early hints; who sends more is not answering.
_MAX_INFORMATIONAL: Final = 8
_OURS: Final = FRAMING | {b"host", b"expect"}
# RFC 9110 section 8.6: methods whose request means a body say so even where it is empty.
_BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})


class Stale(UpstreamUnavailable):
    """The target ended the connection before it said anything in answer."""


@lru_cache(maxsize=64)
def request_bytes(head: Head, length: int, upgrade: str = "") -> bytes:
    """The head as it is sent: `length` of the body, or -1 where it is sent in chunks."""
    headers: list[tuple[bytes, bytes]] = [(b"host", head.authority.encode("ascii"))]
    headers += [header for header in end_to_end(head.headers) if header[0] not in _OURS]
    if upgrade:
        headers += [(b"connection", b"upgrade"), (b"upgrade", upgrade.encode("latin-1"))]
    elif length < 0:
        headers.append((b"transfer-encoding", b"chunked"))
    elif length or head.method in _BODY_METHODS:
        headers.append((b"content-length", b"%d" % length))
    return encode_request(head.method, head.target, tuple(headers))


class H1Upstream:
    """The connection. Between requests it is idle, and watched for being so too long."""

    __slots__ = ("_shown", "answered", "limits", "link", "reader", "watch")

    def __init__(self, link: Link, limits: UpstreamLimits, shown: str) -> None:
        self._shown = shown
        self.link = link
        self.limits = limits
        self.reader = ResponseReader(limits)
        self.watch = Watch(link)
        self.answered = False  # has said anything in answer to this one

    def fresh(self) -> bool:
        """Whether it can take a request: alive, and silent since its last answer."""
        return not (self.watch.expired or self.link.stale())

    def rest(self) -> None:
        """Go idle."""
        self.answered = False
        self.watch.receive_within(self.limits.idle_s)

    def close(self) -> None:
        """End it."""
        self.watch.forget()
        self.link.close()

    async def send(self, slices: list[bytes]) -> None:
        """Send within the time that a target may take to read. Raises Stale if nobody reads."""
        if len(slices) == 1 and self.link.offer(slices):
            return  # it has left, as a request mostly does
        self.watch.send_within(self.limits.answer_s)
        try:
            await self.link.send_all(slices if len(slices) > 1 else ())
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise self._failed("ended the connection while it was being asked") from None
        self.watch.send_within(None)

    async def receive(self, max_bytes: int, within_s: float | None) -> None:
        """Have the reader receive more, or the end."""
        self.watch.receive_within(within_s)
        try:
            data = await self.link.receive(max_bytes)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise self._failed("broke the connection") from None
        self.watch.receive_within(None)
        if data:
            self.answered = True
        elif not self.answered:
            raise self._failed("ended the connection without an answer")
        self.reader.receive(data)

    def _failed(self, what: str) -> UpstreamUnavailable:
        if self.watch.expired:
            return UpstreamTimeout(f"{self._shown} was silent for too long")
        return (UpstreamUnavailable if self.answered else Stale)(f"{self._shown} {what}")

    async def read_head(self, method: str, *, upgrade: bool = False) -> ResponseHead:
        """Wait for the response's head."""
        for _ in range(_MAX_INFORMATIONAL):
            while (head := self.reader.next_head(method)) is None:
                if self.reader.ended:
                    raise self._failed("ended the connection without an answer")
                await self.receive(_HEAD_READ_BYTES, self.limits.answer_s)
            if head.status >= _FIRST_FINAL or (head.status == _SWITCHING and upgrade):
                return head
            if head.status == _SWITCHING:
                raise UpstreamProtocolError("the target changed protocols without being asked to")
        raise UpstreamProtocolError("the target sent too many informational responses")


class H1Call:
    """One request and its response. `kept` says that the connection has answered another request before."""

    __slots__ = ("_head", "_sent", "kept", "untouched", "upstream")

    def __init__(self, upstream: H1Upstream, *, kept: bool) -> None:
        self._head: ResponseHead | None = None
        self._sent = False
        self.kept = kept
        self.untouched = False  # over HTTP/1.1 a target cannot say that it did nothing
        self.upstream = upstream

    async def begin(self, head: Head, body: bytes | None) -> None:
        """Send the request, or its head alone where the body comes in pieces (None)."""
        if body is None:
            await self.upstream.send([request_bytes(head, head.length)])
            return
        first = request_bytes(head, len(body))
        await self.upstream.send([first, body] if body else [first])
        self._sent = True

    async def send_body(self, pieces: AsyncIterator[bytes], length: int) -> None:
        """Send a body as it comes, in chunks where `length` is -1. It ends early if the target stops reading."""
        left = length
        async for piece in pieces:
            left -= len(piece)
            if length >= 0 and left < 0:
                raise UpstreamUnavailable("the body is longer than was said")
            if piece and not await self._send([piece] if length >= 0 else list(encode_chunk(piece))):
                return
        if length >= 0 and left:
            raise UpstreamUnavailable("the body is shorter than was said")
        self._sent = length >= 0 or await self._send([LAST_CHUNK])

    async def _send(self, slices: list[bytes]) -> bool:
        try:
            await self.upstream.send(slices)
        except UpstreamUnavailable:
            return False  # it may have answered all the same: the response decides
        return True

    async def answer(self, method: str, *, upgrade: bool = False) -> None:
        """Wait for the response's head."""
        self._head = await self.upstream.read_head(method, upgrade=upgrade)

    @property
    def head(self) -> ResponseHead:
        """The response's head."""
        assert self._head is not None
        return self._head

    def ready(self) -> bytes | None:
        """A piece of the body that is there already; b"" at its end; None where `read` would wait."""
        return self.upstream.reader.next_data()

    async def read(self) -> bytes:
        """Wait for the next piece of the body; b"" at its end."""
        upstream = self.upstream
        while (piece := upstream.reader.next_data()) is None:
            await upstream.receive(upstream.limits.read_bytes, upstream.limits.stall_s)
        return piece

    @property
    def trailers(self) -> Headers:
        """Its trailers, once the body was read to its end."""
        return self.upstream.reader.trailers

    @property
    def whole(self) -> bool:
        """Whether request and response were whole, and the connection may be used again."""
        reader = self.upstream.reader
        return self._sent and self._head is not None and reader.body_done and not (reader.close or reader.waiting_bytes)
