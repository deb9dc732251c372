"""The client's side of asyncssh: who logs in, and what is opened.

What it is: `Doorman`, asyncssh's callbacks for one connection, and the options that every connection has.
What it will not do: wait, or decide; it asks the `Conversation` and its `Authentication`, whose trio tasks do.

Source: RFC 4252 (authentication), RFC 4254 (connection).

Invariants: nothing is opened before somebody has been admitted; channels are bounded in number; what is not asked for
here by name is refused by asyncssh's defaults (no forward, no agent, no X11, no tunnel).
"""

from typing import Final, Protocol

import asyncssh
from asyncssh.encryption import get_encryption_algs
from asyncssh.kex import get_kex_algs

from doorward_ssh import algorithms, refusals
from doorward_ssh.authentication import Authentication
from doorward_ssh.ends import ClientEnd
from doorward_ssh.forwards import DIRECT, LISTEN, LISTEN_STREAM, STREAM, TUNNEL, Opening
from doorward_ssh.hostkeys import HostKey
from doorward_ssh.inside import PACKET_BYTES, WINDOW_BYTES, ClientConnection, available
from doorward_ssh.legs import Leg
from doorward_ssh.upstream import SOFTWARE

# The comment of the identification (RFC 4253 section 4.2): clients look for this word before they make a symbolic link.
IDENT: Final = f"{SOFTWARE} SFTP-as-OpenSSH"
CHANNELS: Final = 64  # of one connection at a time; OpenSSH's MaxSessions is 10
CHANNELS_EVER: Final = 100_000  # so that no connection counts on for ever
KEEPALIVE_S: Final = 30
REKEY_BYTES: Final = 1 << 30  # RFC 4253 section 9 asks for both of these
REKEY_S: Final = 3600


class Desk(Protocol):
    """What the callbacks ask of the conversation. All of it is called by asyncio."""

    def made(self, connection: ClientConnection) -> None:
        """The connection is there."""

    def lost(self, error: Exception | None) -> None:
        """It is over."""

    def proved(self) -> None:
        """The client has been admitted and told so."""

    def open_session(self) -> ClientEnd:
        """Make the end of a session channel."""

    async def forward(self, opening: Opening) -> Leg:
        """Connect somewhere through the target, or to a resource by a jump. Raises asyncssh.ChannelOpenError."""

    async def listen(self, opening: Opening) -> bool:
        """Have the target listen."""

    def never(self, opening: Opening) -> None:
        """Put on record that something was asked for which is refused in any case."""


class Doorman(asyncssh.SSHServer):
    """asyncssh's callbacks for one connection."""

    def __init__(self, desk: Desk, authentication: Authentication) -> None:
        self._desk = desk
        self._authentication = authentication
        self._opened = 0
        self.channels = 0  # open now

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """The transport is there."""
        assert isinstance(conn, ClientConnection)
        self._desk.made(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        self._desk.lost(exc)

    def begin_auth(self, username: str) -> bool:
        """Everybody has to prove who he is, whatever the name."""
        self._authentication.begin(username)
        return True

    def auth_completed(self) -> None:
        """The client has been told that it is in."""
        self._desk.proved()

    def password_auth_supported(self) -> bool:
        """A token is a password, and an answer to the one question of keyboard-interactive."""
        return True

    def public_key_auth_supported(self) -> bool:
        """A certificate is shown this way."""
        return True

    async def validate_password(self, username: str, password: str) -> bool:
        """Log in with a token."""
        return await self._authentication.token(password, username)

    def session_requested(self) -> ClientEnd:
        """Open a session channel; what is to run there is decided when it is said."""
        self._opened += 1
        if self.channels >= CHANNELS or self._opened > CHANNELS_EVER:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, refusals.line("too many channels"))
        end = self._desk.open_session()
        self.channels += 1
        end.on_gone.append(self._closed)
        return end

    def _closed(self) -> None:
        self.channels -= 1

    async def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Leg:
        """Connect to an address through the target, if that may be."""
        return await self._desk.forward(Opening(DIRECT, dest_host, dest_port, (orig_host, orig_port)))

    async def unix_connection_requested(self, dest_path: str) -> Leg:
        """Connect to a Unix socket through the target, if that may be."""
        return await self._desk.forward(Opening(STREAM, dest_path))

    async def server_requested(self, listen_host: str, listen_port: int) -> bool:
        """Have the target listen: put on record, and refused."""
        return await self._desk.listen(Opening(LISTEN, listen_host, listen_port))

    async def unix_server_requested(self, listen_path: str) -> bool:
        """The same, on a Unix socket."""
        return await self._desk.listen(Opening(LISTEN_STREAM, listen_path))

    def tun_requested(self, unit: int | None) -> bool:
        """Tunnel packets: put on record, and refused."""
        self._desk.never(Opening(TUNNEL, "tun"))
        return False

    def tap_requested(self, unit: int | None) -> bool:
        """Tunnel frames: the same."""
        self._desk.never(Opening(TUNNEL, "tap"))
        return False


def server_options(host_key: HostKey) -> asyncssh.SSHServerConnectionOptions:
    """What every connection from a client has; made once, and again when the host certificate is renewed."""
    return asyncssh.SSHServerConnectionOptions(
        config=None,
        server_host_keys=[host_key.pair()],
        server_version=IDENT,
        kex_algs=algorithms.known(algorithms.KEX_CLIENTS, available(get_kex_algs())),
        encryption_algs=algorithms.known(algorithms.CIPHERS, available(get_encryption_algs())),
        mac_algs=list(algorithms.MACS),
        compression_algs=None,
        signature_algs=list(algorithms.SIGNATURES),
        host_based_auth=False,
        x509_trusted_certs=None,
        gss_host=None,
        login_timeout=0,  # the listener has the deadline
        keepalive_interval=KEEPALIVE_S,
        rekey_bytes=REKEY_BYTES,
        rekey_seconds=REKEY_S,
        line_editor=False,
        agent_forwarding=False,
        x11_forwarding=False,
        encoding=None,
        window=WINDOW_BYTES,
        max_pktsize=PACKET_BYTES,
    )
