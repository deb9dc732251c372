"""One resource as the gateway serves it: where it is, how it is read, and the connections to it.

What it is: the shell that makes all of that of an operator's settings, once.
What it will not do: serve a request (`serving`).
"""

from dataclasses import dataclass, field
from pathlib import Path

from doorward_core.config import Account
from doorward_core.errors import ConfigError
from doorward_core.http.dial import UpstreamSettings
from doorward_core.http.limits import UpstreamLimits
from doorward_core.http.openapi import read_api
from doorward_core.http.places import BodyTimeouts
from doorward_core.http.routes import Destination
from doorward_core.http.upstream import UpstreamPool
from doorward_core.model import Resource
from doorward_core.net.tls import client_context, show
from doorward_core.policy.decide import Policy
from doorward_core.policy.requests import Requests, compile_requests
from doorward_core.rooms import Room
from doorward_http.credentials import Credentials
from doorward_http.operations import Reader
from doorward_http.settings import Actions, HttpTarget

ALPN = ("h2", "http/1.1")


@dataclass(slots=True)
class Served:
    """One resource."""

    name: str
    settings: HttpTarget
    destination: Destination
    reader: Reader
    pool: UpstreamPool
    credentials: Credentials
    accounts: dict[str, Account]
    resource: Resource
    _wanted: tuple[bytes, frozenset[str]] = field(default=(b"", frozenset()))

    @property
    def audience(self) -> str:
        """The target as its assertions name it."""
        return f"{self.destination.scheme}://{self.destination.authority}"

    def wanted(self, policy: Policy) -> frozenset[str]:
        """The facts that policy asks for on this resource."""
        if self._wanted[0] != policy.digest:
            self._wanted = (policy.digest, policy.wanted(self.resource))
        return self._wanted[1]


def serve_resource(name: str, settings: HttpTarget, room: Room) -> Served:
    """Make a resource of its settings. Raises ConfigError where a file that they name cannot be used."""
    destination = Destination.of(settings.url)
    pool = UpstreamPool(_upstream(settings))
    tokens = None
    if settings.send.oauth is not None:
        tokens = UpstreamPool(_token_endpoint(settings.send.oauth.token_url, settings.send.oauth.ca))
    known, actions = described(settings)
    resource = room.config.resources[name]
    return Served(
        name,
        settings,
        destination,
        Reader(destination, actions, known),
        pool,
        Credentials(settings.send, room.secrets, room.gate.clock, tokens),
        dict(resource.accounts),
        room.config.nouns()[name],
    )


def described(settings: HttpTarget) -> tuple[Requests | None, Actions]:
    """Which requests there are, and what they do: the description's word, and the configuration's over it."""
    if settings.openapi is None:
        return None, settings.actions
    try:
        text = settings.openapi.read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        raise ConfigError((f"{settings.openapi}:1: cannot be read",)) from None
    api = read_api(text, str(settings.openapi))
    said = api.actions()
    merged = {name: (*getattr(settings.actions, name), *said.get(name, ())) for name in Actions.model_fields}
    return compile_requests(api.patterns()), Actions(**merged)


def _upstream(settings: HttpTarget) -> UpstreamSettings:
    there = Destination.of(settings.url)
    tls = None
    if there.scheme == "https":
        tls = client_context(settings.tls.ca, alpn=ALPN if settings.http2 else ALPN[1:])
        if settings.tls.certificate is not None and settings.tls.key is not None:
            show(tls, settings.tls.certificate, settings.tls.key)
    return UpstreamSettings(
        there.host,
        there.port,
        tls,
        settings.tls.server_name,
        http2=bool(settings.http2) and tls is not None,
        prior_knowledge=settings.http2 == "prior-knowledge",
        limits=_limits(settings.timeouts),
    )


def _limits(timeouts: BodyTimeouts) -> UpstreamLimits:
    return UpstreamLimits(connect_s=timeouts.connect, answer_s=timeouts.answer, stall_s=timeouts.stall)


def _token_endpoint(url: str, authorities: Path | None) -> UpstreamSettings:
    there = Destination.of(url)
    tls = client_context(authorities, alpn=ALPN[1:]) if there.scheme == "https" else None
    return UpstreamSettings(there.host, there.port, tls, limits=UpstreamLimits(connections=4, answer_s=15.0))
