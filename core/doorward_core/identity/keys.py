"""The keys of an issuer, as far as they may be believed.

What it is: a reader of JSON Web Key Sets that keeps the usable verification keys and says why it left out the rest.
What it will not do: fetch anything; keep a symmetric key; keep a key whose strength it cannot vouch for.
It implements RFC 7517, RFC 7518 sections 3 and 6, RFC 8037 (Ed25519 only),
NIST SP 800-131A (RSA of 2048 bits and more), FIPS 186-5 (public exponent) and the published tests for
ROCA (CVE-2017-15361), for primes that lie too close together (Fermat) and for points of small order.

Invariants: a key is bound to its algorithms when it is read, so that a token's header cannot choose another use for it;
a key id that two keys claim belongs to neither; one bad key does not spoil the others.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurve,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from doorward_core.errors import AuthenticationError
from doorward_core.identity.jose import Json, decode_base64url, is_json_object, is_key_id, parse_json_object

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

RSA_ALGORITHMS: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
ASYMMETRIC_ALGORITHMS: Final = RSA_ALGORITHMS | {"ES256", "ES384", "ES512", "EdDSA"}

# Large issuers publish a dozen keys while they rotate.
MAX_KEYS: Final = 100
MIN_RSA_BITS: Final = 2048
# Verifying costs with the square of the size; nobody signs tokens with more.
MAX_RSA_BITS: Final = 8192
MIN_RSA_EXPONENT: Final = 65537
MAX_RSA_EXPONENT: Final = 2**32 - 1
# Primes closer than this many Fermat steps have been found in the field (CVE-2022-26320); honest ones never are.
FERMAT_STEPS: Final = 64

_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_CURVES: Final[Mapping[str, tuple[type[EllipticCurve], int, str]]] = {
    "P-256": (SECP256R1, 32, "ES256"),
    "P-384": (SECP384R1, 48, "ES384"),
    "P-521": (SECP521R1, 66, "ES512"),
}
_ED25519_BYTES: Final = 32
_ED25519_PRIME: Final = 2**255 - 19
# The y coordinates of the eight points whose order divides eight: with such a key, anyone can sign.
_SMALL_ORDER_Y: Final = 2707385501144840649318225287225658788936804267575313519463743609750303402022
_ED25519_WEAK_Y: Final = frozenset({0, 1, _ED25519_PRIME - 1, _SMALL_ORDER_Y, _ED25519_PRIME - _SMALL_ORDER_Y})
# The faulty generator made primes of the form k*M + 65537^a mod M, where M is a product of all small primes.
_ROCA_PRIMES: Final = tuple(n for n in range(3, 168) if all(n % d for d in range(2, math.isqrt(n) + 1)))
_ROCA_RESIDUES: Final = {p: frozenset(pow(65537, exponent, p) for exponent in range(p)) for p in _ROCA_PRIMES}


class _Unusable(ValueError):
    """Why one key of a set was left out: a fixed sentence."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One public key, with the algorithms that it may verify and nothing else.

    `kid` is None where the set names none.
    `signature_bytes` is the only length that a signature of this key can have.
    """

    kid: str | None
    algorithms: frozenset[str]
    signature_bytes: int
    public_key: PublicKey = field(repr=False)

    def verify(self, algorithm: str, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature over the message is good under this key, used as `algorithm`."""
        if algorithm not in self.algorithms or len(signature) != self.signature_bytes:
            return False
        return bool(jwt.get_algorithm_by_name(algorithm).verify(message, self.public_key, signature))


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of one issuer. `left_out` says why others are not here, for the operator's log."""

    keys: tuple[VerificationKey, ...]
    left_out: tuple[str, ...] = ()

    def find(self, kid: str | None) -> VerificationKey | None:
        """Give the key with this id; without an id, the only key there is. None otherwise."""
        if kid is None:
            return self.keys[0] if len(self.keys) == 1 else None
        return next((key for key in self.keys if key.kid == kid), None)


def parse_jwks(data: bytes) -> KeySet:
    """Read a JSON Web Key Set. Raises AuthenticationError if it is none, or if no key in it can be used."""
    members = parse_json_object(data, "key set").get("keys")
    if not isinstance(members, list) or len(members) > MAX_KEYS:
        raise AuthenticationError("key set: not a list of keys, or too long")
    candidates = [member for member in members if is_json_object(member) and member.get("use") != "enc"]
    claimed = Counter(kid for member in candidates if is_key_id(kid := member.get("kid")))
    keys: list[VerificationKey] = []
    left_out: list[str] = []
    for position, member in enumerate(candidates):
        if claimed[str(member.get("kid"))] > 1:
            left_out.append(f"key {position}: its kid is not its own")
            continue
        try:
            keys.append(_read_key(member))
        except _Unusable as error:
            left_out.append(f"key {position}: {error}")
    if not keys:
        raise AuthenticationError("key set: no usable key: " + ("; ".join(left_out) or "it has none for signatures"))
    return KeySet(tuple(keys), tuple(left_out))


def _read_key(member: Mapping[str, Json]) -> VerificationKey:
    kid = member.get("kid")
    if kid is not None and not is_key_id(kid):
        raise _Unusable("its kid is not short printable text")
    _check_purpose(member)
    public_key, algorithms, signature_bytes = _read_public_key(member)
    if not _PRIVATE_MEMBERS.isdisjoint(member):
        raise _Unusable("it is published with its secret part")
    alg = member.get("alg")
    if alg is not None:
        algorithms = algorithms & {str(alg)}
        if not algorithms:
            raise _Unusable("its alg does not fit its type")
    return VerificationKey(kid if is_key_id(kid) else None, algorithms, signature_bytes, public_key)


def _check_purpose(member: Mapping[str, Json]) -> None:
    if member.get("use", "sig") != "sig":
        raise _Unusable("its use is not sig")
    operations = member.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise _Unusable("its key_ops do not hold verify")


def _read_public_key(member: Mapping[str, Json]) -> tuple[PublicKey, frozenset[str], int]:
    match member.get("kty"):
        case "RSA":
            modulus = int.from_bytes(_octets(member, "n"), "big")
            exponent = int.from_bytes(_octets(member, "e"), "big")
            check_rsa(modulus, exponent)
            return RSAPublicNumbers(exponent, modulus).public_key(), RSA_ALGORITHMS, (modulus.bit_length() + 7) // 8
        case "EC":
            return _read_ec(member)
        case "OKP":
            return _read_okp(member)
        case "oct":
            raise _Unusable("it is symmetric")
        case _:
            raise _Unusable("its kty is not known")


def _octets(member: Mapping[str, Json], name: str) -> bytes:
    text = member.get(name)
    value = decode_base64url(text.encode("ascii")) if isinstance(text, str) and text.isascii() else None
    if not value:
        raise _Unusable(f"{name} is not base64url")
    return value


def _read_ec(member: Mapping[str, Json]) -> tuple[PublicKey, frozenset[str], int]:
    curve = _CURVES.get(str(member.get("crv")))
    if curve is None:
        raise _Unusable("its curve is not allowed")
    kind, width, algorithm = curve
    x, y = _octets(member, "x"), _octets(member, "y")
    if len(x) != width or len(y) != width:
        raise _Unusable("its coordinates have the wrong length")
    try:
        numbers = EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), kind())
        return numbers.public_key(), frozenset({algorithm}), 2 * width
    except ValueError:
        raise _Unusable("its point is not on the curve") from None


def _read_okp(member: Mapping[str, Json]) -> tuple[PublicKey, frozenset[str], int]:
    if member.get("crv") != "Ed25519":
        raise _Unusable("its curve is not allowed")
    x = _octets(member, "x")
    y = int.from_bytes(x, "little") & (2**255 - 1)
    if len(x) != _ED25519_BYTES or y >= _ED25519_PRIME or y in _ED25519_WEAK_Y:
        raise _Unusable("its point is of small order or not canonical")
    return Ed25519PublicKey.from_public_bytes(x), frozenset({"EdDSA"}), 2 * _ED25519_BYTES


def check_rsa(modulus: int, exponent: int) -> None:
    """Refuse an RSA key that is too small, too costly, or of a family known to be broken. Raises ValueError."""
    if not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS:
        raise _Unusable("its RSA modulus has too few or too many bits")
    if not MIN_RSA_EXPONENT <= exponent <= MAX_RSA_EXPONENT or exponent % 2 == 0:
        raise _Unusable("its RSA exponent is not allowed")
    if any(modulus % prime == 0 for prime in (2, *_ROCA_PRIMES)):
        raise _Unusable("its RSA modulus has a small factor")
    if all(modulus % prime in residues for prime, residues in _ROCA_RESIDUES.items()):
        raise _Unusable("its RSA modulus is of the ROCA family")
    if _primes_are_close(modulus):
        raise _Unusable("its RSA primes lie too close together")


def _primes_are_close(modulus: int) -> bool:
    """Try a few steps of Fermat's factorisation: n = a*a - b*b, with a just above the root."""
    a = math.isqrt(modulus - 1) + 1
    for _step in range(FERMAT_STEPS):
        square = a * a - modulus
        if math.isqrt(square) ** 2 == square:
            return True
        a += 1
    return False
