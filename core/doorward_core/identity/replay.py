"""Tokens that were seen before, where an issuer's settings ask for that memory.

What it is: a bounded table from credential to the source that brought it, kept until the credential expires.
What it will not do: survive a restart, or be shared between gateways; `docs/identity.md` says so to operators.
It implements the `jti` check of RFC 7519 section 4.1.7 and RFC 8725 section 3.10 as far as one process can.

Invariant: when the table is full of credentials that are still alive, a new one is refused, never let through unseen.
"""

from dataclasses import dataclass
from typing import Final

from doorward_core.identity.token import Replay
from doorward_core.model import Identity

# Some 30 MB at most: tokens of one hour at 25 new ones a second.
MAX_SEEN: Final = 100_000


@dataclass(frozen=True, slots=True)
class _Seen:
    source: str
    expires_unix_ns: int


class ReplayMemory:
    """Remembers which credentials came, and from where."""

    __slots__ = ("_limit", "_seen")

    def __init__(self, limit: int = MAX_SEEN) -> None:
        self._limit = limit
        self._seen: dict[tuple[str, str], _Seen] = {}

    def problem(self, identity: Identity, policy: Replay, source: str, now_unix_ns: int) -> str:
        """Note this use of a verified credential; say what is wrong with it, or nothing."""
        if policy is Replay.ALLOW:
            return ""
        key = (identity.issuer, identity.credential_id)
        before = self._seen.get(key)
        if before is not None:
            same = policy is Replay.SAME_SOURCE and before.source == source
            return "" if same else "token: it was used before"
        if len(self._seen) >= self._limit:
            self._forget_expired(now_unix_ns)
        if len(self._seen) >= self._limit:
            return "token: too many are remembered to take a new one"
        self._seen[key] = _Seen(source, identity.expires_unix_ns)
        return ""

    def _forget_expired(self, now_unix_ns: int) -> None:
        self._seen = {key: seen for key, seen in self._seen.items() if seen.expires_unix_ns > now_unix_ns}
