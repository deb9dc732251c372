"""The few places where asyncssh does not bound what a peer can make it hold, or asks nobody: its classes, narrowed.

What it is: subclasses of asyncssh's connections and of its server's channel, for the pinned version 2.24.1 alone
(tests/unit/ssh/test_inside.py fails where a name that is used here has gone).
What it will not do: speak SSH. Key exchange, ciphers, framing and channel numbers are asyncssh's own.

Invariants (threat model SSH-02, SSH-03, SSH-04, SSH-08, SSH-16):
- What a peer sends before the gateway has read it is bounded in bytes, and in objects.
- What waits for a peer that does not read is bounded: the other leg is not read meanwhile (`Throttled`).
- Key exchanges and requests that wait for an answer are bounded in number.
- A certificate is judged over the very bytes that the client sent, and only after its signature has been checked.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import asyncssh
from asyncssh.auth import KbdIntChallenge
from asyncssh.connection import SSHClientConnection, SSHServerConnection
from asyncssh.constants import MSG_GLOBAL_REQUEST, MSG_KEXINIT, MSG_USERAUTH_REQUEST
from asyncssh.packet import SSHPacket, String
from asyncssh.public_key import decode_ssh_certificate

from doorward_ssh import refusals
from doorward_ssh.algorithms import SIGNATURES
from doorward_ssh.inside_channels import ClientChannel, TargetChannel, TcpChannel, UnixChannel
from doorward_ssh.inside_packets import Lean
from doorward_ssh.operations import ChannelRequest, Kind

WINDOW_BYTES: Final = 2 << 20  # of a channel: OpenSSH's, enough for a gigabit at 16 ms
PACKET_BYTES: Final = 32 * 1024  # OpenSSH's largest
INPUT_BYTES: Final = 1 << 20  # unread while a packet is being worked on: four of the largest, and more is left to TCP
REKEYS: Final = 8  # in `REKEY_S`; OpenSSH asks for one in an hour or a gigabyte
REKEY_S: Final = 60.0
GLOBAL_REQUESTS: Final = 64  # that wait for an answer
_SIGNERS: Final = frozenset(name.encode("ascii") for name in SIGNATURES)


class Owner(Protocol):
    """What a connection asks of whoever made it."""

    def server(self) -> asyncssh.SSHServer:
        """The callbacks of asyncssh's own interface."""

    def throttle(self, *, stop: bool) -> None:
        """The client does not read (`stop`), or reads again."""


class Logins(Protocol):
    """Who takes certificates."""

    async def certificate(self, blob: bytes, username: str) -> bool:
        """Log in with a certificate whose key has been proved to be the client's."""

    def certificate_could(self, blob: bytes, username: str) -> bool:
        """Tell whether a certificate would be believed; the key has not been proved."""


class _Leg(Lean):
    """Both legs: their channels are bounded ones."""

    def create_tcp_channel(
        self,
        encoding: str | None = None,
        errors: str = "strict",
        window: int = WINDOW_BYTES,
        max_pktsize: int = PACKET_BYTES,
    ) -> asyncssh.SSHTCPChannel[Any]:
        """Make a channel for a connection that is carried."""
        self._update_recv_pktlen(max_pktsize)
        return TcpChannel(self, self._loop, encoding, errors, window, max_pktsize)

    def create_unix_channel(
        self,
        encoding: str | None = None,
        errors: str = "strict",
        window: int = WINDOW_BYTES,
        max_pktsize: int = PACKET_BYTES,
    ) -> asyncssh.SSHUNIXChannel[Any]:
        """Make a channel for a connection to a socket in the file system."""
        self._update_recv_pktlen(max_pktsize)
        return UnixChannel(self, self._loop, encoding, errors, window, max_pktsize)


class ClientConnection(_Leg, SSHServerConnection):
    """The leg to a client."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: asyncssh.SSHServerConnectionOptions,
        owner: Owner,
        logins: Logins,
    ) -> None:
        super().__init__(loop, options)
        self._gateway = owner
        self._logins = logins
        self._protocol_factory = owner.server
        self._stopped = False
        self._rekeys: list[float] = []
        self._explained = False

    @property
    def carries(self) -> bool:
        """Whether a channel is open, of any kind."""
        return bool(self._channels)

    async def reload_config(self) -> None:
        """There is no file to look into again for each user name."""

    def create_server_channel(
        self, encoding: str | None = "", errors: str = "", window: int = 0, max_pktsize: int = 0
    ) -> asyncssh.SSHServerChannel[Any]:
        """Make a channel for a session."""
        size = max_pktsize or self._max_pktsize
        self._update_recv_pktlen(size)
        width = window or self._window
        return ClientChannel(self, self._loop, True, False, False, 0, 0, None, "strict", width, size)

    async def validate_public_key(self, username: str, key_data: bytes, msg: bytes, signature: bytes) -> bool:
        """Tell whether a certificate is good; with a message, whether its signature is too, and log in with it."""
        if not self._logins.certificate_could(key_data, username):
            return False
        if not msg:
            return True
        if _signer(signature) not in _SIGNERS:
            return False  # `ssh-rsa` over SHA-1
        try:
            key = decode_ssh_certificate(key_data).key
            proved = key.verify(String(self._session_id) + msg, signature)
        except (asyncssh.KeyImportError, ValueError):
            return False
        return proved and await self._logins.certificate(key_data, username)

    async def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> KbdIntChallenge:
        """The one question is for a token; what that is, is said with the first."""
        challenge = await super().get_kbdint_challenge(username, lang, submethods)
        if isinstance(challenge, bool) or self._explained:
            return challenge
        self._explained = True
        return challenge[0], refusals.TOKENS, *challenge[2:]

    # --- bounds ------------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        """Take what has arrived; while a packet is being worked on, only so much of it."""
        super().data_received(data, datatype)
        if len(self._inpbuf) > INPUT_BYTES and not self._stopped and self._transport:
            self._stopped = True
            self._transport.pause_reading()

    def _finish_recv_packet(self, *arguments: Any, **how: Any) -> None:
        super()._finish_recv_packet(*arguments, **how)
        if self._stopped and len(self._inpbuf) <= INPUT_BYTES and self._transport:
            self._stopped = False
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        """The client does not read: what would go to it is not to be fetched."""
        self._gateway.throttle(stop=True)

    def resume_writing(self) -> None:
        """It reads again."""
        self._gateway.throttle(stop=False)

    def _bounded_kexinit(self, pkttype: int, pktid: int, packet: SSHPacket) -> Any:
        now = self._loop.time()
        self._rekeys = [when for when in self._rekeys if when > now - REKEY_S]
        self._rekeys.append(now)
        if len(self._rekeys) > REKEYS:
            raise asyncssh.ProtocolError("too many key exchanges")
        return self._process_kexinit(pkttype, pktid, packet)

    def _bounded_global_request(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        if len(self._global_request_queue) >= GLOBAL_REQUESTS:
            raise asyncssh.ProtocolError("too many requests wait for an answer")
        self._process_global_request(pkttype, pktid, packet)

    def _plain_userauth_request(self, pkttype: int, pktid: int, packet: SSHPacket) -> Any:
        # asyncssh folds user names (RFC 4013): `deploy` in full-width letters would be one more spelling of `deploy`.
        if not SSHPacket(packet.get_remaining_payload()).get_string().isascii():
            raise asyncssh.IllegalUserName("the user name is account@resource")
        return self._process_userauth_request(pkttype, pktid, packet)

    _packet_handlers = {  # noqa: RUF012 - as asyncssh has it, a class's own table
        **SSHServerConnection._packet_handlers,  # noqa: SLF001 - the table that is narrowed
        MSG_KEXINIT: _bounded_kexinit,
        MSG_GLOBAL_REQUEST: _bounded_global_request,
        MSG_USERAUTH_REQUEST: _plain_userauth_request,
    }


class TargetConnection(_Leg, SSHClientConnection):
    """The leg to a target. `throttle` is called with True when it does not read, and with False when it does again."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: asyncssh.SSHClientConnectionOptions,
        throttle: Callable[[bool], None],
    ) -> None:
        super().__init__(loop, options, wait="auth")
        self._throttle = throttle
        self.secrets: tuple[bytes, ...] = ()  # by which the gateway logged in: not to be shown

    async def open_for(self, request: ChannelRequest, session: asyncssh.SSHClientSession[bytes]) -> None:
        """Start at the target what was asked for, with these very bytes. Raises asyncssh.Error, OSError."""
        self._update_recv_pktlen(PACKET_BYTES)
        channel = TargetChannel(self, self._loop, "strict", None, "strict", WINDOW_BYTES, PACKET_BYTES)
        pty = request.pty
        await channel.create(
            lambda: session,
            request.text if request.kind is Kind.EXEC else None,
            request.text if request.kind is Kind.SUBSYSTEM else None,
            {name.encode(): value.encode() for name, value in request.environment},
            pty is not None,
            pty.term if pty else None,
            (pty.columns, pty.rows, pty.width, pty.height) if pty else None,
            dict(pty.modes) if pty else {},
            False,
            None,
            None,
            False,
            False,
        )

    def pause_writing(self) -> None:
        """The target does not read: what would go to it is not to be fetched."""
        self._throttle(True)

    def resume_writing(self) -> None:
        """It reads again."""
        self._throttle(False)


def _signer(signature: bytes) -> bytes:
    """The algorithm that a signature names (RFC 4253 section 6.6: a string, then the signature)."""
    length = int.from_bytes(signature[:4], "big")
    return signature[4 : 4 + length]


def available(algorithms: Sequence[bytes]) -> frozenset[str]:
    """Names of asyncssh's, as text."""
    return frozenset(name.decode("ascii") for name in algorithms)
