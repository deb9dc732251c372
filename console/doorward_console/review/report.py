"""An access review: who could reach what, who did, and what of it nobody needs.

It is pure: what was counted (`ledger`) and the policy in force in, the review out.
What it will not do: know people who never came: a policy names groups, and the identity provider has their members.
So "could" is said of everybody who came in the time, with the groups that they came with, on every resource.

Invariants: nothing is left out silently: whatever is listed is either in order or has a finding that says why not;
`digest` is over everything that the review says, so that who signs it signs all of it.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace

from doorward_console.review.ledger import Grant, Ledger, Principal, Use
from doorward_core.model import Action, Effect, Identity, PrincipalKind, Resource
from doorward_core.policy.decide import Policy
from doorward_core.policy.explain import WORDS
from doorward_core.policy.load import SHIPPED

ASKED = tuple(
    action for action in Action if action not in (Action.CONNECT, Action.SESSION, Action.PROBE, Action.UNKNOWN)
)
"""What a review is about: the first three come with the rest, and `unknown` is no wish of anybody's."""


@dataclass(frozen=True, slots=True)
class Reach:
    """One principal at one resource: what it could do (allowed or held), what it did, and what it never did."""

    resource: str
    could: tuple[str, ...]
    did: Mapping[str, int]
    unused: tuple[str, ...]
    sessions: int
    denied: int
    held: int
    last_unix_ns: int


@dataclass(frozen=True, slots=True)
class PrincipalRow:
    """Somebody who came."""

    subject: str
    issuer: str
    kind: str
    sponsor: str
    groups: tuple[str, ...]
    first_unix_ns: int
    last_unix_ns: int
    reach: tuple[Reach, ...]


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule that lets somebody in, and whether anybody needed it. `source` is file and line."""

    id: str
    effect: str
    actions: tuple[str, ...]
    everybody: bool
    source: str
    used: int
    principals: int
    last_unix_ns: int


@dataclass(frozen=True, slots=True)
class ApproverRow:
    """What one person answered."""

    subject: str
    issuer: str
    approved: int
    rejected: int
    refused: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a reviewer should decide about: what kind, about whom or what, and why."""

    kind: str
    about: str
    words: str


@dataclass(frozen=True, slots=True)
class Review:
    """A review, of one log and one time; `first` and `last` are the indexes of its entries."""

    origin: str
    since_unix_ns: int
    until_unix_ns: int
    first: int
    last: int
    policy: str
    policies: int
    operations: int
    refused_sessions: int
    principals: tuple[PrincipalRow, ...]
    rules: tuple[RuleRow, ...]
    grants: tuple[Grant, ...]
    approvers: tuple[ApproverRow, ...]
    findings: tuple[Finding, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of everything that it says, hexadecimal."""
        return hashlib.sha256(json.dumps(self.data(), sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def data(self) -> dict[str, object]:
        """Plain values."""
        return asdict(self)


def review(
    counted: Ledger,
    policy: Policy,
    resources: Mapping[str, Resource],
    *,
    origin: str,
    since_unix_ns: int,
    until_unix_ns: int,
) -> Review:
    """Make a review. `resources` are those that are configured, with their labels."""
    principals = tuple(
        _principal(one, policy, resources) for _, one in sorted(counted.principals.items(), key=lambda item: item[0])
    )
    grants = tuple(
        replace(one, state=_state(one, until_unix_ns))
        for one in counted.grants.values()
        if one.state != "asked" and (one.until_unix_ns >= since_unix_ns or one.state == "review owed")
    )
    rules = tuple(_rules(counted, policy))
    return Review(
        origin=origin,
        since_unix_ns=since_unix_ns,
        until_unix_ns=until_unix_ns,
        first=counted.first,
        last=counted.last,
        policy=policy.digest.hex(),
        policies=len(counted.policies),
        operations=counted.operations,
        refused_sessions=counted.refused_sessions,
        principals=principals,
        rules=rules,
        grants=grants,
        approvers=tuple(
            ApproverRow(subject, issuer, one.approved, one.rejected, one.refused)
            for (issuer, subject), one in sorted(counted.approvers.items())
        ),
        findings=(*_about_people(principals), *_about_rules(rules), *_about_grants(grants)),
    )


def _principal(one: Principal, policy: Policy, resources: Mapping[str, Resource]) -> PrincipalRow:
    who = one.identity
    names = dict.fromkeys((*one.uses, *resources))
    reach = (_reach(who, name, one.uses.get(name), policy, resources) for name in names)
    return PrincipalRow(
        who.subject,
        who.issuer,
        str(who.kind),
        who.sponsor,
        tuple(sorted(who.groups)),
        one.first_unix_ns,
        one.last_unix_ns,
        tuple(item for item in reach if item.could or item.sessions),
    )


def _reach(who: Identity, name: str, use: Use | None, policy: Policy, resources: Mapping[str, Resource]) -> Reach:
    known = resources.get(name)
    place = known or (use.resource if use is not None else Resource(name, ""))
    if use is not None:
        place = replace(place, account=use.resource.account)
    could = tuple(str(action) for action in ASKED if policy.could(who, place, frozenset({action})))
    did = dict(use.did) if use is not None else {}
    return Reach(
        name,
        could,
        did,
        tuple(action for action in could if not did.get(action)),
        use.sessions if use is not None else 0,
        use.denied if use is not None else 0,
        use.held if use is not None else 0,
        use.last_unix_ns if use is not None else 0,
    )


def _rules(counted: Ledger, policy: Policy) -> Iterator[RuleRow]:
    for rule in policy.rules:
        if rule.effect is Effect.DENY:
            continue
        use = counted.rules.get(rule.id)
        yield RuleRow(
            rule.id,
            WORDS[rule.effect],
            tuple(sorted(str(action) for action in rule.actions)),
            rule.who is None,
            rule.source,
            use.used if use else 0,
            len(use.principals) if use else 0,
            use.last_unix_ns if use else 0,
        )


def _state(grant: Grant, now_unix_ns: int) -> str:
    if grant.state == "granted":
        return "stands" if grant.until_unix_ns > now_unix_ns else "ended"
    return grant.state


def _about_people(principals: Iterable[PrincipalRow]) -> Iterator[Finding]:
    for one in principals:
        if one.kind == PrincipalKind.AGENT and not one.sponsor:
            yield Finding(
                "no owner", one.subject, "an agent for which no person answers: its credential names no sponsor"
            )
        for place in one.reach:
            if place.unused and place.did:
                words = f"could {', '.join(place.unused)} on {place.resource}, and did none of it"
                yield Finding("never used", one.subject, words)
            elif place.unused:
                words = f"could {', '.join(place.could)} on {place.resource}, and did nothing there"
                yield Finding("never used", one.subject, words)


def _about_rules(rules: Iterable[RuleRow]) -> Iterator[Finding]:
    for rule in rules:
        if rule.source.partition(":")[0] in SHIPPED:
            continue  # what drivers ask at connect is nobody's wish, and no reviewer's to take away
        if not rule.used:
            words = f"the rule at {rule.source} {rule.effect}s {', '.join(rule.actions)}, and nobody needed it"
            yield Finding("never used", rule.id, words)
        elif rule.everybody:
            yield Finding("everybody", rule.id, f"the rule at {rule.source} names nobody (`who`): it is for everybody")


def _about_grants(grants: Iterable[Grant]) -> Iterator[Finding]:
    for one in grants:
        whose = f"{one.name} of {one.subject} on {one.resource}"
        if one.kind == "standing" and not one.sponsor:
            yield Finding("no owner", whose, "standing access of somebody for whom no person answers")
        if one.kind == "standing" and not one.used:
            yield Finding("never used", whose, f"standing access ({', '.join(one.actions)}) that nothing was done by")
        if one.state == "review owed":
            yield Finding("review owed", whose, "the glass was broken, and nobody has signed for it")
