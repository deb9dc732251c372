import pytest

from doorward_core.config_types import Vocabulary
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
    found = remarks(parse_policy(text, "policy.yaml"), RESOURCES, 10**18, {"postgres": None})
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


CLUSTER = {"prod": Resource("prod", "k8s"), **RESOURCES}
SPOKEN = {
    "k8s": Vocabulary(
        lambda name: "" if name == "secrets" else f"no column {name}",
        lambda pattern: "" if pattern == "shop/**" else f"no place {pattern}",
        lambda name, values: "" if values == ("all",) else f"no fact {name}",
    ),
    "postgres": None,
}
NAMED = """rules:
- {{id: a, effect: allow, resource: {where}, do: [read], objects: ["shop/**", "!shop/apps/deploy/*"], when: {{dryrun: [yes]}}}}
masks:
- {{id: m, resource: {where}, columns: [secrets, secret, public.reader.email, short.name], with: redact}}"""


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("prod", ["place !shop/apps/deploy/*", "fact dryrun", "column public.reader.email", "column secret", "column short.name"]),
        ("'*'", ["place !shop/apps/deploy/*", "column secret", "column short.name"]),
        ("app-db", ["`secret` matches nothing", "`secrets` matches nothing", "`short.name` matches nothing"]),
    ],
)  # fmt: skip
def test_names_are_doubted_that_no_protocol_has_of_those_that_are_meant(where, said):
    found = remarks(parse_policy(NAMED.format(where=where), "policy.yaml"), CLUSTER, 0, SPOKEN)
    assert len(found) == len(said), found
    assert all(words in item for words, item in zip(said, found, strict=True)), found


@pytest.mark.parametrize(("resources", "spoken"), [({}, {}), (CLUSTER, {}), (CLUSTER, {"postgres": None})])
def test_names_of_a_protocol_whose_proxy_is_not_here_are_let_be(resources, spoken):
    found = remarks(parse_policy(NAMED.format(where="prod"), "policy.yaml"), resources, 0, spoken)
    assert found == ()


def test_without_resources_a_name_is_doubted_where_every_protocol_doubts_it():
    found = remarks(parse_policy(NAMED.format(where="prod"), "policy.yaml"), {}, 0, SPOKEN)
    assert [item.rpartition(" ")[2] for item in found] == ["!shop/apps/deploy/*", "secret", "short.name"]


@pytest.mark.parametrize("column", ["$.card", "$..card", "header.x-customer-email", "header.x-*", "secrets:$.data"])
def test_what_hides_a_part_of_a_body_is_no_name_without_its_schema(column):
    policy = parse_policy(f"masks: [{{id: m, resource: crm, columns: ['{column}'], with: redact}}]", "policy.yaml")
    assert remarks(policy, {"crm": Resource("crm", "http")}, 0, {"http": None}) == ()
