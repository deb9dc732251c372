"""The rules of a policy in words, for people who do not read YAML.

It is pure: a policy that was loaded in, sentences out, made of the very files that it was loaded from.
What it will not do: decide, or leave out a condition: whatever a rule says is in its sentence.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from doorward_core.config_types import validate
from doorward_core.config_yaml import read_document
from doorward_core.policy.decide import Policy
from doorward_core.policy.rules import Approval, MaskRule, PolicyFile, Rule, Where, Who

_TARGETS = {
    "tables": "tables",
    "columns": "columns",
    "functions": "functions",
    "settings": "settings",
    "channels": "channels",
    "roles": "roles",
    "commands": "commands",
    "requests": "requests",
    "objects": "objects",
}
_ACTS = {
    "session": "use the session's own commands",
    "probe": "ask about masked values",
    "define": "change definitions",
    "admin": "administer",
    "unknown": "ask for what cannot be read whole",
}
_VERBS = {"allow": "may", "hold": "may", "block": "may not"}


@dataclass(frozen=True, slots=True)
class RuleWords:
    """One rule or mask: its id, `allow`, `hold`, `block` or `mask`, where it is written, and its sentence."""

    id: str
    effect: str
    source: str
    words: str
    reason: str = ""


def rules_in_words(policy: Policy) -> tuple[RuleWords, ...]:
    """Every rule, then every mask, in the order of their files."""
    sources = {rule.id: rule.source for rule in policy.rules} | {one.mask.rule: one.source for one in policy.mask_rules}
    files = [_file(name, text) for name, text in policy.texts.items()]
    rules = [
        RuleWords(rule.id, rule.effect, sources.get(rule.id, ""), rule_words(rule), rule.reason)
        for file in files
        for rule in file.rules
    ]
    masks = [
        RuleWords(mask.id, "mask", sources.get(mask.id, ""), mask_words(mask)) for file in files for mask in file.masks
    ]
    return (*rules, *masks)


def _file(name: str, text: str) -> PolicyFile:
    document = read_document(text, name)
    content, problems = validate(PolicyFile, document)
    if content is None or problems:
        return PolicyFile()  # an empty file; one with faults is not in a policy that was loaded
    return content


def rule_words(rule: Rule) -> str:
    """One rule as a sentence."""
    parts = [_who(rule.who, "Everybody"), _except(rule.unless), _VERBS[rule.effect], _do(rule.do), _on(rule)]
    sentence = " ".join(part for part in parts if part)
    if rule.approve is not None:
        sentence += f", once {approval_words(rule.approve)}"
    if rule.until is not None:
        sentence += "; it ends by itself"
    return f"{sentence}."


def mask_words(mask: MaskRule) -> str:
    """One mask as a sentence."""
    what = [f"columns and members {_list(mask.columns)}"] if mask.columns else []
    what += [f"whatever looks like {_list(mask.detect)}"] if mask.detect else []
    flow = {"out": "in what comes back", "in": "in what is sent", "both": "both ways"}[mask.flow]
    whose = f" for {_who(mask.who, '').lower()}" if mask.who else ""
    excepted = f", but not for {_who(mask.unless, '').lower()}" if mask.unless else ""
    place = _place(mask.resource)
    probe = f"; asking whether a value equals: {mask.probe.equality}, any other question: {mask.probe.other}"
    accounts = f" as {_list(mask.accounts)}" if mask.accounts else ""
    return f"On {place}{accounts}, {' and '.join(what)} {flow} become {mask.transform}{whose}{excepted}{probe}."


def approval_words(approve: Approval) -> str:
    """What a hold waits for."""
    people = f"{approve.quorum} of {_list(approve.by.groups, 'or')}"
    proof = f", by {approve.proof}" if approve.proof != "token" else ""
    fresh = f", logged in at most {_span(approve.fresh)} before" if approve.fresh else ""
    standing = f"; standing access for up to {_span(approve.standing)} may be asked for" if approve.standing else ""
    return f"{people} approved it within {_span(approve.within)}{proof}{fresh}{standing}"


def _who(who: Who | None, everybody: str) -> str:
    if who is None:
        return everybody
    kind = {"agent": "Agents", "human": "People"}.get(str(who.kind) if who.kind else "", "Whoever is")
    said = [
        f"in {_list(who.groups, 'or')}" if who.groups else "",
        f"named {_list(who.subjects, 'or')}" if who.subjects else "",
        f"vouched for by {_list(who.issuers, 'or')}" if who.issuers else "",
        *(f"whose {name} is {_list(values, 'or')}" for name, values in (who.attributes or {}).items()),
    ]
    words = " and ".join(part for part in said if part)
    return f"{kind} {words}".strip() if words else kind


def _except(who: Who | None) -> str:
    return f"(but not: {_who(who, '').lower()})" if who is not None else ""


def _do(actions: Iterable[str]) -> str:
    listed = tuple(actions)
    return "do anything at all" if "any" in listed else _list([_ACTS.get(name, name) for name in listed], "or")


def _on(rule: Rule) -> str:
    targets = [f"{words} {_list(getattr(rule, key))}" for key, words in _TARGETS.items() if getattr(rule, key)]
    targets += [f"{kind} {_list(names)}" for kind, names in (rule.targets or {}).items()]
    accounts = f" as {_list(rule.accounts, 'or')}" if rule.accounts else ""
    when = "".join(f", where {fact} is {_list(values, 'or')}" for fact, values in (rule.when or {}).items())
    limits = rule.limit.model_dump(exclude_none=True) if rule.limit else {}
    bounds = f", at most {', '.join(f'{value} {key}' for key, value in limits.items())}" if limits else ""
    return f"{' and '.join(targets)}{' ' if targets else ''}on {_place(rule.resource)}{accounts}{when}{bounds}"


def _place(where: Where) -> str:
    said = [
        _list(where.names, "or") if where.names else "",
        f"what is reached by {_list(where.protocols, 'or')}" if where.protocols else "",
        *(f"what has {name} {_list(values, 'or')}" for name, values in _items(where.labels)),
    ]
    words = " and ".join(part for part in said if part)
    return "every resource" if words == "*" else words


def _items(labels: Mapping[str, tuple[str, ...]] | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield from (labels or {}).items()


def _list(names: Iterable[str], word: str = "and") -> str:
    listed = [f"anything but {name[1:]}" if name.startswith("!") else name for name in map(str, names)]
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} {word} {listed[-1]}"


def _span(seconds: int) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size and not seconds % size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
