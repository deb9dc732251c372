"""Who did what in a time, counted: the half of an access review that is on record.

It is pure: entries of a log in, counts out. It looks at headers alone, so that a sealed log is reviewed as well.

Implements docs/spec/event-log.md, section 10.
Invariants: an operation counts once, as what became of it (permitted, denied), and besides as held where it was;
whatever was used is counted to the session's own principal, never to a name that an entry of another session has.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from doorward_console.recorded import identity_of, text, texts
from doorward_core.event import EventKind
from doorward_core.model import Identity, Resource
from doorward_core.record.reader import Entry

Who = tuple[str, str]
"""Issuer and subject: together the principal."""


@dataclass(slots=True)
class Use:
    """What one principal did at one resource. `did` counts permitted operations by action."""

    resource: Resource
    sessions: int = 0
    did: Counter[str] = field(default_factory=Counter)
    denied: int = 0
    held: int = 0
    last_unix_ns: int = 0


@dataclass(slots=True)
class Principal:
    """Somebody who came. `identity` is as it was verified last."""

    identity: Identity
    first_unix_ns: int
    last_unix_ns: int
    refused: int = 0
    uses: dict[str, Use] = field(default_factory=dict)


@dataclass(slots=True)
class Grant:
    """Access for a time: standing (`ap-...`), or by breaking the glass (`bg-...`). `used` counts operations."""

    name: str
    kind: str
    subject: str
    issuer: str
    sponsor: str
    resource: str
    actions: tuple[str, ...]
    asked_unix_ns: int
    until_unix_ns: int = 0
    state: str = "asked"
    by: tuple[str, ...] = ()
    used: int = 0


@dataclass(slots=True)
class Rule:
    """How often a rule took part in what was permitted or held, and when last."""

    used: int = 0
    last_unix_ns: int = 0
    principals: set[Who] = field(default_factory=set)


@dataclass(slots=True)
class Approver:
    """What one person answered; `refused` are votes that did not count."""

    approved: int = 0
    rejected: int = 0
    refused: int = 0


@dataclass(slots=True)
class Ledger:
    """Everything that was counted. `first` and `last` are indexes of entries within the time."""

    principals: dict[Who, Principal] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    approvers: dict[Who, Approver] = field(default_factory=dict)
    policies: list[bytes] = field(default_factory=list)
    refused_sessions: int = 0
    operations: int = 0
    first: int = -1
    last: int = -1


def ledger(entries: Iterable[Entry], *, since_unix_ns: int = 0, until_unix_ns: int | None = None) -> Ledger:
    """Count. What came before the time is looked at only for who opened a session, and what still stands."""
    clerk = _Clerk(since_unix_ns)
    for entry in entries:
        if until_unix_ns is not None and entry.time_unix_ns >= until_unix_ns:
            break
        clerk.take(entry)
    return clerk.made


class _Clerk:
    def __init__(self, since: int) -> None:
        self.made = Ledger()
        self._since = since
        self._sessions: dict[bytes, tuple[Identity, Resource]] = {}
        self._held: set[bytes] = set()
        self._counts: dict[str, Callable[[Entry], None]] = {
            EventKind.SESSION_OPENED: self._opened,
            EventKind.SESSION_CLOSED: self._closed,
            EventKind.SESSION_REFUSED: self._refused,
            EventKind.OPERATION_DECIDED: self._operation,
            EventKind.OPERATION_HELD: self._operation,
            EventKind.APPROVAL_VOTED: self._vote,
            EventKind.POLICY_LOADED: self._policy,
        }

    def take(self, entry: Entry) -> None:
        if entry.kind == EventKind.SESSION_OPENED:
            self._sessions[entry.session_id] = identity_of(entry), _place(entry)
        if entry.kind in _GRANTS:
            _GRANTS[EventKind(entry.kind)](self.made.grants, entry)
        if entry.time_unix_ns < self._since:
            return
        self.made.first = entry.index if self.made.first < 0 else self.made.first
        self.made.last = entry.index
        count = self._counts.get(entry.kind)
        if count is not None and (not entry.session_id or entry.session_id in self._sessions):
            count(entry)

    def _opened(self, entry: Entry) -> None:
        self._use(entry).sessions += 1

    def _closed(self, entry: Entry) -> None:
        del self._sessions[entry.session_id]

    def _policy(self, entry: Entry) -> None:
        digest = entry.header.get("policy")
        if isinstance(digest, bytes) and digest not in self.made.policies:
            self.made.policies.append(digest)

    def _use(self, entry: Entry) -> Use:
        identity, place = self._sessions[entry.session_id]
        who, at = (identity.issuer, identity.subject), entry.time_unix_ns
        found = self.made.principals.setdefault(who, Principal(identity, at, at))
        found.identity, found.last_unix_ns = identity, at
        use = found.uses.setdefault(place.name, Use(place))
        use.last_unix_ns = at
        return use

    def _operation(self, entry: Entry) -> None:
        use, rules = self._use(entry), texts(entry.header.get("rules"))
        verdict, action = text(entry, "verdict"), text(entry, "action")
        if entry.kind == EventKind.OPERATION_HELD:
            use.held += 1
            self._held.add(entry.operation_id)
        elif verdict == "permit":
            self.made.operations += 1
            use.did[action] += 1
        else:
            self.made.operations += 1
            use.denied += 1
            return
        grant = self.made.grants.get(text(entry, "request"))
        if grant is not None and verdict == "permit":
            grant.used += 1
        if verdict == "permit" and entry.operation_id in self._held:
            self._held.discard(entry.operation_id)
            return  # its rules were counted when it was held
        identity, _ = self._sessions[entry.session_id]
        for name in rules:
            rule = self.made.rules.setdefault(name, Rule())
            rule.used += 1
            rule.last_unix_ns = entry.time_unix_ns
            rule.principals.add((identity.issuer, identity.subject))

    def _refused(self, entry: Entry) -> None:
        self.made.refused_sessions += 1
        who = text(entry, "issuer"), text(entry, "subject")
        if who in self.made.principals:
            self.made.principals[who].refused += 1

    def _vote(self, entry: Entry) -> None:
        who = text(entry, "approver_issuer"), text(entry, "approver")
        found = self.made.approvers.setdefault(who, Approver())
        if entry.header.get("counted") is not True:
            found.refused += 1
        elif text(entry, "verdict") == "approve":
            found.approved += 1
        else:
            found.rejected += 1


def _asked(grants: dict[str, Grant], entry: Entry) -> None:
    name = text(entry, "request")
    grants[name] = _new(entry, name, "standing", texts(entry.header.get("actions")))
    grants[name].until_unix_ns = whole(entry, "standing_s")  # a length, until somebody says from when


def _granted(grants: dict[str, Grant], entry: Entry) -> None:
    grant = grants.get(text(entry, "request"))
    if grant is not None:
        grant.state = "granted"
        grant.until_unix_ns = entry.time_unix_ns + grant.until_unix_ns * 1_000_000_000
        grant.by = texts(entry.header.get("approvers"))


def _not_granted(grants: dict[str, Grant], entry: Entry) -> None:
    grant = grants.get(text(entry, "request"))
    if grant is not None and grant.state == "asked":
        del grants[grant.name]


def _revoked(grants: dict[str, Grant], entry: Entry) -> None:
    grant = grants.get(text(entry, "value")) if text(entry, "what") == "standing" else None
    if grant is not None:
        grant.state = "revoked"
        grant.until_unix_ns = entry.time_unix_ns


def _broken(grants: dict[str, Grant], entry: Entry) -> None:
    name = text(entry, "request")
    grants[name] = _new(entry, name, "break-glass", ())
    grants[name].state, grants[name].until_unix_ns = "review owed", whole(entry, "expires_unix_ns")


def _reviewed(grants: dict[str, Grant], entry: Entry) -> None:
    grant = grants.get(text(entry, "request"))
    if grant is not None:
        grant.state, grant.by = "reviewed", (f"{text(entry, 'reviewer_issuer')}#{text(entry, 'reviewer')}",)


_GRANTS = {
    EventKind.ACCESS_REQUESTED: _asked,
    EventKind.APPROVAL_GRANTED: _granted,
    EventKind.APPROVAL_REJECTED: _not_granted,
    EventKind.APPROVAL_EXPIRED: _not_granted,
    EventKind.APPROVAL_WITHDRAWN: _not_granted,
    EventKind.ACCESS_REVOKED: _revoked,
    EventKind.BREAK_GLASS_OPENED: _broken,
    EventKind.BREAK_GLASS_REVIEWED: _reviewed,
}


def _new(entry: Entry, name: str, kind: str, actions: tuple[str, ...]) -> Grant:
    subject, issuer, sponsor = (text(entry, key) for key in ("subject", "issuer", "sponsor"))
    return Grant(name, kind, subject, issuer, sponsor, text(entry, "resource"), actions, entry.time_unix_ns)


def _place(entry: Entry) -> Resource:
    return Resource(text(entry, "resource"), text(entry, "protocol"), {}, text(entry, "account"))


def whole(entry: Entry, name: str) -> int:
    """A number of the header; 0 where there is none."""
    value = entry.header.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
