"""One channel: decided, held, run and recorded; the trio task behind a session channel of the client.

What it is: `Channel.run`, from the request to the exit status, and `choose`, which says what relays its bytes.
What it will not do: move bytes (`ends`, in asyncio's callbacks) or know what they mean (the relay).

The seam, for whoever adds a kind of channel: `operations.read` makes the `Operation`, the gate decides it, and `choose`
gives the `Relay` that sees every byte both ways; a relay that has to ask the gate again starts a task with
`Channel.start` and asks `Channel.decide`.

Invariants (ARCHITECTURE.md, "The order"):
- The target's channel is opened under a Permit, with the very bytes that were decided.
- A refusal is an exit status 126 and one line on stderr; a target that cannot be reached is 255 and one line.
- The exit status goes to the client when all output has left, and before the channel is closed.
- Every permit is finished, whatever ends the channel.

Cancelled (the client hung up, the gateway drains), it withdraws what is held, and closes the target's channel.
"""

import os
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import asyncssh
import trio

from doorward_core import terminal
from doorward_core.errors import RecordError, UpstreamUnavailable
from doorward_core.event import Outcome, Status
from doorward_core.gate import Gate
from doorward_core.mask.detect import detectors_for
from doorward_core.model import Denial, Operation, Permit
from doorward_core.session_gate import SessionGate
from doorward_core.terminal import Screen
from doorward_ssh import refusals
from doorward_ssh.ends import WIRE, ClientEnd, Ends, Relay
from doorward_ssh.inside import TargetConnection
from doorward_ssh.loops import Bridge, in_asyncio
from doorward_ssh.operations import NOT_TEXT, ChannelRequest, Kind, Reading, read
from doorward_ssh.recorder import Recorder
from doorward_ssh.sftp_relay import SftpRelay
from doorward_ssh.streams import StreamRelay

SFTP: Final = "sftp"  # the subsystem whose requests are decided one by one
LOST: Final = "the connection to it was lost"
DRAIN_S: Final = 600.0  # for a client that does not read what it was sent: then its channel is closed all the same


class Talk(Protocol):
    """What a channel needs of its connection."""

    bridge: Bridge
    gate: Gate
    mask_key: bytes
    draining: bool
    client_full: bool

    @property
    def door(self) -> SessionGate:
        """The door of this connection."""

    def next_seq(self) -> int:
        """Number an operation."""

    def tell(self, words: str) -> None:
        """Say something that belongs to no channel."""

    async def upstream(self) -> TargetConnection:
        """The connection to the target, made when it is first asked for. Raises UpstreamUnavailable."""


class Channel:
    """One session channel, from its request on. Made and run in trio."""

    def __init__(self, talk: Talk, end: ClientEnd, request: ChannelRequest) -> None:
        self.talk = talk
        self.end = end
        self.request = request
        self.ends = Ends(end)
        self._scope = trio.CancelScope()
        self.holding: set[trio.CancelScope] = set()  # of what may wait for people
        self._nursery: trio.Nursery | None = None
        end.ends = self.ends
        end.on_gone.append(self._hang_up)

    @property
    def door(self) -> SessionGate:
        """The door of this connection."""
        return self.talk.door

    # --- for relays --------------------------------------------------------------------------------------------------

    def start(self, work: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Start a task beside this channel, from a callback of asyncio. It is cancelled when the channel ends."""
        self.talk.bridge.soon(self._start, work, arguments)

    async def decide(self, operation: Operation) -> Permit | Denial:
        """Have the gate decide something; a hold waits, and the client is told so."""
        return await self.door.decide(operation, self, {})

    # --- how it waits (doorward_core.terms.Waiter) --------------------------------------------------------------------

    async def prepare(self) -> str:
        """Nothing of it has begun: it can be held."""
        return refusals.GOING_DOWN if self.talk.draining else ""

    async def notify(self, request_id: str, advice: str, within_s: int) -> None:
        """Tell the client that it waits."""
        self.end.say(refusals.held(request_id, advice, within_s))

    async def progress(self, request_id: str, words: str, within_s: int) -> None:
        """Tell it how far people are, in the same place."""
        self.end.say(refusals.held(request_id, words, within_s))

    # --- the channel's own task --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """From the request to the end of the channel."""
        with self._scope:
            try:
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    await self._serve()
                    nursery.cancel_scope.cancel()
            finally:
                self._nursery = None
                for channel in (self.end.channel, self.ends.target.channel):
                    if channel is not None:
                        channel.close()

    def withdraw(self) -> None:
        """The gateway goes down: what waits for people waits no longer."""
        for scope in tuple(self.holding):
            scope.cancel()

    async def _serve(self) -> None:
        account = self.door.session.account
        reading = read(self.request, account=account, seq=self.talk.next_seq(), operation_id=os.urandom(16))
        try:
            verdict = await self._judge(reading)
            if verdict is None:
                await self._leave(refusals.line(refusals.GOING_DOWN), refusals.FAILED)
            elif isinstance(verdict, Denial):
                await self._leave(refusals.denied(verdict), refusals.REFUSED)
            else:
                await self._run(verdict, reading)
        except RecordError as error:
            await self._leave(refusals.line(refusals.no_record(error)), refusals.FAILED)
            raise

    async def _judge(self, reading: Reading) -> Permit | Denial | None:
        """The gate's verdict; None where the gateway went down meanwhile."""
        strict = any(mask.strict and mask.detect for mask in self.door.masks)
        if strict and self.request.pty is not None:
            return await self.door.refuse(reading.operation, refusals.STRICT_PTY)
        if self.request.not_text:
            return await self.door.refuse(reading.operation, NOT_TEXT)
        scope = trio.CancelScope()
        self.holding.add(scope)
        try:
            with scope:
                return await self.decide(reading.operation)
        finally:
            self.holding.discard(scope)
        return None

    async def _run(self, permit: Permit, reading: Reading) -> None:
        began, status = time.monotonic_ns(), Status.ABORTED
        relay, recorder = choose(self, reading), self._recorder(permit)
        try:
            connection = await self.talk.upstream()
            if isinstance(relay, StreamRelay):
                relay.hide(connection.secrets)
            gone = trio.Event()
            self.ends.target.on_gone = lambda: self.talk.bridge.soon(gone.set)
            self._start(recorder.run, ())
            await in_asyncio(self._open(connection, relay))
            await gone.wait()
            target = self.ends.target
            if connection.is_closed() and target.status is None and target.signal is None:
                raise UpstreamUnavailable(LOST)  # noqa: TRY301 - told as any other loss
            status = Status.ERROR if target.status or target.signal else Status.OK
            await self._finish_output()
            self.ends.finish_client()
        except UpstreamUnavailable as error:
            status = Status.ERROR
            await self.door.failed(f"target: {error}")
            await self._leave(refusals.unavailable(str(error)), refusals.FAILED)
        finally:
            recorder.write()
            self.door.finish(permit, self._outcome(relay, recorder, status, time.monotonic_ns() - began))

    def _recorder(self, permit: Permit) -> Recorder:
        return Recorder(
            self.talk.gate.log,
            self.door.level,
            self.door.session,
            bridge=self.talk.bridge,
            ends=self.ends,
            permit=permit,
            request=self.request,
            live=self.door.live,
        )

    async def _open(self, connection: TargetConnection, relay: Relay) -> None:
        """The part of asyncio: open the target's channel, and let the first bytes through in the same step."""
        try:
            await connection.open_for(self.request, self.ends.target)
        except asyncssh.ChannelOpenError:
            raise UpstreamUnavailable("it did not start what was asked for") from None
        except (asyncssh.Error, OSError):
            raise UpstreamUnavailable(LOST) from None
        if self.talk.client_full:
            self.ends.target.side.stop(WIRE)
        self.ends.begin(relay)

    async def _finish_output(self) -> None:
        """Wait until the client has taken everything: what is cut by an early goodbye looks whole to many clients."""
        channel = self.end.channel
        if channel is None or not channel.get_write_buffer_size():
            return
        empty = trio.Event()
        channel.on_drained = lambda: self.talk.bridge.soon(empty.set)
        with trio.move_on_after(DRAIN_S):
            if channel.get_write_buffer_size():
                await empty.wait()

    async def _leave(self, words: str, status: int) -> None:
        """Say one line and end the channel."""
        self.end.say(words)
        await self._finish_output()
        if self.end.channel is not None:
            self.end.channel.exit(status)

    def _outcome(self, relay: Relay, recorder: Recorder, status: Status, duration_ns: int) -> Outcome:
        for words in relay.coverage:
            self.door.uncovered(words)
        target, tape = self.ends.target, recorder.tape
        code = f"SIG{target.signal[0]}" if target.signal else "" if target.status is None else str(target.status)
        return Outcome(
            status,
            native_code=code,
            bytes_up=self.ends.bytes_up,
            bytes_down=self.ends.bytes_down,
            masked=relay.masked,
            duration_ns=duration_ns,
            shown=tape.shown,
            shown_format=terminal.FORMAT,
            shown_digest=tape.digest,
            shown_truncated=tape.truncated,
        )

    def _hang_up(self) -> None:
        """The client's channel is gone (asyncio calls)."""
        self.talk.bridge.soon(self._scope.cancel)

    def _start(self, work: Callable[..., Awaitable[object]], arguments: tuple[object, ...]) -> None:
        if self._nursery is not None:
            self._nursery.start_soon(work, *arguments)


def choose(channel: Channel, reading: Reading) -> Relay:
    """What relays a channel's bytes."""
    if channel.request.kind is Kind.SUBSYSTEM and channel.request.text == SFTP:
        return SftpRelay(channel)
    if reading.transfer is not None or channel.request.kind is Kind.SUBSYSTEM:
        return StreamRelay(channel.ends, None)
    masks = channel.door.masks
    strict = any(mask.strict for mask in masks)
    screen = Screen(detectors_for(masks), channel.talk.mask_key, pty=channel.request.pty is not None, strict=strict)
    return StreamRelay(channel.ends, screen)
