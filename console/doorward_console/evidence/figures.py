"""What a bundle counts: the figures and tables of docs/spec/evidence.md section 7, over the events of the log.

What it is: the two tables of the specification, and a `Counter` that takes events one by one.
What it will not do: read or check entries; `verify.py` counts the same again, with code of its own.

Invariants: pure; memory does not grow with the number of events but for groups of tables, which are bounded; the result
depends on the events and their order alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from doorward_core.event import EventKind

LISTED: Final = 1_000
SAMPLED: Final = 25
SAMPLED_EXCEPTIONS: Final = 100
ROWS: Final = 200
GROUPS: Final = 20_000
KEY_CHARACTERS: Final = 200
GLASS: Final = "break-glass.opened"
CITED: Final = 3  # events that are kept for a cell of a table, so that its number leads somewhere

Head = Mapping[str, object]
Test = Callable[[Head, Head], bool]  # of the header and the facts
Value = dict[str, object]

# id, "!" for an exception, kinds, conditions; as in the specification, which a test holds them to.
FIGURES: Final = """
access.opened | | session.opened |
access.human | | session.opened | principal is human
access.agent | | session.opened | principal is agent
access.sponsored | | session.opened | principal is agent; sponsor set
access.unsponsored | ! | session.opened | principal is agent; sponsor unset
access.plain | ! | session.opened | encrypted unset
access.observe | ! | session.opened | observe set
access.readonly | | session.opened | read_only set
access.closed | | session.closed |
access.covered | | session.closed | coverage unset
access.uncovered | ! | session.closed | coverage set
access.refused | ! | session.refused |
access.anonymous | ! | session.refused | subject unset
access.credentials | | credential.issued |
access.watched | | session.watched |
access.ended | ! | session.ended |
access.requested | | access.requested |
access.revoked | ! | access.revoked |
access.restored | | access.restored |
glass.broken | ! | break-glass.opened |
glass.used | ! | operation.decided | verdict is permit; @glass set
glass.reviewed | | break-glass.reviewed |
reviews.signed | | review.signed |
operations.decided | | operation.decided |
operations.permitted | | operation.decided | verdict is permit
operations.refused | ! | operation.decided | verdict is deny
operations.observed | ! | operation.decided | observed set
operations.unread | ! | operation.decided | complete unset
operations.unseen | ! | operation.decided | unseen set
operations.changing | | operation.decided | verdict is permit; action in write, define, admin, execute
operations.unasked | | operation.decided | verdict is permit; action in write, define, admin, execute; request unset
operations.privileged | | operation.decided | verdict is permit; action in define, admin
operations.transfers | | operation.decided | verdict is permit; action in transfer, forward
operations.finished | | operation.finished |
operations.failed | ! | operation.finished | status is error
operations.aborted | ! | operation.finished | status is aborted
operations.masked | | operation.finished | masked set
approvals.held | | operation.held |
approvals.voted | | approval.voted |
approvals.approving | | approval.voted | counted set; verdict is approve
approvals.rejecting | | approval.voted | counted set; verdict is reject
approvals.signed | | approval.voted | counted set; proof in sshsig, webauthn
approvals.uncounted | ! | approval.voted | counted unset
approvals.granted | | approval.granted |
approvals.rejected | | approval.rejected |
approvals.expired | ! | approval.expired |
approvals.withdrawn | | approval.withdrawn |
approvals.ran | | operation.decided | verdict is permit; request set
approvals.ungranted | ! | operation.decided | verdict is permit; request set; @granted unset; @glass unset
approvals.own | ! | approval.voted | counted set; verdict is approve; @own set
policy.loaded | | policy.loaded |
policy.refused | ! | policy.refused |
record.entries | | * |
record.recordings | | stream.chunk |
record.opened | | log.opened |
record.unclean | ! | log.opened | previous is unclean
record.repaired | ! | log.repaired |
record.rotated | | key.rotated |
record.clock | ! | * | clock_back_ns set
record.erased | ! | content.erased |
record.freed | | log.freed |
record.errors | ! | gateway.error |
record.witness | ! | witness.behind, witness.conflict |
content.clear | | * | @content is clear
content.revealed | | * | @content is revealed
content.sealed | ! | * | @content is sealed
desk.logins | | desk.login |
desk.refused | ! | desk.refused |
desk.read | | desk.read |
masked.values | | operation.finished | sum masked
rows.shown | | operation.finished | sum rows
"""
TABLES: Final = """
people | subject, issuer, principal, sponsor | access.opened, operations.permitted, operations.refused, approvals.held
resources | resource | access.opened, operations.permitted, operations.refused, approvals.held, operations.masked
accounts | resource, account | access.opened, operations.privileged, operations.changing
approvers | approver, approver_issuer, approver_principal | \
approvals.approving, approvals.rejecting, approvals.uncounted, approvals.own
rules | rules[] | operations.permitted, operations.refused, approvals.held
kinds | @kind | record.entries
labels | masked{} | operations.masked
coverage | coverage[] | access.uncovered
reasons | reason | operations.refused, access.refused
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """An event as counting sees it: `facts` are the keys with `@`."""

    log: int
    index: int
    kind: str
    head: Head
    leaf: bytes
    facts: Head


class Figure:
    """A number, the first events behind it, and its sample."""

    __slots__ = ("_bar", "_best", "_limit", "_sum", "cells", "count", "entries", "exception", "id", "kinds", "tests")

    def __init__(self, line: str) -> None:
        self.id, exception, kinds, conditions = (part.strip() for part in line.split("|"))
        self.exception = bool(exception)
        self.kinds = tuple(kinds.split(", "))
        parts = [part for part in conditions.split("; ") if part]
        self._sum = next((part[4:] for part in parts if part.startswith("sum ")), "")
        self.tests = tuple(_test(part) for part in parts if not part.startswith("sum "))
        self._limit = SAMPLED_EXCEPTIONS if exception else SAMPLED
        self.count = 0
        self.entries: list[tuple[int, int]] = []
        self._best: list[tuple[bytes, int, int]] = []
        self._bar = b"\xff" * 33  # above every hash
        self.cells: list[tuple[Table, int]] = []

    def counts(self, kind: str) -> bool:
        """Whether it is about events of this kind."""
        return any(kind.startswith(name[:-1]) if name[-1] == "*" else kind == name for name in self.kinds)

    def add(self, event: Counted) -> None:
        """Count an event that satisfies its conditions."""
        self.count += _total(event.head.get(self._sum)) if self._sum else 1
        if len(self.entries) < LISTED:
            self.entries.append((event.log, event.index))
        if event.leaf < self._bar:
            self._best.append((event.leaf, event.log, event.index))
            if len(self._best) >= 4 * self._limit:
                self._cut()

    def _cut(self) -> None:
        self._best = sorted(self._best)[: self._limit]
        if len(self._best) == self._limit:
            self._bar = self._best[-1][0]

    def sample(self) -> list[tuple[int, int]]:
        """(log, index) of the events whose leaf hashes are smallest."""
        self._cut()
        return [(log, index) for _, log, index in self._best]

    def data(self) -> Value:
        """As report.json has it."""
        return {"count": self.count, "entries": [list(one) for one in self.entries],
                "sample": [list(one) for one in self.sample()]}  # fmt: skip


class Table:
    """Figures by groups of events."""

    __slots__ = ("_adds", "_each", "cited", "columns", "groups", "id", "keys", "more")

    def __init__(self, line: str) -> None:
        self.id, keys, columns = (part.strip() for part in line.split("|"))
        self.keys, self.columns = tuple(keys.split(", ")), tuple(columns.split(", "))
        self._adds = keys.endswith("{}")
        self._each = keys[:-2] if keys.endswith(("{}", "[]")) else ""
        self.groups: dict[tuple[str, ...], list[int]] = {}
        self.cited: dict[tuple[str, ...], list[list[tuple[int, int]]]] = {}
        self.more = 0

    def add(self, column: int, event: Counted) -> None:
        """Count an event in a column."""
        if self._each:
            found = event.head.get(self._each)
            if self._adds and isinstance(found, dict):
                for name, number in found.items():
                    self._put((_name(name),), column, event, _total(number))
            elif not self._adds and isinstance(found, list):
                for name in found:
                    self._put((_name(name),), column, event, 1)
            return
        head, facts = event.head, event.facts
        self._put(tuple([_name((facts if key[0] == "@" else head).get(key)) for key in self.keys]), column, event, 1)

    def _put(self, group: tuple[str, ...], column: int, event: Counted, number: int) -> None:
        row = self.groups.get(group)
        if row is None:
            if len(self.groups) >= GROUPS:
                self.more += 1
                return
            row = self.groups[group] = [0] * len(self.columns)
            self.cited[group] = [[] for _ in self.columns]
        row[column] += number
        cited = self.cited[group][column]
        if len(cited) < CITED:
            cited.append((event.log, event.index))

    def rows(self) -> list[tuple[tuple[str, ...], list[int]]]:
        """The largest groups."""
        return sorted(self.groups.items(), key=lambda item: (-sum(item[1]), item[0]))[:ROWS]

    def data(self) -> Value:
        """As report.json has it."""
        return {
            "groups": len(self.groups),
            "more": self.more,
            "rows": [[list(group), counts] for group, counts in self.rows()],
        }


def _test(condition: str) -> Test:
    key, what, *rest = condition.split(" ", 2)
    fact = key[0] == "@"
    if what == "set":
        return lambda head, facts: bool((facts if fact else head).get(key))
    if what == "unset":
        return lambda head, facts: not (facts if fact else head).get(key)
    wanted = frozenset(rest[0].split(", "))

    def among(head: Head, facts: Head) -> bool:
        value = (facts if fact else head).get(key)
        return isinstance(value, str) and value in wanted

    return among


def _total(value: object) -> int:
    """An integer, or the sum of a map's."""
    items = value.values() if isinstance(value, dict) else (value,)
    return sum(item for item in items if type(item) is int)


def _name(value: object) -> str:
    return value[:KEY_CHARACTERS] if isinstance(value, str) else ""


class Counter:
    """All figures and tables over the events that it is given, in their order."""

    def __init__(self) -> None:
        self.figures = {figure.id: figure for line in FIGURES.split("\n") if line for figure in (Figure(line),)}
        self.tables = {table.id: table for line in TABLES.split("\n") if line for table in (Table(line),)}
        for table in self.tables.values():
            for place, column in enumerate(table.columns):
                self.figures[column].cells.append((table, place))
        self._by_kind: dict[str, list[Figure]] = {}
        self._granted: set[tuple[int, object]] = set()
        self._glass: set[tuple[int, object]] = set()

    def note(self, log: int, kind: str, head: Head) -> None:
        """Take note of what later events may refer to, in the period or before it."""
        request = head.get("request")
        if isinstance(request, str) and kind in {EventKind.APPROVAL_GRANTED, GLASS}:
            (self._glass if kind == GLASS else self._granted).add((log, request))

    def add(self, log: int, index: int, kind: str, head: Head, *, leaf: bytes, content: str) -> None:
        """Count an event of the period that is in scope."""
        facts: dict[str, object] = {"@content": content, "@kind": kind}
        if kind == EventKind.OPERATION_DECIDED:
            request = head.get("request")
            facts["@granted"] = isinstance(request, str) and (log, request) in self._granted
            facts["@glass"] = isinstance(request, str) and (log, request) in self._glass
        elif kind == EventKind.APPROVAL_VOTED:
            facts["@own"] = _own(head)
        about = self._by_kind.get(kind)
        if about is None:
            about = self._by_kind[kind] = [figure for figure in self.figures.values() if figure.counts(kind)]
        event = Counted(log, index, kind, head, leaf, facts)
        for figure in about:
            for test in figure.tests:
                if not test(head, facts):
                    break
            else:
                figure.add(event)
                for table, place in figure.cells:
                    table.add(place, event)


def _own(head: Head) -> bool:
    """Whether a vote is by who asked, by the sponsor who answers for them, or by one for whom they act."""
    approver, issuer, chain = head.get("approver"), head.get("approver_issuer"), head.get("act")
    if (approver, issuer) == (head.get("subject"), head.get("issuer")):
        return True
    acted_for = isinstance(chain, list) and f"{issuer}#{approver}" in chain
    return bool(approver) and (approver == head.get("sponsor") or acted_for)
