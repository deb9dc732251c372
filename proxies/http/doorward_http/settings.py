"""The `target` block of an HTTP resource, as an operator writes it (docs/http.md)."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from doorward_core.config_types import (
    Bytes,
    ExistingFile,
    NotEmpty,
    NotEmptyText,
    Seconds,
    Strict,
    fault,
    frozen_lists,
    nearest,
)
from doorward_core.http.authority import canonical_authority
from doorward_core.http.messages import BadRequest
from doorward_core.http.paths import canonical
from doorward_core.policy.requests import split_request

WELL_KNOWN = "/.well-known/doorward/"
"""What the gateway answers itself, whatever the host; no resource can lie there."""
_MIB = 1024 * 1024
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}\Z")
_RESERVED = frozenset({"host", "connection", "content-length", "transfer-encoding", "content-type", "te", "upgrade"})
_PATTERN_OF_HOSTS = re.compile(r"(?:\*\.)?[a-z0-9][a-z0-9.-]{0,252}(?::[0-9]{1,5})?\Z")


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


def _field_name(value: str) -> str:
    if not _FIELD_NAME.match(value) or value.lower() in _RESERVED:
        raise fault("expected the name of a header, such as `X-Api-Key`")
    return value.lower()


def _hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    for item in value:
        if not _PATTERN_OF_HOSTS.match(item):
            raise fault("expected hosts in small letters, such as `files.example` or `*.files.example`")
    return value


def _requests(value: tuple[str, ...]) -> tuple[str, ...]:
    for item in value:
        try:
            split_request(item)
        except ValueError as error:
            raise fault(str(error)) from None
        if item.startswith("!"):
            raise fault("exceptions (`!`) have no place here; the stricter of two classes wins anyway")
    return value


FieldName = Annotated[str, AfterValidator(_field_name)]
Requests = Annotated[tuple[NotEmptyText, ...], AfterValidator(_requests)]


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


class HeaderCredential(Strict):
    """The account's password in a header of its own."""

    name: FieldName
    prefix: str = ""


class OAuthCredential(Strict):
    """An access token had with the account's user and password as client id and secret (RFC 6749, section 4.4)."""

    token_url: Annotated[str, AfterValidator(_url)]
    scope: str = ""
    audience: str = ""
    client_in: Literal["basic", "form"] = "basic"
    ca: ExistingFile | None = None


class Send(Strict):
    """How the account's credential is shown to the target: exactly one."""

    bearer: Literal[True] | None = None
    basic: Literal[True] | None = None
    header: HeaderCredential | None = None
    oauth: OAuthCredential | None = None
    nothing: Literal[True] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        if isinstance(value, str):
            if value not in {"bearer", "basic", "nothing"}:
                near = nearest(value, ("bearer", "basic", "nothing"))
                raise fault(f"expected `bearer`, `basic`, `nothing`, `{{header: ...}}` or `{{oauth: ...}}`{near}")
            return {value: True}
        return frozen_lists(value)

    @model_validator(mode="after")
    def _one_way(self) -> "Send":
        if sum(item is not None for item in (self.bearer, self.basic, self.header, self.oauth, self.nothing)) != 1:
            raise fault("exactly one of `bearer`, `basic`, `header`, `oauth` and `nothing`")
        return self


class Actions(Strict):
    """Requests that do something else than their method says."""

    read: Requests = ()
    write: Requests = ()
    admin: Requests = ()
    execute: Requests = ()


class Timeouts(Strict):
    """How long a target may take: to be reached, to begin its answer, and to go on with it."""

    connect: Seconds = 10.0
    answer: Seconds = 300.0
    stall: Seconds = 300.0


class HttpTarget(Strict):
    """Where an HTTP resource is offered, and where it is."""

    at: Annotated[tuple[Annotated[str, AfterValidator(_place)], ...], NotEmpty]
    url: Annotated[str, AfterValidator(_url)]
    tls: TargetTls = TargetTls()
    send: Send
    http2: bool | Literal["prior-knowledge"] = True
    identity_header: bool = True
    actions: Actions = Actions()
    openapi: ExistingFile | None = None
    cookies: bool = False
    redirects: Annotated[tuple[str, ...], AfterValidator(_hosts)] = ()
    encoded_slashes: bool = False
    overrides: Literal["refuse", "ignored"] = "refuse"
    tokens_in: tuple[FieldName, ...] = ()
    hold: Seconds = 25.0
    decided_bytes: Annotated[Bytes, Field(ge=0, le=16 * _MIB)] = _MIB
    timeouts: Timeouts = Timeouts()

    @model_validator(mode="after")
    def _meant(self) -> "HttpTarget":
        if self.url.startswith("http://") and self.tls != TargetTls():
            raise fault("`tls` has no meaning beside an `http://` address")
        return self

    @property
    def unprotected(self) -> bool:
        """Tell whether the leg to the target crosses a network without TLS."""
        return self.url.startswith("http://") and urlsplit(self.url).hostname not in {"127.0.0.1", "::1", "localhost"}
