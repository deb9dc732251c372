"""What a policy says that its author may not have meant.

What it is: remarks on a policy that loads: rules about nothing, rules that go unheard, and gaps in what one might
believe to be closed. Each begins with `file:line: id:`, as faults do.
What it will not do: refuse a policy; every remark may be wrong.

Invariants: pure; the same policy and resources give the same remarks in the same order.
"""

import difflib
import re
from collections.abc import Mapping
from types import MappingProxyType

from doorward_core.config_types import Vocabulary, nearest
from doorward_core.model import Action, Effect, Resource
from doorward_core.policy.compile import RELATION, CompiledMask, CompiledRule, WhereTest
from doorward_core.policy.decide import Policy
from doorward_core.policy.glob import Names, compile_names

_QUOTED = re.compile('"[^"]*"')
_WILD = re.compile(r"[*?]")
_OF_THE_SERVER = ("pg_catalog.", "information_schema.", "pg_toast.")
_OPAQUE = frozenset({Action.UNKNOWN, Action.EXECUTE})
"""Through these a target can be reached without being named."""


def remarks(
    policy: Policy,
    resources: Mapping[str, Resource],
    now_unix_ns: int = 0,
    spoken: Mapping[str, Vocabulary | None] = MappingProxyType({}),
) -> tuple[str, ...]:
    """Everything worth a second look, in the order of the rules; `spoken` are the vocabularies of the proxies here."""
    found: list[str] = []
    for rule in policy.rules:
        told = _about_rule(rule, policy, resources, now_unix_ns)
        told += _misspelt(rule, _heard(rule.where, resources, spoken))
        found += [f"{rule.source}: {rule.id}: {text}" for text in told]
    for mask in policy.mask_rules:
        told = _about_mask(mask, resources) + _columns(mask.columns, _heard(mask.where, resources, spoken))
        found += [f"{mask.source}: {mask.mask.rule}: {text}" for text in told]
    return tuple(found)


def _heard(
    where: WhereTest, resources: Mapping[str, Resource], spoken: Mapping[str, Vocabulary | None]
) -> tuple[Vocabulary | None, ...]:
    """The vocabularies of what is meant; of all that there are, where that is not known.

    None at all where something is meant whose proxy is not here: its names are not ours to doubt.
    """
    if not resources:
        return tuple(spoken.values())
    met = {one.protocol for one in resources.values() if where.match(one)}
    return tuple(spoken[protocol] for protocol in sorted(met)) if met <= spoken.keys() else ()


def _misspelt(rule: CompiledRule, heard: tuple[Vocabulary | None, ...]) -> list[str]:
    """Names that nothing can have, by the word of every protocol that the rule may be about."""
    found = _columns(rule.columns, heard)
    speaking = [one for one in heard if one is not None]
    for pattern in rule.objects.listed if rule.objects is not None and speaking else ():
        found += _agreed([one.place(pattern) for one in speaking])
    for name, values in rule.when.keys if rule.when is not None else ():
        wanted = tuple(sorted(values.exact))
        found += _agreed(["" if one is None else one.fact(name, wanted) for one in heard])
    return found


def _columns(columns: Names | None, heard: tuple[Vocabulary | None, ...]) -> list[str]:
    found: list[str] = []
    for name in sorted({*columns.positive, *columns.without_exact}) if columns is not None else ():
        found += _agreed([_without_schema(name) if one is None else one.column(name) for one in heard])
    return found


def _agreed(doubts: list[str]) -> list[str]:
    return doubts[:1] if all(doubts) else []


def _without_schema(name: str) -> str:
    """A name of SQL without its schema and table is met by nothing; other protocols' names are let be."""
    other = name.startswith(("$", "header.")) or ":" in _QUOTED.sub("", name) or _WILD.search(name)
    return "" if other else next(iter(_too_short(frozenset({name}), 2, "schema.table.column")), "")


def unmet(policy: Policy, resource: Resource, tables: frozenset[str], columns: frozenset[str]) -> tuple[str, ...]:
    """Names of tables and columns, in rules and masks about a resource, that nothing there has: most often misspelt.

    A server's own relations are left out: which of them there are depends on its version.
    """
    asked = [(rule.source, rule.id, rule.where, (rule.kinds or {}).get(RELATION), tables) for rule in policy.rules]
    asked += [(rule.source, rule.id, rule.where, rule.columns, columns) for rule in policy.rules]
    asked += [(mask.source, mask.mask.rule, mask.where, mask.columns, columns) for mask in policy.mask_rules]
    return tuple(
        f"{source}: {name}: `{pattern}` is not in {resource.name}{_like(pattern, there)}"
        for source, name, where, names, there in asked
        if names is not None and where.match(resource)
        for pattern in names.positive
        if not pattern.startswith(_OF_THE_SERVER) and not compile_names([pattern]).any(there)
    )


def _like(pattern: str, there: frozenset[str]) -> str:
    close = difflib.get_close_matches(pattern, sorted(there), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def unprovable(policy: Policy, kinds: frozenset[str]) -> tuple[str, ...]:
    """Rules that hold for a proof that nobody can give: `kinds` are those for which the gateway has keys."""
    asked = ((rule, rule.approve.proof) for rule in policy.rules if rule.approve is not None)
    return tuple(
        f"{rule.source}: {rule.id}: needs the proof {proof}, for which this gateway has no keys: nobody can approve it"
        for rule, proof in asked
        if kinds.isdisjoint(proof.split(" or "))
    )


def _about_rule(rule: CompiledRule, policy: Policy, resources: Mapping[str, Resource], now: int) -> list[str]:
    tables = (rule.kinds or {}).get(RELATION)
    named = tables.exact | tables.without_exact if tables is not None else frozenset()
    found = _about_nothing(rule, resources) + _too_short(named, 1, "schema.table")
    if rule.until_unix_ns is not None and rule.until_unix_ns <= now:
        found.append("has ended (`until`) and does nothing any more")
    if rule.limit is not None:
        found.append(
            "has `limit`, which only files over SFTP are kept to: all else that this rule would allow is refused"
        )
    if rule.effect is Effect.DENY:
        if not rule.blanket:
            around = [item.id for item in policy.rules if _opens_around(item, rule, resources)]
            if around:
                found.append(
                    f"blocks by name, but {_named(around)} lets through what cannot be read (`unknown`, `execute`),"
                    " which may reach what is blocked without naming it"
                )
        return found
    covering = [item.id for item in policy.rules if _silences(item, rule)]
    if covering:
        found.append(f"is never heard: {_named(covering)} blocks everything that it speaks of")
    return found


def _about_nothing(rule: CompiledRule | CompiledMask, resources: Mapping[str, Resource]) -> list[str]:
    """A rule for resources that there are none of is most often a misspelt one."""
    if not resources or any(rule.where.match(resource) for resource in resources.values()):
        return []
    names = rule.where.names
    if names is not None and names.exact and not (rule.where.labels or rule.where.protocols):
        wrong = sorted(names.exact - resources.keys())
        return [f"is about no configured resource: `{wrong[0]}`{nearest(wrong[0], resources)}"] if wrong else []
    # A shipped rule set speaks of protocols that this gateway may not have.
    return [] if rule.where.protocols is not None else ["is about no configured resource"]


def _too_short(names: frozenset[str], dots: int, parts: str) -> list[str]:
    """A name without its schema is met by nothing: a block or a mask of it is none."""
    return [
        f"`{name}` matches nothing: names are `{parts}`, as `public.{name}` or `*.{name}`"
        for name in sorted(names)
        if _QUOTED.sub("", name).count(".") < dots
    ]


def _opens_around(rule: CompiledRule, block: CompiledRule, resources: Mapping[str, Resource]) -> bool:
    """Whether a rule lets through, on a resource of the block's, what could reach the blocked thing unnamed."""
    if rule.effect is not Effect.PERMIT or not rule.blanket or not _OPAQUE & rule.actions:
        return False
    return any(rule.where.match(item) and block.where.match(item) for item in resources.values())


def _silences(block: CompiledRule, rule: CompiledRule) -> bool:
    """Whether a blanket block covers all that a rule speaks of, for everybody and for good."""
    return (
        block.effect is Effect.DENY
        and block.blanket
        and block.who is None
        and block.unless is None
        and block.until_unix_ns is None
        and rule.actions <= block.actions
        and (block.where == rule.where or _everywhere(block.where))
    )


def _everywhere(where: WhereTest) -> bool:
    narrowed = where.protocols is not None or where.labels or where.accounts is not None
    return where.names is not None and where.names.everything and not narrowed


def _about_mask(mask: CompiledMask, resources: Mapping[str, Resource]) -> list[str]:
    found = _about_nothing(mask, resources)
    if mask.columns is not None and mask.equality.effect is Effect.PERMIT and mask.limit_count is None:
        found.append("lets masked columns be compared with constants without `limit`: values can be found by guessing")
    if mask.columns is not None and mask.other.effect is Effect.PERMIT:
        found.append("lets conditions of any kind look at masked columns: values can be read out bit by bit")
    return found


def _named(ids: list[str]) -> str:
    return ", ".join(f"`{item}`" for item in ids)
