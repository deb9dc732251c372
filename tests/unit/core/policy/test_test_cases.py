import pytest

from doorward_core.errors import ConfigError
from doorward_core.model import Action
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
