"""The snapshot: names resolve as the server resolves them, families and lineage are followed."""

from sql_stand import catalog

from doorward_core.sql.catalog import Catalog, Contents, Relation, effective_path, qualified


def _oid(name: str) -> int:
    relation = catalog().relation("public", name)
    assert relation is not None
    return relation.oid


def test_names_of_one_to_three_parts() -> None:
    known = catalog()
    assert known.resolve(("customer",), ("hr", "public")) is known.relation("hr", "customer")
    assert known.resolve(("public", "customer"), ()) is known.relation("public", "customer")
    assert known.resolve(("app", "public", "customer"), ()) is known.relation("public", "customer")
    assert known.resolve(("other", "public", "customer"), ()) is None
    assert known.resolve(("a", "b", "c", "d"), ()) is None


def test_pg_catalog_comes_first_unless_named() -> None:
    assert effective_path(("public",)) == ("pg_catalog", "public")
    assert effective_path(("public", "pg_catalog")) == ("public", "pg_catalog")
    made = Catalog(
        Contents(relations=(Relation(20000, "public", "pg_class", "r"), Relation(1259, "pg_catalog", "pg_class", "r"))),
        database="app", server_version=150000, version="x",
    )  # fmt: skip
    found = made.resolve(("pg_class",), ("public",))
    assert found is not None
    assert found.oid == 1259
    shadowed = made.resolve(("pg_class",), ("public", "pg_catalog"))
    assert shadowed is not None
    assert shadowed.oid == 20000


def test_overloads_are_found_in_every_schema_of_the_path() -> None:
    assert {item.schema for item in catalog().functions(("lower",), ("public",))} == {"pg_catalog"}
    assert catalog().functions(("evil",), ("public",))
    assert not catalog().functions(("evil",), ("hr",))


def test_partitions_know_their_family() -> None:
    known = catalog()
    assert known.ancestors(_oid("part_1")) == (_oid("part"),)
    assert known.descendants(_oid("part")) == (_oid("part_1"),)


def test_base_columns_pass_through_views_partitions_and_generated_columns() -> None:
    known = catalog()
    customer = _oid("customer")
    assert known.base_columns(_oid("view2"), 1) == {(customer, 3)}
    assert known.base_columns(_oid("view2"), 3) == {(customer, 1)}
    assert known.base_columns(customer, 9) == {(customer, 3), (customer, 9)}
    assert known.base_columns(_oid("part_1"), 2) == {(_oid("part"), 2), (_oid("part_1"), 2)}
    assert known.base_columns(_oid("mat"), 1) == {(customer, 3), (_oid("mat"), 1)}
    assert known.base_columns(_oid("vcount"), 2) == frozenset()
    assert known.base_columns(1, 1) is None


def test_names_that_would_read_the_same_are_quoted() -> None:
    assert qualified("a", "b") == "a.b"
    assert qualified("a.b", "c") == '"a.b".c'
    assert qualified("a", 'b"c') == 'a."b""c"'


def test_calls_match_by_number_of_arguments() -> None:
    (concat,) = catalog().functions(("concat",), ())
    assert concat.most_args is None
    assert concat.takes(0) or concat.takes(1)
    assert concat.takes(99)
    (now,) = catalog().functions(("now",), ())
    assert now.takes(0)
    assert not now.takes(1)
