"""Flows: joining loses no taint and proves nothing new."""

from hypothesis import given
from hypothesis import strategies as st
from sql_stand import catalog

from doorward_core.sql.lineage import (
    CLEAR,
    CONSTANT,
    UNPROVEN,
    EveryColumn,
    Flow,
    MaskTable,
    alternative,
    family_taint,
    join,
)

COLUMNS = st.frozensets(st.tuples(st.integers(1, 3), st.integers(1, 3)), max_size=3)
FLOWS = st.builds(
    Flow, COLUMNS, st.booleans(), st.none() | st.tuples(st.integers(1, 3), st.integers(1, 3)), st.booleans()
)


@given(st.lists(FLOWS, max_size=5))
def test_a_join_holds_every_taint_and_is_proved_only_if_all_are(flows: list[Flow]) -> None:
    joined = join(flows)
    assert joined.taint == frozenset().union(*(flow.taint for flow in flows))
    assert joined.proven == all(flow.proven for flow in flows)
    assert joined.clear == all(flow.clear for flow in flows)
    assert joined.origin is None


@given(FLOWS, FLOWS)
def test_an_alternative_keeps_an_origin_only_where_both_agree(first: Flow, second: Flow) -> None:
    found = alternative(first, second)
    assert found.taint == first.taint | second.taint
    assert found.origin is None or first == second


@given(FLOWS)
def test_a_changed_value_is_no_columns_own(flow: Flow) -> None:
    assert flow.changed().origin is None
    assert flow.changed().taint == flow.taint
    assert flow.changed().clear == flow.clear


def test_the_named_flows() -> None:
    assert CLEAR.clear
    assert CONSTANT.clear
    assert not UNPROVEN.clear


def test_a_mask_holds_for_the_whole_family_by_name() -> None:
    known = catalog()
    parent, child = known.relation("public", "part"), known.relation("public", "part_1")
    assert parent is not None
    assert child is not None
    masks = MaskTable({parent.oid: frozenset({2})})
    assert family_taint(known, masks, child) == {"email": {(parent.oid, 2)}}
    masks = MaskTable({child.oid: frozenset({2})})
    assert family_taint(known, masks, parent) == {"email": {(child.oid, 2)}}
    assert MaskTable({1: frozenset()}).empty


def test_every_column_marks_what_is_stored() -> None:
    known = catalog()
    table, view = known.relation("public", "customer"), known.relation("public", "customer_view")
    assert table is not None
    assert view is not None
    assert EveryColumn().own(table) == set(range(1, 10))
    assert EveryColumn().own(view) == frozenset()
    assert not EveryColumn().empty
