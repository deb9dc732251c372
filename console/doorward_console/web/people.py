"""Who is at the desk, and what they may see there.

What it is: a verified person, their roles, and the rule from groups to roles.
What it will not do: give rights at a gateway. A role opens pages; each gateway judges the token by its own policy.

Invariants: pure; an agent has no role, whatever its groups say; the token never shows itself.
"""

from dataclasses import dataclass
from enum import StrEnum

from doorward_console.settings import Roles
from doorward_core.model import Identity, PrincipalKind, Secret


class Role(StrEnum):
    """What somebody does at the desk."""

    APPROVER = "approver"
    AUDITOR = "auditor"
    OPERATOR = "operator"


EVERYBODY = frozenset(Role)
"""For pages that every role may see."""
READERS = frozenset({Role.AUDITOR, Role.OPERATOR})
"""For pages that show what happened."""
MAX_GROUPS_SHOWN = 10
"""To somebody whose groups are not the desk's: enough to see that other ones were meant."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has logged in, or showed a token to the JSON API; `token` is what gateways are shown."""

    identity: Identity
    roles: frozenset[Role]
    token: Secret

    @property
    def name(self) -> str:
        """What to call them: for people's eyes alone."""
        return self.identity.display or self.identity.subject

    @property
    def without_a_role(self) -> str:
        """What somebody reads whose groups have no role: which ones, for they know them anyway."""
        groups = sorted(self.identity.groups)
        if not groups:
            return (
                f"You are {self.name}, and your token names no groups. "
                "In which of its claims they are, `login.groups_claim` of this desk says."
            )
        more = len(groups) - MAX_GROUPS_SHOWN
        named = ", ".join(groups[:MAX_GROUPS_SHOWN]) + (f" and {more} more" if more > 0 else "")
        return f"You are {self.name}, and none of your groups ({named}) has a role at this desk."

    def may(self, roles: frozenset[Role]) -> bool:
        """Whether they have one of these roles."""
        return not self.roles.isdisjoint(roles)


def roles_of(identity: Identity, roles: Roles) -> frozenset[Role]:
    """The roles of somebody's groups; none for an agent."""
    if identity.kind is not PrincipalKind.HUMAN:
        return frozenset()
    named = {Role.APPROVER: roles.approver, Role.AUDITOR: roles.auditor, Role.OPERATOR: roles.operator}
    return frozenset(role for role, groups in named.items() if not identity.groups.isdisjoint(groups))
