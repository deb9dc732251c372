"""An Identity as text, so that an SSH certificate can carry it whole.

What it is: canonical JSON out, the same Identity back; the content of the extension `identity@doorward.dev`.
What it will not do: believe anything. Who calls `decode` has checked the signature over these bytes.
The members and why these: docs/adr/0009-what-an-ssh-certificate-carries.md.

| member | holds |
|---|---|
| `v` | 1 |
| `iss`, `sub`, `kind`, `sponsor`, `display` | as in `Identity` |
| `groups` | array of texts, sorted |
| `act` | array of `[issuer, subject]`, nearest first |
| `attributes` | object of texts |
| `credential` | id of the token that the certificate was given for |
| `exp_unix_ns` | when that token runs out |

Invariant: there is one text for each identity.
What does not encode to the very bytes that were read is refused: no second reader sees another identity in them.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from doorward_core.errors import AuthenticationError
from doorward_core.identity.claims import MAX_ACTORS, MAX_GROUPS
from doorward_core.identity.jose import Json, is_json_object, parse_json_object
from doorward_core.model import Actor, AuthMethod, Identity, PrincipalKind

VERSION: Final = 1
# A token of 16 KiB says no more than this; a certificate must fit into one packet of RFC 4253 (35,000 bytes) and leave
# room for principals and for what else is in that packet.
MAX_BYTES: Final = 16 * 1024
WHAT: Final = "certificate: its identity"


def encode(identity: Identity) -> bytes:
    """Give the canonical text. ValueError where it is longer than a certificate may carry."""
    document = {
        "v": VERSION,
        "iss": identity.issuer,
        "sub": identity.subject,
        "kind": identity.kind.value,
        "groups": sorted(identity.groups),
        "act": [[actor.issuer, actor.subject] for actor in identity.actor_chain],
        "sponsor": identity.sponsor,
        "display": identity.display,
        "attributes": dict(identity.attributes),
        "credential": identity.credential_id,
        "exp_unix_ns": identity.expires_unix_ns,
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    if len(text) > MAX_BYTES:
        raise ValueError(f"the identity has {len(text)} bytes, and a certificate carries {MAX_BYTES}")
    return text


def decode(data: bytes, *, serial: int, now_unix_ns: int) -> Identity:
    """Give the identity that a verified certificate carries; as with the token itself, a session ends when that does.

    The credential's id names both, so that a record leads to the certificate and from there to the token.
    Raises AuthenticationError.
    """
    if len(data) > MAX_BYTES:
        raise AuthenticationError(f"{WHAT} is too long")
    document = parse_json_object(data, WHAT)
    carried = _identity(document, now_unix_ns)
    if document.get("v") != VERSION or encode(carried) != data:
        raise AuthenticationError(f"{WHAT} is not in the one form that it has")
    return replace(carried, credential_id=f"{serial}:{carried.credential_id}")


def _identity(document: Mapping[str, Json], now_unix_ns: int) -> Identity:
    expires = document.get("exp_unix_ns")
    kind = _text(document, "kind")
    if type(expires) is not int or kind not in set(PrincipalKind):
        raise AuthenticationError(f"{WHAT} is incomplete")
    return Identity(
        subject=_needed(document, "sub"),
        issuer=_needed(document, "iss"),
        kind=PrincipalKind(kind),
        groups=frozenset(_texts(document.get("groups"), MAX_GROUPS)),
        method=AuthMethod.SSH_CERTIFICATE,
        credential_id=_needed(document, "credential"),
        authenticated_unix_ns=now_unix_ns,
        expires_unix_ns=expires,
        actor_chain=_actors(document.get("act")),
        sponsor=_text(document, "sponsor"),
        display=_text(document, "display"),
        attributes=_attributes(document.get("attributes")),
    )


def _text(document: Mapping[str, Json], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise AuthenticationError(f"{WHAT} is incomplete")
    return value


def _needed(document: Mapping[str, Json], name: str) -> str:
    value = _text(document, name)
    if not value:
        raise AuthenticationError(f"{WHAT} is incomplete")
    return value


def _texts(value: Json, limit: int) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > limit:
        raise AuthenticationError(f"{WHAT} is incomplete")
    found = tuple(item for item in value if isinstance(item, str) and item)
    if len(found) != len(value):
        raise AuthenticationError(f"{WHAT} is incomplete")
    return found


def _actors(value: Json) -> tuple[Actor, ...]:
    if not isinstance(value, list) or len(value) > MAX_ACTORS:
        raise AuthenticationError(f"{WHAT} is incomplete")
    links = [_texts(link, 2) for link in value]
    if any(len(link) != 2 for link in links):  # noqa: PLR2004 - an issuer and a subject
        raise AuthenticationError(f"{WHAT} is incomplete")
    return tuple(Actor(subject, issuer) for issuer, subject in links)


def _attributes(value: Json) -> Mapping[str, str]:
    if not is_json_object(value):
        raise AuthenticationError(f"{WHAT} is incomplete")
    found = {name: item for name, item in value.items() if isinstance(item, str)}
    if len(found) != len(value):
        raise AuthenticationError(f"{WHAT} is incomplete")
    return MappingProxyType(found)
