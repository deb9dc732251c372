"""A self-signed certificate for a gateway's listeners, for the time until an authority's own takes its place.

What it is: one P-256 key and one certificate (RFC 5280), for the names by which this machine is reached.
What it will not do: sign anything else: it is no authority (`CA:FALSE`), so that a client who trusts it trusts this one
key and no other.
"""

import ipaddress
import socket
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=90)
"""Long enough for trying out; short enough that nobody goes to production with it unnoticed."""
SKEW = timedelta(minutes=5)
_MAX_COMMON_NAME = 64


def names_for(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """The names by which clients may dial: loopback, this machine's own name, and where it listens."""
    open_to_all = {"0.0.0.0", "::", ""}  # noqa: S104 - compared with, not listened on
    wanted = ("localhost", "127.0.0.1", "::1", socket.gethostname().lower(), *addresses)
    return tuple(dict.fromkeys(name for name in wanted if name not in open_to_all and _general(name) is not None))


def self_signed(names: tuple[str, ...], now: datetime | None = None) -> tuple[bytes, bytes, datetime]:
    """Make one: (certificate, key, when it ends), the first two as PEM."""
    begin = (now or datetime.now(UTC)).replace(microsecond=0)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:_MAX_COMMON_NAME])])
    known = [general for one in names if (general := _general(one)) is not None]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin - SKEW)
        .not_valid_after(begin + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(known), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_USAGE, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(pem), private, begin + LIFETIME


_USAGE = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=False,
    crl_sign=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


def _general(name: str) -> x509.GeneralName | None:
    """An address or a DNS name; None for what is neither, such as a host name with a letter outside ASCII."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError:
        return None
