"""One atom against the rules that concern one identity on one resource.

What it is: `View`, the rules of a policy that concern an identity on a resource, by action, and the verdict on an atom.
What it will not do: put several atoms together, or know who grants what; that is `decide`.

Invariants: pure; block > hold > allow > block by default, per atom, and per column where some rule looks at columns.
One more block never loosens, one more hold never lifts a block or lets through what was held, and the order of rules
means nothing (`tests/property/test_policy_monotone.py`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import MappingProxyType

from doorward_core.model import Action, Approve, Atom, Effect, Identity, Mask, MaskInput, Resource, Target
from doorward_core.policy.commands import COMMAND
from doorward_core.policy.compile import RELATION, CompiledMask, CompiledRule
from doorward_core.policy.facts import Facts
from doorward_core.policy.objects import OBJECT

Granted = frozenset[tuple[str, bytes]]

IMPLIED = frozenset({Action.CONNECT, Action.SESSION})
"""What an allow or a hold of anything else on a resource lets one do besides."""
_EQUALITY = "equality"
NO_FACTS: Facts = MappingProxyType({})
_WHOLE = ""
"""Stands for "every column" where an atom names none."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of one atom.

    `effect` is DENY both where a rule blocks and where none allows; `by_default` tells them apart.
    `deciding` are the rules that made the effect, `matched` all that matched.
    """

    atom: Atom
    effect: Effect
    matched: tuple[CompiledRule, ...]
    deciding: tuple[CompiledRule, ...]
    by_default: bool = False


class View:
    """The rules that concern one identity on one resource."""

    __slots__ = ("_by_action", "_column_masks", "implied", "mask_rules", "masks", "owed")

    def __init__(
        self,
        rules: Iterable[CompiledRule],
        masks: Iterable[CompiledMask],
        identity: Identity,
        resource: Resource,
    ) -> None:
        concerned = tuple(rule for rule in rules if rule.concerns(identity, resource))
        self._by_action = {action: tuple(rule for rule in concerned if action in rule.actions) for action in Action}
        self.implied = tuple(rule for rule in concerned if rule.connect and rule.effect is not Effect.DENY)
        self.mask_rules = tuple(mask for mask in masks if mask.concerns(identity, resource))
        self.masks: tuple[Mask, ...] = tuple(item.mask for item in self.mask_rules if item.flow != "in")
        owed = tuple(MaskInput(item.mask) for item in self.mask_rules if item.flow != "out")
        self.owed: tuple[Mask | MaskInput, ...] = (*self.masks, *owed)
        self._column_masks = tuple(item for item in self.mask_rules if item.columns is not None and item.flow != "in")

    def judge(
        self,
        atom: Atom,
        now_unix_ns: int,
        granted: Granted,
        facts: Facts = NO_FACTS,
        within: tuple[Target, ...] = (),
    ) -> Verdict:
        """The verdict on one atom; `granted` are the holds that people have already satisfied.

        `facts` are those of the whole operation; one that is not among them is not known.
        `within` are the objects and commands of the operation, where it has objects.
        """
        action, target = atom.action, atom.target
        candidates = self._by_action[action]
        if action is Action.PROBE:
            candidates += self.probe_rules(atom)
        by_column = False
        matched: list[CompiledRule] = []
        for rule in candidates:
            if (
                rule.names_target(target, within)
                and (rule.until_unix_ns is None or now_unix_ns < rule.until_unix_ns)
                and (rule.when is None or rule_minds(rule, action, facts))
            ):
                matched.append(rule)
                by_column = by_column or rule.columns is not None
        if by_column:
            return self._judge_columns(atom, matched, granted)
        if not matched and action in IMPLIED:
            matched = [rule for rule in self.implied if rule.until_unix_ns is None or now_unix_ns < rule.until_unix_ns]
            # Whatever lets somebody in is enough to let them in: a hold on writes does not hold the connection.
            return _implied(atom, matched)
        return _weigh(atom, tuple(matched), granted)

    def probe_rules(self, atom: Atom) -> tuple[CompiledRule, ...]:
        """What the masks in force say of a condition, as rules.

        A probe that no mask's pattern names (it is written in terms of a view, say) answers to all of them: the
        analysis says that it looks at something masked.
        Where no column mask is in force there is nothing to probe, and looking is reading.
        """
        if not self._column_masks:
            return tuple(rule for rule in self._by_action[Action.READ] if Action.PROBE not in rule.actions)
        hiding = self.hiding(atom) or self._column_masks
        if atom.target.detail == _EQUALITY:
            rules = tuple(item.equality for item in hiding)
        else:
            rules = tuple(item.other for item in hiding)
        if hiding is self._column_masks:
            # Their patterns do not name this column, so they must not narrow by it.
            return tuple(_without_columns(rule) for rule in rules)
        return rules

    def hiding(self, atom: Atom) -> tuple[CompiledMask, ...]:
        """The masks whose patterns name a column of this atom; only relations have columns."""
        if atom.target.kind != RELATION:
            return ()
        table = atom.target.name
        names = [f"{table}.{column}" for column in atom.target.columns]
        return tuple(
            item
            for item in self._column_masks
            if item.columns is not None and (item.columns.any(names) if names else item.columns.below(table))
        )

    def minded(self, atom: Atom, within: tuple[Target, ...] = ()) -> Iterator[str]:
        """The facts that rules about this atom ask for; `within` as in `judge`."""
        for rule in self._by_action[atom.action]:
            if rule.when is not None and rule.names_target(atom.target, within):
                yield from (key for key, _ in rule.when.keys)

    def askable(self, actions: frozenset[Action], now_unix_ns: int) -> Iterator[Approve]:
        """The holds on some target of these actions that may be asked to be lifted for a time."""
        rules = [rule for action in sorted(actions) for rule in self._by_action[action]]
        if Action.PROBE in actions:
            rules += [rule for item in self._column_masks for rule in (item.equality, item.other)]
        for rule in rules:
            ended = rule.until_unix_ns is not None and now_unix_ns >= rule.until_unix_ns
            if rule.effect is Effect.HOLD and not ended and rule.approve is not None and rule.approve.standing_s:
                yield rule.approve

    def could(self, action: Action) -> bool:
        """Whether some target of this action could be permitted or held; time limits of rules are not looked at."""
        rules = self._by_action[action]
        if any(rule.effect is Effect.DENY and rule.blanket for rule in rules):
            return False
        if any(rule.effect is not Effect.DENY for rule in rules):
            return True
        if action is Action.PROBE:
            probes = [rule for item in self._column_masks for rule in (item.equality, item.other)]
            return any(rule.effect is not Effect.DENY for rule in probes) or (
                not self._column_masks and self.could(Action.READ)
            )
        return action in IMPLIED and bool(self.implied)

    def _judge_columns(self, atom: Atom, rules: list[CompiledRule], granted: Granted) -> Verdict:
        """Column by column, because `allow` on two columns is no `allow` on a third; the strictest column decides."""
        worst: Verdict | None = None
        every: dict[str, CompiledRule] = {}
        for column in atom.target.columns or (_WHOLE,):
            applying = tuple(rule for rule in rules if rule_applies(rule, atom, column))
            every.update((rule.id, rule) for rule in applying)
            verdict = _weigh(atom, applying, granted)
            if worst is None or _STRICTNESS[verdict.effect] > _STRICTNESS[worst.effect]:
                worst = verdict
            elif verdict.effect is worst.effect:
                deciding = {rule.id: rule for rule in (*worst.deciding, *verdict.deciding)}
                by_default = worst.by_default and verdict.by_default
                worst = Verdict(atom, worst.effect, (), tuple(deciding.values()), by_default)
        assert worst is not None
        return Verdict(atom, worst.effect, tuple(every.values()), worst.deciding, worst.by_default)


_STRICTNESS = {Effect.PERMIT: 0, Effect.HOLD: 1, Effect.DENY: 2}


def within(atoms: tuple[Atom, ...]) -> tuple[Target, ...]:
    """The objects and commands of an operation, where it has objects: rules about objects look at all of them."""
    if not any(atom.target.kind == OBJECT for atom in atoms):
        return ()
    return tuple(atom.target for atom in atoms if atom.target.kind in {OBJECT, COMMAND})


def rule_applies(rule: CompiledRule, atom: Atom, column: str) -> bool:
    """Whether a rule that may look at columns speaks of this one.

    Of a whole row, a rule that blocks or holds some column of it speaks, and a rule that allows some column does not.
    """
    if rule.columns is None:
        return True
    if column == _WHOLE:
        return rule.effect is not Effect.PERMIT and rule.columns.below(atom.target.name)
    return rule.columns.match(f"{atom.target.name}.{column}")


def rule_minds(rule: CompiledRule, action: Action, facts: Facts) -> bool:
    """Whether the facts of an operation let a rule speak of it. Opening a session has no facts."""
    if rule.when is None:
        return True
    return action not in IMPLIED and rule.when.match(facts, allows=rule.effect is Effect.PERMIT)


def _without_columns(rule: CompiledRule) -> CompiledRule:
    """The same rule for every column; spelt out, because `dataclasses.replace` costs a decision its speed."""
    return CompiledRule(
        rule.id,
        rule.hash,
        rule.effect,
        rule.who,
        rule.unless,
        rule.where,
        rule.actions,
        rule.kinds,
        None,
        rule.approve,
        rule.limit,
        rule.record,
        rule.reason,
        rule.until_unix_ns,
        rule.connect,
        rule.source,
        rule.commands,
        rule.requests,
        rule.when,
        rule.objects,
    )


def _implied(atom: Atom, rules: list[CompiledRule]) -> Verdict:
    """CONNECT and SESSION, where no rule speaks of them: an allow or a hold on anything else lets one in."""
    if rules:
        return Verdict(atom, Effect.PERMIT, (rules[0],), (rules[0],))
    return Verdict(atom, Effect.DENY, (), (), by_default=True)


def _weigh(atom: Atom, matched: tuple[CompiledRule, ...], granted: Granted) -> Verdict:
    """Weigh them: block > hold > allow > block by default; a granted hold allows."""
    blocks = holds = allows = False
    for rule in matched:
        if rule.effect is Effect.DENY:
            blocks = True
        elif rule.effect is Effect.HOLD and (rule.id, rule.hash) not in granted:
            holds = True
        else:
            allows = True
    if blocks:
        return Verdict(atom, Effect.DENY, matched, tuple(rule for rule in matched if rule.effect is Effect.DENY))
    if holds:
        waiting = tuple(rule for rule in matched if rule.effect is Effect.HOLD and (rule.id, rule.hash) not in granted)
        return Verdict(atom, Effect.HOLD, matched, waiting)
    if allows:
        return Verdict(atom, Effect.PERMIT, matched, matched)
    return Verdict(atom, Effect.DENY, matched, (), by_default=True)
