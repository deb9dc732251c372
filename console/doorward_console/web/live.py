"""A page that changes by itself: server-sent events, as long as the person may see them and the desk is up.

What it is: one stream to one browser. It watches every gateway for changes on that person's behalf, and sends a piece
of a page again whenever it has become another.
What it will not do: carry a change to us (a stream is a GET), or keep somebody logged in who is not there: watching
does not count as being seen.

Implements the HTML standard's server-sent events, section 9.2.5 (the stream) and 9.2.6.
Invariants: streams are bounded in number, for each session and together; a stream ends with its session, with the token
that it asks with, and with the desk.
"""

import math
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import trio
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from doorward_console.web.desk import Desk
from doorward_console.web.reach import WAIT_S, Gateway, GatewayDown, GatewayRefused
from doorward_console.web.sessions import WebSession

MAX_EACH: Final = 4
"""Of one session: tabs that are left open. HTTP/1.1 browsers open six connections, and pages need some of them."""
MAX_TOGETHER: Final = 200
AGAIN_S: Final = 20.0
"""How often a piece is sent though nothing changed: what it says of time left grows old, and silent connections die."""
BETWEEN_S: Final = 0.25
"""Two questions about changes to one gateway are at least so far apart, however quickly it answers."""
RETRY_S: Final = 2.0
"""After a gateway that was down, or that has no room for one who waits."""
_HEADERS: Final = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}

Piece = Callable[[], Awaitable[tuple[object, str]]]
"""Asks and renders: what would make the piece another one, and the piece itself."""


@dataclass(slots=True)
class Streams:
    """How many streams there are, by session."""

    open: Counter[int] = field(default_factory=Counter)

    def full(self, session: WebSession) -> bool:
        """Whether there is no room for one more of this session's."""
        return self.open[id(session)] >= MAX_EACH or self.open.total() >= MAX_TOGETHER


class Stream(Response):
    """The answer to an EventSource. `piece` is asked at once, at each change, and now and then."""

    def __init__(self, desk: Desk, streams: Streams, session: WebSession, event: str, piece: Piece) -> None:
        super().__init__(status_code=200, headers=_HEADERS)
        self._desk = desk
        self._streams = streams
        self._session = session
        self._event = event
        self._piece = piece
        self._changed = trio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until somebody goes: the browser, the session, or the desk."""
        headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] == "HEAD" or self._streams.full(self._session):
            # A browser that gets no stream would ask again at once: it is told to take its time.
            await send({"type": "http.response.body", "body": b"retry: 60000\n\n"})
            return
        key = id(self._session)
        self._streams.open[key] += 1
        try:
            await self._run(receive, send)
        finally:
            self._streams.open[key] -= 1
            if not self._streams.open[key]:
                del self._streams.open[key]

    async def _run(self, receive: Receive, send: Send) -> None:
        async with trio.open_nursery() as nursery:
            for gateway in self._desk.gateways.values():
                nursery.start_soon(self._watch, gateway)
            for over in (self._session.ended, self._desk.closing):
                nursery.start_soon(_cancel_after, over.wait, nursery.cancel_scope)
            nursery.start_soon(_cancel_after, _gone(receive), nursery.cancel_scope)
            await self._feed(send)
            nursery.cancel_scope.cancel()
        with trio.move_on_after(1, shield=True):
            await send({"type": "http.response.body", "body": b""})

    async def _feed(self, send: Send) -> None:
        last: object = None
        sent_at = -math.inf
        while self._session.person.identity.expires_unix_ns > self._desk.clock():
            self._changed = trio.Event()
            state, text = await self._piece()
            if state != last or trio.current_time() - sent_at >= AGAIN_S:
                last, sent_at = state, trio.current_time()
                await send({"type": "http.response.body", "body": _event(self._event, text), "more_body": True})
            with trio.move_on_after(AGAIN_S):
                await self._changed.wait()

    async def _watch(self, gateway: Gateway) -> None:
        """Say that something changed whenever it did at one gateway."""
        version = ""
        while True:
            asked_at = trio.current_time()
            query = {"state": "pending", **({"after": version, "wait": str(WAIT_S)} if version else {})}
            try:
                answer = await gateway.get(self._session.person.token, "approvals", query=query, extra_s=WAIT_S)
            except (GatewayDown, GatewayRefused):
                version = ""
                self._changed.set()
                await trio.sleep(RETRY_S)
                continue
            if answer.get("changed") is not False:  # the first answer too: the piece may be older than its version
                self._changed.set()
            version = str(answer.get("version", ""))
            await trio.sleep_until(asked_at + (BETWEEN_S if version else RETRY_S))


async def _cancel_after(waited: Callable[[], Awaitable[object]], scope: trio.CancelScope) -> None:
    await waited()
    scope.cancel()


def _gone(receive: Receive) -> Callable[[], Awaitable[None]]:
    async def gone() -> None:
        while True:
            message: Message = await receive()
            if message["type"] == "http.disconnect":
                return

    return gone


def _event(name: str, text: str) -> bytes:
    """One event; each line of the text is a `data` of its own, so that no text can begin another event."""
    lines = "".join(f"data: {line}\n" for line in text.splitlines())
    return f"event: {name}\n{lines}\n".encode()
