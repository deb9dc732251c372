import json

from doorward_core.model import Resource
from doorward_core.policy.explain import explain, explain_connect

TEXT = """
rules:
  - id: read
    effect: allow
    who: {groups: [analysts]}
    resource: app-db
    do: [read]
    tables: ["public.*"]
  - id: write
    effect: hold
    who: {groups: [analysts]}
    resource: app-db
    do: [write]
    approve: {by: {groups: [dba]}}
  - id: no-audit
    effect: block
    resource: app-db
    do: [write]
    tables: ["audit.*"]
"""


def test_each_atom_is_told_with_what_matched_and_what_decided(asking):
    ask = asking(TEXT)
    operation = ask.operation(ask.atom("read", "public.a"), ask.atom("write", "audit.trail"))
    told = explain(ask.policy, ask.who("analysts"), ask.resource, operation)
    assert told.as_text() == (
        "block (rule)\n"
        "  Blocked by rule `no-audit`: write on relation audit.trail.\n"
        "- read on relation public.a: allow\n"
        "    decided: read (allow) at policy.yaml:3\n"
        "- write on relation audit.trail: block\n"
        "    matched: write (hold) at policy.yaml:9\n"
        "    decided: no-audit (block) at policy.yaml:15"
    )
    data = told.as_data()
    assert json.loads(json.dumps(data)) == data
    assert data["atoms"][1]["matched"][1]["decided"] is True


def test_a_rule_that_would_have_allowed_but_for_one_thing_is_named(asking):
    ask = asking(TEXT)

    def nearly(identity, resource, atom):
        told = explain(ask.policy, identity, resource, ask.operation(atom))
        return [(rule.id, rule.but) for rule in told.atoms[0].nearly]

    read = ask.atom("read", "public.a")
    assert nearly(ask.who("others"), ask.resource, read) == [("read", "it is not about this identity (`who`)")]
    other = Resource("x-db", "postgres")
    assert nearly(ask.who("analysts"), other, read) == [("read", "it is not about resource x-db")]
    named = nearly(ask.who("analysts"), ask.resource, ask.atom("read", "a.b"))
    assert ("read", "it does not name relation a.b") in named
    assert ("read", "it does not name define (`do`)") in nearly(
        ask.who("analysts"), ask.resource, ask.atom("define", "public.a")
    )


def test_a_hold_tells_who_must_approve(asking):
    ask = asking(TEXT)
    told = explain(ask.policy, ask.who("analysts"), ask.resource, ask.operation(ask.atom("write", "public.a")))
    assert "approval by 1 of dba within 600s, asked for by `write`" in told.as_text()


def test_opening_a_session_is_explained_too(asking):
    ask = asking(TEXT)
    assert explain_connect(ask.policy, ask.who("analysts"), ask.resource).as_data()["effect"] == "allow"
    refused = explain_connect(ask.policy, ask.who("x"), ask.resource).as_data()
    assert refused["effect"] == "block"
    assert refused["atoms"][0]["nearly"][0]["but"] == "it is not about this identity (`who`)"


def test_what_is_for_another_account_is_told_as_nearly(asking):
    ask = asking("rules: [{id: a, effect: allow, resource: app-db, accounts: [deploy], do: [read]}]")
    operation = ask.operation(ask.atom("read", "public.a"))
    for account, words in (("root", "it is not about account root"), ("", "it is not about an unnamed account")):
        place = Resource("app-db", "postgres", account=account)
        (atom,) = explain(ask.policy, ask.who(), place, operation).atoms
        assert atom.nearly[0].but == f"{words} (`accounts`)"
