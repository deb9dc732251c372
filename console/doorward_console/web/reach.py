"""The gateways, asked on behalf of whoever looks: each one's control API, with that person's own token.

What it is: an asynchronous client of one gateway, and `ask_all`, which asks several at once and says which were silent.
What it will not do: have rights of its own. The desk holds no credential for a gateway; it can show lies, and approve
nothing (threat model AP-04, AP-05).

Invariants: each answer is bounded in size and time; certificates are verified; a gateway that is down is a `Down` with
its reason, never an empty list; a token travels over TLS, a Unix socket or loopback only (`settings`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeAlias
from urllib.parse import quote, urlencode

import httpx2
import trio

from doorward_console.settings import GatewaySettings
from doorward_core.errors import ConfigError
from doorward_core.model import Secret
from doorward_core.net.bounded import read_at_most
from doorward_core.net.tls import client_context

Json: TypeAlias = dict[str, object]

CONNECT_S = 3.0
ANSWER_S = 10.0
TOGETHER_S = 4.0
"""Where several are asked for one page: a gateway that hangs must not keep the others' answers from people."""
WAIT_S = 10
"""How long a gateway keeps a question about changes: less than its control port gives a handler."""
MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""Two hundred requests in a list, or one statement of the largest size that a gateway takes."""
_UNIX = "unix:"


class GatewayDown(Exception):
    """The gateway could not be reached, or did not answer as one; the message says which it was."""


class GatewayRefused(Exception):
    """The gateway answered, and said no; the message is its own words."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Down:
    """A gateway that did not answer one question, and why; `refused` where it did, and said no."""

    gateway: str
    why: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What one gateway answered."""

    gateway: str
    answer: Json


@dataclass(frozen=True, slots=True)
class Answer:
    """What one gateway said to what it was told: an HTTP status, or 0 where it did not answer; and why not, if not."""

    gateway: str
    status: int
    why: str = ""
    answer: Json = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return self.status == HTTPStatus.OK


class Gateway:
    """One gateway. It lives as long as the desk: `aclose` closes its connections."""

    def __init__(self, name: str, settings: GatewaySettings) -> None:
        self.name = name
        self.settings = settings
        transport: httpx2.AsyncHTTPTransport
        if settings.control.startswith(_UNIX):
            base = "http://gateway"
            transport = httpx2.AsyncHTTPTransport(uds=settings.control.removeprefix(_UNIX), limits=_limits())
        else:
            base = settings.control
            transport = httpx2.AsyncHTTPTransport(verify=client_context(settings.ca), limits=_limits())
        self._client = httpx2.AsyncClient(
            base_url=base,
            transport=transport,
            follow_redirects=False,
            trust_env=False,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            timeout=httpx2.Timeout(None, connect=CONNECT_S),  # one deadline covers each whole question: `_ask`
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def get(
        self, token: Secret, *parts: str, query: Mapping[str, str] | None = None, extra_s: float = 0,
        within_s: float = ANSWER_S,
    ) -> Json:  # fmt: skip
        """Ask: `parts` are the segments of the path below /v1. Raises GatewayDown, GatewayRefused."""
        asked = f"?{urlencode(query)}" if query else ""
        return await self._ask("GET", _path(parts) + asked, token, None, within_s + extra_s)

    async def post(self, token: Secret, *parts: str, body: Mapping[str, object]) -> Json:
        """Tell. Raises GatewayDown (what was told may have been heard all the same), GatewayRefused."""
        return await self._ask("POST", _path(parts), token, body, ANSWER_S)

    async def _ask(
        self, method: str, path: str, token: Secret, body: Mapping[str, object] | None, limit_s: float
    ) -> Json:
        headers = {"Authorization": f"Bearer {token.reveal()}"}
        why = "it did not answer in time"
        with trio.move_on_after(limit_s):
            try:
                status, data = await self._exchange(method, path, headers, body)
            except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
                why = "it cannot be reached" if isinstance(error, httpx2.ConnectError) else "the connection broke"
            else:
                return _read(status, data)
        raise GatewayDown(why)

    async def _exchange(
        self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, object] | None
    ) -> tuple[int, bytes]:
        async with self._client.stream(method, path, headers=dict(headers), json=body) as response:
            data = await read_at_most(response.aiter_raw(), MAX_ANSWER_BYTES)
            status = response.status_code
        if len(data) > MAX_ANSWER_BYTES:
            raise GatewayDown("its answer is longer than the bound")
        return status, data


async def ask_all(
    gateways: Sequence[Gateway], token: Secret, *parts: str, query: Mapping[str, str] | None = None
) -> tuple[list[Told], list[Down]]:
    """Ask several gateways the same, at once; whoever does not answer, or refuses, is among the `Down`."""
    told: dict[str, Json] = {}
    down: dict[str, Down] = {}

    async def ask(gateway: Gateway) -> None:
        try:
            told[gateway.name] = await gateway.get(token, *parts, query=query, within_s=TOGETHER_S)
        except GatewayDown as error:
            down[gateway.name] = Down(gateway.name, str(error))
        except GatewayRefused as error:
            down[gateway.name] = Down(gateway.name, _refusal(error), error.status != HTTPStatus.UNAUTHORIZED)

    async with trio.open_nursery() as nursery:
        for gateway in gateways:
            nursery.start_soon(ask, gateway)
    names = [gateway.name for gateway in gateways]
    return [Told(name, told[name]) for name in names if name in told], [down[name] for name in names if name in down]


async def tell_all(
    gateways: Sequence[Gateway], token: Secret, *parts: str, body: Mapping[str, object]
) -> tuple[Answer, ...]:
    """Tell several gateways the same, at once; what each one answered, or why it did not."""
    answers: dict[str, Answer] = {}

    async def tell(gateway: Gateway) -> None:
        answers[gateway.name] = await told_by(gateway, token, *parts, body=body)

    async with trio.open_nursery() as nursery:
        for gateway in gateways:
            nursery.start_soon(tell, gateway)
    return tuple(answers[gateway.name] for gateway in gateways)


async def told_by(gateway: Gateway, token: Secret, *parts: str, body: Mapping[str, object]) -> Answer:
    """Tell one gateway; what it answered, or why it did not."""
    try:
        return Answer(gateway.name, HTTPStatus.OK, answer=await gateway.post(token, *parts, body=body))
    except GatewayDown as error:
        return Answer(gateway.name, 0, str(error))
    except GatewayRefused as error:
        return Answer(gateway.name, error.status, _refusal(error))


def _refusal(error: GatewayRefused) -> str:
    if error.status == HTTPStatus.UNAUTHORIZED:
        return "it does not take your token"
    return f"it refused: {error.detail}"


def _path(parts: Sequence[str]) -> str:
    return "/".join(("/v1", *(quote(part, safe="") for part in parts)))


def _limits() -> httpx2.Limits:
    """Fewer than a control port takes from everybody together."""
    return httpx2.Limits(max_connections=32, max_keepalive_connections=8, keepalive_expiry=10.0)


def _read(status: int, data: bytes) -> Json:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise GatewayDown(f"what answers is not a gateway (HTTP {status})")
    if status >= HTTPStatus.BAD_REQUEST:
        raise GatewayRefused(status, str(document.get("detail", f"HTTP {status}"))[:1000])
    return document


def usable(gateways: Mapping[str, GatewaySettings]) -> dict[str, Gateway]:
    """A client for each. Raises ConfigError with every certificate authority that cannot be read."""
    made: dict[str, Gateway] = {}
    problems: list[str] = []
    for name, settings in gateways.items():
        try:
            made[name] = Gateway(name, settings)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(tuple(problems))
    return made
