"""A rule of a policy as its author wrote it, for whoever is asked to decide by it.

What it is: from a policy that was loaded and a rule's id to the lines of its file.
What it will not do: load anything (`pages` do, in a thread), or say what a rule means (`policy.explain`).

Invariants: pure; a rule that is not the one that held the request (another content under the same id) says so.
"""

from dataclasses import dataclass

from doorward_core.approvals.request import HeldRule
from doorward_core.policy.compile import CompiledRule
from doorward_core.policy.decide import Policy

MAX_LINES = 60
"""Of one rule, on a page; the longest of the shipped policies has twenty."""


@dataclass(frozen=True, slots=True)
class RuleText:
    """The lines of a rule, where they are (`file:line`), and whether it is the very rule that held the request."""

    text: str
    source: str
    same: bool


def rule_text(policy: Policy, held: HeldRule) -> RuleText | None:
    """The rule's text; None where the policy has no such rule."""
    found = next((rule for rule in policy.rules if rule.id == held.rule), None)
    if found is None:
        return None
    return RuleText(_lines(policy, found), found.source.rpartition("/")[2], found.hash == held.rule_hash)


def _lines(policy: Policy, rule: CompiledRule) -> str:
    name, _, number = rule.source.rpartition(":")
    lines = policy.texts.get(name, "").split("\n")
    start = int(number) - 1 if number.isdecimal() else len(lines)
    if not 0 <= start < len(lines):
        return ""
    depth = _indent(lines[start])
    end = start + 1
    while end < min(len(lines), start + MAX_LINES) and (not lines[end].strip() or _indent(lines[end]) > depth):
        end += 1
    return "\n".join(line[depth:] for line in lines[start:end]).rstrip()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
