"""Names of columns mean what the server takes them to mean."""

from sql_stand import customer_scope, work

from doorward_core.sql.lineage import UNPROVEN, Flow, Named
from doorward_core.sql.scope import Item, Scope, find_column
from doorward_core.sql.work import Shape


def _item(name: str, **flows: Flow) -> Item:
    return Item(name, Shape(tuple(Named(column, flow) for column, flow in flows.items())))


A, B = Flow(frozenset({(1, 1)})), Flow(frozenset({(2, 2)}))


def test_the_inmost_level_wins() -> None:
    outer = Scope()
    outer.items.append(_item("o", x=A))
    inner = Scope(outer)
    inner.items.append(_item("i", x=B))
    notes = work()
    assert find_column(("x",), inner, notes) == B
    assert find_column(("o", "x"), inner, notes) == A


def test_every_candidate_of_one_level_is_taken() -> None:
    scope = Scope()
    scope.items += [_item("a", x=A), _item("b", x=B)]
    found = find_column(("x",), scope, work())
    assert found is not None
    assert found.taint == A.taint | B.taint


def test_a_column_comes_before_a_whole_row() -> None:
    scope = Scope()
    scope.items += [_item("x", y=A), _item("b", x=B)]
    assert find_column(("x",), scope, work()) == B
    found = find_column(("b",), scope, work())
    assert found is not None
    assert found.taint == B.taint


def test_columns_that_are_not_listed_may_be_any() -> None:
    scope = Scope()
    scope.items.append(Item("f", Shape((), Flow(A.taint))))
    for name in (("x",), ("f", "x")):
        found = find_column(name, scope, work())
        assert found is not None
        assert found.taint == A.taint
        assert not found.proven


def test_nothing_found_is_nothing() -> None:
    scope = Scope()
    scope.items.append(_item("a", x=A))
    assert find_column(("y",), scope, work()) is None
    assert find_column(("b", "x"), scope, work()) is None


def test_system_columns_hold_no_values() -> None:
    notes = work()
    found = find_column(("c", "ctid"), customer_scope(notes), notes)
    assert found is not None
    assert found.clear


def test_reading_a_column_is_written_down() -> None:
    notes = work()
    scope = customer_scope(notes)
    relation = scope.items[0].relation
    assert relation is not None
    find_column(("email",), scope, notes)
    assert notes.columns_read[relation.oid] == {"email"}
    find_column(("c",), scope, notes)
    assert notes.columns_read[relation.oid] is None


def test_columns_by_name_only_are_reached_through_it() -> None:
    scope = Scope()
    item = _item("old", x=A)
    item.by_name_only = True
    scope.items.append(item)
    assert find_column(("x",), scope, work()) is None
    assert find_column(("old", "x"), scope, work()) == A


def test_a_star_of_something_unknown_is_incomplete() -> None:
    notes = work()
    assert Scope().expand(("nosuch",), notes).rest == UNPROVEN
    assert not notes.complete
