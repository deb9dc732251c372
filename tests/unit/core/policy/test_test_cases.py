import pytest

from doorward_core.errors import ConfigError
from doorward_core.model import Action, Atom, Operation, Target
from doorward_core.policy.load import parse_policy
from doorward_core.policy.test_cases import parse_cases, run_cases

POLICY = """
rules:
  - {id: read, effect: allow, who: {groups: [analysts]}, resource: app-db, do: [read], tables: ["public.*"]}
  - {id: write, effect: hold, who: {groups: [analysts]}, resource: app-db, do: [write], approve: {by: {groups: [dba]}}}
"""
HEAD = """\
identities:
  ana: {groups: [analysts]}
  bob: {kind: human}
resources:
  app-db: {}
cases:
"""


def run(asking, *cases, read_sql=None):
    text = HEAD + "".join(f"  - {case}\n" for case in cases)
    return run_cases(asking(POLICY).policy, parse_cases(text, "c.yaml"), read_sql)


def test_cases_pass_and_fail_in_the_order_of_the_file(asking):
    results = run(
        asking,
        "{name: reads, must: allow, as: ana, on: app-db, atoms: [{do: read, table: public.a}], by: [read]}",
        "{name: holds, must: hold, as: ana, on: app-db, atoms: [{do: read, table: public.a}, {do: write, table: b}]}",
        "{name: blocks, must: block, as: bob, on: app-db, atoms: [{do: read, table: public.a}]}",
        "{name: enters, must: allow, as: ana, on: app-db, connect: true}",
        "{name: fails, must: block, as: ana, on: app-db, atoms: [{do: read, table: public.a}]}",
        "{name: otherwise, must: allow, as: ana, on: app-db, atoms: [{do: read, table: public.a}], by: [write]}",
        "{name: kinds, must: block, as: ana, on: app-db, atoms: [{do: define, target: {schema: x}}]}",
    )
    assert [result.passed for result in results] == [True, True, True, True, False, False, True]
    assert results[4].problem == "must block, but the policy says allow"
    assert results[5].problem == "decided without write; by read"
    assert results[4].source == "c.yaml:11"
    assert results[4].explanation is not None


def test_sql_is_read_by_whoever_can(asking):
    case = "{name: sql, must: hold, as: ana, on: app-db, sql: update a set b = 1}"
    (result,) = run(asking, case)
    assert not result.passed
    assert "cannot be read here" in result.problem

    def read_sql(text, resource):
        assert (text, resource.name) == ("update a set b = 1", "app-db")
        ask = asking(POLICY)
        return ask.operation(ask.atom(Action.WRITE, "public.a"))

    assert run(asking, case, read_sql=read_sql)[0].passed


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("{name: a, must: alow, as: ana, on: app-db, connect: true}", "did you mean `allow`?"),
        ("{name: a, must: allow, as: anna, on: app-db, connect: true}", "7: cases[0].as: `anna` is not described"),
        ("{name: a, must: allow, as: ana, on: app, connect: true}", "did you mean `app-db`?"),
        ("{name: a, must: allow, as: ana, on: app-db}", "asks exactly one of"),
        ("{name: a, must: allow, as: ana, on: app-db, connect: true, sql: x}", "asks exactly one of"),
        ("{name: a, must: allow, as: ana, on: app-db, atoms: []}", "at least one entry"),
        ("{name: a, must: allow, as: ana, on: app-db, atoms: [{do: any, table: x}]}", "`any` is for rules"),
        ("{name: a, must: allow, as: ana, on: app-db, atoms: [{do: read}]}", "needs exactly one of"),
        ("{name: a, must: allow, as: ana, on: app-db, atoms: [{do: read, tabel: x}]}", "did you mean `table`?"),
    ],
)
def test_a_faulty_case_is_told_with_its_line(case, said):
    with pytest.raises(ConfigError) as raised:
        parse_cases(HEAD + f"  - {case}\n", "c.yaml")
    assert any(said in item for item in raised.value.problems), raised.value.problems


REQUESTS = """\
identities: {ana: {groups: [sales]}}
resources: {crm: {protocol: http}}
cases:
  - {name: reads, as: ana, on: crm, must: allow, request: "GET /customers", headers: {x-tenant: a}}
  - {name: atom, as: ana, on: crm, must: allow, atoms: [{do: read, request: GET /customers}], facts: {header.x-tenant: [a]}}
  - {name: no facts, as: ana, on: crm, must: block, atoms: [{do: read, request: GET /customers}]}
"""


def _sales():
    return parse_policy(
        '{"rules": [{"id": "r", "effect": "allow", "resource": "crm", "do": ["read"], "requests": ["GET /customers"],'
        ' "when": {"header.x-tenant": ["a"]}}]}',
        "policy.yaml",
    )


def test_a_case_asks_with_a_request_and_with_facts():
    def read(asked, resource):
        assert (asked.line, resource.name) == ("GET /customers", "crm")
        atom = Atom(Action.READ, Target("request", asked.line))
        return Operation(b"", 0, Action.READ, "GET", (atom,), "", b"", facts={"header.x-tenant": ("a",)})

    results = run_cases(_sales(), parse_cases(REQUESTS, "cases.yaml"), read_request=read)
    assert [result.problem for result in results] == ["", "", ""]


def test_a_case_with_a_request_fails_where_requests_cannot_be_read():
    (first, *_) = run_cases(_sales(), parse_cases(REQUESTS, "cases.yaml"))
    assert first.problem == "this case asks with a request, and requests cannot be read here"


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("connect: true, body: x", "go with `request`"),
        ("connect: true, facts: {a: [b]}", "go with `atoms`"),
        ("request: GET /, connect: true", "exactly one"),
    ],
)
def test_a_case_that_asks_two_things_is_refused(case, words):
    head = "identities: {a: {}}\nresources: {r: {}}\ncases:\n  - {name: n, as: a, on: r, must: allow, "
    text = f"{head}{case}}}\n"
    with pytest.raises(ConfigError, match=words):
        parse_cases(text, "cases.yaml")


def test_a_case_may_say_as_which_account(asking):
    policy = asking("rules: [{id: a, effect: allow, resource: app-db, accounts: [deploy], do: [read]}]").policy
    case = "  - {name: %s, must: %s, as: ana, on: app-db, account: %s, atoms: [{do: read, table: a}]}\n"
    text = HEAD + case % ("one", "allow", "deploy") + case % ("other", "block", "root")
    assert all(result.passed for result in run_cases(policy, parse_cases(text, "c.yaml")))
