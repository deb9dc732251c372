"""SSH signatures over votes: what `ssh-keygen -Y sign` makes, hardware keys included.

It reads the armoured signature and an `allowed_signers` file, and verifies; it makes no signatures.
It implements OpenSSH's PROTOCOL.sshsig (the signature), RFC 4253 section 6.6, RFC 5656, RFC 8332 and RFC 8709 (keys and
signatures), PROTOCOL.u2f (security keys), and ssh-keygen(1) "ALLOWED SIGNERS".
It is pure: the time is an argument. The arithmetic is `cryptography`'s.

    armour      -----BEGIN SSH SIGNATURE----- / base64 of the blob, in lines / -----END SSH SIGNATURE-----
    blob        byte[6] "SSHSIG"; uint32 version (1); string publickey; string namespace; string reserved;
                string hash_algorithm; string signature
    signed data byte[6] "SSHSIG"; string namespace; string reserved; string hash_algorithm; string H(message)

All integers are big endian; a string is a uint32 length and that many bytes.

Invariants:

- A signature counts only in the namespace asked for, by a key that the file grants the principal at that time.
- SHA-1 and RSA below 2,048 bits are refused; a security key's signature counts only if someone touched it.
- Certificate authorities in `allowed_signers` are refused at load, rather than silently passed over.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import translate
from re import compile as compile_pattern

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from doorward_core.errors import ConfigError

MAGIC = b"SSHSIG"
VERSION = 1
BEGIN = b"-----BEGIN SSH SIGNATURE-----"
END = b"-----END SSH SIGNATURE-----"

MAX_ARMOUR_BYTES = 16 * 1024
"""An RSA-16384 signature with its key armours to below 8 KiB."""
MAX_SIGNERS_BYTES = 1024 * 1024
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 16384
USER_PRESENT = 0x01
"""The flag of PROTOCOL.u2f which says that somebody touched the key."""

_HASHES: dict[bytes, Callable[[bytes], bytes]] = {
    b"sha256": lambda message: hashlib.sha256(message).digest(),
    b"sha512": lambda message: hashlib.sha512(message).digest(),
}
_CURVES: dict[bytes, tuple[bytes, ec.EllipticCurve, hashes.HashAlgorithm]] = {
    b"ecdsa-sha2-nistp256": (b"nistp256", ec.SECP256R1(), hashes.SHA256()),
    b"ecdsa-sha2-nistp384": (b"nistp384", ec.SECP384R1(), hashes.SHA384()),
    b"ecdsa-sha2-nistp521": (b"nistp521", ec.SECP521R1(), hashes.SHA512()),
}
_RSA_HASHES: dict[bytes, hashes.HashAlgorithm] = {
    b"rsa-sha2-256": hashes.SHA256(),
    b"rsa-sha2-512": hashes.SHA512(),
}
_SK_ED25519 = b"sk-ssh-ed25519@openssh.com"
_SK_ECDSA = b"sk-ecdsa-sha2-nistp256@openssh.com"
_SK_CURVE = b"ecdsa-sha2-nistp256"


class BadSignature(ValueError):
    """The signature is not one, or does not verify; the message says why."""


@dataclass(frozen=True, slots=True)
class Signer:
    """One line of `allowed_signers`: which principals this key speaks for, for what, and when."""

    principals: tuple[str, ...]
    key: bytes
    namespaces: tuple[str, ...] = ()
    valid_after_unix_s: int | None = None
    valid_before_unix_s: int | None = None


@dataclass(frozen=True, slots=True)
class SshSignature:
    """What an armoured signature says of itself, unverified."""

    key: bytes
    namespace: bytes
    reserved: bytes
    hash_name: bytes
    algorithm: bytes
    signature: bytes
    trailer: bytes


def verify(
    armour: bytes, message: bytes, *, principal: str, namespace: str, signers: tuple[Signer, ...], now_unix_ns: int
) -> None:
    """Return if the signature is good for this message by a key of this principal; BadSignature otherwise."""
    read = parse_armour(armour)
    if read.namespace != namespace.encode("utf-8"):
        raise BadSignature(f"the signature was made for another purpose than {namespace}")
    now_s = now_unix_ns // 1_000_000_000
    if not any(_grants(signer, read.key, principal, namespace, now_s) for signer in signers):
        raise BadSignature(f"the key is not among the allowed signers of {principal}")
    digest = _HASHES[read.hash_name](message)
    signed = MAGIC + b"".join(_string(part) for part in (read.namespace, read.reserved, read.hash_name, digest))
    try:
        _check(read, signed)
    except InvalidSignature as error:
        raise BadSignature("the signature does not fit the statement") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadSignature(f"the key or the signature cannot be read: {error}") from error


def parse_armour(armour: bytes) -> SshSignature:
    """Read an armoured signature; BadSignature if it is not exactly one."""
    if len(armour) > MAX_ARMOUR_BYTES:
        raise BadSignature("the signature is too long")
    lines = armour.strip().splitlines()
    if len(lines) < 3 or lines[0] != BEGIN or lines[-1] != END:  # noqa: PLR2004 - two frames and at least one line
        raise BadSignature("not an armoured SSH signature")
    try:
        blob = base64.b64decode(b"".join(lines[1:-1]), validate=True)
    except binascii.Error as error:
        raise BadSignature("the armour is not base64") from error
    reader = _Reader(blob)
    if reader.take(len(MAGIC)) != MAGIC or reader.uint32() != VERSION:
        raise BadSignature("not an SSH signature of version 1")
    key, namespace, reserved, hash_name, signature = (reader.string() for _ in range(5))
    reader.done()
    inner = _Reader(signature)
    algorithm, raw = inner.string(), inner.string()
    trailer = inner.rest()
    if not namespace or hash_name not in _HASHES:
        raise BadSignature("the signature names no purpose, or a hash other than SHA-256 and SHA-512")
    return SshSignature(key, namespace, reserved, hash_name, algorithm, raw, trailer)


def _check(read: SshSignature, signed: bytes) -> None:
    reader = _Reader(read.key)
    kind = reader.string()
    if kind in (_SK_ED25519, _SK_ECDSA):
        _check_security_key(kind, reader, read, signed)
        return
    if read.trailer:
        raise BadSignature("the signature has bytes too many")
    if kind == b"ssh-ed25519" and read.algorithm == kind:
        point = reader.string()
        reader.done()
        ed25519.Ed25519PublicKey.from_public_bytes(point).verify(read.signature, signed)
    elif kind in _CURVES and read.algorithm == kind:
        curve_key = _curve_key(kind, reader)
        reader.done()
        _check_ecdsa(curve_key, kind, read.signature, signed)
    elif kind == b"ssh-rsa" and read.algorithm in _RSA_HASHES:
        exponent, modulus = reader.mpint(), reader.mpint()
        reader.done()
        if not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS:
            raise BadSignature("an RSA key must have 2048 to 16384 bits")
        key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        key.verify(read.signature, signed, padding.PKCS1v15(), _RSA_HASHES[read.algorithm])
    else:
        raise BadSignature("this kind of key or signature is not accepted")


def _curve_key(kind: bytes, reader: "_Reader") -> ec.EllipticCurvePublicKey:
    name, curve, _ = _CURVES[kind]
    if reader.string() != name:
        raise BadSignature("the key contradicts itself about its curve")
    return ec.EllipticCurvePublicKey.from_encoded_point(curve, reader.string())


def _check_ecdsa(key: ec.EllipticCurvePublicKey, kind: bytes, signature: bytes, signed: bytes) -> None:
    numbers = _Reader(signature)
    der = encode_dss_signature(numbers.mpint(), numbers.mpint())
    numbers.done()
    key.verify(der, signed, ec.ECDSA(_CURVES[kind][2]))


def _check_security_key(kind: bytes, reader: "_Reader", read: SshSignature, signed: bytes) -> None:
    # PROTOCOL.u2f: the key signs SHA-256(application), byte flags, uint32 counter, SHA-256(data).
    # The trailer after the signature is byte flags, uint32 counter.
    if read.algorithm != kind:
        raise BadSignature("the signature is of another kind than its key")
    trailer = _Reader(read.trailer)
    flags, counter = trailer.take(1), trailer.take(4)
    trailer.done()
    if not flags[0] & USER_PRESENT:
        raise BadSignature("nobody touched the security key")

    def outer(application: bytes) -> bytes:
        reader.done()
        return hashlib.sha256(application).digest() + flags + counter + hashlib.sha256(signed).digest()

    if kind == _SK_ED25519:
        point = reader.string()
        ed25519.Ed25519PublicKey.from_public_bytes(point).verify(read.signature, outer(reader.string()))
    else:
        key = _curve_key(_SK_CURVE, reader)
        _check_ecdsa(key, _SK_CURVE, read.signature, outer(reader.string()))


# --- allowed_signers -------------------------------------------------------------------------------------------------


def parse_allowed_signers(data: bytes, name: str = "allowed_signers") -> tuple[Signer, ...]:
    """Read an `allowed_signers` file. Raises ConfigError with every line that cannot be used."""
    if len(data) > MAX_SIGNERS_BYTES:
        raise ConfigError((f"{name}:1: longer than 1 MiB",))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError((f"{name}:1: not UTF-8 text",)) from None
    signers: list[Signer] = []
    problems: list[str] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if line and not line.startswith("#"):
            try:
                signers.append(_signer(line))
            except ValueError as error:
                problems.append(f"{name}:{number}: {error}")
    if problems:
        raise ConfigError(tuple(problems))
    return tuple(signers)


def _signer(line: str) -> Signer:
    words = _words(line)
    principals = tuple(part for part in words[0].replace('"', "").split(",") if part)
    place = next((index for index, word in enumerate(words[1:], start=1) if _is_key_kind(word)), None)
    if place is None or place + 1 >= len(words) or not principals:
        raise ValueError("expected: principals, options, kind of key, key")
    options = [option for word in words[1:place] for option in _options(word)]
    namespaces: tuple[str, ...] = ()
    after = before = None
    for name, value in options:
        if name == "namespaces":
            namespaces = tuple(value.split(","))
        elif name == "valid-after":
            after = _time(value)
        elif name == "valid-before":
            before = _time(value)
        else:
            raise ValueError(f"the option {name} is not supported")
    key = base64.b64decode(words[place + 1], validate=True)
    if _Reader(key).string() != words[place].encode("ascii"):
        raise ValueError("the key is of another kind than it says")
    return Signer(principals, key, namespaces, after, before)


def _grants(signer: Signer, key: bytes, principal: str, namespace: str, now_s: int) -> bool:
    if signer.key != key or not _matches(signer.principals, principal):
        return False
    if signer.namespaces and not _matches(signer.namespaces, namespace):
        return False
    if signer.valid_after_unix_s is not None and now_s < signer.valid_after_unix_s:
        return False
    return signer.valid_before_unix_s is None or now_s < signer.valid_before_unix_s


def _matches(patterns: tuple[str, ...], name: str) -> bool:
    """OpenSSH's pattern list: `*` and `?`; a pattern after `!` that matches refuses."""
    hit = False
    for pattern in patterns:
        negated = pattern.startswith("!")
        # Only * and ? are special to OpenSSH: a bracket is escaped, so that fnmatch reads it as itself.
        literal = pattern.removeprefix("!").replace("[", "[[]")
        if compile_pattern(translate(literal)).match(name):
            if negated:
                return False
            hit = True
    return hit


def _is_key_kind(word: str) -> bool:
    return word.startswith(("ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"))


def _words(line: str) -> list[str]:
    """Split at blanks outside double quotes."""
    words, current, quoted = [], "", False
    for character in line:
        if character == '"':
            quoted = not quoted
        if character in " \t" and not quoted:
            if current:
                words.append(current)
            current = ""
        else:
            current += character
    if quoted:
        raise ValueError("a quotation mark is not closed")
    return [*words, current] if current else words


def _options(word: str) -> list[tuple[str, str]]:
    options, rest = [], word
    while rest:
        name, separator, tail = rest.partition("=")
        if not separator or "," in name:
            name, _, rest = rest.partition(",")
            options.append((name.lower(), ""))
        elif tail.startswith('"'):
            value, _, rest = tail[1:].partition('"')
            rest = rest.removeprefix(",")
            options.append((name.lower(), value))
        else:
            value, _, rest = tail.partition(",")
            options.append((name.lower(), value))
    return options


def _time(value: str) -> int:
    """`YYYYMMDD[HHMM[SS]]`, UTC; a local time is taken for UTC, so that a gateway's zone changes nothing."""
    digits = value.removesuffix("Z")
    form = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}.get(len(digits))
    if form is None:
        raise ValueError(f"{value} is not a time")
    return int(datetime.strptime(digits, form).replace(tzinfo=UTC).timestamp())


# --- SSH's data types (RFC 4251 section 5) ---------------------------------------------------------------------------


class _Reader:
    """A bounded reader: whatever is too short, or left over, is a BadSignature."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, length: int) -> bytes:
        end = self._at + length
        if end > len(self._data):
            raise BadSignature("the signature or key is cut short")
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def uint32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        return self.take(self.uint32())

    def mpint(self) -> int:
        raw = self.string()
        if raw[:1] >= b"\x80":
            raise BadSignature("a negative number")
        return int.from_bytes(raw, "big")

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)

    def done(self) -> None:
        if self._at != len(self._data):
            raise BadSignature("the signature or key has bytes too many")


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data
