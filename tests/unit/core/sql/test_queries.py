"""SELECT and its kin: what is read, what is looked at, what each column holds."""

from typing import Any

import pytest
from sql_stand import actions, atoms, look, outputs, rebuilt

from doorward_core.model import Action


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select id, name from customer", {"read public.customer(id,name)"}),
        ("select * from customer", {"read public.customer"}),
        ("select c from customer c", {"read public.customer"}),
        ("select 1 from customer", {"read public.customer"}),
        ("select ctid from customer", {"read public.customer"}),
        ("select o.id from orders o join customer c on c.id = o.customer_id",
         {"read public.orders(id,customer_id)", "read public.customer(id)"}),
        ("select id from orders where exists (select 1 from hr.salary s where s.id = orders.id)",
         {"read public.orders(id)", "read hr.salary(id)"}),
        ("select relname from pg_class", {"read pg_catalog.pg_class(relname)"}),
        ("select table_name from information_schema.tables", {"read information_schema.tables(table_name)"}),
    ],
)  # fmt: skip
def test_reads_with_their_columns(sql: str, expected: set[str]) -> None:
    found = look(sql)
    assert atoms(found) == expected
    assert found.pure


@pytest.mark.parametrize(
    ("sql", "relations"),
    [
        ("select id from orders for update", {"public.orders"}),
        ("select o.id from orders o, customer c for share of o", {"public.orders"}),
        ("select o.id from orders o, customer c for update", {"public.orders", "public.customer"}),
        ("select id from (select id from orders) t for update", {"public.orders"}),
        ("select id from (select id from orders for no key update) t", {"public.orders"}),
    ],
)
def test_row_locks_are_writes(sql: str, relations: set[str]) -> None:
    found = look(sql)
    locks = {atom.target.name for atom in found.atoms if atom.action is Action.WRITE and atom.target.detail == "lock"}
    assert locks == relations
    assert not found.pure


def test_order_by_prefers_the_outputs_name_and_group_by_sees_both() -> None:
    assert "probe public.customer(email)/other" in atoms(look("select email as x from customer order by x"))
    assert "probe public.customer(email)/other" in atoms(look("select id as email from customer group by email, id"))
    assert actions(look("select id from customer order by id")) == {Action.READ}


def test_ordinals_mean_outputs() -> None:
    assert "probe public.customer(email)/other" in atoms(look("select id, email from customer order by 2"))
    assert actions(look("select id, email from customer order by 1")) == {Action.READ}


def test_set_operations_merge_by_position() -> None:
    assert outputs(look("select id, email from customer union all select 1, 'x'")) == ["id clear", "email masked"]
    assert outputs(look("(select 1 as a) union all (select 2 limit 1) order by a")) == ["a clear"]
    found = look("select id from customer union all select id, email from customer")
    assert found.outputs is None


def test_union_all_only_shows_and_the_others_compare() -> None:
    assert actions(look("select email from customer union all select 'x'")) == {Action.READ}
    for word in ("union", "intersect", "except", "intersect all", "except all"):
        assert Action.PROBE in actions(look(f"select email from customer {word} select 'x'")), word


def test_select_into_defines_and_gives_no_rows() -> None:
    found = look("select id into t from orders")
    assert atoms(found) == {"read public.orders(id)", "define public.t"}
    assert not found.returns_rows


def test_origins_survive_only_unchanged_values() -> None:
    found = look("select c.id, c.id + 1, t.x from customer c, (select id as x from customer) t")
    assert found.outputs is not None
    assert [column.origin is not None for column in found.outputs] == [True, False, True]


def _guarded(rows: list[Any]) -> list[Any]:
    """Row security on orders; hr.salary foreign."""
    changed = []
    for row in rows:
        if row[2] == "orders":
            changed.append([*row[:9], [False, False, True]])
        elif row[2] == "salary":
            changed.append([*row[:3], "f", *row[4:]])
        else:
            changed.append(row)
    return changed


def test_row_security_and_foreign_tables_are_not_pure() -> None:
    changed = rebuilt("relations", _guarded)
    assert not look("select id from orders", catalog=changed).pure
    assert not look("select id from hr.salary", catalog=changed).pure
    assert look("select id from customer", catalog=changed).pure
