"""Places for those who have not proved who they are, shared fairly among the addresses that they come from.

What it will not do: count those who have proved it, close anything, or wait.
It is pure: connections are whatever the caller says they are.

Invariants:

- As long as there is room, one address may have all of it: a pool that starts, or many behind one proxy, is no attack.
- When there is none, who comes takes the place that the most crowded address has held for longest, unless his own
  address would then be as crowded: an address that opens and says nothing cannot keep another out.
- IPv6 addresses count by their /64, which is the least that one site is given (RFC 6177).
"""

import ipaddress
from typing import Final, Generic, TypeVar

_IPV6_SITE_BITS: Final = 64

One = TypeVar("One")


def source(host: str) -> str:
    """What an address counts as: IPv4 and `uid:N` themselves, IPv6 its /64."""
    if ":" not in host or host.startswith("uid:"):
        return host
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    return str(ipaddress.IPv6Network((address, _IPV6_SITE_BITS), strict=False).network_address)


class Crowd(Generic[One]):
    """Who holds which of `places`, oldest first for each source."""

    __slots__ = ("_by_source", "_taken", "places")

    def __init__(self, places: int) -> None:
        self.places = places
        self._taken = 0
        self._by_source: dict[str, dict[One, None]] = {}

    def __len__(self) -> int:
        return self._taken

    def enter(self, host: str, one: One) -> None:
        """Take a place; the caller has seen that there is one, or has had one left."""
        self._by_source.setdefault(source(host), {})[one] = None
        self._taken += 1

    def leave(self, host: str, one: One) -> None:
        """Give a place back. Who has none is passed over."""
        held = self._by_source.get(name := source(host))
        if held is None or one not in held:
            return
        del held[one]
        self._taken -= 1
        if not held:
            del self._by_source[name]

    def full(self) -> bool:
        """Tell whether all places are taken."""
        return self._taken >= self.places

    def yields_to(self, host: str) -> One | None:
        """Who must go so that somebody from `host` can have his place; None where nobody has less right to it."""
        most = max(self._by_source.values(), key=len, default=None)
        if most is None or len(most) <= len(self._by_source.get(source(host), ())) + 1:
            return None
        return next(iter(most))
