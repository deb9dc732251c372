from dataclasses import replace

from doorward_console.web.rule_texts import rule_text
from doorward_core.approvals.request import HeldRule
from doorward_core.policy.load import parse_policy

POLICY = """\
version: 1
rules:
  - id: reads
    effect: allow
    resource: shop
    do: [read]
  - id: writes
    effect: hold
    # why, in a comment
    resource: shop
    do: [write]

    approve: {by: {groups: [dba]}}
  - id: ddl
    effect: block
    resource: shop
    do: [define]
"""


def test_a_rule_is_shown_as_its_author_wrote_it():
    policy = parse_policy(POLICY, "/etc/doorward/policy.yaml")
    rule = next(one for one in policy.rules if one.id == "writes")
    held = HeldRule("writes", rule.hash, frozenset({"dba"}), 1)
    shown = rule_text(policy, held)
    assert shown.text.startswith("- id: writes\n  effect: hold\n  # why, in a comment")
    assert shown.text.endswith("approve: {by: {groups: [dba]}}")
    assert (shown.source, shown.same) == ("policy.yaml:7", True)


def test_another_rule_under_the_same_name_says_so():
    policy = parse_policy(POLICY, "policy.yaml")
    held = HeldRule("writes", b"x" * 32, frozenset({"dba"}), 1)
    assert rule_text(policy, held).same is False
    assert rule_text(policy, replace(held, rule="gone")) is None
