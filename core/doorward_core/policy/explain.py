"""Why this was decided, atom by atom.

What it is: the decision of `decide`, taken apart: for each atom which rules matched, which of them decided, and, where
none allowed it, which rules would have but for one thing.
What it will not do: decide anything itself: what it says comes from the same verdicts.

Invariants: pure; `as_data` holds plain values only, for `--json`; `as_text` is for a terminal and escapes names.
"""

from dataclasses import dataclass

from doorward_core.model import (
    Approve,
    Atom,
    Decision,
    Effect,
    Identity,
    Limit,
    Mask,
    MaskInput,
    Obligation,
    Operation,
    Record,
    Resource,
    Target,
)
from doorward_core.policy.advise import describe, readable
from doorward_core.policy.compile import CompiledRule
from doorward_core.policy.decide import Policy
from doorward_core.policy.facts import Facts
from doorward_core.policy.judge import IMPLIED, NO_FACTS, Granted, Verdict, rule_applies, rule_minds, within

WORDS = {Effect.PERMIT: "allow", Effect.HOLD: "hold", Effect.DENY: "block"}
"""Effects in the words of the policy file."""

_EVERYTHING = frozenset({Mask, MaskInput, Approve, Record, Limit})


@dataclass(frozen=True, slots=True)
class RuleTold:
    """One rule and an atom. `decided` tells those that made the verdict; `but` is the one thing that kept it away."""

    id: str
    effect: str
    source: str
    decided: bool
    but: str = ""


@dataclass(frozen=True, slots=True)
class AtomTold:
    """One atom: its verdict, the rules that matched, and those that nearly did."""

    atom: str
    effect: str
    by_default: bool
    matched: tuple[RuleTold, ...]
    nearly: tuple[RuleTold, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """One decision, taken apart."""

    decision: Decision
    atoms: tuple[AtomTold, ...]

    def as_data(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {
            "effect": WORDS[self.decision.effect],
            "observed": WORDS[self.decision.observed] if self.decision.observed else None,
            "reason": str(self.decision.reason),
            "advice": self.decision.advice,
            "policy": self.decision.policy_digest.hex(),
            "obligations": [_obligation(item) for item in self.decision.obligations],
            "atoms": [
                {
                    "atom": item.atom,
                    "effect": item.effect,
                    "by_default": item.by_default,
                    "matched": [_rule_data(rule) for rule in item.matched],
                    "nearly": [_rule_data(rule) for rule in item.nearly],
                }
                for item in self.atoms
            ],
        }

    def as_text(self) -> str:
        """A few lines per atom."""
        decision = self.decision
        lines = [f"{WORDS[decision.effect]} ({decision.reason})"]
        if decision.observed is not None:
            lines[0] += f"; without observe mode: {WORDS[decision.observed]}"
        if decision.advice:
            lines.append(f"  {decision.advice}")
        for item in self.atoms:
            lines.append(f"- {item.atom}: {item.effect}{' by default' if item.by_default else ''}")
            for rule in item.matched:
                mark = "decided" if rule.decided else "matched"
                lines.append(f"    {mark}: {rule.id} ({rule.effect}) at {rule.source}")
            lines += [f"    nearly: {rule.id} ({rule.effect}) at {rule.source}, but {rule.but}" for rule in item.nearly]
        lines += [f"+ {_obligation(item)}" for item in decision.obligations]
        return "\n".join(lines)


def explain(
    policy: Policy,
    identity: Identity,
    resource: Resource,
    operation: Operation,
    *,
    now_unix_ns: int = 0,
    granted: Granted = frozenset(),
) -> Explanation:
    """Take one decision apart, for an enforcement point that can discharge every obligation."""
    decision = policy.decide(identity, resource, operation, now_unix_ns, granted, discharges=_EVERYTHING)
    verdicts = policy.judge(identity, resource, operation, now_unix_ns, granted)
    objects = within(operation.atoms)
    told = tuple(
        _atom(policy, identity, resource, verdict, now_unix_ns, facts=operation.facts, objects=objects)
        for verdict in verdicts
    )
    return Explanation(decision, told)


def explain_connect(policy: Policy, identity: Identity, resource: Resource, now_unix_ns: int = 0) -> Explanation:
    """The same for opening a session."""
    decision = policy.connect(identity, resource, now_unix_ns)
    verdict = policy.judge_connect(identity, resource, now_unix_ns)
    return Explanation(decision, (_atom(policy, identity, resource, verdict, now_unix_ns),))


def _atom(
    policy: Policy,
    identity: Identity,
    resource: Resource,
    verdict: Verdict,
    now: int,
    *,
    facts: Facts = NO_FACTS,
    objects: tuple[Target, ...] = (),
) -> AtomTold:
    deciding = {rule.id for rule in verdict.deciding}
    matched = tuple(RuleTold(rule.id, WORDS[rule.effect], rule.source, rule.id in deciding) for rule in verdict.matched)
    nearly: list[RuleTold] = []
    if verdict.by_default:
        for rule in policy.rules:
            missing = _missing(rule, identity, resource, verdict.atom, now, objects=objects)
            if verdict.atom.action not in IMPLIED and not rule_minds(rule, verdict.atom.action, facts):
                missing.append("not all of its `when` holds")
            if rule.effect is not Effect.DENY and len(missing) == 1:
                nearly.append(RuleTold(rule.id, WORDS[rule.effect], rule.source, decided=False, but=missing[0]))
    return AtomTold(describe(verdict.atom), WORDS[verdict.effect], verdict.by_default, matched, tuple(nearly))


def _missing(
    rule: CompiledRule, identity: Identity, resource: Resource, atom: Atom, now: int, *, objects: tuple[Target, ...]
) -> list[str]:
    """What keeps a rule from matching, each in words."""
    missing: list[str] = []
    if not rule.where.match(resource):
        missing.append(f"it is not about resource {readable(resource.name)}")
    elif not rule.where.includes(resource):
        account = f"account {readable(resource.account)}" if resource.account else "an unnamed account"
        missing.append(f"it is not about {account} (`accounts`)")
    if rule.who is not None and not rule.who.match(identity):
        missing.append("it is not about this identity (`who`)")
    if rule.unless is not None and rule.unless.match(identity):
        missing.append("this identity is excepted (`unless`)")
    implied = atom.action in IMPLIED and rule.connect
    if atom.action not in rule.actions and not implied:
        missing.append(f"it does not name {atom.action} (`do`)")
    if implied:
        pass  # whatever it names, it lets one in
    elif not rule.names_target(atom.target, objects):
        missing.append(f"it does not name {atom.target.kind} {readable(atom.target.name)}")
    elif any(not rule_applies(rule, atom, column) for column in atom.target.columns or ("",)):
        missing.append("it does not name every column (`columns`)")
    if rule.until_unix_ns is not None and rule.until_unix_ns <= now:
        missing.append("it has ended (`until`)")
    return missing


def _rule_data(rule: RuleTold) -> dict[str, object]:
    data: dict[str, object] = {"rule": rule.id, "effect": rule.effect, "source": rule.source, "decided": rule.decided}
    return {**data, "but": rule.but} if rule.but else data


def _obligation(item: Obligation) -> str:
    if isinstance(item, MaskInput):
        return f"{_obligation(item.mask)}, on its way to the target"
    if isinstance(item, Mask):
        return f"mask `{item.rule}`: {item.transform} of {', '.join((*item.columns, *item.detect))}"
    if isinstance(item, Approve):
        people = f"{item.quorum} of {', '.join(sorted(item.groups))}"
        return f"approval by {people} within {item.within_s}s, asked for by `{item.rule}`"
    if isinstance(item, Record):
        return f"record at least at level {item.level}"
    bounds = {"rows": item.rows, "bytes": item.bytes, "seconds": item.seconds}
    return "at most " + ", ".join(f"{value} {key}" for key, value in bounds.items() if value is not None)
