"""What lets a held operation go on without being asked about: standing access, or broken glass.

What it is: one function, asked only where policy holds and something stands or is open at all.
What it will not do: decide. The gate decides again with the holds that are covered as input, so that a block, an expiry
or a changed rule is what it was.

Invariant: whatever one operation does must be among the granted actions, what policy allows anyhow included: reads that
were granted carry nothing into another table.
"""

from dataclasses import dataclass

from doorward_core.access.ledger import Ledger
from doorward_core.approvals.standing import StandingAccess
from doorward_core.model import Action, Decision, Operation, Session


@dataclass(frozen=True, slots=True)
class Cover:
    """What covers it (`ap-...` or `bg-...`), and the holds that are thereby satisfied."""

    request_id: str
    granted: frozenset[tuple[str, bytes]]


def cover(
    session: Session,
    operation: Operation,
    decision: Decision,
    *,
    standing: StandingAccess,
    ledger: Ledger,
    now_unix_ns: int,
) -> Cover | None:
    """What covers an operation that policy holds; None where people are to be asked."""
    identity, resource, holds = session.identity, session.resource, decision.approvals
    granted = frozenset((hold.rule, hold.rule_hash) for hold in holds)
    request = standing.covering(identity, resource, actions_of(operation), holds, now_unix_ns) if standing else None
    if request is not None:
        return Cover(request.id, granted)
    opening = ledger.opening(identity, resource.name, now_unix_ns) if ledger.openings else None
    return Cover(opening.id, granted) if opening is not None else None


def actions_of(operation: Operation) -> frozenset[Action]:
    """Everything that it does, as policy sees it: what could not be read whole does `unknown` besides."""
    found = {atom.action for atom in operation.atoms} or {operation.action}
    return frozenset(found if operation.complete else {*found, Action.UNKNOWN})
