"""A stream that has left HTTP: exec, attach and portforward, carried message by message over WebSocket.

What it is: the shell between two WebSockets: `Stream` for exec and attach, masked and taped; `Tunnel` for portforward,
whose messages are another protocol's and stay as they are.
What it will not do: decide whether there may be one, or speak SPDY.

Source: RFC 6455; `v4`/`v5.channel.k8s.io` (`channels`), `SPDY/3.1+portforward.k8s.io`.
Invariants: frames are taken apart on one side and made anew on the other; what a client is sent is in the record;
a stream does not outlive the session that it was opened in, and its client is told why.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

import trio

from doorward_core import entries
from doorward_core.doors import Door
from doorward_core.http.exchange import ByteStream
from doorward_core.http.websocket import Close, Message, Ping, Pong, WebSocketError, WebSocketWire
from doorward_core.model import Permit
from doorward_core.record.log import EventLog
from doorward_core.terminal import Tape
from doorward_k8s.channels import ChannelError, Channels, failure
from doorward_k8s.tunnel_frames import Openings

READ_BYTES: Final = 256 * 1024
LOST: Final = 1005  # no code at all: the peer was gone without one
POLICY_VIOLATION: Final = 1008
PROTOCOL_ERROR: Final = 1002
FAREWELL_S: Final = 2.0  # for a peer that does not read


class _Over(Exception):
    """One side has said, or made, the end; the other is told with this code."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _Ended(_Over):
    """The gateway has made the end: the session, or its credential, is over."""


@dataclass(slots=True)
class Side:
    """One of the two: its stream, its frames, and what it had sent before HTTP was left."""

    stream: ByteStream
    wire: WebSocketWire
    early: bytes = b""


class Carried(Protocol):
    """What becomes of messages."""

    async def to_client(self, data: bytes) -> list[bytes]:
        """What the client is sent for a message of the target."""

    async def to_target(self, data: bytes) -> bytes:
        """What the target is sent for a message of the client."""

    @property
    def flush_after_s(self) -> float | None:
        """When what is held back is to be let go."""

    async def flush(self) -> list[bytes]:
        """The timer."""

    async def rest(self) -> list[bytes]:
        """It is over: what is left for the client."""

    def ended(self, words: str) -> list[bytes]:
        """What tells the client that the gateway has ended it."""


class Recorder:
    """Writes down what the client of one stream is sent."""

    def __init__(self, log: EventLog, door: Door, permit: Permit, tape: Tape) -> None:
        self._log = log
        self._door = door
        self._permit = permit
        self.tape = tape

    async def write(self) -> None:
        """Write what there is, once the log has room. Raises RecordError."""
        if self.tape.pending_bytes:
            await self._log.room()
            self.write_now()

    def write_now(self) -> None:
        """The same without waiting."""
        gate, operation = self._door.gate, self._permit.operation
        for frame in self.tape.take():
            event = entries.stream_chunk(gate.session, operation, frame.stream, frame.offset, frame.data)
            self._log.append(event, frame.unix_ns)
            gate.live.show(operation.id, frame.stream, frame.data, frame.unix_ns)


class Stream:
    """One exec or attach."""

    def __init__(self, channels: Channels, recorder: Recorder) -> None:
        self._channels = channels
        self._recorder = recorder

    async def to_client(self, data: bytes) -> list[bytes]:
        """See `Carried`."""
        return await self._kept(self._channels.from_target(data, time.time_ns()))

    async def to_target(self, data: bytes) -> bytes:
        """See `Carried`."""
        out = self._channels.from_client(data, time.time_ns())
        await self._recorder.write()
        return out

    @property
    def flush_after_s(self) -> float | None:
        """See `Carried`."""
        return self._channels.flush_after_s

    async def flush(self) -> list[bytes]:
        """See `Carried`."""
        return await self._kept(self._channels.flush(time.time_ns()))

    async def rest(self) -> list[bytes]:
        """See `Carried`."""
        return await self._kept(self._channels.rest(time.time_ns()))

    def ended(self, words: str) -> list[bytes]:
        """See `Carried`."""
        return [failure(words)]

    async def _kept(self, messages: list[bytes]) -> list[bytes]:
        await self._recorder.write()
        return messages


class PortRefused(ChannelError):
    """A port was asked for that policy does not let through; the message is for the client."""


class Tunnel:
    """One portforward: both ways counted, and each port that is asked for is put to `asks`, which says why not."""

    flush_after_s: float | None = None

    def __init__(self, asks: Callable[[str], Awaitable[str]] | None = None) -> None:
        self._openings = None if asks is None else Openings()
        self._asks = asks
        self.bytes_up = 0
        self.bytes_down = 0

    async def to_client(self, data: bytes) -> list[bytes]:
        """See `Carried`."""
        self.bytes_down += len(data)
        return [data]

    async def to_target(self, data: bytes) -> bytes:
        """See `Carried`."""
        if self._openings is not None and self._asks is not None:
            for port in self._openings.feed(data):
                refused = await self._asks(port)
                if refused:
                    raise PortRefused(refused)
        self.bytes_up += len(data)
        return data

    async def flush(self) -> list[bytes]:
        """See `Carried`."""
        return []

    async def rest(self) -> list[bytes]:
        """See `Carried`."""
        return []

    def ended(self, words: str) -> list[bytes]:  # noqa: ARG002 - what is tunnelled has no word for it
        """See `Carried`."""
        return []


async def carry(client: Side, target: Side, carried: Carried, draining: trio.Event, why: Callable[[], str]) -> bool:
    """Carry messages until either side ends, or the gateway goes down; tell whether the target ended it by itself.

    Cancelled, both are told `why`.
    """
    ends: list[_Over] = []
    by_target: list[_Over] = []
    ending: _Over | None = None
    try:
        async with trio.open_nursery() as nursery:
            scope = nursery.cancel_scope

            async def one(run: Callable[[], Awaitable[object]], told: list[_Over]) -> None:
                await _until_over(run, told)
                ends.extend(told)
                scope.cancel()

            nursery.start_soon(one, lambda: _up(client, target, carried), [])
            nursery.start_soon(one, lambda: _down(target, client, carried), by_target)
            await draining.wait()
            ends.append(_Over(1001, "the gateway is going down"))
            scope.cancel()
        ending = ends[0]
    finally:
        with trio.move_on_after(FAREWELL_S, shield=True):
            await _farewell(client, target, carried, ending or _Ended(POLICY_VIOLATION, why()))
    return bool(by_target) and ends[0] is by_target[0]


async def _until_over(run: Callable[[], Awaitable[object]], told: list[_Over]) -> None:
    try:
        await run()
    except _Over as over:
        told.append(over)
    except WebSocketError as error:
        told.append(_Over(error.code, str(error)))
    except PortRefused as error:
        told.append(_Over(POLICY_VIOLATION, str(error)))
    except ChannelError as error:
        told.append(_Over(PROTOCOL_ERROR, str(error)))
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        told.append(_Over(LOST))


async def _up(client: Side, target: Side, carried: Carried) -> None:
    data = client.early
    while True:
        if data:
            await _pass_up(client, target, carried, data)
        data = await client.stream.receive(READ_BYTES)
        if not data:
            raise _Over(LOST)


async def _pass_up(client: Side, target: Side, carried: Carried, data: bytes) -> None:
    """What came in one piece leaves in one piece, up to whatever was wrong with it."""
    out: list[bytes] = []
    wrong: _Over | WebSocketError | ChannelError | None = None
    try:
        for event in client.wire.receive(data):
            match event:
                case Message():
                    message = await carried.to_target(event.data)
                    if message:
                        out.append(target.wire.message(message, text=False))
                case Ping(data=said):
                    out.append(target.wire.ping(said))
                case Pong(data=said):
                    out.append(target.wire.pong(said))
                case Close(code=code, reason=reason):
                    wrong = _Over(code, reason)
                    break
    except (WebSocketError, ChannelError) as error:
        wrong = error
    if out:
        await target.stream.send_all(b"".join(out))
    if wrong is not None:
        raise wrong


async def _down(target: Side, client: Side, carried: Carried) -> None:
    data = target.early
    while True:
        out = []
        for event in target.wire.receive(data) if data else ():
            match event:
                case Message():
                    out += [client.wire.message(one, text=False) for one in await carried.to_client(event.data)]
                case Ping(data=said):
                    out.append(client.wire.ping(said))
                case Pong(data=said):
                    out.append(client.wire.pong(said))
                case Close(code=code, reason=reason):
                    await client.stream.send_all(b"".join(out))
                    raise _Over(code, reason)
        if out:
            await client.stream.send_all(b"".join(out))
        data = await _next(target, client, carried)


async def _next(target: Side, client: Side, carried: Carried) -> bytes:
    """What the target says next; what is held back leaves when its time has come."""
    while True:
        after_s = carried.flush_after_s
        if after_s is None:
            data = await target.stream.receive(READ_BYTES)
        else:
            data = None
            with trio.move_on_after(after_s):
                data = await target.stream.receive(READ_BYTES)
        if data is None:
            out = [client.wire.message(one, text=False) for one in await carried.flush()]
            await client.stream.send_all(b"".join(out))
            continue
        if not data:
            raise _Over(LOST)
        return data


async def _farewell(client: Side, target: Side, carried: Carried, ending: _Over) -> None:
    left = await carried.rest()
    if isinstance(ending, _Ended):
        left += carried.ended(ending.reason)
    told = [client.wire.message(one, text=False) for one in left]
    for side, words in ((client, told), (target, [])):
        try:
            await side.stream.send_all(b"".join([*words, side.wire.close(ending.code, ending.reason[:120])]))
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
            continue
