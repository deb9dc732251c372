"""What another policy would have done to what is on record.

It is pure: entries of a log in, what would differ out, with counts.
Each recorded operation is decided twice more: under the policy that was in force then, whose text is in the log, and
under the one that is tried. Where the first does not give what was decided, the record does not say enough (content
that is sealed, labels or facts that are not in it), and so nothing is claimed about the second.
What it will not do: read files, ask targets, or say what people would have answered: a hold is a hold.

Invariants: every operation is counted once, as the same, different, or not to be told, with the reason; what policy did
not decide (an expired credential, a rate, approvals that could not be reached) is left out and counted.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final

from doorward_console.recorded import Asked, Told, recorded
from doorward_core.errors import ConfigError
from doorward_core.model import Approve, Effect, Limit, Mask, MaskInput, Operation, Record, Resource
from doorward_core.policy.advise import describe
from doorward_core.policy.decide import Policy
from doorward_core.policy.explain import WORDS
from doorward_core.policy.load import parse_policy
from doorward_core.record.reader import Entry

EVERYTHING: Final = frozenset({Mask, MaskInput, Approve, Record, Limit})
MAX_GROUPS: Final = 10_000  # different differences; past it they are counted and not listed
UNTOLD_POLICY: Final = "the log does not hold the policy that was in force"
UNTOLD_REPEAT: Final = "the record says too little: the policy that was in force would not have decided so either"
UNTOLD_FACTS: Final = "a rule of the new policy asks for facts (`when`) that are not on record"
UNTOLD_SEALED: Final = "what was asked is sealed or erased"
OPENING: Final = "open a session"


@dataclass(slots=True)
class Group:
    """Operations of one kind that would be decided otherwise, alike; `example` is the index of one's entry."""

    was: str
    would: str
    resource: str
    what: str
    rules: tuple[str, ...]
    advice: str
    example: int
    text: str
    first_unix_ns: int
    last_unix_ns: int
    subjects: set[str] = field(default_factory=set)
    count: int = 0


@dataclass(slots=True)
class MaskGroup:
    """Sessions whose masks would be others: ids of masks, those that would be gone and those that would be new."""

    resource: str
    gone: tuple[str, ...]
    new: tuple[str, ...]
    sessions: int = 0


@dataclass(slots=True)
class Backtest:
    """What was found. `changed` counts by (was, would be); `untold` and `apart` by reason."""

    asked: int = 0
    same: int = 0
    changed: Counter[tuple[str, str]] = field(default_factory=Counter)
    untold: Counter[str] = field(default_factory=Counter)
    apart: Counter[str] = field(default_factory=Counter)
    groups: list[Group] = field(default_factory=list)
    masks: list[MaskGroup] = field(default_factory=list)
    unlisted: int = 0

    @property
    def differs(self) -> bool:
        """Whether anything would be decided or masked otherwise."""
        return bool(self.changed or self.masks)


def backtest(
    entries: Iterable[Entry],
    policy: Policy,
    resources: Mapping[str, Resource],
    *,
    since_unix_ns: int = 0,
    until_unix_ns: int | None = None,
) -> Backtest:
    """Try `policy` on what the entries tell. `resources` give the labels of those whose names they have."""
    return _Trial(policy, resources, since_unix_ns, until_unix_ns).run(entries)


class _Trial:
    def __init__(self, policy: Policy, resources: Mapping[str, Resource], since: int, until: int | None) -> None:
        self._policy = policy
        self._since = since
        self._until = until
        self._resources = resources
        self._found = Backtest()
        self._groups: dict[tuple[object, ...], Group] = {}
        self._masks: dict[tuple[object, ...], MaskGroup] = {}
        self._past: dict[bytes, Policy | None] = {}

    def run(self, entries: Iterable[Entry]) -> Backtest:
        for told in recorded(entries, self._resources):
            if isinstance(told, Told):
                self._past[told.digest] = _policy(told)
            elif self._within(told):
                self._try(told)
        self._found.groups = sorted(self._groups.values(), key=lambda group: -group.count)
        self._found.masks = sorted(self._masks.values(), key=lambda group: -group.sessions)
        return self._found

    def _within(self, asked: Asked) -> bool:
        return self._since <= asked.unix_ns and (self._until is None or asked.unix_ns < self._until)

    def _try(self, asked: Asked) -> None:
        if asked.apart:
            self._found.apart[asked.apart] += 1
            return
        self._found.asked += 1
        untold = self._untold(asked)
        if untold:
            self._found.untold[untold] += 1
            return
        would, rules, advice = _decided(self._policy, asked)
        if asked.operation is None and would is Effect.PERMIT:
            self._compare_masks(asked)
        if would is asked.was:
            self._found.same += 1
            return
        was_word, would_word = WORDS[asked.was], WORDS[would]
        self._found.changed[was_word, would_word] += 1
        what = _what(asked)
        group = self._group((was_word, would_word, asked.resource.name, what, rules), asked, advice)
        if group is None:
            self._found.unlisted += 1
            return
        group.count += 1
        group.last_unix_ns = max(group.last_unix_ns, asked.unix_ns)
        group.subjects.add(asked.identity.subject)

    def _group(self, key: tuple[str, str, str, str, tuple[str, ...]], asked: Asked, advice: str) -> Group | None:
        found = self._groups.get(key)
        if found is None and len(self._groups) < MAX_GROUPS:
            was, would, resource, what, rules = key
            text = asked.operation.text if asked.operation else ""
            at = asked.unix_ns
            found = Group(was, would, resource, what, rules, advice, asked.index, text, at, at)
            self._groups[key] = found
        return found

    def _untold(self, asked: Asked) -> str:
        """Why nothing can be said about the new policy here; empty where something can."""
        if asked.sealed:
            return UNTOLD_SEALED
        past = self._past.get(asked.policy)
        if past is None:
            return UNTOLD_POLICY
        if _decided(past, asked)[0] is not asked.was:
            return UNTOLD_REPEAT
        operation = asked.operation
        if operation is not None and self._policy.minded(asked.identity, asked.resource, operation):
            return UNTOLD_FACTS
        return ""

    def _compare_masks(self, asked: Asked) -> None:
        past = self._past[asked.policy]
        assert past is not None
        before, after = (set(_masks(one, asked)) for one in (past, self._policy))
        gone, new = tuple(sorted(before - after)), tuple(sorted(after - before))
        if gone or new:
            key = (asked.resource.name, gone, new)
            group = self._masks.setdefault(key, MaskGroup(asked.resource.name, gone, new))
            group.sessions += 1


def _masks(policy: Policy, asked: Asked) -> Iterator[str]:
    for mask in policy.masks(asked.identity, asked.resource, asked.unix_ns):
        yield f"{mask.rule} ({mask.transform} of {', '.join((*mask.columns, *mask.detect))})"


def _decided(policy: Policy, asked: Asked) -> tuple[Effect, tuple[str, ...], str]:
    if asked.operation is None:
        decision = policy.connect(asked.identity, asked.resource, asked.unix_ns)
    else:
        decision = policy.decide(asked.identity, asked.resource, asked.operation, asked.unix_ns, discharges=EVERYTHING)
    blamed = set(decision.blamed)
    rules = {match.rule for match in decision.matches if not blamed or match.atom in blamed}
    return decision.effect, tuple(sorted(rules)), decision.advice


def _what(asked: Asked) -> str:
    operation: Operation | None = asked.operation
    if operation is None:
        return OPENING
    atoms = dict.fromkeys(describe(atom) for atom in operation.atoms)
    return f"{operation.verb}: {', '.join(atoms)}" if atoms else operation.verb


def _policy(told: Told) -> Policy | None:
    """The policy that was loaded then: of its files the one to begin with is the one that gives its digest."""

    def resolve(including: str, what: str) -> tuple[str, str]:
        name = str(PurePath(including).parent / what)
        if name not in told.texts:
            raise ValueError("is not in the record")
        return name, told.texts[name]

    for name, text in told.texts.items():
        try:
            policy = parse_policy(text, name, resolve)
        except ConfigError:
            continue
        if policy.digest == told.digest:
            return policy
    return None
