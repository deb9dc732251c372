"""Expressions: what flows through them, what they call, and which of them look at a masked value.

It reads raw parse trees (`src/include/nodes/parsenodes.h`, `primnodes.h`) and evaluates nothing.
It implements ARCHITECTURE.md, "Masks"; threat model PG-80, PG-81, PG-83.

Invariants: every node kind is read by a handler of its own, by `_parts`, or is refused; a masked value that meets
anything but what is known to only show it is a probe, because failing, NULL or a branch would tell of it.
"""

from collections.abc import Callable, Iterator

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from doorward_core.sql.budget import MOST_EQUALITIES
from doorward_core.sql.calls import read_call
from doorward_core.sql.census import strings
from doorward_core.sql.effects import (
    LOOKING_UP,
    SHOWING_OPERATORS,
    SHOWING_TYPES,
    check_operator,
    check_type,
)
from doorward_core.sql.lineage import CLEAR, CONSTANT, UNPROVEN, Flow, join
from doorward_core.sql.scope import Scope, find_column
from doorward_core.sql.work import Work, shape_flow

# Nodes whose value is their parts' mix and nothing more: they cannot fail on a part and do not branch on it.
SHOWING_NODES = frozenset(
    {"a_array_expr", "row_expr", "coalesce_expr", "min_max_expr", "bool_expr", "null_test", "boolean_test",
     "named_arg_expr", "collate_clause", "list"}
)  # fmt: skip
# Nodes that are read part by part as well, but may fail or branch on a value; since which server they are known.
MIXING_NODES = {
    "xml_expr": 0, "xml_serialize": 0, "a_indices": 0, "json_object_constructor": 160000,
    "json_array_constructor": 160000, "json_array_query_constructor": 160000, "json_object_agg": 160000,
    "json_array_agg": 160000, "json_is_predicate": 160000, "json_key_value": 160000, "json_value_expr": 160000,
    "json_parse_expr": 170000, "json_scalar_expr": 170000, "json_serialize_expr": 170000,
    "json_func_expr": 170000, "json_argument": 170000, "json_behavior": 170000, "merge_support_func": 170000,
}  # fmt: skip
# Messages within them that are no nodes of their own.
_PLAIN_PARTS = frozenset(
    {"JsonFormat", "JsonOutput", "JsonReturning", "JsonValueExpr", "JsonAggConstructor", "JsonKeyValue",
     "JsonBehavior", "SortBy", "WindowDef", "TypeName", "String", "Integer", "XmlExpr"}
)  # fmt: skip


def read(node: Message, scope: Scope, work: Work) -> Flow:
    """Read one expression: where its value comes from."""
    kind = node.WhichOneof("node")
    if kind is None:
        return CLEAR
    handler = _HANDLERS.get(kind)
    if handler is not None:
        return handler(getattr(node, kind), scope, work)
    if kind in SHOWING_NODES:
        return join(_parts(getattr(node, kind), scope, work))
    since = MIXING_NODES.get(kind)
    if since is not None:
        if work.lens.server_version < since:
            work.incomplete(f"the server is older than the syntax of {kind}")
        flow = join(_parts(getattr(node, kind), scope, work))
        work.probe(flow)
        return flow
    work.unknown(kind, f"this kind of expression is not understood: {kind}")
    return UNPROVEN


def read_each(nodes: "list[Message]", scope: Scope, work: Work) -> Flow:
    """Read several expressions into one mix."""
    return join([read(node, scope, work) for node in nodes])


def condition(node: Message, scope: Scope, work: Work) -> None:
    """Read a condition that chooses rows: whatever masked column it looks at is probed."""
    kind = node.WhichOneof("node")
    if kind is None:
        return
    if kind == "bool_expr" and node.bool_expr.boolop == pb.AND_EXPR:
        for part in node.bool_expr.args:
            condition(part, scope, work)
        return
    if kind == "a_expr":
        flow = _equality(node.a_expr, scope, work)
        if flow is not None:
            constants = len(node.a_expr.rexpr.list.items) or 1
            work.probe(flow, equality=not flow.taint or work.budget.guess(constants))
            return
    work.probe(read(node, scope, work))


def _equality(node: Message, scope: Scope, work: Work) -> Flow | None:
    """The flow of a masked column that is compared with supplied constants for equality, and no more."""
    if strings(node.name) not in {("=",), ("pg_catalog", "=")}:
        return None
    if node.kind == pb.AEXPR_OP:
        sides = [node.lexpr, node.rexpr]
    elif node.kind == pb.AEXPR_IN and node.rexpr.WhichOneof("node") == "list":
        sides = [node.lexpr, *node.rexpr.list.items]
    else:
        return None
    columns = [side for side in sides if side.WhichOneof("node") == "column_ref"]
    if len(columns) != 1 or len(sides) > MOST_EQUALITIES + 1:
        return None
    if not all(side is columns[0] or is_constant(side) for side in sides):
        return None
    flow = join_exact([read(side, scope, work) for side in sides if side is columns[0]])
    for side in sides:
        if side is not columns[0]:
            read(side, scope, work)
    check_operator(work, strings(node.name))
    if flow.origin is None and flow.taint:
        work.probe(flow)
        return CLEAR
    return flow


def join_exact(flows: list[Flow]) -> Flow:
    """One flow as it is, or several mixed."""
    return flows[0] if len(flows) == 1 else join(flows)


def is_constant(node: Message) -> bool:
    """Whether it is a literal or a parameter, possibly cast."""
    while node.WhichOneof("node") == "type_cast":
        node = node.type_cast.arg
    return node.WhichOneof("node") in {"a_const", "param_ref"}


def _parts(message: Message, scope: Scope, work: Work) -> Iterator[Flow]:
    """Read every expression under a message, whatever field it stands in."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for part in value if field.is_repeated else (value,):
            name = part.DESCRIPTOR.name
            if name == "Node":
                if part.WhichOneof("node") not in _WORDS:
                    yield read(part, scope, work)
            elif name == "TypeName":
                read_type(part, scope, work)
            elif name == "JsonArrayQueryConstructor":
                yield _HANDLERS["json_array_query_constructor"](part, scope, work)
            elif name in _PLAIN_PARTS:
                yield from _parts(part, scope, work)
            else:
                work.unknown(name, f"this part of an expression is not understood: {name}")
                yield UNPROVEN


_WORDS = frozenset({"string", "integer", "boolean", "float", "bit_string"})


def read_type(node: Message, scope: Scope, work: Work) -> str:
    """Read a type's name; gives the name itself where it is a plain built-in spelling."""
    name = strings(node.names)
    check_type(work, name)
    for part in (*node.typmods, *node.array_bounds):
        if part.WhichOneof("node") not in _WORDS:
            read(part, scope, work)
    if node.pct_type or node.array_bounds:
        return ""
    return name[-1]


def _column_ref(node: Message, scope: Scope, work: Work) -> Flow:
    parts = strings(node.fields)
    work.seen_columns.add(parts)
    if parts[-1] == "*":
        return shape_flow(scope.expand(parts[:-1], work))
    flow = find_column(parts, scope, work)
    if flow is not None:
        return flow
    if len(parts) > 1:
        _functional_notation(parts, scope, work)
    work.missing("column", parts)
    work.reaches_masked = True
    return UNPROVEN


def _functional_notation(parts: tuple[str, ...], scope: Scope, work: Work) -> None:
    """`c.f` is `f(c)` where `c` has no such column: a call."""
    catalog = work.lens.catalog
    item = scope.item(parts[:-1])
    if item is None or catalog is None:
        return
    flow = item.whole(work)
    for function in catalog.functions((parts[-1],), work.lens.path):
        if function.takes(1):
            work.opaque("function", function.qualified)
            work.probe(flow)


def _a_expr(node: Message, scope: Scope, work: Work) -> Flow:
    """Operators; a chain of them leans to the left, and is followed without recursion."""
    chain = [node]
    while (
        chain[-1].kind == pb.AEXPR_OP
        and chain[-1].lexpr.WhichOneof("node") == "a_expr"
        and chain[-1].lexpr.a_expr.kind == pb.AEXPR_OP
    ):
        chain.append(chain[-1].lexpr.a_expr)
    flow = read(chain[-1].lexpr, scope, work)
    for link in reversed(chain):
        flow = _combine(link, flow, read(link.rexpr, scope, work), work)
    return flow


# BETWEEN is written as a word and works by operators of these names.
_BETWEEN = ((">=",), ("<=",), ("<",), (">",))
_IMPLIED = {
    pb.AEXPR_BETWEEN: _BETWEEN,
    pb.AEXPR_NOT_BETWEEN: _BETWEEN,
    pb.AEXPR_BETWEEN_SYM: _BETWEEN,
    pb.AEXPR_NOT_BETWEEN_SYM: _BETWEEN,
}


def _combine(node: Message, left: Flow, right: Flow, work: Work) -> Flow:
    name = strings(node.name)
    known = not [part for part in (name, *_IMPLIED.get(node.kind, ())) if not check_operator(work, part)]
    flow = join((left, right))
    if not known:
        flow = join((flow, UNPROVEN))
    if flow.taint:
        plain = node.kind == pb.AEXPR_OP and known
        shows = name[-1] in SHOWING_OPERATORS or (name[-1] in LOOKING_UP and not right.taint)
        if not (plain and shows):
            work.probe(flow)
    return flow


def _type_cast(node: Message, scope: Scope, work: Work) -> Flow:
    flow = read(node.arg, scope, work)
    name = read_type(node.type_name, scope, work)
    if flow.taint and name not in SHOWING_TYPES:
        work.probe(flow)
    return flow if flow.constant else flow.changed()


def _case(node: Message, scope: Scope, work: Work) -> Flow:
    flows = [read(node.defresult, scope, work)]
    argument = read(node.arg, scope, work)
    if node.HasField("arg"):
        check_operator(work, ("=",))
    work.probe(argument)
    flows.append(argument)
    for when in node.args:
        chosen = read(when.case_when.expr, scope, work)
        work.probe(chosen)
        flows += [chosen, read(when.case_when.result, scope, work)]
    return join(flows)


def _sub_link(node: Message, scope: Scope, work: Work) -> Flow:
    inner = work.lens.readers.query(work, node.subselect.select_stmt, scope)
    if node.sub_link_type == pb.EXISTS_SUBLINK:
        return CLEAR
    flow = shape_flow(inner)
    if node.HasField("testexpr"):
        flow = join((flow, read(node.testexpr, scope, work)))
        check_operator(work, strings(node.oper_name) or ("=",))
        work.probe(flow)
    return flow.changed()


def _indirection(node: Message, scope: Scope, work: Work) -> Flow:
    """`(c).email`, `(f(x)).y`, `a[1]`: a field of a row that is known by name is that column, else a mix."""
    fields = node.indirection
    if node.arg.WhichOneof("node") == "column_ref" and fields and fields[0].WhichOneof("node") == "string":
        parts = strings(node.arg.column_ref.fields)
        known = scope.column(parts[-1], work) if len(parts) == 1 else None
        item = scope.item(parts) if known is None else None
        if item is not None and "*" not in parts:
            work.seen_columns.add(parts)
            flow = item.column(fields[0].string.sval, work)
            if flow is not None and len(fields) == 1:
                return flow
    flow = read(node.arg, scope, work)
    indices = [read(part, scope, work) for part in fields if part.WhichOneof("node") == "a_indices"]
    work.probe(join(indices))
    if any(part.WhichOneof("node") == "string" for part in fields):
        _field_or_call(strings(part for part in fields if part.WhichOneof("node") == "string"), flow, work)
    return join([flow, *indices])


def _field_or_call(names: tuple[str, ...], flow: Flow, work: Work) -> None:
    """`(x).f` may be a call of `f`: where functions of that name exist that are not safe, it may be theirs."""
    catalog = work.lens.catalog
    if catalog is None:
        return
    for name in names:
        for function in catalog.functions((name,), work.lens.path):
            if function.takes(1) and not function.builtin:
                work.opaque("function", function.qualified)
                work.probe(flow)


def _array_query(node: Message, scope: Scope, work: Work) -> Flow:
    if work.lens.server_version < MIXING_NODES["json_array_query_constructor"]:
        work.incomplete("the server is older than the syntax of JSON_ARRAY(query)")
    if node.output.HasField("type_name"):
        read_type(node.output.type_name, scope, work)
    return shape_flow(work.lens.readers.query(work, node.query.select_stmt, scope))


def _grouping(node: Message, scope: Scope, work: Work) -> Flow:
    for part in node.args:
        read(part, scope, work)
    return CLEAR


def _multi_assign(node: Message, scope: Scope, work: Work) -> Flow:
    """One column of `(a, b) = (...)`: the whole right side is taken for each."""
    return read(node.source, scope, work)


def _current_of(_node: Message, _scope: Scope, work: Work) -> Flow:
    work.pure = False
    return CLEAR


def _call(node: Message, scope: Scope, work: Work) -> Flow:
    return read_call(node, scope, work, read)


def _sort_by(node: Message, scope: Scope, work: Work) -> Flow:
    if node.use_op:
        check_operator(work, strings(node.use_op))
    return read(node.node, scope, work)


_HANDLERS: dict[str, Callable[[Message, Scope, Work], Flow]] = {
    "column_ref": _column_ref,
    "a_const": lambda _node, _scope, _work: CONSTANT,
    "param_ref": lambda _node, _scope, _work: CONSTANT,
    "set_to_default": lambda _node, _scope, _work: CLEAR,
    "a_expr": _a_expr,
    "type_cast": _type_cast,
    "func_call": _call,
    "case_expr": _case,
    "sub_link": _sub_link,
    "a_indirection": _indirection,
    "sqlvalue_function": lambda _node, _scope, _work: CLEAR,
    "json_array_query_constructor": _array_query,
    "grouping_func": _grouping,
    "multi_assign_ref": _multi_assign,
    "current_of_expr": _current_of,
    "res_target": lambda node, scope, work: read(node.val, scope, work),
    "sort_by": _sort_by,
}
HANDLED = frozenset(_HANDLERS)
