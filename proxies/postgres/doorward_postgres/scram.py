"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the client's side.

What it will not do: make a nonce (it is handed in), choose a mechanism (`upstream_login`), or cache keys (`upstream`).
Implements: RFC 5802 and RFC 7677; RFC 4013 (SASLprep); RFC 5929 (tls-server-end-point), as PostgreSQL uses them:
the user name in the exchange is empty, because the start-up packet has named it.

Invariants:

- A hostile server costs a bounded amount: its nonce, its salt and its iteration count have ceilings.
- A server that asks for too few iterations learns nothing: the floor is RFC 7677's own.
- The server proves that it knows the password's keys, or there is no session.
"""

import base64
import binascii
import hashlib
import hmac
import stringprep
import unicodedata
from dataclasses import dataclass
from typing import Final

from doorward_core.errors import UpstreamProtocolError

MECHANISM: Final = "SCRAM-SHA-256"
MECHANISM_PLUS: Final = "SCRAM-SHA-256-PLUS"
# RFC 7677 section 4: at least 4,096. PostgreSQL's default.
MIN_ITERATIONS: Final = 4096
# 100,000 rounds are about 50 ms of one worker thread; an operator who set more at the target raises this with it.
MAX_ITERATIONS: Final = 100_000
# PostgreSQL sends 24 and 24 characters; a nonce of 1 MB crashed PgBouncer (CVE-2026-6665).
_MAX_NONCE_CHARACTERS: Final = 256
_MAX_SALT_BYTES: Final = 256
_MAX_MESSAGE_BYTES: Final = 2048


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the keys are made from, besides the password."""

    salt: bytes
    iterations: int


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """ClientKey and ServerKey of RFC 5802 section 3. As good as the password for this one server: keep them as one."""

    client_key: bytes
    server_key: bytes


def derive_keys(password: str, challenge: Challenge) -> Keys:
    """SaltedPassword and what follows from it: slow by design, so call it in a worker thread and keep the result."""
    salted = hashlib.pbkdf2_hmac("sha256", saslprep(password), challenge.salt, challenge.iterations)
    return Keys(_hmac(salted, b"Client Key"), _hmac(salted, b"Server Key"))


class ScramClient:
    """One exchange: `first`, then `challenge`, then `final`, then `verify`, in this order.

    `nonce` is at least 18 random bytes. `binding` is the tls-server-end-point value where the PLUS mechanism is used.
    `binding_unused` says that we could have bound the channel and the server did not offer it: it can then tell
    a downgrade by somebody between us. `user` stays empty for PostgreSQL; the RFC's own example has one.
    """

    def __init__(
        self, nonce: bytes, *, binding: bytes | None = None, binding_unused: bool = False, user: str = ""
    ) -> None:
        self._nonce = base64.b64encode(nonce).decode("ascii")
        if binding is not None:
            self._header = b"p=tls-server-end-point,,"
        else:
            self._header = b"y,," if binding_unused else b"n,,"
        self._binding = binding or b""
        escaped = user.replace("=", "=3D").replace(",", "=2C")
        self._first_bare = f"n={escaped},r={self._nonce}"
        self._server_first = ""
        self._combined = ""
        self._server_signature = b""

    def first(self) -> bytes:
        """`gs2-header  n=USER,r=NONCE`."""
        return self._header + self._first_bare.encode()

    def challenge(self, message: bytes) -> Challenge:
        """Read `r=NONCE,s=SALT,i=ITERATIONS`; extensions are refused, because they could change the meaning."""
        self._server_first = _text(message)
        nonce, salt, count = _attributes(self._server_first, "rsi")
        if not nonce.startswith(self._nonce) or len(nonce) == len(self._nonce) or len(nonce) > _MAX_NONCE_CHARACTERS:
            raise UpstreamProtocolError("SCRAM: the server's nonce does not extend ours")
        if not (count.isascii() and count.isdigit() and len(count) <= len(str(1 << 31))):
            raise UpstreamProtocolError("SCRAM: the iteration count is not a number")
        self._combined = nonce
        raw_salt = _decode(salt)
        if not 1 <= len(raw_salt) <= _MAX_SALT_BYTES:
            raise UpstreamProtocolError("SCRAM: the salt is empty or too long")
        return Challenge(raw_salt, int(count))

    def final(self, keys: Keys) -> bytes:
        """`c=BINDING,r=NONCE,p=PROOF`."""
        bound = base64.b64encode(self._header + self._binding).decode("ascii")
        without_proof = f"c={bound},r={self._combined}"
        signed = f"{self._first_bare},{self._server_first},{without_proof}".encode()
        stored_key = hashlib.sha256(keys.client_key).digest()
        signature = _hmac(stored_key, signed)
        proof = bytes(left ^ right for left, right in zip(keys.client_key, signature, strict=True))
        self._server_signature = _hmac(keys.server_key, signed)
        return f"{without_proof},p={base64.b64encode(proof).decode('ascii')}".encode("ascii")

    def verify(self, message: bytes) -> None:
        """Read `v=SIGNATURE`; raise UpstreamProtocolError unless it proves that the server knows the keys."""
        (signature,) = _attributes(_text(message), "v")
        if not self._server_signature or not hmac.compare_digest(_decode(signature), self._server_signature):
            raise UpstreamProtocolError("SCRAM: the server did not prove that it knows the password")


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _text(message: bytes) -> str:
    if len(message) > _MAX_MESSAGE_BYTES:
        raise UpstreamProtocolError("SCRAM: the server's message is too long")
    try:
        return message.decode("ascii")
    except UnicodeDecodeError:
        raise UpstreamProtocolError("SCRAM: malformed message") from None


def _attributes(text: str, names: str) -> list[str]:
    """The values of exactly these attributes, in this order."""
    parts = text.split(",")
    if len(parts) != len(names) or any(part[:2] != f"{name}=" for part, name in zip(parts, names, strict=True)):
        raise UpstreamProtocolError("SCRAM: malformed message")
    return [part[2:] for part in parts]


def _decode(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise UpstreamProtocolError("SCRAM: malformed message") from None


# --- SASLprep ---------------------------------------------------------------------------------------------------------

_PROHIBITED: Final = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,
)


def saslprep(password: str) -> bytes:
    """RFC 4013, and like PostgreSQL the password as it is where that refuses it."""
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in password
        if not stringprep.in_table_b1(character)
    )
    # RFC 3454 is defined over Unicode 3.2.
    normal = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if not normal or any(table(character) for character in normal for table in _PROHIBITED) or not _direction(normal):
        return password.encode("utf-8")
    return normal.encode("utf-8")


def _direction(text: str) -> bool:
    """RFC 3454 section 6: text that runs right to left does so from end to end."""
    if not any(stringprep.in_table_d1(character) for character in text):
        return True
    mixed = any(stringprep.in_table_d2(character) for character in text)
    return not mixed and stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
