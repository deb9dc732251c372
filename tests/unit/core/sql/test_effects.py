"""What a call can do: safe only if the name is listed and everything that it could mean is built in."""

import pytest
from sql_stand import answers, atoms, catalog, look, with_functions, work

from doorward_core.sql.catalog import Cast, Catalog, Column, Contents, Operator, Relation, Type
from doorward_core.sql.catalog_load import build_catalog
from doorward_core.sql.effects import check_call, check_operator, check_type, safe_function
from doorward_core.sql.lineage import MaskTable
from doorward_core.sql.views import READERS
from doorward_core.sql.work import Lens, Work


@pytest.mark.parametrize(
    ("name", "count"), [("lower", 1), ("now", 0), ("count", 0), ("pg_table_size", 1), ("jsonb_agg", 1)]
)
def test_known_safe_functions(name: str, count: int) -> None:
    assert safe_function(catalog(), (name,), ("public",), count)
    assert safe_function(catalog(), ("pg_catalog", name), (), count)


@pytest.mark.parametrize(
    ("name", "count"),
    [("evil", 0), ("evil_stable", 1), ("nosuch", 0), ("pg_sleep", 1), ("pg_read_file", 1), ("query_to_xml", 4),
     ("table_to_xml", 4), ("ts_rewrite", 2), ("ts_rewrite", 3), ("nextval", 1), ("pg_notify", 2), ("set_config", 3),
     ("pg_stat_get_activity", 1), ("txid_current", 0), ("lower", 7), ("domain_in", 3), ("lo_get", 1)],
)  # fmt: skip
def test_everything_else_is_not_safe(name: str, count: int) -> None:
    assert not safe_function(catalog(), (name,), ("public",), count)


def test_another_schemas_function_of_the_name_spoils_it_only_on_the_path() -> None:
    known = with_functions([90001, "hr", "lower", "sql", "i", "f", False, 25, 1, 0, False, None, None])
    assert safe_function(known, ("lower",), ("public",), 1)
    assert not safe_function(known, ("lower",), ("public", "hr"), 1)
    assert not safe_function(known, ("hr", "lower"), (), 1)
    assert safe_function(known, ("pg_catalog", "lower"), ("hr",), 1)


@pytest.mark.parametrize(
    ("language", "volatile", "owner", "safe"),
    [("c", "i", "citext", True), ("c", "v", "citext", False), ("sql", "i", "citext", False),
     ("c", "i", "dblink", False), ("c", "i", None, False)],
)  # fmt: skip
def test_only_compiled_functions_of_known_extensions_are_trusted(
    language: str, volatile: str, owner: str | None, *, safe: bool
) -> None:
    known = with_functions([90001, "public", "ext", language, volatile, "f", False, 25, 1, 0, False, None, owner])
    assert safe_function(known, ("ext",), ("public",), 1) is safe


def _work(**more: object) -> Work:
    base = answers()
    relations = build_catalog(base)
    contents = Contents(relations=tuple(relations.relations), **more)  # type: ignore[arg-type]  # tests name fields
    made = Catalog(contents, database="app", server_version=150000, version="x")
    return Work(Lens(made, ("public",), MaskTable({}), READERS))


def test_operators_of_ones_own_are_executed() -> None:
    notes = _work(operators=(Operator("public", "=", "public.my_eq"), Operator("hr", "<", "hr.lt")))
    assert not check_operator(notes, ("=",))
    assert check_operator(notes, ("<",))
    assert check_operator(notes, ("pg_catalog", "="))
    assert {atom.target.name for atom in notes.atoms} == {"public.my_eq"}


def test_compiled_operators_are_as_good_as_built_in() -> None:
    assert check_operator(_work(operators=(Operator("public", "=", "public.citext_eq", trusted=True),)), ("=",))


def test_implicit_casts_of_ones_own_may_run_anywhere() -> None:
    notes = _work(casts=(Cast(25, 90000, "public.my_cast", "i"),))
    check_operator(notes, ("=",))
    assert {atom.target.name for atom in notes.atoms} == {"public.my_cast"}


@pytest.mark.parametrize(
    ("found", "harmless"),
    [
        (Type(90000, "public", "t", "e"), True),
        (Type(90000, "public", "t", "b"), True),
        (Type(90000, "public", "t", "d", related=25), True),
        (Type(90000, "public", "t", "d", related=25, checks=("(length(VALUE) > 1)",)), True),
        (Type(90000, "public", "t", "d", related=25, checks=("public.evil(VALUE)",)), False),
        (Type(90000, "public", "t", "d", related=99), False),
        (Type(90000, "public", "t", "b", related=90001), False),
        (Type(90000, "public", "t", "c", relation=90005), False),
    ],
)
def test_types_run_no_code_but_domains_may(found: Type, *, harmless: bool) -> None:
    base = catalog()
    contents = Contents(
        relations=(Relation(90005, "public", "r", "c", (Column(1, "a", 90001),)),),
        functions=tuple(item for name in ("length", "evil") for item in base.functions((name,), ("public",))),
        types=(Type(25, "pg_catalog", "text"), found,
               Type(90001, "public", "u", "d", related=25, checks=("public.evil(VALUE)",))),
    )  # fmt: skip
    made = Catalog(contents, database="app", server_version=150000, version="x")
    notes = Work(Lens(made, ("public",), MaskTable({}), READERS))
    check_type(notes, ("t",))
    assert (not notes.atoms) is harmless


def test_unknown_types_and_functions_are_incomplete() -> None:
    notes = work()
    check_type(notes, ("nosuch",))
    assert not notes.complete
    notes = work()
    assert check_call(notes, ("nosuch",), 1) == ()
    assert not notes.complete


def test_a_call_may_be_a_cast() -> None:
    assert look("select text(id), date('2020-01-01') from customer").complete
    assert atoms(look("select date('2020-01-01')")) == {"session statement SELECT"}


def test_only_the_built_in_sampling_methods_are_safe() -> None:
    assert look("select id from orders tablesample bernoulli (10)").pure
    assert "execute function evil" in atoms(look("select id from orders tablesample evil (10)"))
