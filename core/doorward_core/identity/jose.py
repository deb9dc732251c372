"""A strict reader for the JWS compact serialisation and for the JSON inside it.

What it is: the only place where the bytes of a token, or of a key set, become values.
What it will not do: check a signature or believe a claim.
It implements RFC 7515 (sections 3.1, 4 and 7.1), RFC 4648 section 5 without padding,
and RFC 8725 (sections 3.8 to 3.11).
It exists because general libraries read more than the RFCs write: padded or non-canonical base64url,
members that occur twice, UTF-16 JSON, NaN, header members that name the key to be trusted.
What two readers can read in two ways is refused here, before anything is decided on it.

Invariants: every bound is checked before the work that it bounds;
an error names the fault and never quotes the token; no exception keeps the token in its context.
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeGuard

from doorward_core.errors import AuthenticationError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

# Tokens with 200 groups reach about 10 KB; a PostgreSQL password message of 16 KB is still cheap to read.
MAX_TOKEN_BYTES: Final = 16 * 1024
# A header holds an algorithm, a type, a key id and a thumbprint: some 200 bytes in practice.
MAX_HEADER_BYTES: Final = 2 * 1024
# Key ids in use are thumbprints and UUIDs; 256 leaves room for names.
MAX_KID_CHARACTERS: Final = 256
# Claims nest four deep in practice (`resource_access.client.roles[]`); an `act` chain adds one level a link.
MAX_JSON_DEPTH: Final = 24
# NumericDate needs 11 digits, RSA numbers are base64url text: no honest integer here is longer.
MAX_INTEGER_CHARACTERS: Final = 20

# What a verifier needs, and thumbprints that it may ignore. All else is refused, named or not.
ALLOWED_HEADERS: Final = frozenset({"alg", "kid", "typ", "x5t", "x5t#S256"})
# Named apart only for a better message.
_DANGEROUS_HEADERS: Final[Mapping[str, str]] = {
    "crit": "critical extensions are not accepted",
    "b64": "an unencoded payload (RFC 7797) is not accepted",
    "jwk": "a key embedded in a token is not accepted",
    "jku": "a token may not say where its keys are",
    "x5u": "a token may not say where its keys are",
    "x5c": "a key embedded in a token is not accepted",
    "enc": "an encrypted token is not accepted",
    "zip": "a compressed token is not accepted",
    "cty": "a nested token is not accepted",
}


class _Malformed(ValueError):
    """Carries one fixed sentence out of the JSON hooks."""


@dataclass(frozen=True, slots=True)
class CompactJws:
    """A token as read, not yet believed. Its repr shows the header alone.

    `kid` and `typ` are None where the header has none.
    `signing_input` is what the signature covers: the first two segments, and the point between them.
    """

    alg: str
    kid: str | None
    typ: str | None
    claims: Mapping[str, Json] = field(repr=False)
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def decode_base64url(segment: bytes) -> bytes | None:
    """Decode unpadded, canonical base64url; None for anything else.

    Comparing with the encoding of the result refuses, in one step: padding, the `+` and `/` of plain base64,
    white space, and stray bits in the last character (two spellings of one value).
    """
    standard = segment.translate(_TO_STANDARD)
    try:
        value = binascii.a2b_base64(standard + b"=" * (-len(standard) % 4), strict_mode=True)
    except binascii.Error:
        return None
    return value if base64.urlsafe_b64encode(value).rstrip(b"=") == segment else None


_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")


def parse_json_object(data: bytes, what: str) -> dict[str, Json]:
    """Read one JSON object strictly: UTF-8, no member twice, finite numbers, bounded depth, no lone surrogates.

    `what` names the thing in the message. Raises AuthenticationError.
    """
    value, problem = _load(data)
    if not problem and not isinstance(value, dict):
        problem = "not an object"
    if problem or not isinstance(value, dict):
        raise AuthenticationError(f"{what}: {problem}")
    return value


def _load(data: bytes) -> tuple[Json, str]:
    """Give the value and no problem, or no value and the problem.

    The parser's own errors hold the whole text, so they end here.
    """
    try:
        text = data.decode("utf-8")
        if _too_deep(text):
            return None, "nested too deep"
        value: Json = json.loads(
            text,
            object_pairs_hook=_without_duplicates,
            parse_int=_bounded_int,
            parse_float=_finite_float,
            parse_constant=_no_constant,
        )
        if "\\u" in text:
            # An escape is the only way to a lone surrogate, and a lone surrogate cannot be written anywhere later.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except _Malformed as error:
        return None, str(error)
    except UnicodeError:
        return None, "not valid Unicode text"
    except ValueError:
        return None, "not valid JSON"
    return value, ""


def _too_deep(text: str) -> bool:
    """Count brackets outside of strings before the parser, which recurses, meets them."""
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_JSON_DEPTH:
            return True
    return False


_STRING: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_BRACKET: Final = re.compile(r"[\[\]{}]")


def _without_duplicates(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Malformed("a member occurs twice")
    return members


def _bounded_int(digits: str) -> int:
    if len(digits) > MAX_INTEGER_CHARACTERS:
        raise _Malformed("an integer is too long")
    return int(digits)


def _finite_float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _Malformed("a number is out of range")
    return value


def _no_constant(_name: str) -> Json:
    raise _Malformed("NaN and Infinity are not JSON")


def is_json_object(value: Json) -> TypeGuard[dict[str, Json]]:
    """Tell whether a JSON value is an object."""
    return isinstance(value, dict)


def parse_compact(token: bytes | str) -> CompactJws:
    """Read a token in JWS compact serialisation. Raises AuthenticationError.

    header.payload.signature, each unpadded base64url; the header and the payload are JSON objects.
    """
    raw = _ascii(token)
    if len(raw) > MAX_TOKEN_BYTES:
        raise AuthenticationError("token: longer than the bound")
    segments = raw.split(b".")
    if len(segments) == 5:  # noqa: PLR2004 - the five segments of a JWE are named in RFC 7516 section 7.1
        raise AuthenticationError("token: an encrypted token is not accepted")
    if len(segments) != 3 or not all(segments):  # noqa: PLR2004 - RFC 7515 section 7.1: three segments
        raise AuthenticationError("token: not a signed token in compact form")
    decoded = [decode_base64url(segment) for segment in segments]
    header_bytes, payload, signature = decoded
    if header_bytes is None or payload is None or signature is None:
        raise AuthenticationError("token: not canonical base64url")
    if len(header_bytes) > MAX_HEADER_BYTES:
        raise AuthenticationError("token header: longer than the bound")
    alg, kid, typ = _read_header(parse_json_object(header_bytes, "token header"))
    return CompactJws(
        alg=alg,
        kid=kid,
        typ=typ,
        claims=parse_json_object(payload, "token payload"),
        signing_input=segments[0] + b"." + segments[1],
        signature=signature,
    )


def _ascii(token: bytes | str) -> bytes:
    if isinstance(token, bytes):
        return token
    if not token.isascii():
        raise AuthenticationError("token: not ASCII")
    return token.encode("ascii")


def _read_header(header: Mapping[str, Json]) -> tuple[str, str | None, str | None]:
    for name in header:
        if name not in ALLOWED_HEADERS:
            raise AuthenticationError(
                f"token header: {_DANGEROUS_HEADERS.get(name, 'has a member that is not allowed')}"
            )
    alg, kid, typ = header.get("alg"), header.get("kid"), header.get("typ")
    if not isinstance(alg, str):
        raise AuthenticationError("token header: alg is not text")
    if "kid" in header and not is_key_id(kid):
        raise AuthenticationError("token header: kid is not short printable text")
    if "typ" in header and not isinstance(typ, str):
        raise AuthenticationError("token header: typ is not text")
    return alg, kid if is_key_id(kid) else None, typ if isinstance(typ, str) else None


def is_key_id(value: Json) -> TypeGuard[str]:
    """Tell whether a value can be a key id: short, printable, not empty. It is only ever compared."""
    return isinstance(value, str) and 0 < len(value) <= MAX_KID_CHARACTERS and value.isprintable()
