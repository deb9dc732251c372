import pytest

from doorward_core.model import Resource
from doorward_core.policy.lint import remarks, unmet, unprovable
from doorward_core.policy.load import parse_policy

RESOURCES = {"app-db": Resource("app-db", "postgres")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [{id: a, effect: allow, resource: ap-db, do: [read]}]", "`ap-db`; did you mean `app-db`?"),
        ("rules: [{id: a, effect: allow, resource: {labels: {env: [x]}}, do: [read]}]", "is about no configured"),
        ("rules: [{id: a, effect: allow, resource: app-db, do: [read], until: 1999-01-01}]", "has ended"),
        (
            "rules:\n- {id: a, effect: allow, resource: app-db, do: [read]}\n- {id: b, effect: block, resource: '*', do: [any]}",
            "policy.yaml:2: a: is never heard: `b`",
        ),
        (
            """rules:
              - {id: a, effect: allow, resource: app-db, do: [any]}
              - {id: b, effect: block, resource: app-db, do: [any], tables: [public.secret]}""",
            "b: blocks by name, but `a` lets through what cannot be read",
        ),
        ("masks: [{id: m, resource: app-db, columns: ['*.a'], probe: {equality: allow}}]", "found by guessing"),
        ("masks: [{id: m, resource: app-db, columns: ['*.a'], probe: {other: allow}}]", "bit by bit"),
        (
            "rules: [{id: a, effect: allow, resource: app-db, do: [read], limit: {rows: 5}}]",
            "a: has `limit`, which only files over SFTP are kept to",
        ),
        ("masks: [{id: m, resource: app, columns: ['*.a']}]", "`app`"),
        (
            "rules: [{id: a, effect: block, resource: app-db, do: [write], tables: [public.a, '*', loan]}]",
            "a: `loan` matches nothing: names are `schema.table`, as `public.loan` or `*.loan`",
        ),
        (
            "rules: [{id: a, effect: block, resource: app-db, do: [read], tables: ['public.*', '!\"odd.name\"']}]",
            'a: `"odd.name"` matches nothing',
        ),
        (
            "masks: [{id: m, resource: app-db, columns: [customer.email], with: redact}]",
            "m: `customer.email` matches nothing: names are `schema.table.column`, as `public.customer.email`",
        ),
    ],
)
def test_what_may_not_have_been_meant_is_remarked(text, said):
    found = remarks(parse_policy(text, "policy.yaml"), RESOURCES, 10**18)
    assert any(said in item for item in found), found


def test_names_that_a_target_does_not_have_are_remarked_with_the_nearest():
    text = """rules:
- {id: a, effect: block, resource: app-db, do: [write], tables: [public.laon, 'public.*', 'old.*', pg_catalog.pg_new]}
- {id: b, effect: block, resource: other, do: [write], tables: [public.laon]}
- {id: c, effect: allow, resource: app-db, do: [read], columns: [public.loan.id, public.loan.du]}
masks:
- {id: m, resource: app-db, columns: [public.reader.emial, '*.email', '*.iban']}
- {id: n, resource: app-db, detect: [email]}"""
    columns = frozenset({"public.loan.id", "public.loan.due", "public.reader.email"})
    policy = parse_policy(text, "policy.yaml")
    assert unmet(policy, RESOURCES["app-db"], frozenset({"public.loan", "public.reader"}), columns) == (
        "policy.yaml:2: a: `public.laon` is not in app-db; did you mean `public.loan`?",
        "policy.yaml:2: a: `old.*` is not in app-db",
        "policy.yaml:4: c: `public.loan.du` is not in app-db; did you mean `public.loan.due`?",
        "policy.yaml:6: m: `public.reader.emial` is not in app-db; did you mean `public.reader.email`?",
        "policy.yaml:6: m: `*.iban` is not in app-db",
    )


def test_a_plain_policy_has_no_remarks():
    text = (
        "include: [safe-catalog]\nrules:\n"
        "- {id: a, effect: allow, resource: app-db, do: [read], tables: ['public.*']}\n"
        "- {id: b, effect: block, resource: app-db, do: [define, admin, unknown]}\n"
        "masks: [{id: m, resource: app-db, columns: ['*.a'], probe: {equality: allow, limit: 20/h}}]"
    )
    assert remarks(parse_policy(text, "policy.yaml"), RESOURCES, 0) == ()


def test_a_block_for_some_accounts_silences_nobody():
    text = """rules:
      - {id: a, effect: allow, resource: app-db, do: [read]}
      - {id: b, effect: block, resource: app-db, accounts: [root], do: [any]}
      - {id: c, effect: block, resource: "*", accounts: [root], do: [any]}"""
    assert remarks(parse_policy(text, "policy.yaml"), RESOURCES) == ()


@pytest.mark.parametrize(
    ("proof", "kinds", "said"),
    [
        ("token", {"token"}, False),
        ("webauthn", {"token", "sshsig"}, True),
        ("webauthn", {"token", "webauthn"}, False),
        ("[sshsig, webauthn]", {"token", "sshsig"}, False),
        ("[sshsig, webauthn]", {"token"}, True),
    ],
)
def test_a_proof_that_nobody_can_give_is_worth_a_look(proof, kinds, said):
    hold = f"approve: {{by: {{groups: [dba]}}, proof: {proof}}}"
    text = f"rules: [{{id: a, effect: hold, resource: app-db, do: [write], {hold}}}]"
    assert bool(unprovable(parse_policy(text, "policy.yaml"), frozenset(kinds))) is said
