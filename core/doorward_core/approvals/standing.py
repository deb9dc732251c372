"""Standing access: what was granted for a time, rather than for one operation.

What it is: the request for it, its binding, and the table of what stands now.
What it will not do: decide whether an operation goes on (the gate decides again, with what stands as input), wait, or
keep anything past the process: the store does, and the desk fills the table from it at the start.

Invariants:

- What stands is one principal's, with its sponsor and actor chain, on one resource, as one account, for these actions
  and for holds of these very rules: a changed rule is another rule.
- Nothing stands past its end, and nothing that was dropped stands again: the table is asked, never the file.
- Its binding is an HMAC of another domain than that of one operation: neither can be taken for the other.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from doorward_core.approvals.request import ApprovalRequest, Case, RequestState, held_rules
from doorward_core.approvals.votes import counting, satisfied
from doorward_core.model import Action, Approve, Atom, Identity, Resource, Target

VERB = "STANDING ACCESS"
IMPLIED = frozenset({Action.CONNECT, Action.SESSION})
"""What goes with every other action, and need not be asked for."""
ASKABLE = frozenset(Action) - IMPLIED - {Action.UNKNOWN}
"""What could not be read whole is looked at by people each time."""
NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to do for a time, and why; `resource` is as the account that is used there."""

    identity: Identity
    resource: Resource
    actions: frozenset[Action]
    seconds: int
    reason: str


def binding(key: bytes, wish: Wish) -> bytes:
    """Tie a grant to one principal's wish: HMAC-SHA256 under the gateway's own key, over length-prefixed fields."""
    who = wish.identity
    fields = [
        "doorward-standing/1",
        who.issuer,
        who.subject,
        who.sponsor,
        str(len(who.actor_chain)),
        *(part for actor in who.actor_chain for part in (actor.issuer, actor.subject)),
        wish.resource.name,
        wish.resource.protocol,
        wish.resource.account,
        *sorted(action.value for action in wish.actions),
        str(wish.seconds),
    ]
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for raw in (text.encode("utf-8", "surrogatepass") for text in fields):
        mac.update(len(raw).to_bytes(8, "big"))
        mac.update(raw)
    return mac.digest()


def standing_request(
    wish: Wish, holds: tuple[Approve, ...], *, name: str, digest: bytes, origin: str, now_unix_ns: int
) -> ApprovalRequest:
    """Make the request. Raises ValueError without a hold: what nobody's rule lets be asked could never be granted."""
    if not holds:
        raise ValueError("standing access needs at least one hold that it lifts")
    who, place = wish.identity, Target("resource", wish.resource.name)
    return ApprovalRequest(
        id=name,
        origin=origin,
        digest=digest,
        session_id=b"",
        operation_id=b"",
        subject=who.subject,
        issuer=who.issuer,
        sponsor=who.sponsor,
        kind=who.kind,
        display=who.display,
        attributes=who.attributes,
        resource=wish.resource.name,
        account=wish.resource.account,
        verb=VERB,
        text=wish.reason,
        text_truncated=False,
        parameters=(),
        atoms=tuple(Atom(action, place) for action in sorted(wish.actions)),
        unseen=(),
        rules=held_rules(holds),
        reason=f"every such operation goes on without being asked about, for {wish.seconds} s from the approval",
        opened_unix_ns=now_unix_ns,
        expires_unix_ns=now_unix_ns + min(hold.within_s for hold in holds) * NS_PER_S,
        grant_s=wish.seconds,
        actor_chain=who.actor_chain,
        standing=True,
    )


@dataclass(frozen=True, slots=True)
class Stands:
    """One grant that stands, until its end."""

    request: ApprovalRequest
    until_unix_ns: int
    by: tuple[str, ...] = ()
    """Who approved it."""

    @property
    def actions(self) -> frozenset[Action]:
        """What it is for."""
        return frozenset(atom.action for atom in self.request.atoms) | IMPLIED

    def fits(self, identity: Identity, resource: Resource, now_unix_ns: int) -> bool:
        """Whether it is this principal's, here, now."""
        mine = self.request
        return (
            now_unix_ns < self.until_unix_ns
            and (mine.subject, mine.issuer) == (identity.subject, identity.issuer)
            and (mine.sponsor, mine.actor_chain, mine.kind) == (identity.sponsor, identity.actor_chain, identity.kind)
            and (mine.resource, mine.account) == (resource.name, resource.account)
        )


class StandingAccess:
    """What stands in this process. While nothing does, asking costs one look at an empty table."""

    def __init__(self) -> None:
        self._stands: dict[str, Stands] = {}

    def __bool__(self) -> bool:
        return bool(self._stands)

    def __iter__(self) -> Iterator[Stands]:
        return iter(tuple(self._stands.values()))

    def get(self, request_id: str) -> Stands | None:
        """What stands by that name."""
        return self._stands.get(request_id)

    def keep(self, case: Case) -> None:
        """Let a grant stand, if it is one, and its votes bear it out."""
        request = case.request
        if request.standing and case.state is RequestState.GRANTED and satisfied(request, case.votes):
            by = tuple(vote.approver_subject for vote in counting(request, case.votes))
            self._stands[request.id] = Stands(request, case.granted_until_unix_ns, by)

    def drop(self, request_id: str) -> None:
        """It stands no more."""
        self._stands.pop(request_id, None)

    def covering(
        self,
        identity: Identity,
        resource: Resource,
        actions: Iterable[Action],
        holds: Iterable[Approve],
        now_unix_ns: int,
    ) -> ApprovalRequest | None:
        """What lets all these actions past all these holds, by itself; None if nothing does."""
        wanted, held = frozenset(actions), frozenset((hold.rule, hold.rule_hash) for hold in holds)
        for stands in self._stands.values():
            covers = wanted <= stands.actions and held <= stands.request.granted_rules
            if covers and stands.fits(identity, resource, now_unix_ns):
                return stands.request
        return None
