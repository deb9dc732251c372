"""One client's connection, from its first byte to its last: the trio task behind it.

What it is: `Conversation`, which has asyncssh speak to the client, admits it, makes the connection to the target when
the first permitted operation needs it, and runs a task for each channel. It is what `server.Doorman` and
`inside.ClientConnection` ask.
What it will not do: decide, or move bytes.

Invariants:
- A session that was opened in the record is closed in it, whatever ends the connection.
- One nursery holds everything that belongs to this connection; when it has ended nothing of it is left, on either loop.
- What a callback of asyncssh raises ends this connection, and is told to the supervisor of `net.listen`.
- Cancelled, it closes both legs; what was held is withdrawn.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, cast

import asyncssh
import structlog
import trio

from doorward_core import entries
from doorward_core.errors import AdmissionRefused, AuthenticationError, ClientProtocolError, GatewayError, RecordError
from doorward_core.gate import Gate
from doorward_core.identity.authenticate import BearerToken, Credential, SshCertificate
from doorward_core.model import Peer, Secret
from doorward_core.net.listen import Connection
from doorward_core.session_gate import SessionGate
from doorward_ssh import refusals
from doorward_ssh.channels import Channel
from doorward_ssh.ends import WIRE, ClientEnd
from doorward_ssh.forwards import DIRECT, Forwards, Opening
from doorward_ssh.idle import until_idle
from doorward_ssh.inside import ClientConnection, TargetConnection
from doorward_ssh.legs import Leg
from doorward_ssh.loops import Bridge, in_asyncio
from doorward_ssh.names import JUMP, parse_inner, parse_user
from doorward_ssh.operations import ChannelRequest
from doorward_ssh.server import Doorman
from doorward_ssh.upstream import Dialer

SOFTWARE_CHARS: Final = 128  # of what a client calls itself
GOODBYE_S: Final = 2.0  # for asyncssh to close a leg; then it is cut
MAX_CARRIED: Final = 32  # through one jump at a time; a client opens one for each login
WORDS_CHARS: Final = 400  # of a disconnect message

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
        self._doorman = Doorman(self, carried)
        self._door: SessionGate | None = None
        self._client: ClientConnection | None = None
        self._target: TargetConnection | None = None
        self._dialing = trio.Lock()
        self._channels: set[Channel] = set()
        self._forwards = Forwards(self)
        self._resource = carried
        self._jumps = False  # it carries others, and does nothing else
        self._carried: set[Conversation] = set()
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
                self.bridge, self._nursery = Bridge(nursery), nursery
                nursery.start_soon(self._drain)
                nursery.start_soon(self._until_idle)
                try:
                    if self._resource:
                        options = self._options(self._resource)
                        task_status.started(ClientConnection(asyncio.get_running_loop(), options, self))
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
        loop = asyncio.get_running_loop()
        await loop.create_connection(
            lambda: ClientConnection(loop, self._options(""), self), sock=self._connection.link.duplicate()
        )

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
        legs = [leg for leg in (self._client, self._target) if leg is not None]
        for leg in legs:
            leg.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                for leg in legs:
                    await leg.wait_closed()
        for leg in legs:
            leg.abort()

    def _close(self, reason: str) -> None:
        if self._door is None:
            return
        try:
            self._door.close("cut" if reason == "failed" and self._connection.draining.is_set() else reason)
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
        while self._channels or self._carried:
            patience_s, self._idle = GOODBYE_S, trio.Event()
            await self._idle.wait()
        with trio.move_on_after(patience_s):
            await self._lost.wait()
        self._part(refusals.GOING_DOWN)

    async def _until_idle(self) -> None:
        """It carries nothing; one that is carried ends with what carries it, or by itself."""
        await until_idle(lambda: self._client is not None and self._client.carries, self._idle_s)
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
        if self._client is not None:
            self._client.disconnect(asyncssh.DISC_BY_APPLICATION, words[:WORDS_CHARS])
        self._lost.set()

    # --- what channels ask -------------------------------------------------------------------------------------------

    @property
    def door(self) -> SessionGate:
        """The door of this connection; there are channels only once it has been admitted."""
        assert self._door is not None
        return self._door

    def next_seq(self) -> int:
        """Number an operation."""
        self._seq += 1
        return self._seq

    def tell(self, words: str) -> None:
        """Say something that belongs to no channel: on stderr of those that are open, and where `ssh -v` shows it."""
        for channel in self._channels:
            channel.end.say(words)
        if self._client is not None:
            self._client.send_debug(words, always_display=True)

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
            self._idle.set()

    # --- what asyncssh asks: its callbacks, none of which waits but for a future -------------------------------------

    def server(self) -> Doorman:
        """The callbacks of asyncssh's own interface."""
        return self._doorman

    def made(self, connection: ClientConnection) -> None:
        """The connection is there."""
        self._client = connection

    def lost(self, error: Exception | None) -> None:
        """The connection is over."""
        self._error = error
        self.bridge.soon(self._lost.set)

    def proved(self) -> None:
        """The client has been admitted and told so."""
        self.bridge.soon(self._connection.established)

    async def token(self, token: Secret, username: str) -> bool:
        """Log in with a token."""
        return await self._admit(BearerToken(token), username)

    async def certificate(self, blob: bytes, username: str) -> bool:
        """Log in with a certificate whose key has been proved to be the client's."""
        self._doorman.tried()
        return await self._admit(SshCertificate(blob, self._principal(username)), username)

    def certificate_could(self, blob: bytes, username: str) -> bool:
        """Tell whether it would be taken; one that is somebody else's is passed over, and is no failed attempt."""
        self._doorman.asked()
        certificate = SshCertificate(blob, self._principal(username))
        return self.gate.authenticator.believes(certificate, self._connection.peer)

    def _principal(self, username: str) -> str:
        """As which principal a user name logs in: behind a jump the account alone means this resource's."""
        if not self._resource:
            return username
        try:
            return parse_inner(username, self._resource).name
        except ClientProtocolError:
            return username

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
        if self._door is None or self.draining:
            words = refusals.line(refusals.ONLY_JUMPS if self._jumps else refusals.GOING_DOWN)
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, words)
        return ClientEnd(self._requested, lambda kind: self.never(Opening(kind, "")))

    async def forward(self, opening: Opening) -> Leg:
        """Connect somewhere through the target, or to a resource through a jump. Raises asyncssh.ChannelOpenError."""
        if self._jumps and not self.draining:
            return await self._carry(opening)
        if self._door is None or self.draining:
            raise asyncssh.ChannelOpenError(
                asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, refusals.line(refusals.GOING_DOWN)
            )
        return await self._forwards.open(opening)

    async def listen(self, opening: Opening) -> bool:
        """Have the target listen: never, and on record before the client hears of it."""
        if self._door is not None:
            await self.bridge.ask(self._forwards.refuse, opening)
        return False

    def never(self, opening: Opening) -> None:
        """Put on record that something was asked for which is refused in any case."""
        if self._door is not None:
            self._forwards.never(opening)

    # --- connections through this one --------------------------------------------------------------------------------

    async def _carry(self, opening: Opening) -> Leg:
        """Be the host that a jump asks for: SSH within SSH, with a login of its own."""
        name = _resource(opening, self._targets)
        if not name or len(self._carried) >= MAX_CARRIED:
            words = "too many connections" if name else "a jump leads to resources alone, by their names"
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, refusals.line(words))
        about = (self._connection, self.gate, self._targets, self._options, self.mask_key)
        inner = Conversation(*about, idle_s=self._idle_s, carried=name)
        self._carried.add(inner)
        client: ClientConnection = await self.bridge.ask(self._nursery.start, self._run_carried, inner)
        return cast("Leg", client)  # to asyncssh a connection is a session as well: its own tunnels are made so

    async def _run_carried(self, inner: "Conversation", task_status: trio.TaskStatus[ClientConnection]) -> None:
        try:
            await inner.run(task_status)
        finally:
            self._carried.discard(inner)
            self._idle.set()

    def _requested(self, end: ClientEnd, request: ChannelRequest) -> None:
        """A channel has said what it is to be."""
        self.bridge.start(self._run_channel, Channel(self, end, request))

    # --- admission ---------------------------------------------------------------------------------------------------

    async def _admit(self, credential: Credential, username: str) -> bool:
        """Ask the gate, in trio. Words for somebody who is known and not let in go into the disconnect message."""
        try:
            return await self.bridge.ask(self._login, credential, username)
        except AdmissionRefused as refused:
            words = refusals.line(str(refused))[:WORDS_CHARS]
            raise asyncssh.DisconnectError(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, words) from None
        except RecordError as error:
            words = refusals.line(refusals.no_record(error))
            raise asyncssh.DisconnectError(asyncssh.DISC_BY_APPLICATION, words) from None
        except GatewayError as error:
            raise asyncssh.DisconnectError(asyncssh.DISC_BY_APPLICATION, "the login failed") from error

    async def _login(self, credential: Credential, username: str) -> bool:
        if self._door is not None or self._jumps or self._client is None:
            return False
        try:
            login = parse_inner(username, self._resource) if self._resource else parse_user(username)
        except ClientProtocolError:
            return False
        software = str(self._client.get_extra_info("client_version", ""))[:SOFTWARE_CHARS]
        peer = Peer(self._connection.peer.address, self._connection.peer.port, software, encrypted=True)
        if login is None:
            return await self._login_to_jump(credential, peer)
        try:
            door = await self.gate.admit(credential, login.resource, login.account, peer)
        except AuthenticationError:
            return False
        self._door = door
        self.bridge.start(self._until_over, door)
        if door.observe:
            self._client.send_auth_banner(f"{refusals.OBSERVED}\r\n")
        return True

    async def _login_to_jump(self, credential: Credential, peer: Peer) -> bool:
        """Whoever is known may carry connections here: each logs in by itself, and is admitted or not."""
        try:
            await self.gate.authenticator.authenticate(credential, peer)
        except AuthenticationError as error:
            written = self.gate.log.append(entries.session_refused(JUMP, peer, None, str(error)), self.gate.clock())
            await self.gate.log.durable(written)
            return False
        self._jumps = True
        return True


def _resource(opening: Opening, targets: Mapping[str, object]) -> str:
    """The resource that a jump asks for; "" where there is none of that name. Clients fold names to small letters."""
    if opening.verb != DIRECT:
        return ""
    if opening.host in targets:
        return opening.host
    folded = [name for name in targets if name.lower() == opening.host.lower()]
    return folded[0] if len(folded) == 1 else ""
