"""Tokens that were checked whole, so that one that comes again is not checked anew.

What it is: a bounded table from the digest of a token to what it proved, and to the key that its signature held under.
What it will not do: hold a token, or outweigh anything that time or the issuer may change: its caller still asks for
the issuer's keys, the replay policy and the failure limit.

Invariants: an entry is good only while its issuer still publishes the very key, and from when it was checked until the
identity expires; every other check depends on the token and the settings alone, and those do not change.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from doorward_core.identity.keys import KeySet, VerificationKey
from doorward_core.identity.token import IssuerSettings
from doorward_core.model import Identity

# An identity with many groups takes some kilobytes; the least recently used go first.
MAX_VERIFIED: Final = 1024


@dataclass(frozen=True, slots=True)
class Verified:
    """What one token proved, under which key."""

    identity: Identity
    settings: IssuerSettings
    kid: str | None
    key: VerificationKey

    def holds(self, keys: KeySet, now_unix_ns: int) -> bool:
        """Whether checking the token anew, with these keys at this time, would prove the same.

        A clock that was set back to before the check makes it be checked anew: it might not be valid yet.
        """
        within = self.identity.authenticated_unix_ns <= now_unix_ns < self.identity.expires_unix_ns
        return within and keys.find(self.kid) is self.key


class VerifiedTokens:
    """The table, by `limiter.fingerprint` of the token."""

    __slots__ = ("_limit", "_verified")

    def __init__(self, limit: int = MAX_VERIFIED) -> None:
        self._limit = limit
        self._verified: OrderedDict[bytes, Verified] = OrderedDict()

    def get(self, digest: bytes) -> Verified | None:
        """What this token proved before; whether it still `holds` is for the caller to ask."""
        known = self._verified.get(digest)
        if known is not None:
            self._verified.move_to_end(digest)
        return known

    def keep(self, digest: bytes, verified: Verified) -> None:
        """Remember what a token has just proved."""
        self._verified[digest] = verified
        self._verified.move_to_end(digest)
        if len(self._verified) > self._limit:
            self._verified.popitem(last=False)

    def forget(self, digest: bytes) -> None:
        """It does not hold any more."""
        self._verified.pop(digest, None)
