"""Reading single claims: typed, bounded, and fit to be shown to a person.

What it is: the small vocabulary with which `token` reads a payload that has been verified.
What it will not do: decide who someone is; give a default where a claim has the wrong type.
It implements RFC 7519 section 4.1 (claims), RFC 8693 section 4.1 (`act`), and the aggregated-claims form of
OpenID Connect Core section 5.6.2 as far as to notice that a claim is elsewhere.

Invariants: a claim of the wrong type is refused, never read as absent, because a rule that blocks by group would
then silently not match; every text is printable and bounded, so that it can travel into a log line,
an approval card and a target's application_name without becoming something else there.
"""

from collections.abc import Mapping
from typing import Final

from doorward_core.errors import AuthenticationError
from doorward_core.identity.jose import Json, is_json_object
from doorward_core.model import Actor

NANOSECONDS: Final = 1_000_000_000
# The first second of the year 10000: NumericDate beyond it is a unit mistake (milliseconds) or an attack.
MAX_NUMERIC_DATE: Final = 253_402_300_800
# OpenID Connect bounds `sub` at 255; the same serves for every name.
MAX_TEXT_CHARACTERS: Final = 255
MAX_DISPLAY_CHARACTERS: Final = 120
# Identity providers cut at 200 (Entra) or send a few hundred; more than this is no list of crews.
MAX_GROUPS: Final = 1000
# Agents that call agents that call agents: eight links are more than anyone can answer for.
MAX_ACTORS: Final = 8


def split_path(name: str) -> tuple[str, ...]:
    r"""Split a claim's configured name at its dots.

    `realm_access.roles` is a path; `resource_access.my\.client.roles` has an escaped dot;
    a name with `://` in it is a namespaced claim and is taken whole.
    """
    if "://" in name:
        return (name,)
    parts = name.replace("\\.", "\0").split(".")
    return tuple(part.replace("\0", ".") for part in parts)


def lookup(claims: Mapping[str, Json], name: str) -> Json:
    """Give the value at a configured claim name; None where there is none (JSON null reads the same)."""
    value: Json = dict(claims)
    for part in split_path(name):
        if not is_json_object(value):
            return None
        value = value.get(part)
    return value


def elsewhere(claims: Mapping[str, Json], name: str) -> bool:
    """Tell whether the issuer has put this claim behind a link instead of into the token (too many groups)."""
    sources = claims.get("_claim_names")
    return is_json_object(sources) and split_path(name)[0] in sources


def required_text(claims: Mapping[str, Json], name: str) -> str:
    """Give a claim that must be there."""
    value = lookup(claims, name)
    if value is None:
        raise AuthenticationError(f"token: claim {name} is missing")
    return as_text(value, name)


def optional_text(claims: Mapping[str, Json], name: str) -> str:
    """Give a claim that may be absent; empty then."""
    value = lookup(claims, name)
    return "" if value is None else as_text(value, name)


def as_text(value: Json, name: str) -> str:
    """Insist on a bounded, printable text without white space around it."""
    if not isinstance(value, str) or not value:
        raise AuthenticationError(f"token: claim {name} is not a text")
    if len(value) > MAX_TEXT_CHARACTERS:
        raise AuthenticationError(f"token: claim {name} is too long")
    if not value.isprintable() or value != value.strip():
        raise AuthenticationError(f"token: claim {name} has characters that do not print")
    return value


def texts(claims: Mapping[str, Json], name: str, limit: int = MAX_GROUPS) -> frozenset[str]:
    """Give a claim that is a list of texts, or one text, or absent."""
    if elsewhere(claims, name):
        raise AuthenticationError(f"token: claim {name} is not in the token but behind a link: too many values")
    value = lookup(claims, name)
    if value is None:
        return frozenset()
    items = value if isinstance(value, list) else [value]
    if len(items) > limit:
        raise AuthenticationError(f"token: claim {name} has too many values")
    return frozenset(as_text(item, name) for item in items)


def attribute(claims: Mapping[str, Json], name: str) -> str | None:
    """Give an allow-listed claim as text: a text, a whole number or a truth value; None where absent."""
    value = lookup(claims, name)
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return as_text(value, name)


def display(claims: Mapping[str, Json], name: str) -> str:
    """Give a name for people's eyes. It is made printable and cut, not refused: nothing is ever matched on it."""
    value = lookup(claims, name)
    if not isinstance(value, str):
        return ""
    shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in value.strip())
    return shown[:MAX_DISPLAY_CHARACTERS]


def instant_unix_ns(claims: Mapping[str, Json], name: str) -> int | None:
    """Give a NumericDate claim (seconds, possibly with a fraction) in nanoseconds; None where absent."""
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MAX_NUMERIC_DATE:
        raise AuthenticationError(f"token: claim {name} is not a time")
    if isinstance(value, int):
        return value * NANOSECONDS
    whole = int(value)
    return whole * NANOSECONDS + int((value - whole) * NANOSECONDS)


def actor_chain(claims: Mapping[str, Json], issuer: str) -> tuple[Actor, ...]:
    """Give the `act` chain, the party that acts now first; a link without `iss` belongs to the token's issuer."""
    chain: list[Actor] = []
    link = claims.get("act")
    while link is not None:
        if not is_json_object(link):
            raise AuthenticationError("token: claim act is not an object")
        if len(chain) == MAX_ACTORS:
            raise AuthenticationError("token: claim act has too many links")
        chain.append(Actor(required_text(link, "sub"), optional_text(link, "iss") or issuer))
        link = link.get("act")
    return tuple(chain)
