"""What the gate is given besides its rooms, and what it says in its own words.

What it is: what an operator granted (`Setting`), how a proxy lets its client wait (`Waiter`), and the sentences that
clients and the record are told.
What it will not do: decide anything.
"""

from dataclasses import dataclass, replace
from typing import Protocol

from doorward_core.approvals.request import RequestState
from doorward_core.model import ReasonCode, Resource

OBSERVE_WORDS = "observe mode: blocks and holds were recorded, not enforced"
INTERRUPTED = "the log was interrupted while this session was open"
EXPIRED_WORDS = "the credential of this session has expired; connect again"
REVOKED_WORDS = "an operator has revoked this access"
UNREACHABLE_WORDS = "approvals cannot be reached just now; nothing was run, try again later"
REFUSED_WORDS = {
    RequestState.REJECTED: (ReasonCode.REJECTED, "the request was rejected", False),
    RequestState.EXPIRED: (ReasonCode.TIMED_OUT, "nobody approved it in time", True),
    RequestState.WITHDRAWN: (ReasonCode.WITHDRAWN, "the request was withdrawn", True),
    RequestState.PENDING: (ReasonCode.HELD, "nobody has decided yet", True),
    RequestState.USED: (ReasonCode.WITHDRAWN, "the approval has already been used", True),
}


class Waiter(Protocol):
    """How a proxy lets its client wait: in the client's own protocol, on the client's own connection."""

    async def prepare(self) -> str:
        """Bring the connection to rest; return "" if it may be held now, else why not, for the client to read."""

    async def notify(self, request_id: str, advice: str, within_s: int) -> int | None:
        """Tell the client that it waits, for whom, and how long; give when (Unix ns) it would give up itself."""

    async def progress(self, request_id: str, words: str, within_s: int) -> None:
        """Tell the client how far people are; nothing where its protocol has no way to say something meanwhile."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What an operator granted this gateway: a resource with the accounts that it may use at the target.

    `named` says that clients name accounts in full: then none stands in for one that is not there.
    """

    resource: Resource
    accounts: frozenset[str]
    account: str
    read_only_account: str = ""
    named: bool = False

    def login(self, asked: str, *, read_only: bool) -> str:
        """The account that a session uses at the target: the one asked for where it is granted, and posture first."""
        if read_only and self.read_only_account:
            return self.read_only_account
        return asked if asked in self.accounts else self.account

    def at(self, asked: str, *, read_only: bool = False) -> Resource:
        """The resource, as the account that a session uses there."""
        return replace(self.resource, account=self.login(asked, read_only=read_only))

    def lacks(self, asked: str) -> bool:
        """Whether an account was named that is not there, and that nothing stands in for."""
        return self.named and asked not in self.accounts
