"""A WebSocket, carried message by message, masked both ways as its session owes it.

What it is: the shell between two streams that have left HTTP.
What it will not do: decide whether there may be one (policy does, `forward` on its request), or carry compression.

Source: RFC 6455. Frames are taken apart on one side and made anew on the other; pings go through, their content does
not (it comes back to whoever sent it), and closes go through with their reason masked.
Invariants: what cannot be masked where a mask is owed ends the socket with 1008; a socket does not outlive the
credential that it was opened with.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import trio

from doorward_core.errors import UnreadableBody
from doorward_core.http.exchange import ByteStream
from doorward_core.http.websocket import Close, Message, Ping, Pong, WebSocketError, WebSocketEvent, WebSocketWire
from doorward_http.events import Messages
from doorward_http.owed import Owed

POLICY_VIOLATION: Final = 1008
GOING_AWAY: Final = 1001
LOST: Final = 1005  # no code at all: the peer was gone without one
FAREWELL_S: Final = 2.0  # for a peer that does not read
READ_BYTES: Final = 64 * 1024
MAX_PINGS: Final = 16  # unanswered, of one side; an older one is forgotten, as RFC 6455 section 5.5.3 allows


class Ended(Exception):
    """One side has said, or made, the end; the other is told with this code."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Masker:
    """Masks whole messages of one direction, and counts."""

    def __init__(self, owed: Owed) -> None:
        self._owed = owed
        self.masked: dict[str, int] = {}
        self._messages = Messages(owed, self.masked)

    def message(self, message: Message) -> bytes:
        """A message as it may go on. Raises Ended where it may not."""
        if not self._owed:
            return message.data
        if not message.text:
            raise Ended(POLICY_VIOLATION, "a binary message owes a mask that cannot be applied")
        try:
            return self._messages.mask(message.data)
        except UnreadableBody as error:
            raise Ended(POLICY_VIOLATION, f"a message owes a mask that cannot be applied: {error}"[:120]) from None

    def reason(self, words: str) -> str:
        """The reason of a close as it may go on: none where nobody can look into it."""
        if not self._owed or not words:
            return words
        try:
            return "" if self._owed.paths else self._messages.text(words.encode()).decode("utf-8", "replace")
        except UnreadableBody:
            return ""


@dataclass(slots=True)
class Side:
    """One of the two: its stream, its frames, what it had sent before HTTP was left, and what masks what it says."""

    stream: ByteStream
    wire: WebSocketWire
    early: bytes
    masker: Masker
    heard: Callable[[bytes], None]
    pings: dict[bytes, bytes] = field(default_factory=dict)
    _asked: int = 0

    def asks(self, data: bytes) -> bytes:
        """What is asked in place of a ping of this side: its content is nobody else's."""
        self._asked += 1
        ours = self._asked.to_bytes(8, "big")
        self.pings[ours] = data
        if len(self.pings) > MAX_PINGS:
            del self.pings[next(iter(self.pings))]
        return ours


async def carry(client: Side, target: Side, draining: trio.Event) -> None:
    """Carry messages until either side ends, or the gateway goes down. Cancelled, both are told."""
    ending = Ended(LOST)
    try:
        async with trio.open_nursery() as nursery:
            ends: list[Ended] = []
            nursery.start_soon(_one_way, client, target, ends, nursery.cancel_scope)
            nursery.start_soon(_one_way, target, client, ends, nursery.cancel_scope)
            await draining.wait()
            ends.append(Ended(GOING_AWAY, "the gateway is going down"))
            nursery.cancel_scope.cancel()
        ending = ends[0] if ends else ending
    except trio.Cancelled:
        ending = Ended(POLICY_VIOLATION, "the session was ended, or its credential has expired")
        raise
    finally:
        with trio.move_on_after(FAREWELL_S, shield=True):
            for side in (client, target):
                await _farewell(side, ending)


async def _one_way(source: Side, sink: Side, ends: list[Ended], scope: trio.CancelScope) -> None:
    try:
        data = source.early
        while True:
            if data:
                for event in source.wire.receive(data):
                    if out := _forwarded(event, source, sink):
                        await sink.stream.send_all(out)
            data = await source.stream.receive(READ_BYTES)
            if not data:
                raise Ended(LOST)  # noqa: TRY301 - as any other end
    except Ended as end:
        ends.append(end)
    except WebSocketError as error:
        ends.append(Ended(error.code, str(error)))
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        ends.append(Ended(LOST))
    scope.cancel()


def _forwarded(event: WebSocketEvent, source: Side, sink: Side) -> bytes:
    match event:
        case Message():
            out = source.masker.message(event)
            source.heard(out)
            return sink.wire.message(out, text=event.text)
        case Ping(data=data):
            return sink.wire.ping(source.asks(data))
        case Pong(data=data):
            asked = sink.pings.pop(data, None)
            return b"" if asked is None else sink.wire.pong(asked)  # an answer that nobody asked for ends here
        case Close(code=code, reason=reason):
            raise Ended(code, source.masker.reason(reason))


async def _farewell(side: Side, ending: Ended) -> None:
    try:
        await side.stream.send_all(side.wire.close(ending.code, ending.reason))
    except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
        return
