"""The target's credential, had when it is needed and put into a request.

What it is: the shell that turns an account into headers: bearer, basic, a header of its own, or an OAuth access token
had with client credentials and kept until shortly before it ends.
What it will not do: show a credential to anybody but the target, or keep one that was refused.

Source: RFC 6750 section 2.1, RFC 7617, RFC 6749 sections 2.3.1 and 4.4.
Invariants: one request for a token at a time; a token endpoint's answer is bounded; what fails is UpstreamUnavailable.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_plus, urlencode

import trio

from doorward_core.config import Account
from doorward_core.errors import GatewayError, UpstreamUnavailable
from doorward_core.http.messages import Head, Headers
from doorward_core.http.routes import Destination
from doorward_core.http.upstream import UpstreamPool
from doorward_core.model import Secret
from doorward_core.net.secrets import SecretKeeper
from doorward_http.settings import OAuthCredential, Send

MAX_ANSWER_BYTES: Final = 64 * 1024  # of a token endpoint: a token of 16 KiB and what goes with it
EARLY_S: Final = 30  # a token is not used for the last of its life: it must live until the target has read it
SHORT_LIFE_S: Final = 60  # of a token whose end is not said
NS_PER_S: Final = 1_000_000_000
OK: Final = 200


@dataclass(slots=True)
class Granted:
    """An access token, and until when (Unix ns) it is used."""

    token: Secret
    until_unix_ns: int


class Credentials:
    """What one resource's accounts are to its target."""

    def __init__(
        self, send: Send, secrets: SecretKeeper, clock: Callable[[], int], token_pool: UpstreamPool | None
    ) -> None:
        self._send = send
        self._secrets = secrets
        self._clock = clock
        self._pool = token_pool
        self._granted: dict[str, Granted] = {}
        self._turn = trio.Lock()
        self._shown: dict[str, tuple[Secret, Headers]] = {}

    @property
    def names(self) -> tuple[bytes, ...]:
        """The headers that carry it: a client's own are never passed on."""
        header = self._send.header
        return (b"authorization",) if header is None else (b"authorization", header.name.encode("ascii"))

    async def headers(self, name: str, account: Account) -> Headers:
        """The headers that show it. Raises UpstreamUnavailable."""
        send = self._send
        if send.nothing:
            return ()
        if send.oauth is not None:
            secret = await self._token(name, account, send.oauth)
        elif account.password is None:
            raise UpstreamUnavailable(f"account {name} has no password")
        else:
            secret = await self._secrets.get(account.password)
        known = self._shown.get(name)
        if known is None or known[0] is not secret:
            known = self._shown[name] = secret, self._lines(account.user, secret.reveal())
        return known[1]

    def _lines(self, user: str, secret: str) -> Headers:
        send = self._send
        if send.header is not None:
            return ((send.header.name.encode("ascii"), _line(send.header.prefix + secret)),)
        if send.basic:
            return ((b"authorization", b"Basic " + base64.b64encode(f"{user}:{secret}".encode())),)
        return ((b"authorization", _line(f"Bearer {secret}")),)

    def forget(self, name: str, account: Account) -> None:
        """The target refused it: ask for another next time."""
        self._granted.pop(name, None)
        if account.password is not None:
            self._secrets.forget(account.password)

    async def _token(self, name: str, account: Account, oauth: OAuthCredential) -> Secret:
        async with self._turn:
            known = self._granted.get(name)
            if known is None or self._clock() >= known.until_unix_ns:
                known = self._granted[name] = await self._ask(account, oauth)
            return known.token

    async def _ask(self, account: Account, oauth: OAuthCredential) -> Granted:
        assert self._pool is not None  # made with the settings that say `oauth`
        secret = await self._secrets.get(account.password) if account.password is not None else Secret("")
        fields = {"grant_type": "client_credentials"}
        fields |= {key: value for key, value in (("scope", oauth.scope), ("audience", oauth.audience)) if value}
        lines = [(b"content-type", b"application/x-www-form-urlencoded"), (b"accept", b"application/json")]
        if oauth.client_in == "form":
            fields |= {"client_id": account.user, "client_secret": secret.reveal()}
        else:
            pair = f"{quote_plus(account.user)}:{quote_plus(secret.reveal())}"
            lines.append((b"authorization", b"Basic " + base64.b64encode(pair.encode())))
        there = Destination.of(oauth.token_url)
        head = Head("POST", (there.base or "/").encode(), there.authority, there.scheme, tuple(lines))
        answer = bytearray()
        try:
            async with self._pool.request(head, urlencode(fields).encode()) as response:
                while piece := await response.read():
                    answer += piece
                    if len(answer) > MAX_ANSWER_BYTES:
                        raise UpstreamUnavailable("the token endpoint said too much")
                status = response.head.status
        except GatewayError as error:
            raise UpstreamUnavailable(f"no access token for the target: {error}") from None
        if status != OK:
            raise UpstreamUnavailable(f"no access token for the target: the token endpoint answered {status}")
        return self._read(bytes(answer))

    def _read(self, answer: bytes) -> Granted:
        try:
            document = json.loads(answer.decode("utf-8"))
        except (ValueError, RecursionError):
            document = None
        token = document.get("access_token") if isinstance(document, dict) else None
        if not isinstance(token, str) or not token or str(document.get("token_type", "")).lower() != "bearer":
            raise UpstreamUnavailable("no access token for the target: the token endpoint's answer has no bearer token")
        life = document.get("expires_in")
        life_s = life if isinstance(life, int) and not isinstance(life, bool) and life > 0 else SHORT_LIFE_S
        return Granted(Secret(token), self._clock() + max(1, life_s - EARLY_S) * NS_PER_S)


def _line(value: str) -> bytes:
    """A header's value; a secret that would break the line is refused, and not shown."""
    if not value.isascii() or not value.isprintable():
        raise UpstreamUnavailable("the credential for the target cannot stand in a header")
    return value.encode("ascii")
