"""The decision point: whether this identity may do this operation on this resource.

What it is: `Policy`, a loaded rule set that answers `decide`, `connect`, `could` and `masks`.
What it will not do: read files, wait for people, count rates, keep records, or know what SQL is.

Implements: `docs/policy.md`; the deny-biased decision of XACML 3.0 section 7 (indeterminate is a denial, and a permit
with an obligation that the enforcement point cannot discharge is a denial).

Invariants: pure (`now` comes in); the strictest atom decides; obligations unite; what could not be read whole carries
an `unknown` atom besides; every rule that matched is in the decision.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from doorward_core.model import (
    Action,
    Approve,
    Atom,
    Decision,
    Effect,
    Identity,
    Limit,
    Mask,
    MaskInput,
    Match,
    Obligation,
    Operation,
    ReasonCode,
    Record,
    RecordLevel,
    Resource,
    Target,
)
from doorward_core.policy.advise import advise, advise_unsupported
from doorward_core.policy.compile import CompiledMask, CompiledRule
from doorward_core.policy.judge import Granted, Verdict, View, within

MAX_VIEWS = 4096
"""One per session in use; past it the oldest is made anew when it is asked again, which costs microseconds."""

_NOTHING: Granted = frozenset()
_STRICTNESS = {Effect.PERMIT: 0, Effect.HOLD: 1, Effect.DENY: 2}
_LEVELS = {RecordLevel.DECISION: 0, RecordLevel.SHAPE: 1, RecordLevel.PAYLOAD: 2}


@dataclass(frozen=True, slots=True)
class ProbeRate:
    """A permitted probe that must be counted: at most `count` within `per_s`, per identity and mask.

    `cost` is what this operation counts for: each of its probes is a guess.
    """

    mask: str
    count: int
    per_s: int
    cost: int = 1


class Policy:
    """A loaded policy. Make one with `doorward_core.policy.load`.

    `digest` is SHA-256 of its canonical content, includes and all; `texts` are its files as they were read, by name.
    `observe` maps resources in observe mode to the instant at which that ends.
    """

    __slots__ = ("_objects", "_rated", "_timed", "_views", "digest", "mask_rules", "observe", "rules", "texts")

    def __init__(
        self,
        digest: bytes,
        rules: tuple[CompiledRule, ...],
        mask_rules: tuple[CompiledMask, ...],
        texts: Mapping[str, str],
        observe: Mapping[str, int] | None = None,
    ) -> None:
        self.digest = digest
        self.rules = rules
        self.mask_rules = mask_rules
        self.texts = texts
        self.observe: Mapping[str, int] = dict(observe or {})
        self._timed = frozenset(rule.id for rule in rules if rule.until_unix_ns is not None)
        self._objects = any(rule.objects is not None for rule in rules)
        self._rated = {
            item.mask.rule: ProbeRate(item.mask.rule, item.limit_count, item.limit_per_s)
            for item in mask_rules
            if item.limit_count is not None
        }
        self._views: dict[tuple[int, int], tuple[Identity, Resource, View]] = {}

    def observing(self, until_unix_ns: Mapping[str, int]) -> "Policy":
        """The same policy with these resources in observe mode, each until its instant."""
        return Policy(self.digest, self.rules, self.mask_rules, self.texts, until_unix_ns)

    def observes(self, resource: Resource, now_unix_ns: int) -> bool:
        """Whether a resource is in observe mode now: what is blocked or held there is recorded, and goes on."""
        return now_unix_ns < self.observe.get(resource.name, 0)

    def decide(
        self,
        identity: Identity,
        resource: Resource,
        operation: Operation,
        now_unix_ns: int,
        granted: Granted = _NOTHING,
        *,
        discharges: frozenset[type],
    ) -> Decision:
        """Decide one operation.

        `granted` are the (rule id, rule hash) pairs of holds that people have satisfied for this very operation.
        `discharges` are the obligations that the enforcement point can honour.
        """
        view = self._view(identity, resource)
        atoms = _atoms(operation)
        objects = within(atoms) if self._objects else ()
        verdicts = [view.judge(atom, now_unix_ns, granted, operation.facts, objects) for atom in atoms]
        decision = self._combine(verdicts, view.owed, operation.attributes.get("problem", ""))
        if decision.effect is not Effect.PERMIT and self.observes(resource, now_unix_ns):
            decision = _observed(decision, view.owed, unread=any(a.action is Action.UNKNOWN for a in atoms))
        return _supported(decision, discharges)

    def connect(self, identity: Identity, resource: Resource, now_unix_ns: int) -> Decision:
        """Decide whether a session may open. Masks are left to its operations."""
        decision = self._combine([self.judge_connect(identity, resource, now_unix_ns)], (), "")
        if decision.effect is not Effect.PERMIT and self.observes(resource, now_unix_ns):
            decision = _observed(decision, (), unread=False)
        return decision

    def could(self, identity: Identity, resource: Resource, actions: frozenset[Action]) -> bool:
        """Whether any of these actions could ever be permitted or held for this identity on this resource.

        Time is not looked at: a rule that has ended still counts, and so does observe mode. Errs towards True.
        """
        if resource.name in self.observe:
            return True
        view = self._view(identity, resource)
        return any(view.could(action) for action in actions)

    def askable(
        self, identity: Identity, resource: Resource, actions: frozenset[Action], now_unix_ns: int
    ) -> tuple[Approve, ...]:
        """The holds on these actions past which this identity may ask for standing access, each once."""
        found = {hold.rule: hold for hold in self._view(identity, resource).askable(actions, now_unix_ns)}
        return tuple(found[rule] for rule in sorted(found))

    def wanted(self, resource: Resource) -> frozenset[str]:
        """The facts that some rule about this resource asks for: what an enforcement point has to find out."""
        return frozenset(
            key
            for rule in self.rules
            if rule.when is not None and rule.where.match(resource)
            for key, _ in rule.when.keys
        )

    def minded(self, identity: Identity, resource: Resource, operation: Operation) -> frozenset[str]:
        """The facts that some rule about this very operation asks for: no others can change what becomes of it."""
        view, atoms = self._view(identity, resource), _atoms(operation)
        objects = within(atoms) if self._objects else ()
        return frozenset(key for atom in atoms for key in view.minded(atom, objects))

    def masks(self, identity: Identity, resource: Resource, now_unix_ns: int) -> tuple[Mask, ...]:  # noqa: ARG002 - masks know no end; the door passes the time all the same
        """The masks in force for what this identity gets from this resource."""
        return self._view(identity, resource).masks

    def inputs(self, identity: Identity, resource: Resource) -> tuple[MaskInput, ...]:
        """The masks in force for what this identity sends to this resource."""
        return tuple(item for item in self._view(identity, resource).owed if isinstance(item, MaskInput))

    def judge(
        self,
        identity: Identity,
        resource: Resource,
        operation: Operation,
        now_unix_ns: int,
        granted: Granted = _NOTHING,
    ) -> tuple[Verdict, ...]:
        """The verdict on each atom, for those who explain decisions."""
        view = self._view(identity, resource)
        atoms = _atoms(operation)
        objects = within(atoms) if self._objects else ()
        return tuple(view.judge(atom, now_unix_ns, granted, operation.facts, objects) for atom in atoms)

    def judge_connect(self, identity: Identity, resource: Resource, now_unix_ns: int) -> Verdict:
        """The verdict on opening a session."""
        atom = Atom(Action.CONNECT, Target("resource", resource.name))
        return self._view(identity, resource).judge(atom, now_unix_ns, _NOTHING)

    def rates(self, decision: Decision) -> tuple[ProbeRate, ...]:
        """What must be counted before an operation with this decision goes on; empty for all that probes nothing."""
        if not self._rated:
            return ()
        costs = Counter(match.rule for match in decision.matches if match.atom.action is Action.PROBE)
        return tuple(
            replace(self._rated[rule], cost=cost) for rule, cost in sorted(costs.items()) if rule in self._rated
        )

    def repeatable(self, decision: Decision) -> bool:
        """Whether this decision may be given again for the same operation of the same session, without asking.

        Under one policy only time can change a decision: where observe mode made it, or a rule that has an end took
        part. (Rules only end, never begin; so rules that did not match cannot come to match.)
        """
        if decision.observed is not None:
            return False
        return not self._timed or not any(match.rule in self._timed for match in decision.matches)

    def next_change_unix_ns(self, now_unix_ns: int) -> int | None:
        """When time alone may next change a decision (a rule or observe mode ends): no cached one lives longer."""
        ends = [rule.until_unix_ns for rule in self.rules if rule.until_unix_ns is not None]
        return min((end for end in (*ends, *self.observe.values()) if end > now_unix_ns), default=None)

    def _view(self, identity: Identity, resource: Resource) -> View:
        """The rules that concern this pair, made once. The entry keeps both alive, so that an id is never reused."""
        key = (id(identity), id(resource))
        found = self._views.get(key)
        if found is not None:
            return found[2]
        view = View(self.rules, self.mask_rules, identity, resource)
        if len(self._views) >= MAX_VIEWS:
            del self._views[next(iter(self._views))]
        self._views[key] = (identity, resource, view)
        return view

    def _combine(self, verdicts: list[Verdict], masks: tuple[Mask | MaskInput, ...], problem: str) -> Decision:
        """The strictest atom decides; obligations of all that matched unite."""
        worst = verdicts[0].effect
        for verdict in verdicts:
            if _STRICTNESS[verdict.effect] > _STRICTNESS[worst]:
                worst = verdict.effect
        matches = tuple(
            Match(rule.id, rule.hash, rule.effect, verdict.atom) for verdict in verdicts for rule in verdict.matched
        )
        if worst is Effect.PERMIT:
            obligations = masks + _bounds(verdicts)
            return Decision(worst, ReasonCode.RULE, "", self.digest, obligations, matches)
        blamed = [verdict for verdict in verdicts if verdict.effect is worst]
        atoms = tuple(verdict.atom for verdict in blamed)
        if worst is Effect.DENY:
            advice = advise(blamed, problem)
            return Decision(worst, _reason(blamed), advice, self.digest, masks, matches, atoms)
        obligations = masks + _bounds(verdicts) + _approvals(blamed)
        return Decision(worst, ReasonCode.RULE, advise(blamed, problem), self.digest, obligations, matches, atoms)


def _atoms(operation: Operation) -> tuple[Atom, ...]:
    """The atoms to decide: what could not be read whole adds `unknown`; what has none stands for its own action."""
    atoms = operation.atoms
    if not operation.complete:
        atoms = (*atoms, Atom(Action.UNKNOWN, Target("opaque", operation.verb)))
    return atoms or (Atom(operation.action, Target("opaque", operation.verb)),)


def _reason(blamed: Iterable[Verdict]) -> ReasonCode:
    """A rule's own word goes before the default; not having been able to read goes before having no rule."""
    blamed = tuple(blamed)
    if any(not verdict.by_default for verdict in blamed):
        return ReasonCode.RULE
    if any(verdict.atom.action is Action.UNKNOWN for verdict in blamed):
        return ReasonCode.INDETERMINATE
    return ReasonCode.NO_RULE


def _approvals(blamed: Iterable[Verdict]) -> tuple[Approve, ...]:
    """One per holding rule, however many atoms it holds."""
    found: dict[str, Approve] = {}
    for verdict in blamed:
        for rule in verdict.deciding:
            if rule.approve is not None:
                found[rule.id] = rule.approve
    return tuple(found.values())


def _bounds(verdicts: Iterable[Verdict]) -> tuple[Obligation, ...]:
    """Limits unite to the smallest of each, record levels to the highest."""
    limits: list[Limit] = []
    levels: list[RecordLevel] = []
    for verdict in verdicts:
        for rule in verdict.matched:
            if rule.limit is not None:
                limits.append(rule.limit)
            if rule.record is not None:
                levels.append(rule.record)
    found: list[Obligation] = []
    if limits:
        found.append(
            Limit(
                min((item.rows for item in limits if item.rows is not None), default=None),
                min((item.bytes for item in limits if item.bytes is not None), default=None),
                min((item.seconds for item in limits if item.seconds is not None), default=None),
            )
        )
    if levels:
        found.append(Record(max(levels, key=_LEVELS.__getitem__)))
    return tuple(found)


def _observed(decision: Decision, masks: tuple[Mask | MaskInput, ...], *, unread: bool) -> Decision:
    """Observe mode: what would have been blocked or held goes on and is recorded as such.

    Masks stay in force, and where one is owed, what could not be read is still refused: it could not be masked.
    """
    if unread and masks:
        return decision
    kept = tuple(item for item in decision.obligations if not isinstance(item, Approve))
    return replace(
        decision, effect=Effect.PERMIT, reason=ReasonCode.OBSERVED, obligations=kept, observed=decision.effect
    )


def _supported(decision: Decision, discharges: frozenset[type]) -> Decision:
    """The deny-biased enforcement point: a permit or hold whose obligations it cannot honour is a denial."""
    if decision.effect is Effect.DENY:
        return decision
    for item in decision.obligations:
        if type(item) not in discharges:
            advice = advise_unsupported(item)
            return replace(
                decision, effect=Effect.DENY, reason=ReasonCode.OBLIGATION_UNSUPPORTED, advice=advice, observed=None
            )
    return decision
