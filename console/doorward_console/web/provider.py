"""The identity provider, asked over HTTPS: where people log in, and their tokens for the code that they bring back.

What it is: discovery, the code exchange, the renewal of tokens, and the verification of what came.
What it will not do: follow a redirect, read proxies or credentials from the environment, or send the client's secret
anywhere but to the token endpoint.
It implements RFC 6749 (sections 4.1.3, 6), RFC 7636 section 4.5, and reading by `oidc`.

Invariants: every answer is bounded in size and time; keys come through the cache and strength checks of a gateway.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import httpx2
import trio

from doorward_console.settings import Login
from doorward_console.web import oidc
from doorward_core.errors import AuthenticationError, UpstreamUnavailable
from doorward_core.identity.address import discovery_url
from doorward_core.identity.authenticate import Authenticator, BearerToken
from doorward_core.identity.jose import parse_compact
from doorward_core.identity.jwks import KeyCache, https_get
from doorward_core.model import Identity, Peer, Secret
from doorward_core.net.bounded import read_at_most
from doorward_core.net.secrets import SecretKeeper
from doorward_core.net.tls import client_context

EXCHANGE_S = 10.0
MAX_ANSWER_BYTES = 128 * 1024
"""Three tokens, each with two hundred groups."""
DISCOVERY_NS = 3600 * 1_000_000_000
"""Endpoints move once in years; an hour is how long a provider's move takes to be seen."""


class ProviderUnavailable(Exception):
    """The identity provider did not answer: nobody's fault at the desk, and later may help."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a login gave: who it is, the access token, and one to renew it with where the provider gives such."""

    identity: Identity
    access: Secret
    refresh: Secret | None


class Provider:
    """One identity provider. `clock` gives nanoseconds since the epoch."""

    def __init__(self, login: Login, clock: Callable[[], int]) -> None:
        self._login = login
        self._clock = clock
        self._keys = KeyCache()
        self._settings = oidc.access_settings(login)
        self._authenticator = Authenticator((self._settings,), clock=clock, keys=self._keys)
        self._secrets = SecretKeeper(clock=clock)
        self._known: tuple[oidc.Endpoints, int] | None = None

    async def endpoints(self) -> oidc.Endpoints:
        """Where the provider takes what. Raises ProviderUnavailable."""
        now = self._clock()
        if self._known is None or not 0 <= now - self._known[1] < DISCOVERY_NS:
            try:
                document = json.loads(await https_get(discovery_url(self._login.issuer), self._login.ca))
                endpoints = oidc.read_endpoints(document if isinstance(document, dict) else {}, self._login.issuer)
            except (AuthenticationError, ValueError) as error:
                raise ProviderUnavailable(str(error)) from None
            self._known = (endpoints, now)
        return self._known[0]

    async def redeem(self, code: str, started: oidc.Started, site: str, peer: Peer) -> Tokens:
        """Give a code, and get the person that it stands for. Raises AuthenticationError, ProviderUnavailable."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": site + oidc.CALLBACK,
            "code_verifier": started.verifier,
        }
        answer = await self._exchange(form)
        tokens = await self._tokens(answer, peer)
        id_token = answer.get("id_token")
        if not isinstance(id_token, str):
            raise AuthenticationError("the identity provider sent no ID token")
        keys = await self._keys.get(self._settings, parse_compact(id_token).kid, self._clock())
        now = self._clock()
        oidc.check_id_token(id_token, keys, self._login, started=started, person=tokens.identity, now_unix_ns=now)
        return tokens

    async def renew(self, refresh: Secret, before: Identity, peer: Peer) -> Tokens:
        """Get a new access token for the same person. Raises AuthenticationError, ProviderUnavailable."""
        answer = await self._exchange({"grant_type": "refresh_token", "refresh_token": refresh.reveal()})
        tokens = await self._tokens(answer, peer)
        if (tokens.identity.subject, tokens.identity.issuer) != (before.subject, before.issuer):
            raise AuthenticationError("the renewed token is somebody else's")
        return tokens if tokens.refresh is not None else Tokens(tokens.identity, tokens.access, refresh)

    async def identify(self, token: Secret, peer: Peer) -> Identity:
        """Whose access token this is: for the JSON API. Raises AuthenticationError."""
        return await self._authenticator.authenticate(BearerToken(token), peer)

    async def _tokens(self, answer: Mapping[str, object], peer: Peer) -> Tokens:
        access, refresh = answer.get("access_token"), answer.get("refresh_token")
        if not isinstance(access, str) or not access:
            raise AuthenticationError("the identity provider sent no access token")
        identity = await self.identify(Secret(access), peer)
        return Tokens(identity, Secret(access), Secret(refresh) if isinstance(refresh, str) and refresh else None)

    async def _exchange(self, form: dict[str, str]) -> Mapping[str, object]:
        endpoints = await self.endpoints()
        form["client_id"] = self._login.client_id
        if self._login.secret is not None:
            try:
                form["client_secret"] = (await self._secrets.get(self._login.secret)).reveal()
            except UpstreamUnavailable as error:
                raise ProviderUnavailable(str(error)) from None
        with trio.move_on_after(EXCHANGE_S):
            try:
                status, body = await _post(endpoints.token, form, self._login.ca)
            except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
                raise ProviderUnavailable(f"it did not answer: {type(error).__name__}") from None
            return _read(status, body)
        raise ProviderUnavailable("it did not answer in time")


async def _post(url: str, form: Mapping[str, str], ca: Path | None) -> tuple[int, bytes]:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    async with (
        httpx2.AsyncClient(
            verify=client_context(ca), follow_redirects=False, trust_env=False, headers=headers, timeout=None
        ) as client,
        client.stream("POST", url, data=dict(form)) as response,
    ):
        body = await read_at_most(response.aiter_raw(), MAX_ANSWER_BYTES)
        status = response.status_code
    if len(body) > MAX_ANSWER_BYTES:
        raise ProviderUnavailable("its answer is longer than the bound")
    return status, body


def _read(status: int, body: bytes) -> Mapping[str, object]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise ProviderUnavailable(f"it answered with HTTP {status}")
    if status != HTTPStatus.OK:
        raise AuthenticationError(f"the identity provider refused: {str(document.get('error'))[:100]!a}")
    return document
