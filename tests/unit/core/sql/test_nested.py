"""Statements within statements carry the atoms of what would run."""

import pytest
from sql_stand import atoms, look, looks, outputs

from doorward_core.sql.session import Declare, Prepare


def test_a_plan_of_a_harmless_query_is_pure_and_clear() -> None:
    found = look("explain (verbose, costs off) select email from customer")
    assert found.pure
    assert found.inner == "EXPLAIN"
    assert outputs(found) == ["QUERY PLAN clear"]


def test_a_plan_that_may_run_code_is_unproved() -> None:
    found = look("explain select evil()")
    assert "execute function public.evil" in atoms(found)
    assert outputs(found) == ["QUERY PLAN unproved"]


@pytest.mark.parametrize(
    ("option", "runs"),
    [("analyze", True), ("analyze true", True), ("analyze off", False), ("analyze 0", False), ("analyze false", False),
     ("analyze 'nonsense'", True), ("costs", False), ("analyze off, analyze on", True)],
)  # fmt: skip
def test_only_a_plain_no_keeps_explain_from_running(option: str, *, runs: bool) -> None:
    found = look(f"explain ({option}) delete from orders")
    assert ("write public.orders" in atoms(found)) is runs


def test_prepare_runs_nothing_but_says_what_is_opaque() -> None:
    found = look("prepare p(int) as delete from customer where id = $1 and evil() = 1")
    assert atoms(found) == {"session prepared p", "execute function public.evil"}
    assert found.effect == Prepare("p", "prepare p(int) as delete from customer where id = $1 and evil() = 1")


def test_execute_gives_the_outputs_of_the_query() -> None:
    found = look("execute p(1)", prepared={"p": "prepare p(int) as select email, id, $1 from customer"})
    assert outputs(found) == ["email masked", "id clear", "?column? clear"]
    assert found.inner == "EXECUTE p"


def test_arguments_that_are_not_clear_spoil_the_outputs() -> None:
    found = look("execute p(evil())", prepared={"p": "select $1"})
    assert outputs(found) == ["?column? unproved"]


def test_a_name_for_a_bare_statement_works_as_well() -> None:
    assert atoms(look("execute p", prepared={"p": "delete from orders"})) == {
        "session prepared p",
        "write public.orders",
    }


@pytest.mark.parametrize("text", ["select 1; select 2", "selec", "", "select \x00"])
def test_a_name_for_something_else_is_unknown(text: str) -> None:
    assert not look("execute p", prepared={"p": text}).complete


def test_the_whole_of_what_a_name_stands_for_is_read() -> None:
    assert not look("execute p", prepared={"p": "select nosuch from customer"}).complete


def test_declare_starts_the_query_and_gives_no_rows() -> None:
    found = look("declare c cursor with hold for select email from customer")
    assert atoms(found) == {"read public.customer(email)", "session cursor c"}
    assert isinstance(found.effect, Declare)
    assert found.effect.hold
    assert not found.returns_rows


def test_fetch_gives_rows_and_move_does_not() -> None:
    cursors = {"c": "declare c cursor for select email from customer"}
    assert outputs(look("fetch 5 from c", cursors=cursors)) == ["email masked"]
    assert not look("move 5 from c", cursors=cursors).returns_rows


def test_create_table_as_defines_reads_and_keeps_masked_values() -> None:
    found = look("create table t as select id, email from customer")
    assert atoms(found) == {"define public.t", "read public.customer(id,email)", "probe public.customer(email)/other"}
    assert "probe public.customer(email)/other" not in atoms(
        look("create materialized view t as select email from customer")
    )
    assert "write public.orders" in atoms(
        look("create table t as execute p", prepared={"p": "delete from orders returning id"})
    )


def test_prepared_in_the_same_message() -> None:
    assert outputs(looks("prepare p as select email from customer; execute p")[1]) == ["email masked"]
