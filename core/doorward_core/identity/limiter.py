"""How often one source may fail to prove who it is.

What it is: a token bucket per source, and a short memory of credentials that have proved good.
What it will not do: read a clock; lock out a credential that works because its neighbour's does not.
Agents often share one address (a node, a NAT), so failures of one must not end the work of the others:
a credential that was good lately is tried again even when its source has run dry.
What the limit saves is our own work and the operator's log; a signature cannot be guessed in any number of tries.

Invariants: memory is bounded; a refused try costs one dictionary look-up and no signature check.
"""

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from typing import Final

# A pool that starts with an expired token fails once per connection: let a usual pool do so.
BURST: Final = 30
# One more try every two seconds after that.
REFILL_NS: Final = 2_000_000_000
# Some 2 MB of state at most; the source that was quiet longest is forgotten first.
MAX_SOURCES: Final = 10_000
MAX_KNOWN: Final = 10_000
# An IPv6 customer holds a /64 and can use any address in it.
_IPV6_NETWORK_BITS: Final = 64


@dataclass(slots=True)
class _Bucket:
    left: int
    filled_unix_ns: int


class FailureLimiter:
    """Counts failures by source. Call `admit` before the work, then `failed` or `succeeded`."""

    __slots__ = ("_buckets", "_known")

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def admit(self, address: str, credential: str, now_unix_ns: int) -> bool:
        """Tell whether this try is to be looked at."""
        bucket = self._buckets.get(source(address))
        if bucket is None or _refilled(bucket, now_unix_ns).left > 0:
            return True
        return fingerprint(credential) in self._known

    def failed(self, address: str, credential: str, now_unix_ns: int) -> None:
        """Take one try away from the source, and forget that the credential was ever good."""
        self._known.pop(fingerprint(credential), None)
        name = source(address)
        bucket = self._buckets.setdefault(name, _Bucket(BURST, now_unix_ns))
        _refilled(bucket, now_unix_ns)
        bucket.left = max(0, bucket.left - 1)
        self._buckets.move_to_end(name)
        if len(self._buckets) > MAX_SOURCES:
            self._buckets.popitem(last=False)

    def succeeded(self, credential: str) -> None:
        """Remember a credential that was good. Its source gets nothing back: a good one must not pay for bad ones."""
        key = fingerprint(credential)
        self._known[key] = None
        self._known.move_to_end(key)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)


def _refilled(bucket: _Bucket, now_unix_ns: int) -> _Bucket:
    """Give back what time has earned; a clock that went back earns nothing and starts anew."""
    earned = (now_unix_ns - bucket.filled_unix_ns) // REFILL_NS
    if earned < 0:
        bucket.filled_unix_ns = now_unix_ns
    elif earned > 0:
        bucket.left = min(BURST, bucket.left + earned)
        bucket.filled_unix_ns += earned * REFILL_NS
    return bucket


def fingerprint(credential: str) -> bytes:
    """Give a digest to remember a credential by; the credential itself is not kept."""
    return sha256(credential.encode("utf-8", "surrogatepass")).digest()


def source(address: str) -> str:
    """Give what counts as one source: an IPv4 address, an IPv6 /64, or the text itself (a Unix socket)."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{int(parsed) >> (128 - _IPV6_NETWORK_BITS):x}/64"
