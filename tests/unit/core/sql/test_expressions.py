"""Expressions: every node of the grammar is read or refused, and flows are joined without loss."""

import pytest
from postgast import pg_query_pb2 as pb
from sql_stand import atoms, customer_scope, look, outputs, rebuilt, work

from doorward_core.sql import expressions, from_items
from doorward_core.sql.statements import HANDLERS

# Nodes of the grammar that stand inside others and are read where those are read.
PARTS = frozenset(
    """
    alias range_var into_clause a_star type_name role_spec locking_clause with_clause infer_clause on_conflict_clause
    ctesearch_clause ctecycle_clause common_table_expr merge_when_clause returning_option returning_clause window_def
    grouping_set case_when index_elem def_elem column_def constraint table_like_clause partition_elem partition_spec
    partition_bound_spec partition_range_datum partition_cmd trigger_transition function_parameter object_with_args
    access_priv alter_table_cmd create_op_class_item stats_elem vacuum_relation publication_table publication_obj_spec
    range_table_func_col json_format json_returning json_output json_agg_constructor json_table_column
    json_table_path_spec replica_identity_stmt raw_stmt integer float boolean string bit_string atalter_constraint
    """.split()  # noqa: SIM905 - a list of names reads best as words
)
# Nodes that only the server's own analysis, planner or languages make: no text parses to them, and none is read.
NEVER_PARSED = frozenset(
    """
    table_func var param aggref window_func window_func_run_condition subscripting_ref func_expr op_expr distinct_expr
    null_if_expr scalar_array_op_expr sub_plan alternative_sub_plan field_select field_store relabel_type
    coerce_via_io array_coerce_expr convert_rowtype_expr case_test_expr array_expr row_compare_expr
    json_constructor_expr json_expr json_table_path json_table_path_scan json_table_sibling_join merge_action
    coerce_to_domain coerce_to_domain_value next_value_expr inference_elem returning_expr target_entry range_tbl_ref
    from_expr on_conflict_expr query range_tbl_entry rtepermission_info range_tbl_function table_sample_clause
    with_check_option sort_group_clause window_clause row_mark_clause set_operation_stmt return_stmt plassign_stmt
    inline_code_block call_context int_list oid_list collate_expr
    """.split()  # noqa: SIM905 - a list of names reads best as words
)


def test_every_node_of_the_grammar_is_read_or_refused() -> None:
    grammar = {field.name for field in pb.Node.DESCRIPTOR.oneofs[0].fields}
    read = (
        expressions.HANDLED
        | expressions.SHOWING_NODES
        | expressions.MIXING_NODES.keys()
        | from_items.HANDLED
        | HANDLERS.keys()
    )
    known = read | PARTS | NEVER_PARSED
    assert grammar - known == set(), "nodes that nobody has thought about"
    assert known - grammar == set(), "nodes that the grammar does not have"
    assert not read & NEVER_PARSED


def test_a_node_that_is_not_read_is_unknown() -> None:
    notes_of = pb.Node()
    notes_of.var.varno = 1
    notes = work()
    flow = expressions.read(notes_of, customer_scope(notes), notes)
    assert not flow.clear
    assert not notes.complete


@pytest.mark.parametrize(
    "expression",
    ["1", "'x'", "null", "$1", "name", "name || 'x'", "lower(name)", "age + 1", "age between 1 and 2", "not is_vip",
     "case when is_vip then name end", "coalesce(name, country)", "array[name]", "row(id, name)", "id = any('{1}')",
     "exists (select email from customer)", "(select count(*) from customer)", "name::varchar(3)", "current_date",
     "name is null", "grouping(id)", 'name collate "C"', "extract(year from now())", "interval '1 day'",
     "(array[1, 2])[1:2]", "greatest(id, age)", "'{\"a\": 1}'::jsonb -> 'a'", "name similar to 'x'", "-age",
     "(id, name) = (1, 'x')", "id in (1, 2, 3)", "name is distinct from country", "xmlelement(name a, name)",
     "position('a' in name)", "trim(both from name)", "name at time zone 'utc'", "overlay(name placing 'x' from 1)"],
)  # fmt: skip
def test_expressions_over_plain_columns_are_clear_and_pure(expression: str) -> None:
    found = look(f"select {expression} from customer")
    assert found.complete, found.problem
    assert found.pure
    assert found.outputs is not None
    assert found.outputs[0].clear


def test_functional_notation_calls_the_function() -> None:
    found = look("select c.evil_stable from customer c")
    assert "execute function public.evil_stable" in atoms(found)
    assert not found.complete
    assert "execute function public.evil_stable" in atoms(look("select (c).evil_stable from customer c"))


def test_a_field_of_a_row_known_by_name_is_that_column() -> None:
    assert outputs(look("select (c).id, (c).email, (c).name from customer c")) == [
        "id clear",
        "email masked",
        "name clear",
    ]
    assert outputs(look("select (select c).id from customer c")) == ["id masked"]


def test_between_works_by_operators() -> None:
    shadow = rebuilt("operators", lambda _known: [["public", ">=", "public.ge", "sql"]])
    assert "execute function public.ge" in atoms(look("select id between 1 and 2 from customer", catalog=shadow))


def test_newer_syntax_is_read_on_newer_servers() -> None:
    assert look("select json_exists(jsonb '{}', '$.a')", 18).complete
    assert look("select json_array(select email from customer returning jsonb)", 18).complete
    assert look("select system_user", 18).complete


def test_many_constants_are_a_guess_list() -> None:
    few = ", ".join("'x'" for _ in range(expressions.MOST_EQUALITIES))
    assert "probe public.customer(email)/equality" in atoms(look(f"select 1 from customer where email in ({few})"))
    assert "probe public.customer(email)/other" in atoms(look(f"select 1 from customer where email in ({few}, 'y')"))
