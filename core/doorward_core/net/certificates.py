"""What certificates say of themselves: how long they are good, and for whom.

What it is: pure functions from certificates in PEM to words for operators.
What it will not do: judge a chain, a key or a signature; who connects does that.
Source: RFC 5280 (validity), RFC 9525 (a server's names are those of subjectAltName; a common name is none).

Invariants: a certificate that cannot be read has no words here: whoever loads it says so.
"""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography import x509

SOON_DAYS: Final = 14
"""Most authorities' programs renew a month before the end: what is this near to it is not renewed by itself."""
_DAY_S: Final = 86_400
_NS: Final = 1_000_000_000
_OPEN_TO_ALL: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on


def ages(pem: bytes, now_unix_ns: int) -> tuple[str, ...]:
    """Which of them are not good now, or not for much longer."""
    return tuple(words for one in _read(pem) if (words := _age(one, now_unix_ns)))


def names(pem: bytes, address: str) -> str:
    """Why clients that reach it there by that address will not take the first of them; "" where they may."""
    found = _read(pem)
    if not found:
        return ""
    hosts, addresses = _names(found[0])
    if not hosts and not addresses:
        return "names no host (subjectAltName is missing): clients that verify will not take it"
    listed = ", ".join((*hosts, *(str(one) for one in addresses)))
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        fits = address in _OPEN_TO_ALL or _covers(hosts, address)
    else:
        # Which names lead to an address, nobody can know who asks no resolver; those of loopback everybody knows.
        fits = address in _OPEN_TO_ALL or ip in addresses or ("localhost" in hosts if ip.is_loopback else bool(hosts))
    return "" if fits else f"is for {listed}: clients that reach it as {address} will not take it"


def _age(certificate: x509.Certificate, now_unix_ns: int) -> str:
    now = datetime.fromtimestamp(now_unix_ns // _NS, UTC)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begins:
        return f"is good only from {begins:%Y-%m-%d %H:%M} UTC on"
    if now > ends:
        return f"ended on {ends:%Y-%m-%d %H:%M} UTC"
    left = int((ends - now).total_seconds() // _DAY_S)
    return f"ends on {ends:%Y-%m-%d}, in {left} days" if left < SOON_DAYS else ""


def _read(pem: bytes) -> Sequence[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        return ()


def _names(certificate: x509.Certificate) -> tuple[list[str], list[ipaddress.IPv4Address | ipaddress.IPv6Address]]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return [], []
    hosts = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    return hosts, [one for one in names.get_values_for_type(x509.IPAddress) if not hasattr(one, "network_address")]


def _covers(hosts: Sequence[str], name: str) -> bool:
    """Whether a name is among them; a wildcard stands for one label (RFC 9525, section 6.3)."""
    wanted = name.lower().rstrip(".")
    return wanted in hosts or f"*.{wanted.partition('.')[2]}" in hosts
