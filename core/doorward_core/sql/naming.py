"""What an output column is called when nobody names it: as the server would call it.

It implements `FigureColname` of PostgreSQL's `src/backend/parser/parse_target.c`.
Names only let a proof be held against RowDescription: a wrong one makes a proof unusable, never wrong.
"""

from collections.abc import Callable, Iterable

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from doorward_core.sql.census import strings

UNNAMED = "?column?"
_FIXED = {
    "a_array_expr": "array", "row_expr": "row", "coalesce_expr": "coalesce", "grouping_func": "grouping",
    "merge_support_func": "merge_action", "xml_serialize": "xmlserialize", "json_parse_expr": "json",
    "json_scalar_expr": "json_scalar", "json_serialize_expr": "json_serialize",
    "json_object_constructor": "json_object", "json_array_constructor": "json_array",
    "json_array_query_constructor": "json_array", "json_object_agg": "json_objectagg",
    "json_array_agg": "json_arrayagg",
}  # fmt: skip
_XML = {
    pb.IS_XMLCONCAT: "xmlconcat", pb.IS_XMLELEMENT: "xmlelement", pb.IS_XMLFOREST: "xmlforest",
    pb.IS_XMLPARSE: "xmlparse", pb.IS_XMLPI: "xmlpi", pb.IS_XMLROOT: "xmlroot",
    pb.IS_XMLSERIALIZE: "xmlserialize",
}  # fmt: skip
_JSON = {
    pb.JSON_EXISTS_OP: "json_exists", pb.JSON_QUERY_OP: "json_query", pb.JSON_VALUE_OP: "json_value",
    pb.JSON_TABLE_OP: "json_table",
}  # fmt: skip
# Names under which a value function's keyword is known; timestamps carry a precision variant.
_VALUES = {
    pb.SVFOP_CURRENT_DATE: "current_date", pb.SVFOP_CURRENT_TIME: "current_time",
    pb.SVFOP_CURRENT_TIME_N: "current_time", pb.SVFOP_CURRENT_TIMESTAMP: "current_timestamp",
    pb.SVFOP_CURRENT_TIMESTAMP_N: "current_timestamp", pb.SVFOP_LOCALTIME: "localtime",
    pb.SVFOP_LOCALTIME_N: "localtime", pb.SVFOP_LOCALTIMESTAMP: "localtimestamp",
    pb.SVFOP_LOCALTIMESTAMP_N: "localtimestamp", pb.SVFOP_CURRENT_ROLE: "current_role",
    pb.SVFOP_CURRENT_USER: "current_user", pb.SVFOP_USER: "user", pb.SVFOP_SESSION_USER: "session_user",
    pb.SVFOP_CURRENT_CATALOG: "current_catalog", pb.SVFOP_CURRENT_SCHEMA: "current_schema",
}  # fmt: skip


def column_name(node: Message) -> str:
    """Name an output expression."""
    return _figure(node)[0] or UNNAMED


def _figure(node: Message) -> tuple[str, int]:
    """A name and how strongly it is meant: 2 for a name proper, 1 for a type's or a keyword's, 0 for none."""
    kind = node.WhichOneof("node")
    if kind is None:
        return "", 0
    inner = getattr(node, kind)
    if kind in _FIXED:
        return _FIXED[kind], 2
    figure = _FIGURES.get(kind)
    return ("", 0) if figure is None else figure(inner)


def _last_string(nodes: Iterable[Message]) -> str:
    found = [name for name in strings(nodes) if name != "*"]
    return found[-1] if found else ""


def _indirection(node: Message) -> tuple[str, int]:
    fields = [part for part in node.indirection if part.WhichOneof("node") == "string"]
    return (fields[-1].string.sval, 2) if fields else _figure(node.arg)


def _type_cast(node: Message) -> tuple[str, int]:
    name, strength = _figure(node.arg)
    if strength <= 1 and node.type_name.names:
        return strings(node.type_name.names)[-1], 1
    return name, strength


def _case(node: Message) -> tuple[str, int]:
    name, strength = _figure(node.defresult)
    return ("case", 1) if strength <= 1 else (name, strength)


def _sub_link(node: Message) -> tuple[str, int]:
    if node.sub_link_type == pb.EXISTS_SUBLINK:
        return "exists", 2
    if node.sub_link_type == pb.ARRAY_SUBLINK:
        return "array", 2
    if node.sub_link_type != pb.EXPR_SUBLINK:
        return "", 0
    query = node.subselect.select_stmt
    while query.op != pb.SETOP_NONE:
        query = query.larg
    if not query.target_list:
        return ("column1", 2) if query.values_lists else ("", 0)
    target = query.target_list[0].res_target
    return (target.name, 2) if target.name else _figure(target.val)


_FIGURES: dict[str, Callable[[Message], tuple[str, int]]] = {
    "column_ref": lambda node: (_last_string(node.fields), 2),
    "a_indirection": _indirection,
    "func_call": lambda node: (_last_string(node.funcname), 2),
    "a_expr": lambda node: ("nullif", 2) if node.kind == pb.AEXPR_NULLIF else ("", 0),
    "type_cast": _type_cast,
    "collate_clause": lambda node: _figure(node.arg),
    "case_expr": _case,
    "sub_link": _sub_link,
    "min_max_expr": lambda node: ("greatest" if node.op == pb.IS_GREATEST else "least", 2),
    "xml_expr": lambda node: (_XML.get(node.op, ""), 2),
    "json_func_expr": lambda node: (_JSON.get(node.op, ""), 2),
    "sqlvalue_function": lambda node: (_VALUES.get(node.op, ""), 2),
}
