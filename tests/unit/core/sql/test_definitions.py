"""Definitions: each names what it touches, and what it would run is written down."""

import pytest
from sql_stand import atoms, look

from doorward_core.sql.session import ChangeCatalog, MakeTemporary, Opaque


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("drop table orders", {"define public.orders/drop"}),
        ("drop table if exists hr.salary, orders", {"define hr.salary/drop", "define public.orders/drop"}),
        ("drop view customer_view cascade",
         {"define public.customer_view/drop", "define opaque whatever depends on it/drop cascade"}),
        ("drop function evil()", {"define function public.evil/drop"}),
        ("drop schema hr", {"define schema hr/drop"}),
        ("drop trigger t on orders", {"define public.orders/drop"}),
        ("drop policy p on orders", {"admin policy orders.p/drop"}),
        ("drop extension x", {"admin extension x/drop"}),
        ("drop type hr.mood", {"define type hr.mood/drop"}),
        ("create table t (id int)", {"define public.t"}),
        ("create table hr.t (id int)", {"define hr.t"}),
        ("create temp table t (id int)", {"define pg_temp.t"}),
        ("create schema s create table t (id int)", {"define schema s", "define s.t"}),
        ("create sequence s", {"define public.s"}),
        ("create type hr.mood as enum ('a')", {"define type hr.mood"}),
        ("create domain d as int", {"define type public.d"}),
        ("alter table orders add column x int", {"define public.orders"}),
        ("alter table orders rename to o2", {"define public.orders"}),
        ("alter table orders rename column note to n", {"define public.orders"}),
        ("alter table orders set schema hr", {"define public.orders"}),
        ("alter table orders owner to x", {"define public.orders", "admin role x/owner"}),
        ("alter table orders disable row level security",
         {"define public.orders", "admin policy public.orders/AT_DisableRowSecurity"}),
        ("alter function evil() owner to x", {"define function public.evil", "admin role x/owner"}),
        ("create index on orders (id)", {"define public.orders"}),
        ("create trigger t before insert on orders execute function f()", {"define public.orders"}),
        ("create policy p on orders using (id = 1)", {"admin policy public.orders"}),
        ("create view v as select id from customer", {"define public.v", "read public.customer(id)"}),
        ("create function f() returns int language sql as 'select 1'", {"define function public.f"}),
        ("create function f() returns int language c as 'x'",
         {"define function public.f", "admin program language c"}),
        ("comment on table orders is 'x'", {"define public.orders"}),
        ("comment on column orders.note is 'x'", {"define public.orders"}),
        ("truncate orders", {"write public.orders/truncate"}),
        ("lock table orders", {"write public.orders/lock"}),
        ("refresh materialized view mat", {"write public.mat"}),
        ("grant select on orders to x", {"admin privilege public.orders/grant"}),
        ("revoke all on schema hr from x", {"admin privilege hr/revoke"}),
        ("grant a to b", {"admin role a"}),
        ("create role x", {"admin role x"}),
        ("alter role x password 'y'", {"admin role x"}),
        ("drop role x, y", {"admin role x", "admin role y"}),
        ("alter system set work_mem = 1", {"admin setting work_mem/system"}),
        ("vacuum orders", {"admin public.orders/vacuum"}),
        ("analyze", {"admin database */analyze"}),
        ("checkpoint", {"admin database *"}),
        ("create publication p for all tables", {"admin replication p"}),
        ("create subscription s connection 'x' publication p", {"admin replication s"}),
        ("do 'x'", {"execute opaque DO"}),
        ("call evil()", {"execute function public.evil"}),
    ],
)  # fmt: skip
def test_what_is_touched(sql: str, expected: set[str]) -> None:
    assert atoms(look(sql)) == expected
    assert not look(sql).pure


def test_effects_tell_the_tracker() -> None:
    assert look("create table t (id int)").effect == ChangeCatalog()
    assert look("create temp table t (id int)").effect == MakeTemporary("t")
    assert look("create temp view t as select 1").effect == MakeTemporary("t")
    assert look("select 1 as a into temp t").effect == MakeTemporary("t")
    assert look("do 'x'").effect == Opaque()


@pytest.mark.parametrize(
    "sql",
    [
        "alter table orders add column x int default evil()",
        "alter table orders alter column note type int using evil()",
        "alter table orders add check (evil() = 1)",
        "create table t (x int generated always as (evil()) stored)",
        "create policy p on orders using (evil() = 1)",
        "create rule r as on insert to orders do also select evil()",
        "create trigger t before insert on orders when (evil() = 1) execute function f()",
        "create function f() returns int begin atomic select evil(); end",
        "create view v as select evil()",
        "create materialized view v as select evil()",
        "create statistics s on (evil()) from orders",
    ],
)
def test_what_a_definition_would_run_is_executed(sql: str) -> None:
    assert "execute function public.evil" in atoms(look(sql))


def test_moving_a_masked_column_by_definition_is_a_probe() -> None:
    assert "probe public.customer(email)/other" in atoms(look("alter table customer alter name type text using email"))
    assert "probe public.customer(email)/other" in atoms(
        look("create index on orders (id) where exists (select 1 from customer where email > 'm')")
    )


def test_writes_through_views_and_unknown_tables() -> None:
    assert "write public.customer/truncate" in atoms(look("truncate customer_view"))
    assert not look("truncate nosuch").complete
