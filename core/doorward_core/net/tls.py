"""TLS contexts: what we offer to clients, and what we demand of targets.

What it will not do: shake hands (`link`), or make certificates.
Implements: RFC 8446 and RFC 5246 by OpenSSL's defaults from TLS 1.2 on; RFC 5929 section 4 (tls-server-end-point).

Invariants:

- A client context verifies the chain and the host name, always; who wants no TLS says so in the configuration.
- A reload that fails leaves the certificate in force.
"""

import hashlib
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from doorward_core.errors import ConfigError
from doorward_core.net import certificates

_OLDEST: Final = ssl.TLSVersion.TLSv1_2
# RFC 5929 section 4.1: a certificate that was signed over one of these binds by SHA-256.
_WEAK_HASHES: Final = frozenset({"md5", "sha1"})
_NO_CERTIFICATE: Final = "there is no certificate in it (PEM: -----BEGIN CERTIFICATE-----)"
_NO_KEY: Final = "there is no private key in it that can be read (PEM, without a pass phrase)"
_SEALED: Final = "it has a pass phrase, and nobody is there to say it; name a key without one"

# What OpenSSL says of a file of authorities without any.
_NOTHING_THERE: Final = frozenset({"NO_CERTIFICATE_OR_CRL_FOUND", "NO_START_LINE"})


class ServerTls:
    """The certificate that clients see. `context` is replaced by `reload`; connections keep the one they began with."""

    def __init__(
        self, certificate: Path, key: Path, *, alpn: Sequence[str] = (), client_authorities: Path | None = None
    ) -> None:
        self._certificate = certificate
        self._key = key
        self._alpn = tuple(alpn)
        self._client_authorities = client_authorities
        self.context = self._load()

    def reload(self) -> None:
        """Read the files again. Raises ConfigError and keeps what is in force if they cannot be used."""
        self.context = self._load()

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _OLDEST
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        show(context, self._certificate, self._key)
        if self._client_authorities is not None:
            _trust(context, self._client_authorities)
            context.verify_mode = ssl.CERT_OPTIONAL
        if self._alpn:
            context.set_alpn_protocols(list(self._alpn))
        return context


class NamedContext:
    """A context that expects one name in the certificate, for drivers that only know the address that they dial."""

    __slots__ = ("_context", "_name")

    def __init__(self, context: ssl.SSLContext, name: str) -> None:
        self._context = context
        self._name = name

    def wrap_socket(self, sock: socket.socket, *, server_hostname: str) -> ssl.SSLSocket:
        """As `ssl.SSLContext.wrap_socket`, but for our name."""
        return self._context.wrap_socket(sock, server_hostname=self._name or server_hostname)


def client_context(authorities: Path | bytes | None = None, *, alpn: Sequence[str] = ()) -> ssl.SSLContext:
    """What we demand of a target: a chain to `authorities`, and the name that was dialled.

    `authorities` are a file, PEM itself, or the system's (None).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = _OLDEST
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if authorities is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _trust(context, authorities)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def show(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Have a context show a certificate. Raises ConfigError, which says of which file what is wrong."""
    try:
        # A key that asks for a pass phrase must not stop the process at a prompt.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ssl.SSLError, ValueError) as error:
        why = _unusable(certificate, key) or f"{certificate}: tls: the certificate and key cannot be used ({error})"
        raise ConfigError((why,)) from None


def aging(certificate: Path, now_unix_ns: int, address: str = "") -> tuple[str, ...]:
    """What an operator is to know of a certificate that can be used: how long it is good, and for whom."""
    try:
        pem = certificate.read_bytes()
    except OSError:
        return ()
    named = certificates.names(pem, address) if address else ""
    found = (*certificates.ages(pem, now_unix_ns), *((named,) if named else ()))
    return tuple(f"{certificate}: the certificate {words}" for words in found)


def _unusable(certificate: Path, key: Path) -> str:
    """Which of the two files keeps a pair from being used, and why; "" where only OpenSSL knows."""
    try:
        first = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    except OSError as error:
        return f"{certificate}: tls: cannot be read: {error.strerror}"
    except ValueError:
        return f"{certificate}: tls: cannot be used: {_NO_CERTIFICATE}"
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except OSError as error:
        return f"{key}: tls: cannot be read: {error.strerror}"
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        return f"{key}: tls: cannot be used: {_SEALED if isinstance(error, TypeError) else _NO_KEY}"
    ours = private.public_key() == first.public_key()
    return "" if ours else f"{key}: tls: cannot be used: it is not the key of the certificate in {certificate}"


def _trust(context: ssl.SSLContext, authorities: Path | bytes) -> None:
    shown = "authorities given as data" if isinstance(authorities, bytes) else authorities
    try:
        if isinstance(authorities, bytes):
            context.load_verify_locations(cadata=authorities.decode("ascii"))
        else:
            context.load_verify_locations(authorities)
    except (OSError, UnicodeError, ssl.SSLError) as error:
        none = getattr(error, "reason", "") in _NOTHING_THERE
        raise ConfigError(
            (f"{shown}: tls: the authorities cannot be read: {_NO_CERTIFICATE if none else error}",)
        ) from None


def server_end_point(certificate: bytes) -> bytes | None:
    """The tls-server-end-point binding of a DER certificate; None where RFC 5929 defines none (Ed25519, for one)."""
    try:
        algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return None
    if algorithm is None:
        return None
    name = "sha256" if algorithm.name in _WEAK_HASHES else algorithm.name
    if name not in hashlib.algorithms_available:
        return None
    return hashlib.new(name, certificate).digest()
