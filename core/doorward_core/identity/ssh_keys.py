"""SSH keys as text: the authorities' key files, and the public keys that people hand in.

What it is: strict reading and writing of the formats of OpenSSH's PROTOCOL.key and RFC 4253 section 6.6.
What it will not do: touch a file, or make a certificate.

Invariants: an authority is an Ed25519 key; a key that is handed in is a plain public key and never a certificate,
of a kind and size that is still sound.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
    load_ssh_public_key,
)

from doorward_core.identity.keys import check_rsa

PublicKey: TypeAlias = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey

# An RSA key of 4,096 bits has 750 characters; the comment comes on top.
MAX_LINE_CHARACTERS: Final = 8 * 1024
_KINDS: Final = frozenset(
    {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"}
)
_LINE: Final = re.compile(r"(?P<kind>[a-z0-9.@-]+) (?P<body>[A-Za-z0-9+/]+={0,2})(?: [^\r\n\0]*)?\n?\Z")


class BadKey(ValueError):
    """A key that cannot be used; the message says why, and is safe to send."""


@dataclass(frozen=True, slots=True)
class Authorities:
    """The keys that sign a gateway's SSH certificates, each for one reader.

    `login` signs what people and agents hold, and only the gateway believes it.
    `user` signs what the gateway itself shows to targets, and never leaves it.
    `host` signs the gateway's own host keys, and clients believe it.
    """

    login: Ed25519PrivateKey = field(repr=False)
    user: Ed25519PrivateKey = field(repr=False)
    host: Ed25519PrivateKey = field(repr=False)


def new_authority() -> bytes:
    """Make an authority's key, in OpenSSH's private key format, for a file of mode 0600."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def read_authority(data: bytes) -> Ed25519PrivateKey:
    """Read what `new_authority` made, or `ssh-keygen -t ed25519`. Raises BadKey, without the text."""
    try:
        key = load_ssh_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKey("not an OpenSSH private key without a pass phrase") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey("an authority is an Ed25519 key (ssh-keygen -t ed25519)")
    return key


def public_line(key: PublicKey, comment: str = "") -> str:
    """Give a public key as one line, as in authorized_keys and known_hosts."""
    line = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")
    return f"{line} {comment}" if comment else line


def read_public(line: str) -> PublicKey:
    """Read one line of a `.pub` file. Raises BadKey."""
    match = _LINE.match(line) if len(line) <= MAX_LINE_CHARACTERS else None
    if match is None:
        raise BadKey("not the one line of a public key file")
    kind = match["kind"]
    if kind not in _KINDS:
        raise BadKey("not a plain Ed25519, ECDSA or RSA key (certificates and security keys are not taken here)")
    try:
        key = load_ssh_public_key(f"{kind} {match['body']}".encode("ascii"))
    except (ValueError, UnsupportedAlgorithm):
        raise BadKey("the key cannot be read") from None
    if isinstance(key, RSAPublicKey):
        _check_rsa(key)
    elif not isinstance(key, Ed25519PublicKey | EllipticCurvePublicKey):
        raise BadKey("not an Ed25519, ECDSA or RSA key")
    return key


def _check_rsa(key: RSAPublicKey) -> None:
    numbers = key.public_numbers()
    try:
        check_rsa(numbers.n, numbers.e)
    except ValueError as error:
        raise BadKey(f"the key cannot be used: {error}") from None


def blob(line: str) -> bytes:
    """Give the bytes within one line: what travels in the protocol. Raises BadKey."""
    words = line.split(" ", 2)
    try:
        return base64.b64decode(words[1], validate=True)
    except (IndexError, binascii.Error):
        raise BadKey("not the one line of a key file") from None


def fingerprint(key_blob: bytes) -> str:
    """Give a key's fingerprint, as ssh-keygen shows it."""
    digest = base64.b64encode(hashlib.sha256(key_blob).digest()).rstrip(b"=")
    return f"SHA256:{digest.decode('ascii')}"
