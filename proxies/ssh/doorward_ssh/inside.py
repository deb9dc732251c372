"""The few places where asyncssh does not bound what a peer can make it hold, or asks nobody: its classes, narrowed.

What it is: subclasses of asyncssh's connections and of its server's channel, for the pinned version 2.24.1 alone
(tests/unit/ssh/test_inside.py fails where a name that is used here has gone).
What it will not do: speak SSH. Key exchange, ciphers, framing and channel numbers are asyncssh's own.

Invariants (threat model SSH-02, SSH-03, SSH-04, SSH-08, SSH-16):
- What a peer sends before the gateway has read it is bounded in bytes, and in objects.
- What waits for a peer that does not read is bounded: the other leg is not read meanwhile (`Throttled`).
- Key exchanges, requests that wait for an answer, and environment variables are bounded in number.
- A certificate is judged over the very bytes that the client sent, and only after its signature has been checked.
- Nothing of the client's reaches a session but what its owner let through: no agent, no X11, no unlisted variable.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import asyncssh
from asyncssh.connection import SSHClientConnection, SSHConnection, SSHServerConnection
from asyncssh.constants import MSG_GLOBAL_REQUEST, MSG_IGNORE, MSG_KEXINIT, MSG_USERAUTH_REQUEST
from asyncssh.packet import SSHPacket, SSHPacketLogger, String
from asyncssh.public_key import decode_ssh_certificate

from doorward_core.shell.environment import harmless_variable
from doorward_ssh.algorithms import SIGNATURES

INPUT_BYTES: Final = 1 << 20  # unread while a packet is being worked on: four of the largest, and more is left to TCP
REKEYS: Final = 8  # in `REKEY_S`; OpenSSH asks for one in an hour or a gigabyte
REKEY_S: Final = 60.0
GLOBAL_REQUESTS: Final = 64  # that wait for an answer
VARIABLES: Final = 64  # of one channel
SMALL_BYTES: Final = 16 * 1024  # what waits in pieces smaller than this is put together
_SIGNERS: Final = frozenset(name.encode("ascii") for name in SIGNATURES)


class Owner(Protocol):
    """What a connection asks of whoever made it."""

    def server(self) -> asyncssh.SSHServer:
        """The callbacks of asyncssh's own interface."""

    async def certificate(self, blob: bytes, username: str) -> bool:
        """Log in with a certificate whose key has been proved to be the client's."""

    def certificate_could(self, blob: bytes, username: str) -> bool:
        """Tell whether a certificate would be believed; the key has not been proved."""

    def throttle(self, *, stop: bool) -> None:
        """The client does not read (`stop`), or reads again."""


class ClientChannel(asyncssh.SSHServerChannel[bytes]):
    """A session channel of a client."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.on_drained: Callable[[], None] | None = None
        self.refused_variables = 0

    def _process_env_request(self, packet: SSHPacket) -> bool:
        name, value = packet.get_string(), packet.get_string()
        packet.check_end()
        try:
            harmless = harmless_variable(name.decode("ascii"), value.decode("ascii"))
        except UnicodeDecodeError:
            harmless = False
        # As OpenSSH does with what its AcceptEnv does not name: the request fails, and the session goes on.
        if not harmless or self._session_started or len(self._env) >= VARIABLES:
            self.refused_variables += 1
            return False
        self._env[name] = value
        return True

    def _process_x11_req_request(self, packet: SSHPacket) -> bool:
        return False

    def _process_auth_agent_req_at_openssh_dot_com_request(self, packet: SSHPacket) -> None:
        self._loop.call_soon(self._report_response, False)

    def _process_pty_req_request(self, packet: SSHPacket) -> bool:
        return not self._session_started and bool(super()._process_pty_req_request(packet))

    def _accept_data(self, data: bytes, datatype: int | None = None) -> None:
        super()._accept_data(data, datatype)
        _put_together(self._recv_buf)

    def _flush_send_buf(self) -> None:
        super()._flush_send_buf()
        if not self._send_buf and self.on_drained is not None:
            self.on_drained()


class _Silent(SSHPacketLogger):
    """Writes no packet into a log: the record is elsewhere, and what passes here is content."""

    def log_sent_packet(self, pkttype: int, pktid: int | None, packet: Any, note: str = "") -> None:
        """Say nothing."""

    def log_received_packet(self, pkttype: int, pktid: int | None, packet: Any, note: str = "") -> None:
        """Say nothing."""


_SILENT: Final = _Silent()


class _Quiet(SSHConnection):
    """Both legs: no packets in logs, and none that says nothing.

    asyncssh sends an MSG_IGNORE before each packet, against an attack on ciphers that chain blocks across packets
    (RFC 4251 section 9.3.1). None that we offer does, and it doubles the work of a transfer.
    """

    log_sent_packet = _SILENT.log_sent_packet
    log_received_packet = _SILENT.log_received_packet

    def send_packet(self, pkttype: int, *args: bytes, handler: SSHPacketLogger | None = None) -> None:
        """Send a packet that says something."""
        if pkttype != MSG_IGNORE:
            super().send_packet(pkttype, *args, handler=_SILENT)


class ClientConnection(_Quiet, SSHServerConnection):
    """The leg to a client."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, options: asyncssh.SSHServerConnectionOptions, owner: Owner
    ) -> None:
        super().__init__(loop, options)
        self._gateway = owner
        self._protocol_factory = owner.server
        self._stopped = False
        self._rekeys: list[float] = []

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
        if not self._gateway.certificate_could(key_data, username):
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
        return proved and await self._gateway.certificate(key_data, username)

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


class TargetConnection(_Quiet, SSHClientConnection):
    """The leg to a target. `throttle` is called with True when it does not read, and with False when it does again."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: asyncssh.SSHClientConnectionOptions,
        throttle: Callable[[bool], None],
    ) -> None:
        super().__init__(loop, options, wait="auth")
        self._throttle = throttle

    def pause_writing(self) -> None:
        """The target does not read: what would go to it is not to be fetched."""
        self._throttle(True)

    def resume_writing(self) -> None:
        """It reads again."""
        self._throttle(False)


def _put_together(waiting: list[tuple[bytes, int | None]]) -> None:
    """Join the last two pieces that wait, where both are small: a peer may send a window byte by byte."""
    if len(waiting) > 1:
        (first, kind), (second, other) = waiting[-2:]
        if kind == other and len(first) + len(second) <= SMALL_BYTES:
            waiting[-2:] = [(first + second, kind)]


def _signer(signature: bytes) -> bytes:
    """The algorithm that a signature names (RFC 4253 section 6.6: a string, then the signature)."""
    length = int.from_bytes(signature[:4], "big")
    return signature[4 : 4 + length]


def available(algorithms: Sequence[bytes]) -> frozenset[str]:
    """Names of asyncssh's, as text."""
    return frozenset(name.decode("ascii") for name in algorithms)
