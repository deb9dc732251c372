import pytest

from doorward_core.errors import ConfigError
from doorward_core.policy.load import parse_policy


def faults(text):
    with pytest.raises(ConfigError) as raised:
        parse_policy(text, "p.yaml")
    return list(raised.value.problems)


def rules(*lines):
    return "rules:\n" + "".join(f"  - {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{id: a, effect: hold, resource: x, do: [write]}", "a hold needs `approve`"),
        ("{id: a, effect: allow, resource: x, do: [write], approve: {by: {groups: [d]}}}", "`approve` belongs to"),
        ("{id: a, effect: block, resource: x, do: [write], limit: {rows: 1}}", "`limit` and `record` have no meaning"),
        ("{id: a, effect: block, resource: x, do: [write], record: payload}", "`limit` and `record` have no meaning"),
        ("{id: a, effect: block, resource: x, do: [write], connect: false}", "`connect: false` has no meaning"),
        ("{id: a, effect: allow, resource: x, do: []}", "an empty list"),
        ("{id: a, effect: allow, resource: x, do: read}", "rules[0].do: expected a list, found text"),
        ("{id: a, effect: allow, resource: x}", "rules[0].do: is missing"),
        ("{id: a, effect: allow, do: [read]}", "rules[0].resource: is missing"),
        ("{id: a, effect: allow, resource: {}, do: [read]}", "says nothing"),
        ("{id: a, effect: allow, resource: {label: {a: [b]}}, do: [read]}", "did you mean `labels`?"),
        ("{id: a, effect: allow, resource: x, who: {}, do: [read]}", "says nothing"),
        ("{id: a, effect: allow, resource: x, who: {group: [a]}, do: [read]}", "did you mean `groups`?"),
        ("{id: a, effect: allow, resource: x, who: {groups: []}, do: [read]}", "an empty list matches nobody"),
        ("{id: a, effect: allow, resource: x, who: {groups: ['!a']}, do: [read]}", "write `unless"),
        ("{id: a, effect: allow, resource: x, who: {kind: robot}, do: [read]}", "expected `agent` or `human`"),
        ("{id: a, effect: allow, resource: x, do: [read], tables: ['!a']}", "exceptions alone"),
        ("{id: a, effect: allow, resource: x, do: [read], tables: ['a[bc]']}", "a pattern knows"),
        ("{id: a, effect: allow, resource: x, do: [read], tables: ['']}", "expected a name or a pattern"),
        ("{id: a, effect: allow, resource: x, do: [read], tables: [1]}", "tables[0]: expected text, found a number"),
        ("{id: a, effect: allow, resource: x, do: [read], targets: {relation: [a]}}", "write `tables:` instead"),
        ("{id: a, effect: allow, resource: x, do: [read], limit: {}}", "says nothing"),
        ("{id: a, effect: allow, resource: x, do: [read], limit: {bytes: 5}}", "a size with its unit"),
        ("{id: a, effect: allow, resource: x, do: [read], until: soon}", "expected a day"),
        ("{id: 'a b', effect: allow, resource: x, do: [read]}", "expected a name of letters"),
        ("{id: a, effect: hold, resource: x, do: [read], approve: {by: {groups: []}}}", "an empty list"),
        ("{id: a, effect: hold, resource: x, do: [read], approve: {by: {groups: [d]}, quorum: 0}}", "greater than or"),
        ("{id: a, effect: hold, resource: x, do: [read], approve: {by: {groups: [d]}, within: 10}}", "with its unit"),
        (
            "{id: a, effect: hold, resource: x, do: [read], approve: {by: {groups: [d]}, proof: none}}",
            "`token`, `sshsig`",
        ),
        ("{id: a, effect: hold, resource: x, do: [read], approve: {by: {groups: [d]}, proof: []}}", "a list of them"),
        ("{id: a, effect: hold, resource: x, do: [read], approve: {by: {groups: [d]}, fresh: 0s}}", "fresh"),
        ("{id: a, effect: hold, resource: x, do: [read], approve: {by: {groups: [d]}, standing: 8d}}", "at most 7d"),
    ],
)
def test_a_rule_that_could_not_mean_what_it_says_is_a_fault(rule, said):
    found = faults(rules(rule))
    assert any(said in item for item in found), found


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        ("{id: m, resource: x}", "hides nothing"),
        ("{id: m, resource: x, detect: []}", "an empty list"),
        ("{id: m, columns: ['*']}", "resource: is missing"),
        ("{id: m, resource: x, columns: ['*.a'], probe: {limit: 20/h}}", "here nothing is"),
        ("{id: m, resource: x, columns: ['*.a'], probe: {equality: allow, limit: 0/h}}", "greater than or"),
        ("{id: m, resource: x, columns: ['*.a'], probe: {equality: allow, limit: 5/w}}", "periods: s, m, h, d"),
        ("{id: m, resource: x, columns: ['*.a'], probe: {equalty: allow}}", "did you mean `equality`?"),
        ("{id: m, resource: x, columns: ['*.a'], exept: {groups: [a]}}", "did you mean `except`?"),
    ],
)
def test_a_mask_that_could_not_mean_what_it_says_is_a_fault(mask, said):
    found = faults(f"masks:\n  - {mask}\n")
    assert any(said in item for item in found), found


def test_a_rules_hash_changes_with_its_meaning_and_not_with_its_neighbours():
    hold = "{id: h, effect: hold, resource: x, do: [write], approve: {by: {groups: [dba]}}}"
    before = parse_policy(rules(hold), "p.yaml").rules[0].hash
    beside = parse_policy(rules("{id: a, effect: allow, resource: x, do: [read]}", hold), "p.yaml").rules[1].hash
    changed = parse_policy(rules(hold.replace("dba", "dbb")), "p.yaml").rules[0].hash
    assert before == beside
    assert before != changed


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sshsig", "sshsig"),
        ("[webauthn]", "webauthn"),
        ("[webauthn, sshsig, webauthn]", "sshsig or webauthn"),
        ("[webauthn, token]", "token"),
    ],
)
def test_kinds_of_proof_have_one_form_whatever_their_order(written, meant):
    approve = f"approve: {{by: {{groups: [d]}}, proof: {written}, fresh: 5m}}"
    policy = parse_policy(rules(f"{{id: a, effect: hold, resource: x, do: [read], {approve}}}"), "p.yaml")
    (hold,) = (rule.approve for rule in policy.rules if rule.approve)
    assert (hold.proof, hold.fresh_s) == (meant, 300)
