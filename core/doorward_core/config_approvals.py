"""The part of the configuration about people who decide: their passkeys, and who is told that something waits.

What it is: the models below `approvals` of `docs/config.md`.
What it will not do: hold an address that lets its holder post, or a key: both are secrets, and named by their source.

Invariants: passkeys are for pages over HTTPS only (and this machine's own), within the domain that they are for.
"""

import re
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, model_validator

from doorward_core.config_identity import https
from doorward_core.config_secrets import SecretSource
from doorward_core.config_types import ExistingFile, Some, Strict, fault, shown

_DOMAIN: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z"
)
LOCALHOST: Final = "localhost"  # the one host whose pages browsers trust without TLS
EVENTS: Final = ("held", "voted", "granted", "rejected", "expired", "withdrawn", "break-glass")
"""What a receiver can be told of."""
TOLD: Final = ("held", "granted", "rejected", "expired", "withdrawn", "break-glass")
"""What it is told of where it says nothing."""


def _link(value: str) -> str:
    """Where a person decides; `{id}` stands for the request."""
    if value.count("{id}") != 1:
        raise fault("expected an address with `{id}` in it, such as `https://desk.example/approvals/{id}`")
    return https(value.replace("{id}", "id")) and value


def _domain(value: str) -> str:
    if not _DOMAIN.match(value):
        raise fault("expected the domain of the desk, such as `desk.example`: no scheme, no port, in small letters")
    return value


def _page(value: str) -> str:
    """An origin as browsers write it (RFC 6454 section 6.1)."""
    parts = urlsplit(value)
    host, whole = parts.hostname or "", f"{parts.scheme}://{parts.netloc}"
    local = parts.scheme == "http" and host == LOCALHOST
    if value != whole or value != value.lower() or "@" in value or not (parts.scheme == "https" or local) or not host:
        raise fault("expected an origin, such as `https://desk.example` or `http://localhost:8443`, with no path")
    return value


def _told(value: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in value if name not in EVENTS]
    if unknown:
        raise fault(f"nobody can be told of `{shown(unknown[0])}`; there is {', '.join(EVENTS)}")
    return value


Link = Annotated[str, AfterValidator(_link)]
Domain = Annotated[str, AfterValidator(_domain)]
Page = Annotated[str, AfterValidator(_page)]
Told = Annotated[Some, AfterValidator(_told)]


class PasskeySettings(Strict):
    """Whose passkeys count, and on which pages they may be used."""

    file: ExistingFile
    rp_id: Domain
    origins: tuple[Page, ...]

    @model_validator(mode="after")
    def _within(self) -> "PasskeySettings":
        if not self.origins:
            raise fault("`origins` needs at least one entry: the address of the desk")
        for origin in self.origins:
            host = urlsplit(origin).hostname or ""
            if host != self.rp_id and not host.endswith(f".{self.rp_id}"):
                raise fault(
                    f"`{shown(origin)}` is not within `rp_id: {self.rp_id}`: no browser would use a passkey there"
                )
        return self


class Receiver(Strict):
    """Somebody's webhook, and what it is told."""

    url: SecretSource
    key: SecretSource | None = None
    format: Literal["json", "slack", "teams"] = "json"
    on: Told = TOLD
    text: bool = False
    ca: ExistingFile | None = None

    @model_validator(mode="after")
    def _signed(self) -> "Receiver":
        if self.format == "json" and self.key is None:
            raise fault("needs `key`, the secret that its bodies are signed with (at least 32 characters)")
        return self
