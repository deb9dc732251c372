"""The entrance: every statement gets an answer, in order, and what is not proved is not said to be."""

import pytest
from sql_stand import actions, atoms, context, look, looks, outputs

from doorward_core.model import Action
from doorward_core.sql.analysis import Context
from doorward_core.sql.analyze import analyze
from doorward_core.sql.parse import ParsedMessage, ParsedStatement, parse


def test_an_empty_message_has_no_statements() -> None:
    assert looks(" -- nothing\n ; ;") == ()


@pytest.mark.parametrize("sql", ["select 1", "begin", "show all", "select now()", "values (1)", "set jit = off"])
def test_every_statement_has_an_atom(sql: str) -> None:
    assert look(sql).atoms


def test_without_a_catalogue_what_needs_one_is_incomplete() -> None:
    bare = Context(None)
    for sql in ("select * from customer", "select lower('x')", "select 1 + 1", "select 'x'::text"):
        found = analyze(parse(sql), bare)[0]
        assert not found.complete, sql
        assert not found.pure, sql
    assert analyze(parse("select 1"), bare)[0].complete
    assert analyze(parse("begin"), bare)[0].complete


def test_an_uncertain_session_proves_nothing_that_has_a_name() -> None:
    found = look("select id from customer", uncertain=True)
    assert not found.complete
    assert found.touches_masked
    assert outputs(found) == ["id unproved"]
    assert look("select 1", uncertain=True).complete
    assert look("commit", uncertain=True).complete


def test_a_rollback_after_an_unsettled_path_is_uncertain() -> None:
    assert not looks("rollback; select * from customer", settled=False)[1].complete
    assert looks("rollback; select * from customer")[1].complete
    assert not looks("set search_path to hr; rollback; select * from customer")[2].complete


def test_a_path_that_cannot_be_told_is_uncertain() -> None:
    assert not looks("reset search_path; select * from customer")[1].complete
    assert not looks('set search_path to "$user", public; select * from customer')[1].complete


def test_definitions_make_what_follows_uncertain() -> None:
    assert not looks("create table t (id int); select * from t")[1].complete


def test_a_deep_statement_is_incomplete_and_does_not_raise() -> None:
    deep = "select " + "abs(" * 900 + "1" + ")" * 900
    found = look(deep)
    assert not found.complete
    assert "deeply" in found.problem
    assert look("select abs(1)").complete


def test_long_chains_are_read_without_recursion() -> None:
    assert look("select " + "||".join(["name"] * 3000) + " from customer").complete
    assert look(" union all ".join(["select email from customer"] * 1000)).complete
    assert look("select 1 from orders o0 " + " ".join(f"cross join orders o{i}" for i in range(1, 300))).complete


def test_a_part_that_no_handler_met_makes_it_incomplete() -> None:
    whole = parse("select 1").statements[0]
    other = parse("select evil() from orders").statements[0]
    forged = ParsedStatement(whole.verb, whole.text, whole.tree, whole.kind, other.census)
    found = analyze(ParsedMessage("", (forged,)), context())[0]
    assert not found.complete
    assert Action.UNKNOWN in actions(found)


def test_the_same_context_reads_the_same_twice() -> None:
    session = context()
    message = parse("select email, id from customer where id = 1")
    assert analyze(message, session) == analyze(message, session)


def test_no_masks_no_touch() -> None:
    found = look("select email from customer", masked={})
    assert not found.touches_masked
    assert outputs(found) == ["email clear"]


def test_reads_name_the_tables_under_views() -> None:
    known = context().catalog
    assert known is not None
    base, first, second = (known.relation("public", name) for name in ("customer", "customer_view", "view2"))
    assert base is not None
    assert first is not None
    assert second is not None
    assert look("select * from view2").reads == {base.oid, first.oid, second.oid}
    assert atoms(look("select id from view2")) == {"read public.view2(id)"}


def test_a_partition_is_read_with_what_it_is_part_of() -> None:
    assert atoms(look("select id from part_1")) == {"read public.part_1(id)", "read public.part(id)"}
    assert atoms(look("delete from part_1")) == {"write public.part_1", "write public.part"}


def test_unknown_relations_and_columns_are_unproved() -> None:
    assert "unknown nosuch" in atoms(look("select * from nosuch"))
    found = look("select nosuch, id from customer")
    assert not found.complete
    assert "nosuch" in found.problem
    assert outputs(found) == ["nosuch unproved", "id unproved"]


def test_pg_27_a_cursor_is_not_read_under_another_path_than_it_was_opened_under() -> None:
    text = "begin; declare c cursor for select email from customer; set search_path to attic; fetch 1 from c"
    found = looks(text)[-1]
    assert not found.complete
    assert looks(text.replace("attic", "public").replace("set search_path to public; ", ""))[-1].complete
