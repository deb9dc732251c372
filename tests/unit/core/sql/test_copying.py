"""COPY: direction, end, columns and format are said exactly, or the payload is called unreadable."""

import pytest
from sql_stand import atoms, catalog, look

from doorward_core.sql.analysis import CopyInfo


def _copy(sql: str) -> CopyInfo:
    found = look(sql)
    assert found.copy is not None
    return found.copy


def test_a_table_out() -> None:
    info = _copy("copy customer (id, email) to stdout")
    customer = catalog().relation("public", "customer")
    assert customer is not None
    assert (info.direction, info.end, info.relation, info.columns) == ("out", "stdout", customer.oid, (1, 3))
    assert info.outputs is not None
    assert [column.clear for column in info.outputs] == [True, False]
    assert atoms(look("copy customer (id) to stdout")) == {"read public.customer(id)"}


def test_generated_columns_are_not_copied() -> None:
    assert _copy("copy customer to stdout").columns == (1, 2, 3, 4, 5, 6, 7, 8)


def test_a_table_in_is_a_write_and_returns_no_rows() -> None:
    found = look("copy customer (id, name) from stdin")
    assert atoms(found) == {"write public.customer(id,name)"}
    assert not found.pure
    assert not found.returns_rows


def test_a_condition_on_copy_in_is_looked_at() -> None:
    assert "probe public.customer(email)/other" in atoms(look("copy customer from stdin where email like 'a%'"))


def test_a_query_out() -> None:
    found = look("copy (select id, email from customer) to stdout with (format csv, header)")
    assert found.pure
    assert found.returns_rows
    assert found.copy is not None
    assert (found.copy.format, found.copy.header, found.copy.delimiter, found.copy.null) == ("csv", True, ",", "")


def test_csv_options_are_read() -> None:
    info = _copy(
        "copy customer to stdout (format csv, delimiter ';', quote $$'$$, escape 'x', null 'NULL', header off)"
    )
    assert (info.delimiter, info.quote, info.escape, info.null, info.header) == (";", "'", "x", "NULL", False)
    assert _copy("copy customer to stdout (format csv, quote 'q')").escape == "q"
    assert _copy("copy customer to stdout csv header").header
    assert _copy("copy customer to stdout binary").format == "binary"
    assert _copy("copy customer to stdout (header match, format csv)").header


@pytest.mark.parametrize(
    "options", ["(format nosuch)", "(nosuch 1)", "(format csv, format text)", "(delimiter)", "(null 1.5)"]
)
def test_an_option_that_is_not_understood_makes_it_unreadable(options: str) -> None:
    assert not _copy(f"copy customer to stdout {options}").readable


def test_options_that_move_no_bytes_are_fine() -> None:
    assert _copy("copy customer to stdout (format csv, force_quote *, encoding 'UTF8')").readable


def test_unknown_tables_and_columns_are_unproved() -> None:
    assert not look("copy nosuch to stdout").complete
    found = look("copy customer (nosuch) to stdout")
    assert not found.complete
    assert found.copy is not None
    assert found.copy.outputs is None
