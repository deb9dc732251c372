"""Where targets over HTTP are offered, where they are, and how they are believed, as an operator writes it.

What it is: what the `target` blocks of several protocols have in common (docs/http.md, docs/k8s.md).
What it will not do: route (`routes`), or dial (`dial`).
"""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, model_validator

from doorward_core.config_types import ExistingFile, Seconds, Strict, fault
from doorward_core.http.authority import canonical_authority
from doorward_core.http.messages import BadRequest
from doorward_core.http.paths import canonical

WELL_KNOWN = "/.well-known/doorward/"
"""What the gateway answers itself, whatever the host; no resource can lie there."""


def _place(value: str) -> str:
    """Where a resource is offered: `crm.gateway.example`, `/crm`, or both joined."""
    host, slash, rest = value.partition("/")
    try:
        authority = canonical_authority(host.encode(), "https") if host else ""
        path = canonical(f"/{rest}".encode()).path if slash else "/"
    except (BadRequest, UnicodeEncodeError) as error:
        raise fault(f"expected a host, a path or both, such as `crm.gateway.example` or `/crm`: {error}") from None
    if not host and path == "/":
        raise fault("`/` on every host leaves room for nothing else; name a host, or a path")
    if path.startswith(WELL_KNOWN.removesuffix("/")):
        raise fault(f"{WELL_KNOWN} is the gateway's own")
    return authority + path.removesuffix("/")


def _url(value: str) -> str:
    """Where the target is."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise fault("expected an address such as `https://crm.internal:8443/api`") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise fault("expected an address such as `https://crm.internal:8443/api`")
    if "@" in parts.netloc:
        raise fault("a credential is never written here; say where it is: `accounts: {app: {password: {env: NAME}}}`")
    if parts.query or parts.fragment or "?" in value or "#" in value:
        raise fault("an address here has no query and no fragment")
    try:
        canonical_authority(parts.netloc.encode("ascii"), parts.scheme)
        canonical((parts.path or "/").encode("ascii"))
    except (BadRequest, UnicodeEncodeError) as error:
        raise fault(f"the target's address cannot be used: {error}") from None
    return value


Place = Annotated[str, AfterValidator(_place)]
Url = Annotated[str, AfterValidator(_url)]


class TargetTls(Strict):
    """How an `https` target is believed, and what we show it (mutual TLS). It is verified, always."""

    ca: ExistingFile | None = None
    server_name: str = ""
    certificate: ExistingFile | None = None
    key: ExistingFile | None = None

    @model_validator(mode="after")
    def _together(self) -> "TargetTls":
        if (self.certificate is None) != (self.key is None):
            raise fault("`certificate` and `key` go together")
        return self


class Timeouts(Strict):
    """How long a target may take: to be reached, and to begin its answer."""

    connect: Seconds = 10.0
    answer: Seconds = 300.0


class BodyTimeouts(Timeouts):
    """And to go on with its answer, where silence in the middle of one means that nothing will come."""

    stall: Seconds = 300.0


def unprotected(url: str) -> bool:
    """Tell whether the leg to a target crosses a network without TLS."""
    return url.startswith("http://") and urlsplit(url).hostname not in {"127.0.0.1", "::1", "localhost"}
