"""Rows of the attack corpus that policy and configuration answer by themselves, whatever the protocol."""

from types import MappingProxyType

import pytest

from doorward_core.config import load_config
from doorward_core.errors import ConfigError
from doorward_core.model import (
    Action,
    Approve,
    Atom,
    AuthMethod,
    Effect,
    Identity,
    Limit,
    Mask,
    Operation,
    PrincipalKind,
    ReasonCode,
    Record,
    Resource,
    Target,
)
from doorward_core.policy.load import parse_policy
from doorward_core.policy.rate import RateCounter

ALL = frozenset({Mask, Approve, Record, Limit})
DB = Resource("app-db", "postgres", MappingProxyType({}))
READ_AND_HOLD = """
include: [safe-catalog]
rules:
  - {id: read, effect: allow, resource: app-db, do: [read], tables: ["public.*"]}
  - {id: write, effect: hold, resource: app-db, do: [write], tables: ["public.*"], approve: {by: {groups: [dba]}}}
masks:
  - id: pii
    resource: app-db
    columns: ["public.customer.email", "*.iban", "*.card"]
    probe: {equality: allow, limit: 20/h, approve: {by: {groups: [privacy]}}}
"""


def agent(subject="crew-7", *groups):
    return Identity(subject, "https://idp.example", PrincipalKind.AGENT, frozenset(groups), AuthMethod.JWT, "jti", 0, 0)


def atom(action, name, *columns, kind="relation", detail=""):
    return Atom(Action(action), Target(kind, name, columns, detail))


def decide(policy, *atoms, who=None, complete=True, granted=frozenset()):
    operation = Operation(b"", 0, atoms[0].action, "V", atoms, "", b"", complete)
    return policy.decide(who or agent(), DB, operation, 0, granted, discharges=ALL)


@pytest.fixture
def policy():
    return parse_policy(READ_AND_HOLD, "policy.yaml")


@pytest.mark.parametrize(
    "name",
    [
        "pg_temp_3.customer",
        "evil.customer",
        "Public.customer",
        '"public.x".customer',
        '"public"".".customer',
        "evil.public.customer",
        "pg_catalog.pg_authid",
        'pg_catalog."pg_class.x"',
        "information_schema.user_mapping_options",
    ],
)
def test_pg_08_a_name_that_only_looks_like_an_allowed_one_is_refused(policy, name):
    assert decide(policy, atom("read", name)).effect is Effect.DENY


def test_pg_10_what_cannot_be_read_is_refused_under_any_policy_but_allow_all(policy):
    read = atom("read", "public.customer")
    assert decide(policy, read, complete=False).reason is ReasonCode.INDETERMINATE
    assert decide(policy, atom("unknown", "MERGE", kind="opaque")).effect is Effect.DENY
    narrow = parse_policy(
        "rules: [{id: a, effect: allow, resource: app-db, do: [any], tables: ['*'], functions: ['*']}]", "p"
    )
    assert decide(narrow, read, complete=False).effect is Effect.DENY
    everything = parse_policy("rules: [{id: a, effect: allow, resource: app-db, do: [any]}]", "p")
    assert decide(everything, read, complete=False).effect is Effect.PERMIT


@pytest.mark.parametrize("kind", ["role", "setting"])
def test_pg_28_changing_role_or_settings_is_blocked_unless_policy_grants_it(policy, kind):
    assert decide(policy, atom("admin", "dba", kind=kind)).effect is Effect.DENY
    key = {"role": "roles", "setting": "settings"}[kind]
    granting = parse_policy(
        f"rules: [{{id: a, effect: allow, resource: app-db, do: [admin], {key}: [dba]}}]", "policy.yaml"
    )
    assert decide(granting, atom("admin", "dba", kind=kind)).effect is Effect.PERMIT
    assert decide(granting, atom("admin", "postgres", kind=kind)).effect is Effect.DENY


def test_pg_20_a_write_hidden_behind_a_read_is_held_and_a_forbidden_one_blocked(policy):
    read = atom("read", "public.customer")
    assert decide(policy, read, atom("write", "public.orders")).effect is Effect.HOLD
    assert decide(policy, read, atom("write", "public.orders"), atom("write", "audit.trail")).effect is Effect.DENY
    assert decide(policy, read, atom("execute", "public.f", kind="function")).effect is Effect.DENY


def test_pg_81_conditions_on_masked_columns_are_held_but_for_counted_equality(policy):
    assert decide(policy, atom("probe", "public.customer", "email", detail="other")).effect is Effect.HOLD
    assert decide(policy, atom("probe", "public.customer", "email")).effect is Effect.HOLD
    equality = decide(policy, atom("probe", "public.customer", "email", detail="equality"))
    assert equality.effect is Effect.PERMIT
    counter, who = RateCounter(), ("https://idp.example", "crew-7")
    taken = [counter.take(who, policy.rates(equality), second * 10**9) for second in range(25)]
    assert [item is None for item in taken] == [True] * 20 + [False] * 5


def test_pg_81_a_list_of_guesses_in_one_statement_is_as_many_guesses(policy):
    names = [f"public.t{number}" for number in range(30)]
    decision = decide(policy, *(atom("probe", name, "iban", detail="equality") for name in names))
    assert RateCounter().take("me", policy.rates(decision), 0) is not None


def test_pg_81_no_allow_for_any_action_opens_masked_columns_to_conditions():
    policy = parse_policy(
        READ_AND_HOLD.replace("rules:\n", "rules:\n  - {id: all, effect: allow, resource: '*', do: [any]}\n"), "p"
    )
    assert decide(policy, atom("probe", "public.customer", "email", detail="other")).effect is Effect.HOLD


def test_ap_02_a_grant_dies_with_its_rule_and_not_with_a_neighbour(policy):
    write = atom("write", "public.orders")
    (approve,) = decide(policy, write).approvals
    granted = frozenset({(approve.rule, approve.rule_hash)})
    unrelated = parse_policy(READ_AND_HOLD.replace('["public.*"]}', '["public.*", "x.y"]}', 1), "p")
    assert decide(unrelated, write, granted=granted).effect is Effect.PERMIT
    changed = parse_policy(READ_AND_HOLD.replace("groups: [dba]", "groups: [ciso]"), "p")
    assert decide(changed, write, granted=granted).effect is Effect.HOLD
    blocked = parse_policy(
        READ_AND_HOLD.replace("rules:\n", "rules:\n  - {id: no, effect: block, resource: '*', do: [write]}\n"), "p"
    )
    assert decide(blocked, write, granted=granted).effect is Effect.DENY


def test_ap_04_names_in_advice_cannot_forge_a_line_or_turn_the_text(policy):
    name = "public.x\r\nApproved by: ciso \u202e\u200b\x1b[2J"
    advice = decide(policy, atom("define", name)).advice
    assert advice.isprintable()
    assert "\\u000d\\u000aApproved by" in advice


@pytest.mark.parametrize(
    "place", ["password: CANARY", "password: {env: 'CANARY !'}", "pasword: CANARY", "user: [CANARY]"]
)
def test_id_06_a_secret_pasted_into_the_configuration_is_refused_and_not_repeated(tmp_path, place):
    path = tmp_path / "doorward.yaml"
    secret = "hunter2-canary"
    text = f"resources:\n  db:\n    accounts:\n      app: {{user: app, {place.replace('CANARY', secret)}}}\n"
    path.write_text(text.replace("{user: app, user:", "{user:"))
    with pytest.raises(ConfigError) as raised:
        load_config(path)
    assert len(raised.value.problems) > 3
    assert secret not in str(raised.value)
