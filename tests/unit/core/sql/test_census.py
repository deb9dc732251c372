"""The census finds every name in a tree, however it stands there."""

from doorward_core.sql.parse import parse


def test_every_kind_of_name_is_found() -> None:
    census = (
        parse(
            "with x as (select a.b, f(c) from s.t) select x.*::text, y operator(p.+) 1 from x where exists (select g())"
        )
        .statements[0]
        .census
    )
    assert census.functions == {("f",), ("g",)}
    assert census.relations == {("s", "t"), ("x",)}
    assert census.operators == {("p", "+")}
    assert census.types == {("text",)}
    assert census.columns == {("a", "b"), ("c",), ("x", "*"), ("y",)}


def test_names_in_utility_statements_are_found() -> None:
    census = parse("create table t (a int default f()) inherits (u)").statements[0].census
    assert census.functions == {("f",)}
    assert census.relations == {("t",), ("u",)}


def test_a_tree_deeper_than_the_stack_is_walked() -> None:
    deep = "select " + "||".join(["a"] * 5000)
    assert parse(deep).statements[0].census.columns == {("a",)}
