"""How many sessions each identity has open, and the most that it may have.

What it will not do: open or close a session, or wait.
It is pure.

Invariants: what is taken is counted before anything is waited for, so that many who come at once are not all let in;
an identity is an issuer and a subject, whatever token it shows; whoever has none is not kept.
"""

from doorward_core.model import Identity


class Shares:
    """The sessions of each identity. `each` is the most that one may have; 0 is no bound."""

    __slots__ = ("_open", "each")

    def __init__(self, each: int = 0) -> None:
        self.each = each
        self._open: dict[tuple[str, str], int] = {}

    def take(self, identity: Identity) -> bool:
        """Count one more for an identity; False where it has as many as it may."""
        who = (identity.issuer, identity.subject)
        count = self._open.get(who, 0)
        if self.each and count >= self.each:
            return False
        self._open[who] = count + 1
        return True

    def give(self, identity: Identity) -> None:
        """One of its sessions is over, or never began."""
        who = (identity.issuer, identity.subject)
        left = self._open.pop(who) - 1
        if left:
            self._open[who] = left
