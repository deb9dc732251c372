"""The `target` block of an HTTP resource, as an operator writes it (docs/http.md)."""

import re
from typing import Annotated, Literal

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
from doorward_core.http.places import BodyTimeouts, Place, TargetTls, Url, unprotected
from doorward_core.policy.requests import split_request

_MIB = 1024 * 1024
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}\Z")
_RESERVED = frozenset({"host", "connection", "content-length", "transfer-encoding", "content-type", "te", "upgrade"})
_PATTERN_OF_HOSTS = re.compile(r"(?:\*\.)?[a-z0-9][a-z0-9.-]{0,252}(?::[0-9]{1,5})?\Z")


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


class HeaderCredential(Strict):
    """The account's password in a header of its own."""

    name: FieldName
    prefix: str = ""


class OAuthCredential(Strict):
    """An access token had with the account's user and password as client id and secret (RFC 6749, section 4.4)."""

    token_url: Url
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


class HttpTarget(Strict):
    """Where an HTTP resource is offered, and where it is."""

    at: Annotated[tuple[Place, ...], NotEmpty]
    url: Url
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
    timeouts: BodyTimeouts = BodyTimeouts()

    @model_validator(mode="after")
    def _meant(self) -> "HttpTarget":
        if self.url.startswith("http://") and self.tls != TargetTls():
            raise fault("`tls` has no meaning beside an `http://` address")
        return self

    @property
    def unprotected(self) -> bool:
        """Tell whether the leg to the target crosses a network without TLS."""
        return unprotected(self.url)
