"""Unnamed columns are called what the server calls them; the integration tests hold this against a server."""

import pytest
from sql_stand import look


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("1", "?column?"), ("1 + 1", "?column?"), ("c.email", "email"), ("c", "c"), ("count(*)", "count"),
        ("pg_catalog.lower(name)", "lower"), ("1::int", "int4"), ("'x'::text", "text"), ("name::text", "name"),
        ("lower(name)::text", "lower"), ("case when true then name end", "case"),
        ("case when true then 1 else name end", "name"), ("array[1]", "array"), ("row(1)", "row"),
        ("coalesce(1, 2)", "coalesce"), ("greatest(1, 2)", "greatest"), ("least(1, 2)", "least"),
        ("nullif(1, 2)", "nullif"), ("exists (select 1)", "exists"), ("array(select 1)", "array"),
        ("(select id from orders limit 1)", "id"), ("(select 1 as z)", "z"), ("(select 1)", "?column?"),
        ("(values (1))", "column1"), ("id in (select 1)", "?column?"), ("current_date", "current_date"),
        ("user", "user"), ("(c).email", "email"), ("(array[1])[1]", "array"), ('name collate "C"', "name"),
        ("extract(year from now())", "extract"), ("trim(name)", "btrim"), ("xmlelement(name a)", "xmlelement"),
        ("interval '1 day'", "interval"), ("true", "?column?"), ("date '2020-01-01'", "date"),
    ],
)  # fmt: skip
def test_names_of_unnamed_columns(expression: str, name: str) -> None:
    found = look(f"select {expression} from customer c", 18)
    assert found.outputs is not None
    assert [column.name for column in found.outputs] == [name]


def test_a_given_name_wins() -> None:
    found = look("select 1 as a, 2 b")
    assert found.outputs is not None
    assert [column.name for column in found.outputs] == ["a", "b"]
