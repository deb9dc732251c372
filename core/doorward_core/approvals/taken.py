"""The grants that nobody else may use: those whose requester is still here, and those that were used already.

What it is: the desk's memory since its start, beside the store.
The store's file may be put back to an older copy of itself; this cannot, so what was used stays used.
What it will not do: keep anything over a restart, or say whether there is a grant at all.

Invariants: pure; each is remembered until the last moment at which it could matter, and no longer.
"""

from doorward_core.approvals.request import NS_PER_S, ApprovalRequest


class Taken:
    """One desk's."""

    def __init__(self) -> None:
        self._held: dict[str, int] = {}
        self._used: dict[str, int] = {}

    def hold(self, request: ApprovalRequest) -> None:
        """Its requester waits: the grant, if there comes to be one, is its own."""
        self._held[request.id] = _last_moment(request)

    def leave(self, request_id: str) -> None:
        """Its requester is gone."""
        self._held.pop(request_id, None)

    def held(self, request_id: str) -> bool:
        """Whether its requester is here."""
        return request_id in self._held

    def use(self, request: ApprovalRequest) -> None:
        """Its grant was used, or is to be taken for used, whatever the store comes to say."""
        self._used[request.id] = _last_moment(request)

    def used(self, request_id: str) -> bool:
        """Whether its grant was used since the start."""
        return request_id in self._used

    def all(self) -> frozenset[str]:
        """Those whose grants an identical request cannot redeem."""
        return frozenset(self._held) | frozenset(self._used)

    def forget(self, now_unix_ns: int) -> None:
        """Forget those whose grants can no longer be used by anybody."""
        self._used = {name: until for name, until in self._used.items() if until > now_unix_ns}
        self._held = {name: until for name, until in self._held.items() if until > now_unix_ns}


def _last_moment(request: ApprovalRequest) -> int:
    """After this a grant of the request can no longer be used, whenever it was given."""
    return request.expires_unix_ns + request.grant_s * NS_PER_S
