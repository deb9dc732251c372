"""One client's connection, from its first byte to its last: the trio task behind it.

What it is: `Conversation`, which has asyncssh speak to the client, makes the connection to the target when the first
permitted operation needs it, and runs a task for each channel. It is what `server.Doorman` and
`inside.ClientConnection` ask.
What it will not do: tell who the client is (`authentication`), decide, or move bytes.

Invariants:
- A session that was opened in the record is closed in it, whatever ends the connection.
- One nursery holds everything that belongs to this connection; when it has ended nothing of it is left, on either loop.
- What a callback of asyncssh raises ends this connection, and is told to the supervisor of `net.listen`.
- Cancelled, it closes both legs; what was held is withdrawn.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import asyncssh
import structlog
import trio

from doorward_core.errors import RecordError
from doorward_core.gate import Gate
from doorward_core.net.listen import Connection
from doorward_core.session_gate import SessionGate
from doorward_ssh import refusals
from doorward_ssh.authentication import Authentication
from doorward_ssh.channels import Channel
from doorward_ssh.ends import WIRE, ClientEnd
from doorward_ssh.forwards import Forwards, Opening
from doorward_ssh.idle import until_idle
from doorward_ssh.inside import ClientConnection, TargetConnection
from doorward_ssh.jumps import Jumps
from doorward_ssh.legs import Leg
from doorward_ssh.loops import Bridge, in_asyncio
from doorward_ssh.operations import ChannelRequest
from doorward_ssh.server import Doorman
from doorward_ssh.upstream import Dialer

GOODBYE_S: Final = 2.0  # for asyncssh to close a leg; then it is cut

log = structlog.get_logger()


class Conversation:
    """One connection. `targets` are the dialers by resource; `accounts` of a resource are in its dialer.

    `options` gives what asyncssh is to do as the host of a name; "" is the gateway's own.
    `carried` names the resource of a connection that comes through another one, a jump.
    """

    def __init__(
        self,
        connection: Connection,
        gate: Gate,
        targets: dict[str, Dialer],
        options: Callable[[str], asyncssh.SSHServerConnectionOptions],
        mask_key: bytes,
        *,
        idle_s: float,
        carried: str = "",
    ) -> None:
        self.gate = gate
        self.mask_key = mask_key
        self._idle_s = idle_s
        self.draining = False
        self.client_full = False
        self._connection = connection
        self._targets = targets
        self._options = options
        self._authentication = Authentication(self, gate, connection.peer, carried)
        self._doorman = Doorman(self, self._authentication)
        self.client: ClientConnection | None = None
        self._target: TargetConnection | None = None
        self._dialing = trio.Lock()
        self._channels: set[Channel] = set()
        self._forwards = Forwards(self)
        self._resource = carried
        self._jumps = Jumps(targets, self._inner, self._ended)
        self._seq = 0
        self._lost = trio.Event()
        self._idle = trio.Event()
        self._error: Exception | None = None
        self._over = ""  # why it was ended from here

    # --- from accept to farewell -------------------------------------------------------------------------------------

    async def run(self, task_status: trio.TaskStatus[ClientConnection] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve the connection to its end. One that is carried is given to asyncssh by whoever started it."""
        reason = "failed"
        try:
            async with trio.open_nursery() as nursery:
                self.bridge = Bridge(nursery)
                nursery.start_soon(self._drain)
                nursery.start_soon(self._until_idle)
                try:
                    if self._resource:
                        options = self._options(self._resource)
                        task_status.started(self._connected(options))
                    else:
                        await in_asyncio(self._begin())
                    await self._lost.wait()
                    reason = self._farewell()
                finally:
                    self.bridge.close()
                    nursery.cancel_scope.cancel()
        finally:
            try:
                with trio.CancelScope(shield=True):
                    await in_asyncio(self._end())
            finally:
                self._close(reason)

    async def _begin(self) -> None:
        """The part of asyncio: hand asyncssh a socket of its own; `net.listen` closes the one that it accepted."""
        await asyncio.get_running_loop().create_connection(
            lambda: self._connected(self._options("")), sock=self._connection.link.duplicate()
        )

    def _connected(self, options: asyncssh.SSHServerConnectionOptions) -> ClientConnection:
        return ClientConnection(asyncio.get_running_loop(), options, self, self._authentication)

    def _farewell(self) -> str:
        """Why it ended, for the record. Raises what a callback of asyncssh raised: that is a defect, or our record."""
        error = self._error
        if self._over:
            return self._over
        if error is None or isinstance(error, asyncssh.ConnectionLost | ConnectionError):
            return "the gateway is going down" if self.draining else "the client left"
        if isinstance(error, asyncssh.DisconnectError):
            return f"ssh: {type(error).__name__}"
        if isinstance(error, OSError | asyncssh.Error):
            return "the connection broke"
        raise error

    async def _end(self) -> None:
        """The part of asyncio: no leg is left open. Both are asked to close, and cut if they do not."""
        legs = [leg for leg in (self.client, self._target) if leg is not None]
        for leg in legs:
            leg.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                for leg in legs:
                    await leg.wait_closed()
        for leg in legs:
            leg.abort()

    def _close(self, reason: str) -> None:
        door = self._authentication.door
        if door is None:
            return
        try:
            door.close("cut" if reason == "failed" and self._connection.draining.is_set() else reason)
        except RecordError as error:
            log.warning("session.end_unrecorded", problem=str(error))

    async def _drain(self) -> None:
        """The gateway goes down: what is held is withdrawn, what runs may end."""
        await self._connection.draining.wait()
        self.draining = True
        for channel in tuple(self._channels):
            channel.withdraw()
        self._forwards.withdraw()
        patience_s = 0.0  # told to go before it has taken its exit status, ssh exits with 255: with it, it goes itself
        while self._channels or self._jumps.busy:
            patience_s, self._idle = GOODBYE_S, trio.Event()
            await self._idle.wait()
        with trio.move_on_after(patience_s):
            await self._lost.wait()
        self._part(refusals.GOING_DOWN)

    async def _until_idle(self) -> None:
        """It carries nothing; one that is carried ends with what carries it, or by itself."""
        await until_idle(lambda: self.client is not None and self.client.carries, self._idle_s)
        self._over = "idle for too long"
        self._part(refusals.line(refusals.IDLE))

    async def _until_over(self, door: SessionGate) -> None:
        """An operator ends the session, or its credential does: nothing that is open outlives it."""
        ended = await door.live.over(door.session.identity.expires_unix_ns - time.time_ns())
        self._over = "ended by an operator" if ended else "the credential expired"
        words = refusals.line(ended or refusals.EXPIRED)
        for channel in tuple(self._channels):
            channel.withdraw()
            channel.end.say(words)
        self._part(words)

    def _part(self, words: str) -> None:
        if self.client is not None:
            self.client.disconnect(asyncssh.DISC_BY_APPLICATION, refusals.parting(words))
        self._lost.set()

    def _ended(self) -> None:
        """Something that it carried is over."""
        self._idle.set()

    def _inner(self, resource: str) -> "Conversation":
        """A connection that comes through this one, to a resource."""
        about = (self._connection, self.gate, self._targets, self._options, self.mask_key)
        return Conversation(*about, idle_s=self._idle_s, carried=resource)

    # --- what channels ask -------------------------------------------------------------------------------------------

    @property
    def door(self) -> SessionGate:
        """The door of this connection; there are channels only once it has been admitted."""
        assert self._authentication.door is not None
        return self._authentication.door

    def next_seq(self) -> int:
        """Number an operation."""
        self._seq += 1
        return self._seq

    def tell(self, words: str) -> None:
        """Say something that belongs to no channel: on stderr of those that are open, and where `ssh -v` shows it."""
        for channel in self._channels:
            channel.end.say(words)
        if self.client is not None:
            self.client.send_debug(words, always_display=True)

    async def upstream(self) -> TargetConnection:
        """The connection to the target, made when it is first asked for. Raises UpstreamUnavailable."""
        async with self._dialing:
            if self._target is None or self._target.is_closed():
                dialer = self._targets[self.door.session.resource.name]
                self._target = await dialer.connect(self.door.session, self._target_full)
            return self._target

    async def _run_channel(self, channel: Channel) -> None:
        self._channels.add(channel)
        try:
            await channel.run()
        finally:
            self._channels.discard(channel)
            self._ended()

    # --- what asyncssh asks: its callbacks, none of which waits but for a future -------------------------------------

    def server(self) -> Doorman:
        """The callbacks of asyncssh's own interface."""
        return self._doorman

    def made(self, connection: ClientConnection) -> None:
        """The connection is there."""
        self.client = connection

    def lost(self, error: Exception | None) -> None:
        """The connection is over."""
        self._error = error
        self.bridge.soon(self._lost.set)

    def proved(self) -> None:
        """The client has been admitted and told so."""
        self.bridge.soon(self._connection.established)

    def admitted(self, door: SessionGate) -> None:
        """A session has begun."""
        self.bridge.start(self._until_over, door)

    def throttle(self, *, stop: bool) -> None:
        """The client does not read, or reads again: nor are the targets' channels read."""
        self.client_full = stop
        for channel in self._channels:
            side = channel.ends.target.side
            side.stop(WIRE) if stop else side.go(WIRE)
        self._forwards.throttle_target(WIRE, stop=stop)

    def _target_full(self, stop: bool) -> None:
        for channel in self._channels:
            side = channel.end.side
            side.stop(WIRE) if stop else side.go(WIRE)
        self._forwards.throttle_client(WIRE, stop=stop)

    def open_session(self) -> ClientEnd:
        """Make the end of a session channel."""
        if self._authentication.door is None or self.draining:
            words = refusals.line(refusals.ONLY_JUMPS if self._authentication.jump else refusals.GOING_DOWN)
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, words)
        return ClientEnd(self._requested, lambda kind: self.never(Opening(kind, "")))

    async def forward(self, opening: Opening) -> Leg:
        """Connect somewhere through the target, or to a resource through a jump. Raises asyncssh.ChannelOpenError."""
        if self._authentication.jump and not self.draining:
            return await self._jumps.carry(self.bridge, opening)
        if self._authentication.door is None or self.draining:
            raise asyncssh.ChannelOpenError(
                asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, refusals.line(refusals.GOING_DOWN)
            )
        return await self._forwards.open(opening)

    async def listen(self, opening: Opening) -> bool:
        """Have the target listen: never, and on record before the client hears of it."""
        if self._authentication.door is not None:
            await self.bridge.ask(self._forwards.refuse, opening)
        return False

    def never(self, opening: Opening) -> None:
        """Put on record that something was asked for which is refused in any case."""
        if self._authentication.door is not None:
            self._forwards.never(opening)

    def _requested(self, end: ClientEnd, request: ChannelRequest) -> None:
        """A channel has said what it is to be."""
        self.bridge.start(self._run_channel, Channel(self, end, request))
