"""WebAuthn assertions over votes: what a passkey or a security key makes in a browser, verified by the gateway itself.

It verifies one assertion by one known key; it keeps no keys (`passkeys`) and no counters (`store`), and makes nothing.
It implements Web Authentication Level 2 (W3C), section 7.2 "Verifying an Authentication Assertion", with section 6.1 on
authenticator data and section 5.8.1 on client data. The formats are read by fido2, the arithmetic is `cryptography`'s.
It is pure: bytes and expectations in, the sign counter out, or BadAssertion and nothing else, whatever the bytes are.

    signed data          authenticator data || SHA-256(client data)
    authenticator data   byte[32] SHA-256(rp id); byte flags (0x01 present, 0x04 verified); uint32 counter, big endian;
                         extensions in CBOR where flag 0x80 says so
    client data          JSON: type, challenge (base64url), origin, crossOrigin

Invariants:

- The challenge is SHA-256 of the one statement that is expected: an assertion counts for no other vote.
- It was made on a page of ours (origin and rp id), not within somebody else's frame, by someone who was present *and*
  whom the authenticator verified: a stolen key without its PIN or finger is none.
- Algorithms are ES256, EdDSA (Ed25519) and RS256 with 2,048 bits or more; the key decides, never the assertion.
"""

import base64
import hashlib
import hmac
import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from fido2 import cbor
from fido2.cose import ES256, RS256, CoseKey, EdDSA
from fido2.utils import bytes2int
from fido2.webauthn import AuthenticatorData

TYPE_GET: Final = "webauthn.get"
TYPE_CREATE: Final = "webauthn.create"
MAX_AUTHENTICATOR_BYTES: Final = 2048
"""37 bytes, and extensions that nobody asked for."""
MAX_CLIENT_DATA_BYTES: Final = 4096
MAX_SIGNATURE_BYTES: Final = 2048
"""RSA of 16,384 bits."""
MAX_CREDENTIAL_BYTES: Final = 1023
"""Section 4, "Credential ID"."""
MAX_KEY_BYTES: Final = 4096
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 16384
_UNREADABLE: Final = (
    ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError, struct.error,
)  # fmt: skip
"""Everything that fido2's readers have been seen to raise on garbage (tests/fuzz/test_webauthn.py)."""
_KTY, _ALG, _CRV, _N, _E = 1, 3, -1, -1, -2
_KINDS: Final[Mapping[int, tuple[type[CoseKey], int, int | None]]] = {
    -7: (ES256, 2, 1),
    -8: (EdDSA, 1, 6),
    -257: (RS256, 3, None),
}
"""Algorithm -> its class, and the key type and curve that it must have (RFC 9053, RFC 8812)."""

CLONED: Final = (
    "this passkey's counter went back: it may have been copied; do not use it, and tell those who run the gateway"
)
_COUNTER: Final = struct.Struct(">I")
_COUNTER_AT: Final = 33

T = TypeVar("T")


class BadAssertion(ValueError):
    """The assertion is not one, or does not verify; the message says why."""


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Whose pages passkeys are for: the domain they were made for, and the origins that may use them."""

    id: str
    origins: frozenset[str]


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an authenticator made, as the browser hands it over."""

    credential: bytes
    authenticator_data: bytes
    client_data: bytes
    signature: bytes


def verify(assertion: Assertion, key: bytes, challenge: bytes, party: RelyingParty) -> int:
    """Verify an assertion by a COSE key; gives its sign counter, or raises BadAssertion."""
    if len(assertion.signature) > MAX_SIGNATURE_BYTES:
        raise BadAssertion("the signature is too long")
    check_client_data(assertion.client_data, TYPE_GET, challenge, party)
    data = check_authenticator_data(assertion.authenticator_data, party)
    if data.credential_data is not None:
        raise BadAssertion("it is of a new passkey, not of one that is known")
    signed = assertion.authenticator_data + hashlib.sha256(assertion.client_data).digest()
    try:
        read_key(key).verify(signed, assertion.signature)
    except (InvalidSignature, UnsupportedAlgorithm, *_UNREADABLE) as error:
        raise BadAssertion("the passkey's signature does not hold") from error
    return data.counter


def sign_counter(authenticator_data: bytes) -> int:
    """The counter of an assertion that was verified; 0 for passkeys that keep none."""
    (counter,) = _COUNTER.unpack_from(authenticator_data, _COUNTER_AT)
    return int(counter)


def check_counter(counter: int, last: int) -> None:
    """See that a counter has gone up since it was last seen (section 7.2 step 21); BadAssertion(CLONED) if not."""
    if (counter or last) and counter <= last:
        raise BadAssertion(CLONED)


def check_client_data(data: bytes, kind: str, challenge: bytes, party: RelyingParty) -> None:
    """See that a browser made it for this challenge, on one of our pages."""
    if len(data) > MAX_CLIENT_DATA_BYTES:
        raise BadAssertion("the client data is too long")
    said = read(json.loads, data, "the client data cannot be read")
    if not isinstance(said, dict):
        raise BadAssertion("the client data cannot be read")
    if said.get("type") != kind:
        raise BadAssertion(f"the client data is not of type {kind}")
    # Compared as text: a number in its place is none that a decoder should be asked to turn into bytes.
    if said.get("challenge") != base64url(challenge):
        raise BadAssertion("it was made for something else than this")
    if not isinstance(said.get("origin"), str) or said["origin"] not in party.origins:
        raise BadAssertion("it was made on a page that is not among `origins`")
    # Absent is as good as false (section 5.8.1); anything else was made within a frame of another site.
    if said.get("crossOrigin", False) is not False:
        raise BadAssertion("it was made within a page of another site")


def check_authenticator_data(
    data: bytes, party: RelyingParty, limit: int = MAX_AUTHENTICATOR_BYTES
) -> AuthenticatorData:
    """See that it is for our domain, and that somebody was there whom the authenticator knew."""
    if len(data) > limit:
        raise BadAssertion("the authenticator data is too long")
    said = read(AuthenticatorData, data, "the authenticator data cannot be read")
    if not hmac.compare_digest(said.rp_id_hash, hashlib.sha256(party.id.encode("ascii")).digest()):
        raise BadAssertion("the passkey is for another site")
    if not said.is_user_present():
        raise BadAssertion("nobody touched the authenticator")
    if not said.is_user_verified():
        raise BadAssertion("the authenticator did not verify who used it (PIN, finger or face)")
    return said


def read_key(data: bytes) -> CoseKey:
    """Read a public key in COSE; BadAssertion if it is none that is taken here."""
    if len(data) > MAX_KEY_BYTES:
        raise BadAssertion("the public key is too long")
    document = read(cbor.decode, data, "the public key cannot be read")
    if not isinstance(document, dict):
        raise BadAssertion("the public key is not a COSE key")
    algorithm = document.get(_ALG)
    kind = _KINDS.get(algorithm) if isinstance(algorithm, int) else None
    if kind is None:
        raise BadAssertion("the public key is of another algorithm than ES256, EdDSA and RS256")
    made, key_type, curve = kind
    if document.get(_KTY) != key_type or (curve is not None and document.get(_CRV) != curve):
        raise BadAssertion("the public key is not of the kind that it says")
    if made is RS256:
        bits = read(bytes2int, document.get(_N), "the public key has no modulus").bit_length()
        if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
            raise BadAssertion(f"an RSA key needs {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
    return made(document)


def base64url(data: bytes) -> str:
    """Without padding (RFC 4648 section 5), as browsers write everything of this."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def read(function: Callable[[bytes], T], data: object, words: str) -> T:
    """Have one of fido2's readers read what a stranger sent; BadAssertion with these words if it cannot."""
    try:
        return function(data)  # type: ignore[arg-type]  # what is not bytes is refused by the reader, and so by us
    except _UNREADABLE as error:
        raise BadAssertion(words) from error
