"""An access token becomes an Identity, or nothing.

What it is: the pure check of one JWT against one issuer's settings and keys, at a time that is passed in.
What it will not do: read a clock, fetch a key, or remember a token.
It implements RFC 7519, RFC 9068 (JWT access tokens), RFC 8693 section 4.1 (`act`) and RFC 8725 (best practice).

Invariants: nothing but the issuer is read from a token before its signature holds;
algorithm, key and issuer are bound by the settings, never by the token;
an Identity is given at `now` only if now < its `expires_unix_ns`;
one statement that a token speaks for an agent outweighs every other, because agents may never approve.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Final

from doorward_core.errors import AuthenticationError
from doorward_core.identity.address import issuer_problem, url_problem
from doorward_core.identity.claims import (
    NANOSECONDS,
    actor_chain,
    attribute,
    display,
    instant_unix_ns,
    lookup,
    optional_text,
    required_text,
    texts,
)
from doorward_core.identity.jose import CompactJws, Json, parse_compact
from doorward_core.identity.keys import ASYMMETRIC_ALGORITHMS, KeySet
from doorward_core.model import AuthMethod, Identity, PrincipalKind

DEFAULT_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "ES384", "EdDSA")
DEFAULT_TYP: Final = frozenset({"at+jwt", "JWT"})
# Keycloak and RFC 9068 say azp and client_id, Entra's first version appid, Okta cid.
CLIENT_CLAIMS: Final = ("azp", "client_id", "appid", "cid")
# An ID token, a refresh token or a logout token gives itself away by these.
_NOT_ACCESS_CLAIMS: Final = ("nonce", "at_hash", "c_hash", "s_hash", "events")
_ACCESS_CLAIM_TYP: Final = frozenset({"bearer", "dpop", "at+jwt", "jwt", "access", "access_token"})
# Longest skew that a broken clock may claim: beyond it, fix the clock.
MAX_SKEW_S: Final = 300


class Replay(StrEnum):
    """What is done about a token that was seen before."""

    ALLOW = "allow"
    SAME_SOURCE = "same-source"
    ONCE = "once"


@dataclass(frozen=True, slots=True)
class IssuerSettings:
    """What the operator says of one issuer. Raises ValueError where it contradicts itself.

    `audiences` are the gateway's own names; every other audience of a token must be in `tolerated_audiences`.
    `typ` are accepted header types; the empty text in it accepts tokens that have none.
    Claim names may be dotted paths (`realm_access.roles`).
    `kind` fixes the kind for the whole issuer; else `kind_claim` through `kind_values`, and `agent_clients` and
    `human_clients` (glob patterns over the client id) decide; where nothing speaks, it is an agent.
    `clients` is an allow-list of client ids; empty means any.
    `accept_id_tokens` lets ID tokens pass for access tokens, for providers that give a command line nothing else.
    """

    issuer: str
    audiences: frozenset[str]
    algorithms: tuple[str, ...] = DEFAULT_ALGORITHMS
    typ: frozenset[str] = DEFAULT_TYP
    max_age_s: int = 3600
    skew_s: int = 60
    subject_claim: str = "sub"
    groups_claim: str = "groups"
    kind: PrincipalKind | None = None
    kind_claim: str = "doorward_kind"
    kind_values: Mapping[str, PrincipalKind] = field(
        default_factory=lambda: MappingProxyType({kind.value: kind for kind in PrincipalKind})
    )
    agent_clients: tuple[str, ...] = ()
    human_clients: tuple[str, ...] = ()
    sponsor_claim: str = "doorward_sponsor"
    require_sponsor: bool = False
    display_claim: str = "name"
    attributes: tuple[str, ...] = ()
    clients: frozenset[str] = frozenset()
    tolerated_audiences: frozenset[str] = frozenset()
    accept_id_tokens: bool = False
    replay: Replay = Replay.ALLOW
    jwks_uri: str | None = None
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        """Refuse settings that could never be safe, whoever made them."""
        if problem := issuer_problem(self.issuer):
            raise ValueError(f"issuer {problem}")
        if self.jwks_uri is not None and (problem := url_problem(self.jwks_uri)):
            raise ValueError(f"jwks_uri {problem}")
        if not self.audiences or "" in self.audiences:
            raise ValueError("audiences needs at least one name")
        if not self.algorithms or not ASYMMETRIC_ALGORITHMS.issuperset(self.algorithms):
            raise ValueError(f"algorithms must be among {', '.join(sorted(ASYMMETRIC_ALGORITHMS))}")
        if not 0 <= self.skew_s <= MAX_SKEW_S or self.max_age_s <= 0:
            raise ValueError(f"skew_s must lie between 0 and {MAX_SKEW_S}, and max_age_s above 0")
        # The configuration carries its value as text; an unknown one is a ValueError here, and not a lax default later.
        object.__setattr__(self, "replay", Replay(self.replay))


def unverified_issuer_and_kid(token: bytes | str) -> tuple[str, str | None]:
    """Give what a token says of its issuer and key, to find the settings and keys to check it with.

    Nothing here is believed. Raises AuthenticationError.
    """
    jws = parse_compact(token)
    return required_text(jws.claims, "iss"), jws.kid


def verify_token(token: bytes | str, keys: KeySet, settings: IssuerSettings, now_unix_ns: int) -> Identity:
    """Check a token whole and give the Identity that it proves. Raises AuthenticationError."""
    return verify_jws(parse_compact(token), keys, settings, now_unix_ns)


def verify_jws(jws: CompactJws, keys: KeySet, settings: IssuerSettings, now_unix_ns: int) -> Identity:
    """Check a token that is already read: first its issuer and signature, then everything else."""
    if jws.claims.get("iss") != settings.issuer:
        raise AuthenticationError("token: not of this issuer")
    _check_signature(jws, keys, settings)
    _check_type(jws, settings)
    _check_audience(jws.claims, settings)
    expires_unix_ns = _check_times(jws.claims, settings, now_unix_ns)
    client = _check_client(jws.claims, settings)
    chain = actor_chain(jws.claims, settings.issuer)
    subject = required_text(jws.claims, settings.subject_claim)
    declared = _declared_kind(jws.claims, client, settings)
    kind = PrincipalKind.AGENT if chain else declared or PrincipalKind.AGENT
    return Identity(
        subject=subject,
        issuer=settings.issuer,
        kind=kind,
        groups=texts(jws.claims, settings.groups_claim),
        method=AuthMethod.JWT,
        credential_id=_credential_id(jws),
        authenticated_unix_ns=now_unix_ns,
        expires_unix_ns=expires_unix_ns,
        actor_chain=chain,
        sponsor=_sponsor(jws.claims, settings, kind, subject if chain and declared is PrincipalKind.HUMAN else ""),
        display=display(jws.claims, settings.display_claim),
        attributes=_attributes(jws.claims, settings),
        logged_in_unix_ns=_logged_in(jws.claims, now_unix_ns),
    )


def _logged_in(claims: Mapping[str, Json], now_unix_ns: int) -> int:
    """Give when they logged in (OpenID Connect Core section 2), or else when the token was made; never the future."""
    said = instant_unix_ns(claims, "auth_time")
    return min(said if said is not None else instant_unix_ns(claims, "iat") or 0, now_unix_ns)


def _check_signature(jws: CompactJws, keys: KeySet, settings: IssuerSettings) -> None:
    if jws.alg not in settings.algorithms:
        raise AuthenticationError("token: its algorithm is not allowed for this issuer")
    key = keys.find(jws.kid)
    if key is None:
        left_out = f" (left out: {'; '.join(keys.left_out)})" if keys.left_out else ""
        raise AuthenticationError(f"token: its key is not among the issuer's keys{left_out}")
    if jws.alg not in key.algorithms:
        raise AuthenticationError("token: its algorithm does not fit its key")
    if not key.verify(jws.alg, jws.signing_input, jws.signature):
        raise AuthenticationError("token: its signature does not hold")


def _check_type(jws: CompactJws, settings: IssuerSettings) -> None:
    """Refuse what was signed by the right issuer for another use (RFC 8725 section 3.11)."""
    accepted = {_media_type(name) for name in settings.typ}
    if _media_type(jws.typ or "") not in accepted:
        raise AuthenticationError("token: its typ is not accepted")
    if settings.accept_id_tokens:
        return
    typ = jws.claims.get("typ")
    if typ is not None and str(typ).lower() not in _ACCESS_CLAIM_TYP:
        raise AuthenticationError("token: it says that it is no access token")
    if any(name in jws.claims for name in _NOT_ACCESS_CLAIMS):
        raise AuthenticationError("token: it looks like an ID token, not an access token")


def _media_type(name: str) -> str:
    """Fold a typ as RFC 7515 section 4.1.9 says: no case, and `application/` may be left out."""
    return name.lower().removeprefix("application/")


def _check_audience(claims: Mapping[str, Json], settings: IssuerSettings) -> None:
    named = texts(claims, "aud")
    if named.isdisjoint(settings.audiences):
        raise AuthenticationError("token: not meant for this gateway")
    if not named <= settings.audiences | settings.tolerated_audiences:
        raise AuthenticationError("token: also meant for others, which could replay it here")


def _check_times(claims: Mapping[str, Json], settings: IssuerSettings, now_unix_ns: int) -> int:
    """Give the instant from which the token is refused: its expiry and the skew that is granted to clocks."""
    skew_ns = settings.skew_s * NANOSECONDS
    issued, expires = instant_unix_ns(claims, "iat"), instant_unix_ns(claims, "exp")
    not_before = instant_unix_ns(claims, "nbf")
    if issued is None or expires is None:
        raise AuthenticationError("token: claims iat and exp are both needed")
    if issued > now_unix_ns + skew_ns or (not_before is not None and not_before > now_unix_ns + skew_ns):
        raise AuthenticationError("token: not valid yet")
    if now_unix_ns >= expires + skew_ns:
        raise AuthenticationError("token: expired")
    if expires - issued > settings.max_age_s * NANOSECONDS:
        raise AuthenticationError("token: lives longer than max_age allows")
    return expires + skew_ns


def _check_client(claims: Mapping[str, Json], settings: IssuerSettings) -> str:
    """Give the client that the token was issued to; empty where none is named."""
    named = {optional_text(claims, name) for name in CLIENT_CLAIMS} - {""}
    if len(named) > 1:
        raise AuthenticationError("token: its claims name different clients")
    client = next(iter(named), "")
    if settings.clients and client not in settings.clients:
        raise AuthenticationError("token: issued to a client that is not allowed")
    return client


def _declared_kind(claims: Mapping[str, Json], client: str, settings: IssuerSettings) -> PrincipalKind | None:
    """Collect every statement about the kind; one for agent is enough, None where nothing speaks."""
    said: set[PrincipalKind | None] = {settings.kind}
    value = lookup(claims, settings.kind_claim)
    if value is not None:
        if not isinstance(value, str) or value not in settings.kind_values:
            raise AuthenticationError(f"token: claim {settings.kind_claim} has a value that is not configured")
        said.add(settings.kind_values[value])
    if any(fnmatchcase(client, pattern) for pattern in settings.agent_clients):
        said.add(PrincipalKind.AGENT)
    if client and any(fnmatchcase(client, pattern) for pattern in settings.human_clients):
        said.add(PrincipalKind.HUMAN)
    for kind in (PrincipalKind.AGENT, PrincipalKind.HUMAN):
        if kind in said:
            return kind
    return None


def _sponsor(claims: Mapping[str, Json], settings: IssuerSettings, kind: PrincipalKind, fallback: str) -> str:
    """Give the human that answers for an agent; a human answers for himself."""
    if kind is PrincipalKind.HUMAN:
        return ""
    sponsor = optional_text(claims, settings.sponsor_claim) or fallback
    if settings.require_sponsor and not sponsor:
        raise AuthenticationError("token: it names no human sponsor for an agent")
    return sponsor


def _attributes(claims: Mapping[str, Json], settings: IssuerSettings) -> Mapping[str, str]:
    found = {name: attribute(claims, name) for name in settings.attributes}
    return MappingProxyType({name: value for name, value in found.items() if value is not None})


def _credential_id(jws: CompactJws) -> str:
    """Give the jti, or a digest of what was signed: not of the signature, which ECDSA lets anyone rewrite."""
    return optional_text(jws.claims, "jti") or "sha256:" + sha256(jws.signing_input).hexdigest()
