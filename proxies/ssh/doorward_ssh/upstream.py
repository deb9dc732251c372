"""To the target: dial, know it by its host key, and log in.

What it is: the shell that makes the second leg of a session, once, and under a Permit.
What it will not do: show a client's credential to a target, or forward an agent. A host key that is unknown or has
changed is refused; nothing is ever learnt from a target about who it is.

Source: RFC 4252, RFC 4253; OpenSSH's PROTOCOL.certkeys for the certificate of a session.

Invariants: a certificate is made for one session and one login, and its key never leaves this process; a secret is
revealed only to asyncssh; a dial that fails does so within `connect_timeout` and says why.

Cancelled, it leaves no connection behind.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import asyncssh
import trio
from asyncssh.encryption import get_encryption_algs
from asyncssh.kex import get_kex_algs
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from doorward_core.config import Account
from doorward_core.errors import UpstreamUnavailable
from doorward_core.identity.ssh_certificate import MAX_SERIAL, issue_upstream
from doorward_core.identity.ssh_keys import Authorities
from doorward_core.mask.literals import lines_of
from doorward_core.model import Session
from doorward_core.net.secrets import SecretKeeper
from doorward_ssh import algorithms
from doorward_ssh.inside import TargetConnection, available
from doorward_ssh.loops import in_asyncio
from doorward_ssh.settings import SshTarget

SOFTWARE: Final = "Doorward"
KEEPALIVE_S: Final = 30  # a target that is gone is noticed after three of these


@dataclass(frozen=True, slots=True)
class Login:
    """How a session logs in at the target: exactly one of a password and key pairs."""

    user: str
    password: str | None = None
    keys: tuple[Any, ...] = ()
    secrets: tuple[bytes, ...] = ()  # texts by which it would be given away


@dataclass(frozen=True, slots=True)
class Dialer:
    """Makes connections to one target."""

    target: SshTarget
    accounts: dict[str, Account]
    authorities: Authorities
    secrets: SecretKeeper

    async def connect(self, session: Session, throttle: Callable[[bool], None]) -> TargetConnection:
        """Dial and log in. Raises UpstreamUnavailable, with words that may be shown to the client."""
        login = await self._login(session)
        options = self._options(login)
        with trio.move_on_after(self.target.connect_timeout):
            connection = await in_asyncio(self._dial(options, throttle))
            connection.secrets = login.secrets
            return connection
        raise UpstreamUnavailable(f"it did not answer within {self.target.connect_timeout:g} s")

    async def _login(self, session: Session) -> Login:
        account = self.accounts[session.account]
        source = self.target.keys.get(session.account)
        if source is not None:
            text = (await self.secrets.get(source)).reveal()
            try:
                key = asyncssh.import_private_key(text + "\n")
                return Login(account.user, keys=(key,), secrets=lines_of(text))
            except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
                raise UpstreamUnavailable("the key of this account is no private key without a passphrase") from None
        if account.password is not None:
            password = (await self.secrets.get(account.password)).reveal()
            return Login(account.user, password=password, secrets=(password.encode(),))
        made = Ed25519PrivateKey.generate()
        issued = issue_upstream(
            self.authorities.user,
            made.public_key(),
            session.identity,
            session.id,
            account.user,
            serial=secrets.randbelow(MAX_SERIAL) + 1,
            now_unix_ns=time.time_ns(),
        )
        pem = made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        pair = (asyncssh.import_private_key(pem), asyncssh.import_certificate(issued.line))
        return Login(account.user, keys=(pair,))

    def _options(self, login: Login) -> asyncssh.SSHClientConnectionOptions:
        return asyncssh.SSHClientConnectionOptions(
            config=None,
            host=self.target.host,
            port=self.target.port,
            username=login.user,
            password=login.password,
            client_keys=list(login.keys) or None,
            public_key_auth=bool(login.keys),
            password_auth=login.password is not None,
            kbdint_auth=login.password is not None,
            host_based_auth=False,
            gss_host=None,
            agent_path=None,
            agent_forwarding=False,
            known_hosts=self._known_hosts(),
            x509_trusted_certs=None,
            kex_algs=algorithms.known(algorithms.KEX_TARGETS, available(get_kex_algs())),
            encryption_algs=algorithms.known(algorithms.CIPHERS_TARGETS, available(get_encryption_algs())),
            mac_algs=list(algorithms.MACS),
            compression_algs=None,
            signature_algs=list(algorithms.SIGNATURES),
            client_version=SOFTWARE,
            login_timeout=0,  # `connect` has the deadline
            keepalive_interval=KEEPALIVE_S,
        )

    def _known_hosts(self) -> Any:
        """By what the target is known, as asyncssh takes it."""
        if self.target.known_hosts is not None:
            return str(self.target.known_hosts)
        pinned = [asyncssh.import_public_key(self.target.host_key)] if self.target.host_key else []
        believed = [asyncssh.import_public_key(self.target.host_ca)] if self.target.host_ca else []
        return (pinned, believed, [])

    async def _dial(
        self, options: asyncssh.SSHClientConnectionOptions, throttle: Callable[[bool], None]
    ) -> TargetConnection:
        """The part of asyncio: connected and logged in, or closed and an UpstreamUnavailable."""
        loop = asyncio.get_running_loop()
        waiter = options.waiter = loop.create_future()
        connection: TargetConnection | None = None
        try:
            _, connection = await loop.create_connection(
                lambda: TargetConnection(loop, options, throttle), self.target.host, self.target.port
            )
            await waiter
        except asyncssh.HostKeyNotVerifiable:
            raise UpstreamUnavailable("its host key is not the one that it is known by") from None
        except asyncssh.PermissionDenied:
            raise UpstreamUnavailable("it refused the gateway's login") from None
        except asyncssh.Error as error:
            raise UpstreamUnavailable(f"the handshake failed: {type(error).__name__}") from None
        except OSError as error:
            raise UpstreamUnavailable(error.strerror or "it cannot be reached") from None
        else:
            done, connection = connection, None
            return done
        finally:
            if connection is not None:
                connection.abort()
