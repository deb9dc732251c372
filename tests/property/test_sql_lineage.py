"""However a query is wrapped, its columns keep their masks; whatever stands anywhere in a statement is seen."""

import json

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgast import pg_query_pb2 as pb
from sql_stand import VECTORS, context, look, outputs

from doorward_core.model import Action
from doorward_core.sql.analyze import analyze
from doorward_core.sql.census import take_census
from doorward_core.sql.parse import ParsedMessage, ParsedStatement, parse

QUERIES = (
    "select id, email, name from customer",
    "select id, email || name, 1 from customer",
    "select a.id, b.email, a.note from orders a join customer b on a.customer_id = b.id",
    "select id, contact, shout from customer_view",
    "select count(*), max(email), max(name) from customer group by country",
    "select id, email, y from part_1",
    "select 1, 'x', null union all select id, email, name from customer",
    "select id, row_to_json(c)::text, (c).name from customer c",
)
WRAPPERS = (
    "select * from ({}) w",
    "select w.* from ({}) w",
    "select a, b, c from ({}) w(a, b, c)",
    "with w as ({}) select * from w",
    "with w(a, b, c) as materialized ({}) select a, b, c from w",
    "with recursive w as ({}) table w",
    "select l.* from (select 1) o, lateral ({}) l",
    "({}) union all select null, null, null where false",
    "select * from ({}) w order by random()",
    "select (w).* from ({}) w",
    "select * from (({}) w cross join (select) e)",
    "select * from ({}) w limit 3",
)


@settings(max_examples=150)
@given(st.sampled_from(QUERIES), st.lists(st.sampled_from(WRAPPERS), max_size=4))
def test_wrapping_a_query_changes_no_mask(query: str, wrappers: list[str]) -> None:
    expected = [text.rpartition(" ")[2] for text in outputs(look(query))]
    wrapped = query
    for wrapper in wrappers:
        wrapped = wrapper.format(wrapped)
    found = look(wrapped)
    assert found.complete, (found.problem, wrapped)
    assert [text.rpartition(" ")[2] for text in outputs(found)] == expected, wrapped


EXPRESSIONS = (
    "{0} || 'x'", "lower({0})", "coalesce({0}, 'x')", "case when true then {0} else '' end", "(select {0})",
    "{0}::text", "concat({0}, 1)", "(array[{0}])[1]", "to_json({0})::text", "max({0}) over ()", "nullif({0}, '')",
    "substr({0}, 1, 2)", '{0} collate "C"', "(select max(z) from (values ({0})) v(z))", "md5({0})",
    "jsonb_build_object('a', {0})::text", "(row({0}))::text", "greatest({0}, 'x')",
)  # fmt: skip


@settings(max_examples=150)
@given(st.lists(st.sampled_from(EXPRESSIONS), max_size=6), st.sampled_from(["email", "c.email", "(c).card", "c::text"]))
def test_no_chain_of_expressions_clears_a_masked_column(chain: list[str], column: str) -> None:
    expression = column
    for wrapper in chain:
        expression = wrapper.format(expression)
    found = look(f"select {expression} as x from customer c")
    assert outputs(found) == ["x masked"], expression


@settings(max_examples=100)
@given(st.lists(st.sampled_from(EXPRESSIONS), max_size=6))
def test_chains_over_plain_columns_stay_clear_and_pure(chain: list[str]) -> None:
    expression = "name"
    for wrapper in chain:
        expression = wrapper.format(expression)
    found = look(f"select {expression} as x from customer c")
    assert found.pure
    assert outputs(found) == ["x clear"]


STATEMENTS = (
    *QUERIES,
    "select distinct on (id) id, sum(total) filter (where note = 'a') over w from orders window w as (order by id)",
    "select id from orders where id in (1, 2) and note like 'a' or total between 1 and 2 group by id having count(*) > 1",
    "select case id when 1 then 'a' else 'b' end, array[1, 2], row(1, 2), (array[1])[1:2] from orders order by 1 limit 1",
    "select * from generate_series(1, 2) g, lateral (select g + 1) l, rows from (unnest(array[1])) r",
    "select string_agg(note, ',' order by id), percentile_cont(0.5) within group (order by total) from orders",
    "insert into orders (id, note) values (1, 'a') on conflict (id) do update set note = 'b' where orders.id = 2 returning id",
    "update orders o set note = 'a', (id, total) = (select 1, 2) from customer c where c.id = 1 returning o.id + 1",
    "delete from orders using customer c where c.id = 1 and orders.id = 2 returning id",
    "merge into orders o using customer c on c.id = 1 when matched and o.id = 2 then update set note = 'a' when not matched then insert values (1)",
    "with recursive t(n) as (select 1 union all select n + 1 from t where n < 5) search depth first by n set s select n from t",
    "explain (analyze) select id from orders where id = 1",
    "prepare p as select id from orders where id = 1",
    "declare c cursor for select id from orders where id = 1",
    "copy (select id from orders where id = 1) to stdout",
    "copy orders from stdin where id = 1",
    "create table t as select id from orders where id = 1",
    "create table t (a int default 1 check (a > 1), b int generated always as (1 + 1) stored)",
    "create view v as select id from orders where id = 1",
    "create index on orders ((id + 1)) where total > 1",
    "alter table orders add check (id > 1), alter total type int using 1, alter note set default 'a'",
    "create policy p on orders using (id = 1) with check (id = 2)",
    "create rule r as on update to orders where id = 1 do instead delete from customer where id = 2",
    "create trigger t before update on orders for each row when (old.id = 1) execute function f()",
    "select json_object('a': 1), json_array(1, 2), json_arrayagg(id order by id), json_value(jsonb '1', '$' default 1 on empty) from orders",
    "select * from json_table(jsonb '[]', '$' passing 1 as x columns (a int path '$' default 1 on error)) t",
    "select * from xmltable('/a' passing xml '<a/>' columns x int path 'b' default 1) t",
    "select xmlelement(name a, xmlattributes(1 as b), 'c'), xmlforest(1 as a), grouping(id) from orders group by cube (id, note)",
)  # fmt: skip
REPLACED = ("a_const", "column_ref", "func_call", "a_expr", "type_cast", "sub_link", "param_ref")


def _places(root: Message) -> list[Message]:
    """Every expression in a tree that a call could stand in the place of."""
    found: list[Message] = []
    stack = [root]
    while stack:
        message = stack.pop()
        if message.DESCRIPTOR.name == "Node" and message.WhichOneof("node") in REPLACED:
            found.append(message)
        for field, value in message.ListFields():
            if field.message_type is not None:
                stack.extend(value if field.is_repeated else [value])
    return found


def _injected(statement: ParsedStatement, place: int) -> ParsedMessage:
    tree = pb.Node()
    tree.CopyFrom(statement.tree)
    target = _places(tree)[place]
    target.Clear()
    target.func_call.funcname.add().string.sval = "evil"
    return ParsedMessage(
        "", (ParsedStatement(statement.verb, statement.text, tree, statement.kind, take_census(tree)),)
    )


@pytest.mark.parametrize("sql", STATEMENTS)
def test_a_call_is_seen_wherever_it_stands(sql: str) -> None:
    statement = parse(sql).statements[0]
    for place in range(len(_places(statement.tree))):
        found = analyze(_injected(statement, place), context(18))[0]
        seen = any(atom.action is Action.EXECUTE and atom.target.name == "public.evil" for atom in found.atoms)
        assert seen, (place, found.problem)
        assert not found.pure


QUESTIONS = sorted(
    {text for texts in json.loads((VECTORS / "sql_clients.json").read_text()).values() for text in texts}
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(QUESTIONS), st.randoms(use_true_random=False))
def test_a_call_is_seen_wherever_it_stands_in_real_queries(sql: str, chance: object) -> None:
    statement = parse(sql).statements[0]
    places = len(_places(statement.tree))
    if not places or statement.kind in {"variable_set_stmt", "transaction_stmt"}:
        return
    place = chance.randrange(places)  # type: ignore[attr-defined]  # a Random
    found = analyze(_injected(statement, place), context(18))[0]
    assert any(atom.action in {Action.EXECUTE, Action.UNKNOWN} for atom in found.atoms)
    assert not found.pure
