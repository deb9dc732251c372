"""The notebook forgets nothing, and the lens shows each relation under the session's masks."""

from sql_stand import lens, work

from doorward_core.model import Action
from doorward_core.sql.lineage import Flow
from doorward_core.sql.work import Shape, shape_flow


def test_anything_but_a_look_is_not_pure() -> None:
    for action in Action:
        notes = work()
        notes.atom(action, "x", "y")
        assert notes.pure is (action in {Action.READ, Action.PROBE, Action.SESSION})


def test_the_first_problem_is_kept() -> None:
    notes = work()
    notes.incomplete("first")
    notes.incomplete("second")
    assert (notes.complete, notes.pure, notes.problem) == (False, False, "first")


def test_unknown_and_opaque_reach_everything() -> None:
    for write in (lambda notes: notes.unknown("x", "y"), lambda notes: notes.opaque("function", "f")):
        notes = work()
        write(notes)
        assert notes.reaches_masked


def test_temporary_names_do_not_resolve() -> None:
    view = lens()
    assert view.resolve(("customer",)) is not None
    assert view.resolve(("pg_temp", "customer")) is None
    assert view.resolve(("pg_temp_3", "customer")) is None


def test_new_names_go_where_the_server_would_put_them() -> None:
    assert lens(path=("nosuch", "hr", "public")).new_name(("t",)) == "hr.t"
    assert lens().new_name(("a", "t")) == "a.t"
    assert lens(path=("pg_temp", "public")).new_name(("t",)) == "pg_temp.t"
    assert lens().new_name(("pg_temp_4", "t")) == "pg_temp.t"
    assert lens().within("s").new_name(("t",)) == "s.t"
    assert lens(path=()).new_name(("t",)) == "t"


def test_columns_carry_masks_and_generated_ones_their_sources() -> None:
    relation = lens().resolve(("customer",))
    assert relation is not None
    columns = lens().columns(relation)
    assert columns["email"].flow.taint == {(relation.oid, 3)}
    assert columns["email_lower"].flow.taint == {(relation.oid, 3)}
    assert columns["email_lower"].flow.origin is None
    assert columns["name"].flow.clear


def test_views_that_tell_of_other_rows_are_never_clear() -> None:
    for name in ("pg_stats", "pg_statistic", "pg_stat_activity", "pg_prepared_statements", "pg_cursors"):
        relation = lens().resolve(("pg_catalog", name))
        assert relation is not None, name
        assert not any(named.flow.clear for named in lens().columns(relation).values()), name


def test_the_mix_of_a_row_is_all_of_it() -> None:
    assert shape_flow(Shape(())).clear
    assert not shape_flow(Shape((), Flow(proven=False))).clear
