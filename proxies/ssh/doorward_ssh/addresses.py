"""Where a forward leads: one spelling for each address, whatever way it was written.

What it is: `canonical`, from what a client wrote to the host that is decided on and sent, and the atoms of a forward.
What it will not do: look a name up. The target does that, and what it finds there is the target's; so a name is never
taken for the address behind it, but for those that mean the target itself by convention.

Source: RFC 4254 section 7; inet_aton(3) for IPv4 in one to four parts, decimal, octal and hexadecimal; RFC 4291
section 2.5.5 (IPv4 in IPv6), RFC 6052 section 2.1, RFC 3056 section 2; RFC 6761 section 6.3 (localhost).

Invariants: pure; two spellings of one address give one name; what is sent is that name, so that the target reads what
was decided on. A host that cannot be read in one way alone is refused.
"""

import ipaddress
import re
from typing import Final, TypeAlias

from doorward_core.model import Action, Atom, Target

MAX_HOST_CHARS: Final = 253  # of a DNS name
MAX_SOCKET_CHARS: Final = 107  # sockaddr_un has 108, with a NUL
MAX_PORT: Final = 65535
ADDRESS: Final = "address"
LOCAL_ADDRESS: Final = "local-address"
SOCKET: Final = "socket"

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]*|0[0-7]*|[1-9][0-9]*")
_NUMERIC: Final = re.compile(r"(?:0[xX][0-9a-fA-F]*|[0-9]+)")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_LOOPBACK_NAMES: Final = {
    "localhost": "127.0.0.1", "localhost.localdomain": "127.0.0.1", "localhost4": "127.0.0.1",
    "localhost6": "::1", "ip6-localhost": "::1", "ip6-loopback": "::1",
}  # fmt: skip
_EMBEDDED: Final = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),  # IPv4-translated
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (ipaddress.IPv6Network("2002::/16"), 80),  # 6to4
)
# Cloud providers answer for whoever asks with the credentials of the machine; some of these are no link-local ones.
_METADATA: Final = frozenset(
    {"169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"}
)
_METADATA_NAMES: Final = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})


class BadAddress(ValueError):
    """A host, port or path that is not one, or not one alone. The message is for a client."""


def canonical(host: str) -> str:
    """The one spelling of a host. Raises BadAddress."""
    if not host or len(host) > MAX_HOST_CHARS or not host.isascii() or not host.isprintable() or " " in host:
        raise BadAddress("the host of a forward is empty, too long, or not plain ASCII")
    name = host.lower().removesuffix(".")
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    if ":" in bare:
        return str(_folded(_ipv6(bare)))
    if bare != name:
        raise BadAddress("brackets are for IPv6 addresses")
    parts = name.split(".")
    if _NUMERIC.fullmatch(parts[-1]):
        return str(_ipv4(parts))
    if not all(_LABEL.fullmatch(part) for part in parts):
        raise BadAddress("the host of a forward is no name and no address")
    if name.endswith(".localhost"):
        return _LOOPBACK_NAMES["localhost"]
    return _LOOPBACK_NAMES.get(name, name)


def forward_atoms(host: str, port: int) -> tuple[Atom, ...]:
    """What a forward to a canonical host and a port asks for.

    Where the target itself would be reached, or what stands on its own link, a rule must say so besides: one that names
    addresses by a wide pattern did not mean those.
    """
    if not 0 <= port <= MAX_PORT:
        raise BadAddress("the port of a forward is none")
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    kinds = (ADDRESS, LOCAL_ADDRESS) if is_local(host) else (ADDRESS,)
    return tuple(Atom(Action.FORWARD, Target(kind, name)) for kind in kinds)


def socket_atoms(path: str) -> tuple[Atom, ...]:
    """What a forward to a Unix socket asks for. Raises BadAddress."""
    parts = path.split("/")
    if not path.startswith("/") or "\0" in path or len(path) > MAX_SOCKET_CHARS or not path.isprintable():
        raise BadAddress("the path of a socket is absolute, printable and at most 107 long")
    if {"", ".", ".."} & set(parts[1:]):
        raise BadAddress("the path of a socket has `.`, `..` or an empty part in it")
    return (Atom(Action.FORWARD, Target(SOCKET, path)),)


def is_local(host: str) -> bool:
    """Whether a canonical host is the target itself, its own link, many at once, or where its cloud gives out keys."""
    if host in _METADATA or host in _METADATA_NAMES:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return (
        address.is_loopback
        or address.is_unspecified
        or address.is_link_local
        or address.is_multicast
        or address == ipaddress.IPv4Address("255.255.255.255")
        or address in ipaddress.ip_network("0.0.0.0/8")
    )


def _ipv6(text: str) -> ipaddress.IPv6Address:
    """An IPv6 address. A zone names an interface of whoever reads it, so it has none here."""
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise BadAddress("the host of a forward is no IPv6 address") from None
    if address.scope_id is not None:
        raise BadAddress("an address with a zone means another place for each who reads it")
    return address


def _folded(address: ipaddress.IPv6Address) -> Address:
    """The IPv4 address within, where there is one: that is where its packets arrive."""
    for network, shift in _EMBEDDED:
        if address in network:
            return ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF)
    if int(address) > 1 and int(address) >> 32 == 0:  # IPv4-compatible, and deprecated
        return ipaddress.IPv4Address(int(address))
    return address


def _ipv4(parts: list[str]) -> ipaddress.IPv4Address:
    """An IPv4 address as inet_aton reads it: what getaddrinfo does at the target."""
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):  # noqa: PLR2004 - bytes of an address
        raise BadAddress("the host of a forward looks like an IPv4 address, and is none")
    numbers = [_number(part) for part in parts]
    *first, last = numbers
    if any(number > 0xFF for number in first) or last >= 1 << 8 * (4 - len(first)):  # noqa: PLR2004 - one byte
        raise BadAddress("the host of a forward looks like an IPv4 address, and is none")
    found = last
    for place, number in enumerate(first):
        found |= number << 8 * (3 - place)
    return ipaddress.IPv4Address(found)


def _number(text: str) -> int:
    if text[:2] in {"0x", "0X"}:
        return int(text[2:] or "0", 16)
    return int(text, 8) if text.startswith("0") else int(text)
