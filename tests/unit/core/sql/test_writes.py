"""Writes: targets are not reads, what is stored elsewhere is looked at, what is returned is masked."""

import pytest
from sql_stand import atoms, look, outputs, rebuilt


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("update customer set email = 'x' where id = 42", {"write public.customer(email)"}),
        ("update customer set email = lower(email)", {"write public.customer(email)", "read public.customer(email)"}),
        ("update orders set total = total + 1", {"write public.orders(total)", "read public.orders(total)"}),
        ("update orders set (note, total) = ('a', 1)", {"write public.orders(note,total)"}),
        ("update orders o set note = c.name from customer c where c.id = o.id",
         {"write public.orders(note)", "read public.customer(id,name)"}),
        ("insert into orders values (1)", {"write public.orders"}),
        ("insert into orders default values", {"write public.orders"}),
        ("insert into orders (id) select id from customer", {"write public.orders(id)", "read public.customer(id)"}),
        ("insert into orders (id) select id from orders", {"write public.orders(id)", "read public.orders(id)"}),
        ("insert into orders (id) values (1) on conflict (id) do nothing", {"write public.orders(id)"}),
        ("delete from orders", {"write public.orders"}),
        ("delete from orders where total > 1", {"write public.orders"}),
        ("delete from orders using customer c where c.id = customer_id",
         {"write public.orders", "read public.customer(id)"}),
        ("delete from orders where id in (select id from hr.salary)", {"write public.orders", "read hr.salary(id)"}),
        ("delete from customer where email = 'x'", {"write public.customer", "probe public.customer(email)/equality"}),
        ("delete from orders returning id", {"write public.orders", "read public.orders(id)"}),
        ("update customer_view set country = 'x'", {"write public.customer_view(country)", "write public.customer"}),
    ],
)  # fmt: skip
def test_atoms_of_writes(sql: str, expected: set[str]) -> None:
    found = look(sql)
    assert atoms(found) == expected
    assert not found.pure


def test_masked_values_may_move_only_into_their_own_column() -> None:
    probe = "probe public.customer(email)/other"
    assert probe not in atoms(look("update customer set email = email || 'x'"))
    assert probe in atoms(look("update customer set name = email"))
    assert probe in atoms(look("insert into orders (note) select email from customer"))
    assert probe in atoms(look("insert into orders (note) values ((select email from customer limit 1))"))
    assert probe in atoms(look("insert into orders select * from (select id, 1, 2, email from customer) t"))
    assert probe in atoms(
        look("merge into orders o using customer c on c.id = o.id when matched then update set note = c.email")
    )


@pytest.mark.parametrize(
    ("sql", "version", "expected"),
    [
        ("delete from customer returning email, id", 15, ["email masked", "id clear"]),
        ("update orders o set note = '' from customer c returning o.id, c.email", 15, ["id clear", "email masked"]),
        ("insert into customer (id, email) values (1, 'x') returning email", 15, ["email masked"]),
        ("update hr.salary set id = 1 returning *", 15, ["id clear", "amount clear"]),
        ("update hr.salary s set id = 1 from hr.customer c returning *", 15,
         ["id clear", "amount clear", "id clear", "secret clear"]),
        ("update customer set email = 'x' returning old.email, new.id", 18, ["email masked", "id clear"]),
        ("delete from customer returning with (old as o) o.email", 18, ["email masked"]),
        ("merge into orders o using customer c on c.id = o.id when matched then delete returning c.email, o.id", 18,
         ["email masked", "id clear"]),
    ],
)  # fmt: skip
def test_what_is_returned_is_masked(sql: str, version: int, expected: list[str]) -> None:
    found = look(sql, version)
    assert found.returns_rows
    assert outputs(found) == expected


def test_without_returning_there_are_no_rows() -> None:
    found = look("delete from orders")
    assert found.outputs is None
    assert not found.returns_rows


def test_merge_writes_what_its_actions_write() -> None:
    sql = """merge into orders o using customer c on c.id = o.customer_id when matched then update set note = c.name
             when not matched then insert (id) values (c.id)"""
    assert {"write public.orders(note)", "write public.orders(id)"} <= atoms(look(sql))


def test_rules_and_triggers_are_said() -> None:
    changed = rebuilt(
        "relations",
        lambda rows: [[*row[:9], [True, True, False]] if row[2] == "orders" else row for row in rows],
    )
    found = look("delete from orders returning id", catalog=changed)
    assert "execute opaque rules on public.orders" in atoms(found)
    assert found.touches_masked
    assert found.outputs is None


def test_an_unknown_target_is_unknown() -> None:
    found = look("delete from nosuch")
    assert not found.complete
    assert "unknown nosuch" in atoms(found)
