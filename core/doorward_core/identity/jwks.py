"""The shell that fetches and keeps the issuers' keys.

What it is: discovery and key sets over HTTPS, cached per issuer.
What it will not do: follow a redirect, read proxy settings or credentials from the environment,
take more than a bound, or let what a client sends choose an address.
It implements OpenID Connect Discovery 1.0 section 4 and RFC 7517 section 5; reading is `keys.parse_jwks`.

Four times govern a key set:

| age or event | what happens |
|---|---|
| younger than `ttl_s` | used as it is; a key that the issuer removed stops within this time |
| older than `ttl_s` | fetched anew; if that fails, the old set goes on, and the next try waits for `retry_s` |
| older than `stale_limit_s` | used no longer: who comes is refused until the issuer answers again |
| a key id that is not in the set | fetched anew, at most once every `unknown_kid_s` for all clients together |

Invariants: one fetch in flight per issuer; unauthenticated clients can cause at most one fetch per issuer
and `unknown_kid_s`; a failed fetch never replaces a good set.
Cancellation: a fetch that has begun is finished, within its time limit; otherwise clients that hang up at the right
moment could keep an issuer's keys from ever being renewed, or cause as many fetches as they like.
"""

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

import httpx2
import trio

from doorward_core.errors import AuthenticationError
from doorward_core.identity.address import discovery_url, url_problem
from doorward_core.identity.claims import NANOSECONDS
from doorward_core.identity.jose import parse_json_object
from doorward_core.identity.keys import KeySet, parse_jwks
from doorward_core.identity.token import IssuerSettings
from doorward_core.net.bounded import read_at_most

# Large issuers' documents stay under 32 KB, certificate chains included.
MAX_DOCUMENT_BYTES: Final = 256 * 1024
# Within the time that a client has for its whole handshake.
FETCH_TIMEOUT_S: Final = 8.0
# What time synchronisation may take back without our noticing.
MAX_CLOCK_STEP_NS: Final = 60 * NANOSECONDS
_FOREVER_NS: Final = 2**63

Fetch: TypeAlias = Callable[[str, Path | None], Awaitable[bytes]]


class KeysUnavailable(AuthenticationError):
    """The issuer's keys could not be had: not the client's fault, and trying again later may help."""


@dataclass(frozen=True, slots=True)
class CacheTimes:
    """See the table in the module's docstring. The stale limit is how long an issuer may be down."""

    ttl_s: int = 300
    stale_limit_s: int = 3600
    unknown_kid_s: int = 30
    retry_s: int = 15


@dataclass(slots=True)
class _Slot:
    """What is known of one issuer. `tried_unix_ns` is the last attempt, good or bad."""

    lock: trio.Lock = field(default_factory=trio.Lock)
    keys: KeySet | None = None
    fetched_unix_ns: int = 0
    tried_unix_ns: int | None = None
    problem: str = ""


async def https_get(url: str, ca_file: Path | None) -> bytes:
    """Fetch one document. Raises KeysUnavailable. Cancelled, it closes its connection and leaves nothing."""
    if problem := url_problem(url):
        raise KeysUnavailable(f"keys: the address {problem}")
    failure = "the issuer did not answer in time"
    with trio.move_on_after(FETCH_TIMEOUT_S):
        try:
            return await _get(url, ca_file)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ssl.SSLError) as error:
            failure = f"the issuer did not answer: {type(error).__name__}"
    raise KeysUnavailable(f"keys: {failure}")


async def _get(url: str, ca_file: Path | None) -> bytes:
    # No compression: the bound then holds for what is read and for what it becomes.
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    async with (
        httpx2.AsyncClient(
            verify=_tls(ca_file),
            follow_redirects=False,
            trust_env=False,
            headers=headers,
            timeout=None,  # one deadline covers the whole fetch: the caller's
        ) as client,
        client.stream("GET", url) as response,
    ):
        if response.status_code != httpx2.codes.OK:
            raise KeysUnavailable(f"keys: the issuer answered with status {response.status_code}")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise KeysUnavailable("keys: the issuer answered with a compressed document")
        body = await read_at_most(response.aiter_raw(), MAX_DOCUMENT_BYTES)
    if len(body) > MAX_DOCUMENT_BYTES:
        raise KeysUnavailable("keys: the issuer's document is longer than the bound")
    return body


@cache
def _tls(ca_file: Path | None) -> ssl.SSLContext:
    """Make the verifying context once per CA file: reading a system's store takes tens of milliseconds."""
    context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class KeyCache:
    """The key sets of all issuers. One per process; every method runs in the trio thread."""

    __slots__ = ("_fetch", "_slots", "_times")

    def __init__(self, times: CacheTimes | None = None, *, fetch: Fetch = https_get) -> None:
        self._times = times or CacheTimes()
        self._fetch = fetch
        self._slots: dict[str, _Slot] = {}

    async def get(self, settings: IssuerSettings, kid: str | None, now_unix_ns: int) -> KeySet:
        """Give the issuer's keys as of now; whether `kid` is among them is for the caller to see.

        Raises KeysUnavailable where there are none, or only ones past the stale limit.
        """
        slot = self._slots.setdefault(settings.issuer, _Slot())
        if self._wants_fetch(slot, kid, now_unix_ns):
            async with slot.lock:
                # Whoever waited for the lock may find that the work is done, or was just tried in vain.
                if self._wants_fetch(slot, kid, now_unix_ns):
                    with trio.CancelScope(shield=True):
                        await self._refresh(slot, settings, now_unix_ns)
        stale_ns = self._times.stale_limit_s * NANOSECONDS
        if slot.keys is None or self._age_ns(slot.fetched_unix_ns, now_unix_ns) > stale_ns:
            raise KeysUnavailable(f"{slot.problem or 'keys: none'} ({settings.issuer})")
        return slot.keys

    def _wants_fetch(self, slot: _Slot, kid: str | None, now_unix_ns: int) -> bool:
        since_try = None if slot.tried_unix_ns is None else self._age_ns(slot.tried_unix_ns, now_unix_ns)
        if slot.keys is None or self._age_ns(slot.fetched_unix_ns, now_unix_ns) >= self._times.ttl_s * NANOSECONDS:
            return since_try is None or since_try >= self._times.retry_s * NANOSECONDS
        if slot.keys.find(kid) is not None or since_try is None:
            return False
        return since_try >= self._times.unknown_kid_s * NANOSECONDS

    async def _refresh(self, slot: _Slot, settings: IssuerSettings, now_unix_ns: int) -> None:
        try:
            keys = await self._fetch_keys(settings)
        except AuthenticationError as error:
            slot.problem, slot.tried_unix_ns = str(error), now_unix_ns
            return
        slot.keys, slot.problem = keys, ""
        slot.fetched_unix_ns = slot.tried_unix_ns = now_unix_ns

    async def _fetch_keys(self, settings: IssuerSettings) -> KeySet:
        url = settings.jwks_uri
        if url is None:
            document = parse_json_object(
                await self._fetch(discovery_url(settings.issuer), settings.ca_file), "discovery document"
            )
            if document.get("issuer") != settings.issuer:
                raise KeysUnavailable("keys: the discovery document is another issuer's")
            named = document.get("jwks_uri")
            if not isinstance(named, str) or url_problem(named):
                raise KeysUnavailable("keys: the discovery document's jwks_uri cannot be used")
            url = named
        return parse_jwks(await self._fetch(url, settings.ca_file))

    @staticmethod
    def _age_ns(then_unix_ns: int, now_unix_ns: int) -> int:
        """Give an age; a clock that was set back far makes everything old, rather than fresh for ever."""
        age = now_unix_ns - then_unix_ns
        return max(age, 0) if age > -MAX_CLOCK_STEP_NS else _FOREVER_NS
