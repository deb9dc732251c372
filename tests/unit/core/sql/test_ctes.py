"""WITH: order, recursion and shadowing are SQL's."""

import pytest
from sql_stand import atoms, look, outputs


def test_a_query_does_not_see_itself_without_recursive() -> None:
    found = look("with orders as (select * from customer) select id from orders")
    assert atoms(found) == {"read public.customer"}


def test_later_names_are_not_seen_by_earlier_queries() -> None:
    found = look("with a as (select id from orders), orders as (select 1 as id) select id from a")
    assert atoms(found) == {"read public.orders(id)"}


def test_recursive_names_may_be_forward_references() -> None:
    found = look("with recursive a as (select e from b), b as (select email as e from customer) select e from a")
    assert outputs(found) == ["e masked"]


def test_inner_names_hide_outer_ones_and_end_with_their_level() -> None:
    sql = """with t as (select id as x from customer)
             select (with t as (select email as x from customer) select x from t limit 1), x from t"""
    assert outputs(look(sql)) == ["x masked", "x clear"]


def test_taint_moves_between_columns_of_a_recursive_query() -> None:
    sql = """with recursive r(a, b, c, d) as (
               select id::text, 'x', 'y', email from customer union all select b, c, d, a from r)
             select a, b, c, d from r"""
    assert outputs(look(sql)) == ["a masked", "b masked", "c masked", "d masked"]


def test_a_recursion_that_does_not_settle_in_time_is_unproved() -> None:
    names = [f"c{index}" for index in range(40)]
    first = ", ".join(["'x'"] * 39 + ["email"])
    rest = ", ".join([*names[1:], names[0]])
    sql = f"with recursive r({', '.join(names)}) as (select {first} from customer union all select {rest} from r) select c0 from r"
    found = look(sql)
    assert found.outputs is not None
    assert not found.outputs[0].clear


def test_unused_queries_are_read_all_the_same() -> None:
    assert "execute function public.evil" in atoms(look("with x as (select evil()) select 1"))
    assert "write public.orders" in atoms(look("with x as (delete from orders) select 1"))


def test_search_and_cycle_columns_hold_values() -> None:
    sql = """with recursive t(a, b) as (select id, email from customer union all select a, b from t)
             search depth first by b set seq cycle b set mark using path select a, seq, mark, path from t"""
    assert outputs(look(sql)) == ["a clear", "seq masked", "mark masked", "path masked"]


@pytest.mark.parametrize("sql", ["with t as (select 1) insert into t values (1)", "with t as (select 1) delete from t"])
def test_what_is_written_is_never_a_with_name(sql: str) -> None:
    assert not look(sql).complete


def test_a_recursive_query_with_names_of_its_own() -> None:
    sql = """with recursive r(x) as (
               with recursive s(y) as (select email from customer union all select y from s) select y from s
               union all select x from r)
             select x from r"""
    found = look(sql)
    assert found.complete, found.problem
    assert outputs(found) == ["x masked"]
