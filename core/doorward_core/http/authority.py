"""Which host a request is for: one authority, or a refusal.

What it will not do: choose a route by it, or resolve it.
Implements: RFC 9110 section 7.2 (Host), RFC 3986 section 3.2 (authority), RFC 9112 section 3.2 (the four forms).

Invariants:

- An authority that is accepted is in lower case, has no user information, no trailing dot and no default port, and
  means the same to every reader of RFC 3986: letters, digits, `-`, `.` and `_`, or an address in brackets.
- A request that names its host in two places (Host, absolute form, `:authority`) names the same host in both.
"""

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from doorward_core.http.messages import BadRequest

# RFC 1035 section 2.3.4: a name has 255 octets at most; a port adds six.
_MAX_BYTES: Final = 261
_NAME: Final = re.compile(
    r"([a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*)(?::([0-9]{1,5}))?"
)
_BRACKETED: Final = re.compile(r"\[([0-9a-f:.]{2,45})\](?::([0-9]{1,5}))?")
_LAST_PORT: Final = 65_535
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


@lru_cache(maxsize=1024)
def canonical_authority(value: bytes, scheme: str) -> str:
    """The one spelling of an authority. Raises BadRequest for whatever could be read in two ways."""
    if not value or len(value) > _MAX_BYTES or not value.isascii():
        raise BadRequest("the host must be a name or an address, with a port at most")
    text = value.decode("ascii").lower()
    match = _NAME.fullmatch(text)
    if match is not None:
        host = match[1]
    else:
        match = _BRACKETED.fullmatch(text)
        if match is None:
            raise BadRequest("the host must be a name or an address, with a port at most")
        host = f"[{_address(match[1])}]"
    port = match[2]
    if port is None or port == _DEFAULT_PORTS.get(scheme):
        return host
    if port.startswith("0") or int(port) > _LAST_PORT:
        raise BadRequest("the host's port is out of range")
    return f"{host}:{port}"


def _address(text: str) -> str:
    try:
        return str(IPv6Address(text))
    except AddressValueError:
        raise BadRequest("the host's address cannot be read") from None


def one_authority(hosts: tuple[bytes, ...], other: bytes | None, scheme: str) -> str:
    """The authority of a request: of its Host headers, and of its target or `:authority` where there is one."""
    if len(hosts) > 1:
        raise BadRequest("there must be one Host header")
    if not hosts:
        if other is None:
            raise BadRequest("there must be a Host header")
        return canonical_authority(other, scheme)
    authority = canonical_authority(hosts[0], scheme)
    if other is not None and canonical_authority(other, scheme) != authority:
        raise BadRequest("the Host header and the target name different hosts")
    return authority


def host_of(authority: str) -> str:
    """The host without its port, and without brackets."""
    if authority.startswith("["):
        return authority[1 : authority.index("]")]
    return authority.partition(":")[0]
