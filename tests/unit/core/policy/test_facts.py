"""Facts of an operation: every one in an allow, a possible one in a hold or a block."""

import json

import pytest

from doorward_core.errors import ConfigError
from doorward_core.model import Action, Effect, Operation, Resource, Target
from doorward_core.model import Atom as ModelAtom
from doorward_core.policy.facts import compile_when, is_fact
from doorward_core.policy.load import parse_policy

CRM = Resource("crm", "http")


@pytest.mark.parametrize(
    ("facts", "allows", "blocks"),
    [
        ({"query.limit": ("10",)}, True, True),
        ({"query.limit": ("10", "10")}, True, True),
        ({"query.limit": ("10", "9999")}, False, True),
        ({"query.limit": ("9999",)}, False, False),
        ({"query.limit": ()}, False, False),
        ({}, False, True),
    ],
)
def test_what_a_condition_speaks_of(facts, allows, blocks):
    when = compile_when({"query.limit": ("10", "20")})
    assert when.match(facts, allows=True) is allows
    assert when.match(facts, allows=False) is blocks


def test_every_key_must_hold():
    when = compile_when({"query.a": ("1",), "query.b": ("2",)})
    assert when.match({"query.a": ("1",), "query.b": ("2",)}, allows=True)
    assert not when.match({"query.a": ("1",), "query.b": ("3",)}, allows=True)
    assert not when.match({"query.a": ("1",), "query.b": ("3",)}, allows=False)
    assert when.match({"query.a": ("1",)}, allows=False)


@pytest.mark.parametrize(
    ("key", "good"),
    [
        ("query.limit", True),
        ("header.x-tenant", True),
        ("body.$.items[*].sku", True),
        ("host", True),
        ("Query.x", False),
        ("query.", False),
        (".x", False),
        ("query. x", False),
        ("query.a\nb", False),
        ("", False),
    ],
)
def test_names_of_facts(key, good):
    assert is_fact(key) is good


def _policy(*rules):
    return parse_policy(
        json.dumps({"rules": [{"resource": "crm", "do": ["any"], **rule} for rule in rules]}), "policy.yaml"
    )


def _decide(policy, identity, facts, action=Action.READ):
    atom = ModelAtom(action, Target("request", "GET /customers"))
    operation = Operation(b"", 0, action, "GET", (atom,), "", b"", facts=facts)
    return policy.decide(identity, CRM, operation, 0, discharges=frozenset())


def test_a_policy_tells_which_facts_it_wants_of_a_resource():
    policy = _policy(
        {"id": "a", "effect": "allow", "when": {"query.limit": ["10"]}},
        {"id": "b", "effect": "block", "when": {"header.x-tenant": ["*"], "query.q": ["*"]}},
        {"id": "c", "effect": "block", "resource": "other", "when": {"query.z": ["*"]}},
    )
    assert policy.wanted(CRM) == {"query.limit", "header.x-tenant", "query.q"}


def test_a_policy_tells_which_facts_can_matter_to_one_operation(analyst):
    policy = _policy(
        {"id": "a", "effect": "allow", "requests": ["GET /customers"], "when": {"query.limit": ["10"]}},
        {"id": "b", "effect": "block", "requests": ["GET /orders"], "when": {"body.$.x": ["*"]}},
        {"id": "c", "effect": "block", "do": ["write"], "when": {"body.$.y": ["*"]}},
    )
    atom = ModelAtom(Action.READ, Target("request", "GET /customers"))
    operation = Operation(b"", 0, Action.READ, "GET", (atom,), "", b"")
    assert policy.minded(analyst, CRM, operation) == {"query.limit"}


def test_so_it_does_of_an_operation_on_objects(analyst):
    policy = _policy(
        {"id": "a", "effect": "block", "objects": ["shop/core/pods/portforward/*"], "when": {"port": ["22"]}},
        {"id": "b", "effect": "block", "objects": ["store/**"], "when": {"dry-run": ["no"]}},
    )
    atom = ModelAtom(Action.FORWARD, Target("object", "shop/core/pods/portforward/web-0", (), "connect"))
    operation = Operation(b"", 0, Action.FORWARD, "portforward", (atom,), "", b"")
    assert policy.minded(analyst, CRM, operation) == {"port"}


def test_a_block_on_a_fact_blocks_where_it_is_so_or_not_known(analyst):
    policy = _policy(
        {"id": "all", "effect": "allow"}, {"id": "no-export", "effect": "block", "when": {"query.export": ["*"]}}
    )
    assert _decide(policy, analyst, {"query.export": ()}).effect is Effect.PERMIT
    assert _decide(policy, analyst, {"query.export": ("1",)}).effect is Effect.DENY
    assert _decide(policy, analyst, {}).effect is Effect.DENY


def test_a_rule_with_a_condition_never_shuts_the_door_and_opens_it_as_any_other(analyst):
    blocks = _policy(
        {"id": "all", "effect": "allow"}, {"id": "no-export", "effect": "block", "when": {"query.export": ["*"]}}
    )
    assert blocks.connect(analyst, CRM, 0).effect is Effect.PERMIT
    assert blocks.could(analyst, CRM, frozenset({Action.READ}))
    opens = _policy({"id": "small", "effect": "allow", "when": {"query.limit": ["10"]}})
    assert opens.connect(analyst, CRM, 0).effect is Effect.PERMIT
    assert _decide(opens, analyst, {}).effect is Effect.DENY


@pytest.mark.parametrize(
    ("when", "words"),
    [({}, "says nothing"), ({"Query": ["x"]}, "no name of a fact"), ({"query.x": []}, "empty list")],
)
def test_a_policy_says_what_is_wrong_with_its_conditions(when, words):
    with pytest.raises(ConfigError, match=words):
        _policy({"id": "x", "effect": "allow", "when": when})
