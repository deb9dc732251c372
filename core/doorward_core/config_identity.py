"""Whose word is taken for who somebody is: `identity` of the configuration, one entry for each identity provider.

What it is: the models of that part of `docs/config.md`, and addresses as it and other parts write them.
What it will not do: fetch keys, or believe anybody: `doorward_core.identity` does, with these settings.

Invariants: pure; unknown keys are refused; an issuer stands once; nothing is fetched over plain HTTP but from loopback.
"""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, model_validator

from doorward_core.config_types import ExistingFile, NotEmpty, Some, Strict, WholeSeconds, fault
from doorward_core.model import PrincipalKind

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def https(value: str) -> str:
    """An address that is https, or http on loopback."""
    try:
        parts = urlsplit(value)
    except ValueError:
        raise fault("expected an https:// address") from None
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not (parts.scheme == "https" or local) or not parts.hostname or "@" in parts.netloc:
        raise fault("expected an https:// address (http:// is for loopback alone), without a user name")
    return value


Url = Annotated[str, AfterValidator(https)]


class Issuer(Strict):
    """One identity provider. What is left out has the default of `doorward_core.identity.token.IssuerSettings`."""

    issuer: Url
    audience: Some
    tolerated_audiences: tuple[str, ...] | None = None
    jwks_uri: Url | None = None
    ca_file: ExistingFile | None = None
    algorithms: Some | None = None
    typ: tuple[str, ...] | None = None
    max_age: WholeSeconds | None = None
    skew: WholeSeconds | None = None
    subject_claim: str | None = None
    groups_claim: str | None = None
    kind: PrincipalKind | None = None
    kind_claim: str | None = None
    kind_values: dict[str, PrincipalKind] | None = None
    agent_clients: tuple[str, ...] | None = None
    human_clients: tuple[str, ...] | None = None
    sponsor_claim: str | None = None
    require_sponsor: bool | None = None
    display_claim: str | None = None
    attributes: tuple[str, ...] | None = None
    clients: Some | None = None
    accept_id_tokens: bool | None = None
    replay: Literal["allow", "same-source", "once"] | None = None

    def settings(self) -> dict[str, Any]:
        """Keyword arguments for `IssuerSettings`, of what was given; `replay` is its value as text."""
        renamed = {"audience": "audiences", "max_age": "max_age_s", "skew": "skew_s"}
        sets = {"audience", "tolerated_audiences", "typ", "clients"}
        given = {key: getattr(self, key) for key in type(self).model_fields if getattr(self, key) is not None}
        return {renamed.get(key, key): frozenset(value) if key in sets else value for key, value in given.items()}


class IdentitySettings(Strict):
    """Who is believed about who somebody is."""

    issuers: Annotated[tuple[Issuer, ...], NotEmpty]

    @model_validator(mode="after")
    def _distinct(self) -> "IdentitySettings":
        seen = [item.issuer for item in self.issuers]
        if len(set(seen)) != len(seen):
            raise fault("an issuer stands here twice; put both audiences into one entry")
        return self
