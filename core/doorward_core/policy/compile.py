"""Rules made ready to be asked: patterns compiled, obligations built, once per load.

What it is: `CompiledRule` and `CompiledMask`, and the tests whether they speak of an identity, a resource or a target.
What it will not do: weigh rules against each other; that is `decide`.

Invariants: pure; what a rule says is fixed at load, so that asking costs set look-ups and, at worst, a linear match.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from doorward_core.model import Action, Approve, Effect, Identity, Limit, Mask, RecordLevel, Resource, Target
from doorward_core.policy.commands import COMMAND, Commands, compile_commands
from doorward_core.policy.facts import When, compile_when
from doorward_core.policy.glob import Names, compile_names
from doorward_core.policy.objects import OBJECT, Objects, compile_objects
from doorward_core.policy.requests import REQUEST, Requests, compile_requests
from doorward_core.policy.rules import Approval, MaskRule, Rule, Who, content_hash

RELATION = "relation"
_EFFECTS: Mapping[str, Effect] = {"allow": Effect.PERMIT, "hold": Effect.HOLD, "block": Effect.DENY}


@dataclass(frozen=True, slots=True)
class WhoTest:
    """A compiled `who`, `unless` or `except`."""

    groups: Names | None
    subjects: Names | None
    issuers: Names | None
    kind: str | None
    attributes: tuple[tuple[str, Names], ...]

    def match(self, identity: Identity) -> bool:
        """Whether this identity is meant: every key that is given must match."""
        return (
            (self.kind is None or self.kind == identity.kind)
            and (self.groups is None or self.groups.any(identity.groups))
            and (self.subjects is None or self.subjects.match(identity.subject))
            and (self.issuers is None or self.issuers.match(identity.issuer))
            and all(
                key in identity.attributes and names.match(identity.attributes[key]) for key, names in self.attributes
            )
        )


@dataclass(frozen=True, slots=True)
class WhereTest:
    """A compiled `resource`."""

    names: Names | None
    protocols: Names | None
    labels: tuple[tuple[str, Names], ...]
    accounts: Names | None = None  # of the rule, beside its `resource`

    def includes(self, resource: Resource) -> bool:
        """Whether this resource is meant, as the account that it is used by."""
        return (self.accounts is None or self.accounts.match(resource.account)) and self.match(resource)

    def match(self, resource: Resource) -> bool:
        """Whether this resource is meant, as any account: every key that is given must match."""
        return (
            (self.names is None or self.names.match(resource.name))
            and (self.protocols is None or self.protocols.match(resource.protocol))
            and all(key in resource.labels and names.match(resource.labels[key]) for key, names in self.labels)
        )


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One rule, ready.

    `kinds` maps kinds of target to the names meant; None means that any target is meant.
    `columns` narrows relations further; None means that columns do not matter.
    `commands`, `requests` and `objects` are those meant, where the rule names some.
    `when` is what must hold of the whole operation besides; a rule that has it never speaks of opening a session.
    `source` is `file:line`, for people.
    """

    id: str
    hash: bytes
    effect: Effect
    who: WhoTest | None
    unless: WhoTest | None
    where: WhereTest
    actions: frozenset[Action]
    kinds: Mapping[str, Names] | None
    columns: Names | None
    approve: Approve | None
    limit: Limit | None
    record: RecordLevel | None
    reason: str
    until_unix_ns: int | None
    connect: bool
    source: str
    commands: Commands | None = None
    requests: Requests | None = None
    when: When | None = None
    objects: Objects | None = None

    @property
    def blanket(self) -> bool:
        """Whether it is about every target of its actions."""
        return self.kinds is None and self.columns is None and self.when is None

    def concerns(self, identity: Identity, resource: Resource) -> bool:
        """Whether it is about this identity on this resource, as the account that it is used by, at all."""
        return (
            self.where.includes(resource)
            and (self.who is None or self.who.match(identity))
            and (self.unless is None or not self.unless.match(identity))
        )

    def names_target(self, target: Target, within: tuple[Target, ...] = ()) -> bool:
        """Whether it is about this target, columns aside; `within` are the objects and commands of its operation."""
        if self.objects is not None and within:
            return self._names_within(target, within)
        if self.commands is not None and target.kind == COMMAND:
            return self.commands.match(target.name, target.detail, allows=self.effect is Effect.PERMIT)
        if self.requests is not None and target.kind == REQUEST:
            return self.requests.match(target.name, allows=self.effect is Effect.PERMIT)
        if self.kinds is None:
            return self.columns is None or target.kind == RELATION
        names = self.kinds.get(target.kind)
        return names is not None and names.match(target.name)

    def _names_within(self, target: Target, within: tuple[Target, ...]) -> bool:
        """The same for a rule about objects: it is about what runs in them as well, and `commands` narrows both.

        An allow must cover every object and every command of an operation; else one rule's object and another's
        command would together make what neither allows.
        """
        assert self.objects is not None
        allows = self.effect is Effect.PERMIT
        enough = all if allows else any
        objects = [item for item in within if item.kind == OBJECT]
        if not enough(self.objects.match(item.name, item.detail, allows=allows) for item in objects):
            return False
        if target.kind == OBJECT and not self.objects.match(target.name, target.detail, allows=allows):
            return False
        if self.commands is not None:
            found = [
                self.commands.match(item.name, item.detail, allows=allows) for item in within if item.kind == COMMAND
            ]
            if not (found and enough(found)):
                return False
            if target.kind == COMMAND:
                return self.commands.match(target.name, target.detail, allows=allows)
        if target.kind in {OBJECT, COMMAND}:
            return True
        names = (self.kinds or {}).get(target.kind)
        return not self.kinds if names is None else names.match(target.name)


@dataclass(frozen=True, slots=True)
class CompiledMask:
    """One mask, ready. `equality` and `other` are its two rules for probes.

    `flow` says which way the values go that it hides: `out` to the client, `in` to the target, or both.
    """

    mask: Mask
    hash: bytes
    who: WhoTest | None
    unless: WhoTest | None
    where: WhereTest
    columns: Names | None
    equality: CompiledRule
    other: CompiledRule
    limit_count: int | None
    limit_per_s: int
    source: str
    flow: str = "out"

    def concerns(self, identity: Identity, resource: Resource) -> bool:
        """Whether it is in force for this identity on this resource."""
        return (
            self.where.includes(resource)
            and (self.who is None or self.who.match(identity))
            and (self.unless is None or not self.unless.match(identity))
        )


def compile_rule(rule: Rule, source: str) -> CompiledRule:
    """Make one rule ready."""
    digest = content_hash(rule)
    kinds = {kind: compile_names(patterns) for kind, patterns in rule.filters.items()}
    return CompiledRule(
        rule.id,
        digest,
        _EFFECTS[rule.effect],
        _who(rule.who),
        _who(rule.unless),
        _where(rule),
        rule.actions,
        kinds or (None if rule.commands is None and rule.requests is None and rule.objects is None else {}),
        None if rule.columns is None else compile_names(rule.columns),
        _approve(rule.id, digest, rule.approve),
        None if rule.limit is None else Limit(rule.limit.rows, rule.limit.bytes, rule.limit.seconds),
        rule.record,
        rule.reason,
        rule.until,
        rule.connect,
        source,
        None if rule.commands is None else compile_commands(rule.commands),
        None if rule.requests is None else compile_requests(rule.requests),
        None if rule.when is None else compile_when(rule.when),
        None if rule.objects is None else compile_objects(rule.objects),
    )


def compile_mask(rule: MaskRule, source: str) -> CompiledMask:
    """Make one mask ready, with the rules for conditions that look at what it hides."""
    digest = content_hash(rule)
    columns = None if rule.columns is None else compile_names(rule.columns)
    mask = Mask(
        rule.id, rule.columns or (), rule.detect or (), rule.transform, rule.label or rule.id, strict=rule.strict
    )
    limit = rule.probe.limit
    return CompiledMask(
        mask,
        digest,
        _who(rule.who),
        _who(rule.unless),
        _where(rule),
        columns,
        _probe_rule(rule, digest, columns, rule.probe.equality, source),
        _probe_rule(rule, digest, columns, rule.probe.other, source),
        None if limit is None else limit.count,
        0 if limit is None else limit.per_s,
        source,
        rule.flow,
    )


def _probe_rule(rule: MaskRule, digest: bytes, columns: Names | None, effect: str, source: str) -> CompiledRule:
    """What a mask says of a probe, as a rule. A hold that nobody could approve is a block."""
    approve = _approve(rule.id, digest, rule.probe.approve)
    if effect == "hold" and approve is None:
        effect = "block"
    return CompiledRule(
        rule.id,
        digest,
        _EFFECTS[effect],
        _who(rule.who),
        _who(rule.unless),
        _where(rule),
        frozenset({Action.PROBE}),
        None,
        columns,
        approve if effect == "hold" else None,
        None,
        None,
        rule.probe.reason or f"Conditions may not look at what mask `{rule.id}` hides; filter on another column.",
        None,
        connect=False,
        source=source,
    )


def _approve(rule: str, digest: bytes, approval: Approval | None) -> Approve | None:
    if approval is None:
        return None
    return Approve(
        rule,
        digest,
        frozenset(approval.by.groups),
        approval.quorum,
        approval.within,
        approval.grant,
        approval.in_transaction,
        approval.retry,
        approval.proof,
        standing_s=approval.standing or 0,
        fresh_s=approval.fresh or 0,
    )


def _who(who: Who | None) -> WhoTest | None:
    if who is None:
        return None
    return WhoTest(
        _names(who.groups),
        _names(who.subjects),
        _names(who.issuers),
        who.kind,
        tuple((key, compile_names(patterns)) for key, patterns in (who.attributes or {}).items()),
    )


def _where(rule: Rule | MaskRule) -> WhereTest:
    where = rule.resource
    return WhereTest(
        _names(where.names),
        _names(where.protocols),
        tuple((key, compile_names(patterns)) for key, patterns in (where.labels or {}).items()),
        _names(rule.accounts),
    )


def _names(patterns: tuple[str, ...] | None) -> Names | None:
    return None if patterns is None else compile_names(patterns)
