"""SSH certificates: made for people and agents, for targets and for hosts; and read back, strictly.

What it is: OpenSSH certificates (PROTOCOL.certkeys) over `cryptography`, with what an Identity needs in an extension.
What it will not do: read a clock, keep a key, or decide who may have a certificate.
Which authority signs what, and which principals a certificate names: docs/adr/0009-what-an-ssh-certificate-carries.md.

Invariants of `verify`:
- one of the given authorities signed it, and that is a plain key; no certificate signs another;
- it names at least one principal, and exactly the one that was asked for;
- a critical option other than `source-address`, or an extension that `issue` does not write, refuses it;
- it lives no longer than `MAX_LIFE_S`; so long it opens connections, and what it opened ends when the token does.
"""

import base64
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import quote

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    SSHCertificate,
    SSHCertificateBuilder,
    SSHCertificateType,
    load_ssh_public_identity,
)

from doorward_core.errors import AuthenticationError
from doorward_core.identity.ssh_identity import decode, encode
from doorward_core.identity.ssh_keys import PublicKey
from doorward_core.model import Identity

NS_PER_S: Final = 1_000_000_000
# What a stolen agent, or a person who was let go, can still use: a quarter of an hour.
MAX_LIFE_S: Final = 900
# Replicas' and targets' clocks may be behind ours; the life above includes it.
BACKDATE_S: Final = 60
# Long enough to dial and log in at a slow target; a session that is open outlives its certificate anyway.
UPSTREAM_LIFE_S: Final = 300
# A host certificate is made at each start and again while the gateway runs; a day covers a client's wrong clock.
HOST_LIFE_S: Final = 86_400
# OpenSSH reads no certificate with more (SSHKEY_CERT_MAX_PRINCIPALS).
MAX_PRINCIPALS: Final = 256
# RFC 4253 section 6.1: a packet of 35,000 bytes is all that everybody reads, and a login has a signature in it too.
MAX_CERTIFICATE_BYTES: Final = 32 * 1024
MAX_SOURCES: Final = 16
MAX_KEY_ID_PART: Final = 256
MAX_SERIAL: Final = 2**63 - 1

IDENTITY: Final = b"identity@doorward.dev"
SOURCE_ADDRESS: Final = b"source-address"
# They grant nothing: each of these is decided by policy when it is asked for.
# They are named because SSH servers look for them in a certificate before anybody is asked.
LOGIN_PERMITS: Final = frozenset(
    {"permit-X11-forwarding", "permit-agent-forwarding", "permit-port-forwarding", "permit-pty"}
)
# At a target: a terminal and forwards. No agent, no X11, and no ~/.ssh/rc, which would run before what was decided.
UPSTREAM_PERMITS: Final = frozenset({"permit-port-forwarding", "permit-pty"})

Network = IPv4Network | IPv6Network


class CannotIssue(ValueError):
    """No certificate can say this; the message is safe to send."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate. `line` is one line of a `-cert.pub` file without a comment; `blob` are the bytes in it."""

    line: str
    blob: bytes
    serial: int
    key_id: str
    principals: tuple[str, ...]
    valid_after_unix_ns: int
    valid_before_unix_ns: int


@dataclass(frozen=True, slots=True)
class _Contents:
    """What is signed, whoever reads it."""

    kind: SSHCertificateType
    key_id: str
    principals: tuple[str, ...]
    serial: int
    until_unix_ns: int
    critical: tuple[tuple[bytes, bytes], ...] = ()
    extensions: tuple[tuple[bytes, bytes], ...] = ()


def issue(
    authority: Ed25519PrivateKey,
    public_key: PublicKey,
    identity: Identity,
    principals: Iterable[str],
    *,
    serial: int,
    now_unix_ns: int,
    life_s: int = MAX_LIFE_S,
    sources: Iterable[Network] = (),
) -> Issued:
    """Make the certificate that an identity logs in with, signed by the `login` authority.

    It ends after `life_s` less `BACKDATE_S`, or with the identity, the sooner.
    `sources` are the networks that it may be used from; none means any. Raises CannotIssue.
    """
    if not BACKDATE_S < life_s <= MAX_LIFE_S:
        raise CannotIssue(f"a certificate lives between {BACKDATE_S} and {MAX_LIFE_S} seconds")
    networks = sorted({str(network) for network in sources})
    if len(networks) > MAX_SOURCES:
        raise CannotIssue(f"a certificate names at most {MAX_SOURCES} networks")
    try:
        carried = encode(identity)
    except ValueError as error:
        raise CannotIssue(str(error)) from None
    contents = _Contents(
        SSHCertificateType.USER,
        _key_id("login", identity, str(serial)),
        _names(principals),
        serial,
        min(now_unix_ns + (life_s - BACKDATE_S) * NS_PER_S, identity.expires_unix_ns),
        ((SOURCE_ADDRESS, ",".join(networks).encode("ascii")),) if networks else (),
        ((IDENTITY, carried), *_flags(LOGIN_PERMITS)),
    )
    return _sign(authority, public_key, contents, now_unix_ns)


def issue_upstream(
    authority: Ed25519PrivateKey,
    public_key: PublicKey,
    identity: Identity,
    session_id: bytes,
    login: str,
    *,
    serial: int,
    now_unix_ns: int,
    life_s: int = UPSTREAM_LIFE_S,
    permits: Collection[str] = UPSTREAM_PERMITS,
) -> Issued:
    """Make the certificate of one session at a target, signed by the `user` authority: its only principal is `login`.

    The key id names the identity and the session, so that the target's own log says who it was.
    Raises CannotIssue.
    """
    if not BACKDATE_S < life_s <= MAX_LIFE_S:
        raise CannotIssue(f"a certificate lives between {BACKDATE_S} and {MAX_LIFE_S} seconds")
    contents = _Contents(
        SSHCertificateType.USER,
        _key_id("session", identity, session_id.hex()),
        _names([login]),
        serial,
        now_unix_ns + (life_s - BACKDATE_S) * NS_PER_S,
        extensions=_flags(permits),
    )
    return _sign(authority, public_key, contents, now_unix_ns)


def issue_host(
    authority: Ed25519PrivateKey,
    public_key: PublicKey,
    names: Iterable[str],
    *,
    key_id: str,
    serial: int,
    now_unix_ns: int,
    life_s: int = HOST_LIFE_S,
) -> Issued:
    """Make a host certificate, signed by the `host` authority, for the names under which clients reach this host.

    Names are host names and addresses as clients write them, without a port. Raises CannotIssue.
    """
    contents = _Contents(
        SSHCertificateType.HOST,
        key_id,
        _names(names),
        serial,
        now_unix_ns + (life_s - BACKDATE_S) * NS_PER_S,
    )
    return _sign(authority, public_key, contents, now_unix_ns)


def _names(given: Iterable[str]) -> tuple[str, ...]:
    """Principals: a comma would be two names to some readers, a space or a control character something else again."""
    names = tuple(dict.fromkeys(given))
    if not names:
        raise CannotIssue("a certificate without a name would be good for every name")
    if len(names) > MAX_PRINCIPALS:
        raise CannotIssue(f"a certificate names at most {MAX_PRINCIPALS} accounts; say which ones are wanted")
    if not all(_is_name(name) for name in names):
        raise CannotIssue("a name in a certificate is printable ASCII without spaces, commas and wildcards")
    return names


def _is_name(name: str) -> bool:
    return bool(name) and name.isascii() and name.isprintable() and not set(name) & set(" ,*?!\"'\\")


def _key_id(use: str, identity: Identity, serial: str) -> str:
    """Say who, in one line that cannot be made to look like another's: all but plain characters are escaped."""
    issuer = quote(identity.issuer, safe=":/.-_~@")[:MAX_KEY_ID_PART]
    subject = quote(identity.subject, safe=".-_~@|:/")[:MAX_KEY_ID_PART]
    return f"doorward-{use} iss={issuer} sub={subject} id={serial}"


def _flags(names: Collection[str]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.encode("ascii"), b"") for name in sorted(names))


def _sign(authority: Ed25519PrivateKey, public_key: PublicKey, contents: _Contents, now_unix_ns: int) -> Issued:
    now_s, until_s = now_unix_ns // NS_PER_S, contents.until_unix_ns // NS_PER_S
    if until_s <= now_s:
        raise CannotIssue("it would have expired already")
    if not 0 < contents.serial <= MAX_SERIAL:
        raise CannotIssue("a serial number lies between 1 and 2**63 - 1")
    after_s = now_s - BACKDATE_S
    builder = (
        SSHCertificateBuilder()
        .public_key(public_key)
        .type(contents.kind)
        .serial(contents.serial)
        .key_id(contents.key_id.encode("ascii"))
        .valid_principals([name.encode("ascii") for name in contents.principals])
        .valid_after(after_s)
        .valid_before(until_s)
    )
    for name, value in contents.critical:
        builder = builder.add_critical_option(name, value)
    for name, value in contents.extensions:
        builder = builder.add_extension(name, value)
    line = builder.sign(authority).public_bytes()
    blob = base64.b64decode(line.split()[1])
    if len(blob) > MAX_CERTIFICATE_BYTES:
        raise CannotIssue(f"it would have {len(blob)} bytes, and logins carry {MAX_CERTIFICATE_BYTES}; name fewer")
    return Issued(
        line.decode("ascii"),
        blob,
        contents.serial,
        contents.key_id,
        contents.principals,
        after_s * NS_PER_S,
        until_s * NS_PER_S,
    )


# --- reading ---------------------------------------------------------------------------------------------------------


def verify(
    blob: bytes,
    authorities: Collection[Ed25519PublicKey],
    *,
    principal: str,
    address: str,
    now_unix_ns: int,
) -> Identity:
    """Check a login certificate whole and give the identity that it carries. Raises AuthenticationError.

    `blob` are its bytes as the client sent them, `authorities` the public keys of `login` authorities, `principal` the
    name that is asked for, `address` where the client is.
    That the client holds the key is for the caller to have checked: a certificate is no secret.
    """
    certificate = read_certificate(blob)
    _check_signature(certificate, authorities)
    if certificate.type is not SSHCertificateType.USER:
        raise AuthenticationError("certificate: it is a host's")
    _check_times(certificate, now_unix_ns)
    _check_principal(certificate, principal)
    _check_options(certificate, address)
    identity = decode(certificate.extensions[IDENTITY], serial=certificate.serial, now_unix_ns=now_unix_ns)
    if now_unix_ns >= identity.expires_unix_ns:
        raise AuthenticationError("certificate: the token that it was given for has expired")
    return identity


def read_certificate(blob: bytes) -> SSHCertificate:
    """Read a certificate's bytes, believing nothing in it. Raises AuthenticationError."""
    if len(blob) > MAX_CERTIFICATE_BYTES:
        raise AuthenticationError("certificate: it is too long")
    length = int.from_bytes(blob[:4], "big")
    kind = blob[4 : 4 + length]
    if not kind.endswith(b"-cert-v01@openssh.com") or not kind.isascii() or len(kind.split()) != 1:
        raise AuthenticationError("certificate: it is none")
    try:
        read = load_ssh_public_identity(kind + b" " + base64.b64encode(blob))
    except (ValueError, UnsupportedAlgorithm):
        raise AuthenticationError("certificate: it cannot be read") from None
    if not isinstance(read, SSHCertificate):
        raise AuthenticationError("certificate: it is none")
    return read


def _check_signature(certificate: SSHCertificate, authorities: Collection[Ed25519PublicKey]) -> None:
    try:
        signer = certificate.signature_key()
        known = isinstance(signer, Ed25519PublicKey) and any(signer == authority for authority in authorities)
        if not known:
            raise AuthenticationError("certificate: not signed by this gateway's login authority")
        certificate.verify_cert_signature()
    except (ValueError, UnsupportedAlgorithm, InvalidSignature):
        raise AuthenticationError("certificate: its signature does not hold") from None


def _check_times(certificate: SSHCertificate, now_unix_ns: int) -> None:
    after, before = certificate.valid_after, certificate.valid_before
    if before - after > MAX_LIFE_S:
        raise AuthenticationError("certificate: it lives too long")
    if now_unix_ns < after * NS_PER_S:
        raise AuthenticationError("certificate: not valid yet")
    if now_unix_ns >= before * NS_PER_S:
        raise AuthenticationError("certificate: expired")


def _check_principal(certificate: SSHCertificate, principal: str) -> None:
    names = certificate.valid_principals
    if not names:
        raise AuthenticationError("certificate: it names no principal")
    if len(names) > MAX_PRINCIPALS or not all(_is_name(name.decode("latin-1")) for name in names):
        raise AuthenticationError("certificate: its principals are not in the one form that they have")
    if principal.encode("utf-8", "replace") not in names:
        raise AuthenticationError("certificate: it is for other accounts")


def _check_options(certificate: SSHCertificate, address: str) -> None:
    unknown = set(certificate.critical_options) - {SOURCE_ADDRESS}
    if unknown:
        raise AuthenticationError("certificate: it has a critical option that is not understood")
    permits = {name.encode("ascii") for name in LOGIN_PERMITS}
    if set(certificate.extensions) != permits | {IDENTITY}:
        raise AuthenticationError("certificate: its extensions are not those of a login")
    if any(certificate.extensions[name] for name in permits):
        raise AuthenticationError("certificate: an extension has a value where none belongs")
    sources = certificate.critical_options.get(SOURCE_ADDRESS)
    if sources is not None and not _within(address, sources):
        raise AuthenticationError("certificate: it may not be used from this address")


def _within(address: str, sources: bytes) -> bool:
    """Whether an address lies in one of the networks; an IPv4 address may come dressed as IPv6."""
    try:
        place = ip_address(address.partition("%")[0])
        networks = [ip_network(text) for text in sources.decode("ascii").split(",")]
    except ValueError:
        return False
    if isinstance(place, IPv6Address) and place.ipv4_mapped is not None:
        place = place.ipv4_mapped
    return any(place in network for network in networks)
