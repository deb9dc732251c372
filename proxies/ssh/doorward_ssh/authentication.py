"""Who the client of one connection is: its tokens and certificates, and the user names that they come with.

What it is: `Authentication`, which asyncssh's callbacks ask, and which asks the gate in trio.
What it will not do: verify a credential (`doorward_core.identity`), read a user name (`names`), or open anything.

Source: RFC 4252 (sections 5.4, 7 and 8: banners, keys, passwords).

Invariants:
- Somebody is admitted once at most; the name of a jump admits to nothing but carrying other connections.
- Attempts are bounded in number, and so is what is only asked about.
- What is said before a login is about the spelling of the user name alone, and said once; who is known and not let in
  is told why in the disconnect message.
"""

from typing import Final, Protocol

import asyncssh
import trio

from doorward_core.errors import AdmissionRefused, AuthenticationError, ClientProtocolError, GatewayError, RecordError
from doorward_core.gate import Gate
from doorward_core.identity.authenticate import BearerToken, Credential, SshCertificate
from doorward_core.model import Peer, Secret
from doorward_core.session_gate import SessionGate
from doorward_ssh import refusals
from doorward_ssh.inside import ClientConnection
from doorward_ssh.loops import Bridge
from doorward_ssh.names import JUMP, Login, parse_inner, parse_user

ATTEMPTS: Final = 6  # tokens and signatures of one connection: OpenSSH's MaxAuthTries
KEYS: Final = 32  # certificates asked about; an agent may hold that many
TOKEN_CHARS: Final = 16 * 1024  # a token with many groups has 4 KiB
SOFTWARE_CHARS: Final = 128  # of what a client calls itself


class Host(Protocol):
    """What is asked of the connection."""

    bridge: Bridge
    client: ClientConnection | None

    def admitted(self, door: SessionGate) -> None:
        """A session has begun: see to its end."""


class Authentication:
    """The logins of one connection; `carried` names the resource of one that comes through a jump."""

    def __init__(self, host: Host, gate: Gate, peer: Peer, carried: str) -> None:
        self.door: SessionGate | None = None
        self.jump = False  # it carries other connections, and does nothing else
        self._host = host
        self._gate = gate
        self._peer = peer
        self._carried = carried
        self._turn = trio.Lock()
        self._told = False
        self._attempts = 0
        self._asked = 0

    # --- what asyncssh asks: its callbacks, none of which waits but for a future -------------------------------------

    def begin(self, username: str) -> None:
        """A client names whom it asks for; one that names no resource is told how it is written."""
        try:
            self._read(username)
        except ClientProtocolError:
            if not self._told and self._host.client is not None:
                self._told = True
                self._host.client.send_auth_banner(refusals.names(inner=bool(self._carried)))

    async def token(self, token: str, username: str) -> bool:
        """Log in with a token. Raises asyncssh.DisconnectError where there is no point in another try."""
        self._tried()
        if not token or len(token) > TOKEN_CHARS:
            return False
        return await self._admit(BearerToken(Secret(token)), username)

    async def certificate(self, blob: bytes, username: str) -> bool:
        """Log in with a certificate whose key has been proved to be the client's. Raises as `token` does."""
        self._tried()
        return await self._admit(SshCertificate(blob, self._principal(username)), username)

    def certificate_could(self, blob: bytes, username: str) -> bool:
        """Tell whether it would be taken; one that is somebody else's is passed over, and is no failed attempt."""
        self._asked += 1
        if self._asked > KEYS:
            raise asyncssh.DisconnectError(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "too many keys")
        return self._gate.authenticator.believes(SshCertificate(blob, self._principal(username)), self._peer)

    def _tried(self) -> None:
        self._attempts += 1
        if self._attempts > ATTEMPTS:
            raise asyncssh.DisconnectError(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "too many attempts")

    def _read(self, username: str) -> Login | None:
        """Whom a user name asks for; None is a jump. Raises ClientProtocolError."""
        return parse_inner(username, self._carried) if self._carried else parse_user(username)

    def _principal(self, username: str) -> str:
        """As which principal a user name logs in: behind a jump the account alone means this resource's."""
        if not self._carried:
            return username
        try:
            return parse_inner(username, self._carried).name
        except ClientProtocolError:
            return username

    async def _admit(self, credential: Credential, username: str) -> bool:
        """Ask the gate, in trio. Words for somebody who is known and not let in go into the disconnect message."""
        try:
            return await self._host.bridge.ask(self._login, credential, username)
        except AdmissionRefused as refused:
            words = refusals.parting(refusals.line(str(refused)))
            raise asyncssh.DisconnectError(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, words) from None
        except RecordError as error:
            words = refusals.line(refusals.no_record(error))
            raise asyncssh.DisconnectError(asyncssh.DISC_BY_APPLICATION, words) from None
        except GatewayError as error:
            raise asyncssh.DisconnectError(asyncssh.DISC_BY_APPLICATION, "the login failed") from error

    # --- trio's side -------------------------------------------------------------------------------------------------

    async def _login(self, credential: Credential, username: str) -> bool:
        async with self._turn:  # a client may send the next attempt before it has heard of this one
            return await self._login_once(credential, username)

    async def _login_once(self, credential: Credential, username: str) -> bool:
        client = self._host.client
        if self.door is not None or self.jump or client is None:
            return False
        try:
            login = self._read(username)
        except ClientProtocolError:
            return False
        software = str(client.get_extra_info("client_version", ""))[:SOFTWARE_CHARS]
        peer = Peer(self._peer.address, self._peer.port, software, encrypted=True)
        if login is None:
            return await self._login_to_jump(credential, peer)
        try:
            door = await self._gate.admit(credential, login.resource, login.account, peer)
        except AuthenticationError:
            return False
        self.door = door
        self._host.admitted(door)
        if door.observe:
            client.send_auth_banner(f"{refusals.OBSERVED}\r\n")
        return True

    async def _login_to_jump(self, credential: Credential, peer: Peer) -> bool:
        """Whoever is known may carry connections here: each logs in by itself, and is admitted or not."""
        try:
            await self._gate.authenticator.authenticate(credential, peer)
        except AuthenticationError as error:
            await self._gate.unknown(JUMP, peer, error)
            return False
        self.jump = True
        return True
