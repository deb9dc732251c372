"""FROM: every row source gives its columns by their names, or says that it cannot."""

import pytest
from sql_stand import atoms, look, outputs


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("customer_view v", ["id clear", "contact masked", "shout clear", "country clear"]),
        ("customer_view v(a, b)", ["a clear", "b masked", "shout clear", "country clear"]),
        ("(select id, email from customer) t", ["id clear", "email masked"]),
        ("(select id, email from customer) t(x)", ["x clear", "email masked"]),
        ("(values (1, 'a')) v", ["column1 clear", "column2 clear"]),
        ("generate_series(1, 3)", ["generate_series clear"]),
        ("generate_series(1, 3) g", ["g clear"]),
        ("generate_series(1, 3) g(x)", ["x clear"]),
        ("generate_series(1, 3) with ordinality", ["generate_series clear", "ordinality clear"]),
        ("rows from (generate_series(1, 2), generate_series(1, 3)) r(a, b)", ["a clear", "b clear"]),
        ("json_to_recordset('[]') as r(a int, b text)", ["a clear", "b clear"]),
        ("pg_options_to_table('{}')", ["option_name clear", "option_value clear"]),
        ("pg_get_keywords() k", ["word clear", "catcode clear", "barelabel clear", "catdesc clear", "baredesc clear"]),
        ("part_1 tablesample system (10)", ["id clear", "email masked", "y clear"]),
        ("hr.salary natural join hr.salary s2", ["id clear", "amount clear"]),
        ("hr.salary a join hr.salary b using (id)", ["id clear", "amount clear", "amount clear"]),
        ("hr.salary a left join hr.salary b on true", ["id clear", "amount clear", "id clear", "amount clear"]),
        ("(hr.salary a cross join hr.salary b) j(p, q)", ["p clear", "q clear", "id clear", "amount clear"]),
        ("xmltable('/a' passing xml '<a/>' columns x int path 'b', o for ordinality)", ["x clear", "o clear"]),
    ],
)  # fmt: skip
def test_columns_of_a_row_source(source: str, expected: list[str]) -> None:
    found = look(f"select * from {source}")
    assert found.complete, found.problem
    assert outputs(found) == expected


def test_json_table_on_a_server_that_knows_it() -> None:
    found = look("select * from json_table(jsonb '[]', '$[*]' columns (a int, nested '$.b' columns (c text))) t", 18)
    assert outputs(found) == ["a clear", "c clear"]


def test_lateral_sees_what_stands_before_it_and_plain_subqueries_do_not() -> None:
    assert outputs(look("select x from customer c, lateral (select c.email) l(x)")) == ["x masked"]
    assert not look("select x from customer c, (select c.email) l(x)").complete


def test_columns_that_depend_on_the_call_are_not_listed() -> None:
    found = look("select * from unnest(array[1, 2])")
    assert found.outputs is None
    assert outputs(look("select u.x from unnest(array[1, 2]) u(x)")) in (["x clear"], ["x unproved"])


def test_masked_arguments_taint_every_column_and_the_number_of_rows() -> None:
    found = look("select u.x from customer c, unnest(array[c.email]) u(x)")
    assert outputs(found) == ["x masked"]
    assert "probe public.customer(email)/other" in atoms(found)


def test_comparing_in_a_join_is_a_probe() -> None:
    for sql in (
        "select id from customer a join customer b using (email)",
        "select 1 from customer natural join customer b",
    ):
        assert "probe public.customer(email)/other" in atoms(look(sql)), sql


def test_an_alias_hides_the_tables_inside_a_join() -> None:
    assert not look("select c.id from (customer c join orders o on true) j").complete


def test_a_join_using_alias_has_the_shared_columns() -> None:
    assert outputs(look("select j.id from customer join orders using (id) as j")) == ["id clear"]
