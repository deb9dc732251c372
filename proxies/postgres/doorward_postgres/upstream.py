"""Dial a target and log in there, with the gateway's own account.

What it will not do: relay (`proxy`), or decide what may be sent.
Implements: PostgreSQL documentation, "SSL Session Encryption", "Canceling Requests in Progress"; `upstream_login`.

Invariants:

- TLS with a verified chain and name, unless the configuration says `disable` or the target is a local socket;
  a target that declines TLS is not talked to.
- Bytes that come along with the answer to SSLRequest are refused: they were not protected (CVE-2021-23222).
- The settings that our parser relies on are pinned at start-up, so that RESET and DISCARD return to them.
- The account's password leaves the process in one place, and is kept in no cache.

Cancelled anywhere, `connect` leaves no socket behind.
"""

import hashlib
import secrets
import socket
import ssl
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

import trio

from doorward_core.errors import UpstreamProtocolError, UpstreamUnavailable
from doorward_core.model import Secret
from doorward_core.net.link import Link
from doorward_core.net.tls import client_context, server_end_point
from doorward_postgres.scram import MAX_ITERATIONS, Challenge, Keys, derive_keys
from doorward_postgres.startup import ALPN
from doorward_postgres.upstream_login import LoggedIn, LoginSettings, NeedKeys, UpstreamLogin
from doorward_postgres.wire_encode import (
    PROTOCOL_3_0,
    TERMINATE,
    encode_cancel_request,
    encode_query,
    encode_ssl_request,
)

# What our parser relies on; start-up options are what RESET returns to.
PINNED: Final[Mapping[str, str]] = MappingProxyType({"client_encoding": "UTF8", "standard_conforming_strings": "on"})
# Servers before 18 do not say this setting by themselves, and names mean nothing without it.
UNSAID: Final = "search_path"
QUESTION: Final = encode_query(f"SHOW {UNSAID}")
# One pair per account and target; salts change when a password does.
_MAX_KEYS: Final = 64
_NONCE_BYTES: Final = 18
# What a target may take to read what was sent to it before its session ends without ceremony.
_GOODBYE_S: Final = 1.0


class TlsMode(StrEnum):
    """`verify-full` is the default; there is nothing between it and nothing."""

    VERIFY_FULL = "verify-full"
    DISABLE = "disable"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a resource is. A `host` that begins with "/" is the folder of a Unix socket, as with libpq.

    `authorities` None means the system's. `server_name` is the name in the certificate where it is not `host`.
    `within_s` bounds dialling, TLS and login together, and how long it may take to take a cancel request.
    """

    host: str
    port: int
    database: str
    tls: TlsMode = TlsMode.VERIFY_FULL
    authorities: Path | None = None
    server_name: str = ""
    within_s: float = 15.0
    protocol: int = PROTOCOL_3_0
    max_iterations: int = MAX_ITERATIONS

    @property
    def local(self) -> bool:
        """Whether it is a Unix socket on this machine."""
        return self.host.startswith("/")


@dataclass(frozen=True, slots=True)
class Account:
    """Who logs in at the target; `password` None where the target trusts."""

    user: str
    password: Secret | None = None


@dataclass(slots=True)
class Upstream:
    """A session at the target, ready for its first query.

    `parameters` are the ParameterStatus values so far. `leftover` are bytes behind ReadyForQuery: feed them first.
    `backend_key` is the target's own and is never shown to a client; empty where the target gave none.
    `asked`: `QUESTION` was sent along with the login, and its answer comes first.
    """

    link: Link
    parameters: dict[str, str]
    backend_pid: int
    backend_key: bytes
    status: str
    protocol: int
    method: str
    leftover: bytes
    _dialer: "Dialer" = field(repr=False)
    asked: bool = False

    async def cancel(self) -> None:
        """Ask the target to cancel what runs in this session. Raises UpstreamUnavailable if it could not be asked."""
        if self.backend_key:
            await self._dialer.cancel(self.backend_pid, self.backend_key)

    async def aclose(self) -> None:
        """End the session at the target, politely if it still listens; bounded in time, so it may be shielded."""
        with trio.move_on_after(_GOODBYE_S), suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self.link.send_all(TERMINATE)
        await self.link.aclose()


class Dialer:
    """Opens sessions at one target. Holds its TLS context and the derived SCRAM keys, so a login costs no PBKDF2."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._keys = _KeyCache()
        self._context: ssl.SSLContext | None = None
        self._asks = False  # the target does not say `UNSAID` by itself: the last login has shown it
        self.reload()

    @property
    def encrypted(self) -> bool:
        """Whether sessions are protected by TLS."""
        return self._context is not None

    def reload(self) -> None:
        """Read the authorities again. Raises ConfigError and keeps what is in force if they cannot be used."""
        if self.target.tls is TlsMode.VERIFY_FULL and not self.target.local:
            self._context = client_context(self.target.authorities, alpn=[ALPN])

    async def connect(self, account: Account, settings: Mapping[str, str]) -> Upstream:
        """Log in with these start-up settings, and with `PINNED` over them.

        Raises UpstreamUnavailable (LoginRefused if the target said so), or UpstreamProtocolError if it lies.
        """
        target = self.target
        try:
            with trio.fail_after(target.within_s):
                link = await self._dial()
                try:
                    return await self._login(link, account, {**settings, **PINNED})
                except BaseException:
                    link.close()
                    raise
        except trio.TooSlowError:
            raise UpstreamUnavailable(f"{_shown(target)} did not answer within {target.within_s:g} s") from None
        except trio.BrokenResourceError as error:
            raise UpstreamUnavailable(f"{_shown(target)}: {error}") from None

    async def cancel(self, pid: int, key: bytes) -> None:
        """Send a CancelRequest on a connection of its own, protected as the session is."""
        try:
            with trio.fail_after(self.target.within_s):
                link = await self._dial()
                try:
                    await link.send_all(encode_cancel_request(pid, key))
                    await link.receive(1)  # the target closes once it has passed the signal on
                finally:
                    link.close()
        except (trio.TooSlowError, trio.BrokenResourceError):
            raise UpstreamUnavailable(f"{_shown(self.target)} took no cancel request") from None

    async def _dial(self) -> Link:
        """A connected link, with TLS where it is due."""
        target = self.target
        try:
            if target.local:
                stream = await trio.open_unix_socket(f"{target.host}/.s.PGSQL.{target.port}")
            else:
                stream = await trio.open_tcp_stream(target.host, target.port)
        except OSError as error:
            raise UpstreamUnavailable(f"{_shown(target)}: {error.strerror or error}") from None
        link = Link(socket.socket(fileno=stream.socket.detach()))
        try:
            await self._protect(link)
        except BaseException:
            link.close()
            raise
        return link

    async def _protect(self, link: Link) -> None:
        if self._context is None:
            return
        await link.send_all(encode_ssl_request())
        answer = await link.receive()
        if answer[:1] != b"S":
            raise UpstreamUnavailable(f"{_shown(self.target)} offers no TLS, and tls.mode is verify-full")
        if answer != b"S":
            raise UpstreamProtocolError("unprotected bytes came along with the answer to SSLRequest")
        await link.start_tls_client(self._context, self.target.server_name or self.target.host)

    async def _login(self, link: Link, account: Account, parameters: Mapping[str, str]) -> Upstream:
        certificate = link.peer_certificate()
        login = UpstreamLogin(
            LoginSettings(
                user=account.user,
                database=self.target.database,
                password=account.password,
                parameters=parameters,
                confidential=link.encrypted or self.target.local,
                binding=None if certificate is None else server_end_point(certificate),
                protocol=self.target.protocol,
                max_iterations=self.target.max_iterations,
            ),
            secrets.token_bytes(_NONCE_BYTES),
        )
        await link.send_all(login.start())
        asked = False
        question = QUESTION if self._asks else b""
        while True:
            data = await link.receive()
            if not data:
                raise UpstreamUnavailable(f"{_shown(self.target)} closed the connection during login")
            for event in login.receive(data):
                if isinstance(event, LoggedIn):
                    self._asks = UNSAID not in event.parameters
                    return self._upstream(link, event, asked=asked)
                if isinstance(event, NeedKeys):
                    assert account.password is not None
                    keys = await self._keys.get(account.password, event.challenge)
                    await link.send_all(login.keys(keys) + question)
                    asked = bool(question)
                else:
                    await link.send_all(event.data + question if event.last else event.data)
                    asked = event.last and bool(question)

    def _upstream(self, link: Link, done: LoggedIn, *, asked: bool) -> Upstream:
        return Upstream(
            link=link,
            parameters=dict(done.parameters),
            backend_pid=done.pid,
            backend_key=done.key,
            status=done.status,
            protocol=done.protocol,
            method=done.method,
            leftover=done.leftover,
            _dialer=self,
            asked=asked,
        )


def _shown(target: Target) -> str:
    """The target as an operator knows it."""
    return f"{target.host}:{target.port}"


class _KeyCache:
    """Derived SCRAM keys, by a keyed digest of the password and by challenge; one derivation at a time for each."""

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(32)
        self._kept: OrderedDict[tuple[bytes, Challenge], Keys] = OrderedDict()
        self._making: dict[tuple[bytes, Challenge], trio.Event] = {}

    async def get(self, password: Secret, challenge: Challenge) -> Keys:
        """The keys, derived in a worker thread the first time."""
        digest = hashlib.blake2b(password.reveal().encode(), key=self._salt).digest()
        name = digest, challenge
        while (keys := self._kept.get(name)) is None:
            if name in self._making:
                await self._making[name].wait()
                continue
            made = self._making[name] = trio.Event()
            try:
                self._kept[name] = await trio.to_thread.run_sync(derive_keys, password.reveal(), challenge)
            finally:
                del self._making[name]
                made.set()
        self._kept.move_to_end(name)
        if len(self._kept) > _MAX_KEYS:
            self._kept.popitem(last=False)
        return keys
