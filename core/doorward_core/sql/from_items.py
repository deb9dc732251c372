"""FROM: tables, views, WITH names, subqueries, functions and joins, turned into named row sources.

It implements PostgreSQL's `src/backend/parser/parse_clause.c` (transformFromClauseItem) as far as names go.
It reads no target lists and decides nothing; threat model PG-05, PG-08, PG-83.
"""

from collections.abc import Callable

from google.protobuf.message import Message

from doorward_core.model import Action
from doorward_core.sql.catalog import Catalog, Function, Relation
from doorward_core.sql.census import relation_name, strings
from doorward_core.sql.ctes import find_cte
from doorward_core.sql.effects import check_operator, check_sample
from doorward_core.sql.expressions import condition, read, read_type
from doorward_core.sql.lineage import CLEAR, UNPROVEN, Flow, Named, join
from doorward_core.sql.scope import Item, Scope
from doorward_core.sql.work import Shape, Work, shape_flow

_JSON_TABLE_SINCE = 170000
# The most columns that are listed for `*` over a join: a result takes 1,664, and lists are copied at every join.
MOST_JOINED_COLUMNS = 5_000
# pg_type's OID of record: its columns are what the call says.
_RECORD = 2249


def read_from(nodes: "list[Message]", scope: Scope, work: Work) -> None:
    """Read a FROM clause into `scope`."""
    star: list[Named] | None = []
    for node in nodes:
        columns = read_item(node, scope, work)
        star = None if star is None or columns is None else _bounded([*star, *columns])
    scope.star = star


def _bounded(columns: list[Named]) -> list[Named] | None:
    """Joins may have more columns than a result; past the bound they are not listed, only found by name."""
    return columns if len(columns) <= MOST_JOINED_COLUMNS else None


def read_item(node: Message, scope: Scope, work: Work) -> list[Named] | None:
    """Read one item into `scope`; gives the columns that `*` takes from it, None where they are not all known."""
    kind = node.WhichOneof("node")
    handler = _HANDLERS.get(kind)
    if handler is None:
        work.unknown(str(kind), f"this kind of row source is not understood: {kind}")
        scope.items.append(Item("", Shape((), UNPROVEN)))
        return None
    return handler(getattr(node, kind), scope, work)


def _add(scope: Scope, item: Item) -> list[Named] | None:
    scope.items.append(item)
    return None if item.shape.rest is not None else list(item.shape.columns)


def renamed(shape: Shape, alias: Message) -> Shape:
    """Apply the column names of an alias."""
    names = strings(alias.colnames)
    if not names:
        return shape
    columns = tuple(
        Named(names[index], column.flow, column.attnum) if index < len(names) else column
        for index, column in enumerate(shape.columns)
    )
    extra = names[len(shape.columns) :]
    if shape.rest is not None and extra:
        columns += tuple(Named(name, shape.rest) for name in extra)
    return Shape(columns, shape.rest)


def _range_var(node: Message, scope: Scope, work: Work) -> list[Named] | None:
    parts = relation_name(node)
    work.seen_relations.add(parts)
    name = node.alias.aliasname if node.HasField("alias") else node.relname
    if len(parts) == 1:
        shape = find_cte(parts[0], scope, work)
        if shape is not None:
            return _add(scope, Item(name, renamed(shape, node.alias)))
    return _add(scope, relation_item(node, work))


def relation_item(node: Message, work: Work) -> Item:
    """The row source of a table or view, written down as reached."""
    parts = relation_name(node)
    work.seen_relations.add(parts)
    has_alias = node.HasField("alias")
    name = node.alias.aliasname if has_alias else node.relname
    relation = work.lens.resolve(parts)
    if relation is None:
        return unresolved_item(name, parts, work)
    work.reach(relation)
    columns = work.lens.columns(relation)
    shape = Shape(tuple(columns.values()))
    if has_alias and node.alias.colnames:
        return _renamed_relation(name, relation, renamed(shape, node.alias), work)
    return Item(name, shape, relation=relation, schema="" if has_alias else relation.schema, index=columns)


def unresolved_item(name: str, parts: tuple[str, ...], work: Work) -> Item:
    """The row source of a name that nothing is known of: it may be anything, and nothing is proved of its columns."""
    work.atom(Action.UNKNOWN, "relation", ".".join(parts))
    work.missing("relation", parts)
    work.reaches_masked = True
    return Item(name, Shape((), UNPROVEN))


def _renamed_relation(name: str, relation: Relation, shape: Shape, work: Work) -> Item:
    """A relation with column names of its own: what is read of it is no longer followed column by column."""
    work.read(relation, None)
    return Item(name, shape)


def _range_subselect(node: Message, scope: Scope, work: Work) -> list[Named] | None:
    around = scope if node.lateral else scope.parent
    inner = Scope(around)
    if not node.lateral:
        inner.ctes.update(scope.ctes)
    shape = work.lens.readers.query(work, node.subquery.select_stmt, inner)
    return _add(scope, Item(node.alias.aliasname, renamed(shape, node.alias)))


def _range_function(node: Message, scope: Scope, work: Work) -> list[Named] | None:
    columns: list[Named] = []
    rest: Flow | None = None
    name = node.alias.aliasname
    for wrapped in node.functions:
        call = wrapped.list.items[0]
        flow = read(call, scope, work)
        work.probe(flow)
        flow = flow.changed()
        definitions = list(node.coldeflist) or [
            part for part in wrapped.list.items[1].list.items if part.WhichOneof("node") == "column_def"
        ]
        name = name or _call_name(call)
        shape = _function_shape(call, definitions, flow, scope, work, alias=name, single=len(node.functions) == 1)
        columns += shape.columns
        rest = shape.rest if rest is None else rest
    if node.ordinality:
        columns.append(Named("ordinality", CLEAR))
    return _add(scope, Item(name, renamed(Shape(tuple(columns), rest), node.alias)))


def _call_name(call: Message) -> str:
    if call.WhichOneof("node") == "func_call":
        return strings(call.func_call.funcname)[-1]
    if call.WhichOneof("node") == "sqlvalue_function":
        return ""
    return ""


def _function_shape(
    call: Message, definitions: "list[Message]", flow: Flow, scope: Scope, work: Work, *, alias: str, single: bool
) -> Shape:
    """The columns that a function in FROM gives."""
    if definitions:
        named = []
        for definition in definitions:
            read_type(definition.column_def.type_name, scope, work)
            named.append(Named(definition.column_def.colname, flow))
        return Shape(tuple(named))
    catalog = work.lens.catalog
    if catalog is None or call.WhichOneof("node") != "func_call":
        return Shape((), join([flow, UNPROVEN]))
    name = strings(call.func_call.funcname)
    count = len(call.func_call.args)
    candidates = [item for item in catalog.functions(name, work.lens.path) if item.takes(count)]
    lists = {names for item in candidates if (names := _columns(catalog, item)) is not None}
    if not candidates or len(lists) != 1 or any(_columns(catalog, item) is None for item in candidates):
        return Shape((), flow)
    names = lists.pop()
    if not names:
        own = alias if single else name[-1]
        return Shape((Named(own, flow),))
    return Shape(tuple(Named(column, flow) for column in names))


def _columns(catalog: Catalog, function: Function) -> tuple[str, ...] | None:
    """Names of a function's columns: none for a scalar; None where they depend on the call."""
    if len(function.outputs) > 1:
        return tuple(name or f"column{index}" for index, (name, _) in enumerate(function.outputs, 1))
    if function.outputs:
        return (function.outputs[0][0],) if function.outputs[0][0] else ()
    found = catalog.type_by_oid(function.result_type)
    if found is None or found.kind in {"p", "c"} or function.result_type == _RECORD:
        return None
    if found.kind == "d":
        return None
    return ()


def _join(node: Message, scope: Scope, work: Work) -> list[Named] | None:
    """A join; a chain of them leans to the left, and is followed without recursion."""
    chain = [node]
    while chain[-1].larg.WhichOneof("node") == "join_expr" and not chain[-1].larg.join_expr.HasField("alias"):
        chain.append(chain[-1].larg.join_expr)
    first = len(scope.items)
    left = read_item(chain[-1].larg, scope, work)
    for link in reversed(chain):
        left = _one_join(link, left, first, scope, work)
    return left


def _one_join(node: Message, left: list[Named] | None, first: int, scope: Scope, work: Work) -> list[Named] | None:
    right = read_item(node.rarg, scope, work)
    shared: list[str] = list(strings(node.using_clause))
    if node.is_natural:
        if left is None or right is None:
            work.incomplete("NATURAL JOIN over columns that are not known")
        others = {column.name for column in right or ()}
        shared = [column.name for column in left or () if column.name in others]
    columns = _merge(left, right, shared, work)
    for merged in shared:
        check_operator(work, ("=",))
        for item in scope.items[first:]:
            item.column(merged, work)
    if node.HasField("quals"):
        condition(node.quals, scope, work)
    if node.HasField("join_using_alias"):
        listed = tuple(column for column in columns or () if column.name in shared)
        scope.items.append(_by_name_only(Item(node.join_using_alias.aliasname, Shape(listed))))
    if not node.HasField("alias"):
        return columns
    inside = scope.items[first:]
    for item in inside:
        item.whole(work)
    del scope.items[first:]
    rest = None if columns is not None else join([UNPROVEN, *(shape_flow(item.shape) for item in inside)])
    return _add(scope, Item(node.alias.aliasname, renamed(Shape(tuple(columns or ()), rest), node.alias)))


def _by_name_only(item: Item) -> Item:
    item.by_name_only = True
    return item


def _merge(left: list[Named] | None, right: list[Named] | None, shared: list[str], work: Work) -> list[Named] | None:
    """What `*` gives of a join: merged columns first. Comparing them probes them."""
    if left is None or right is None:
        for column in (*(left or ()), *(right or ())):
            if column.name in shared:
                work.probe(column.flow)
        return None
    merged = []
    for name in shared:
        flow = join([column.flow for column in (*left, *right) if column.name == name])
        work.probe(flow)
        merged.append(Named(name, flow))
    rest = [column for column in (*left, *right) if column.name not in shared]
    return _bounded([*merged, *rest])


def _table_sample(node: Message, scope: Scope, work: Work) -> list[Named] | None:
    columns = read_item(node.relation, scope, work)
    check_sample(work, strings(node.method))
    for part in (*node.args, node.repeatable):
        work.probe(read(part, scope, work))
    return columns


def _table_func(node: Message, scope: Scope, work: Work) -> list[Named] | None:
    """XMLTABLE."""
    flows = [read(node.docexpr, scope, work), read(node.rowexpr, scope, work)]
    flows += [read(part.res_target.val, scope, work) for part in node.namespaces]
    named = []
    for wrapped in node.columns:
        column = wrapped.range_table_func_col
        if column.HasField("type_name"):
            read_type(column.type_name, scope, work)
        flows += [read(column.colexpr, scope, work), read(column.coldefexpr, scope, work)]
        named.append(column.colname)
    flow = join(flows)
    work.probe(flow)
    return _add(scope, Item(node.alias.aliasname or "xmltable", _all_alike(named, flow, node)))


def _all_alike(names: list[str], flow: Flow, node: Message) -> Shape:
    return renamed(Shape(tuple(Named(name, flow.changed()) for name in names)), node.alias)


def _json_table(node: Message, scope: Scope, work: Work) -> list[Named] | None:
    if work.lens.server_version < _JSON_TABLE_SINCE:
        work.incomplete("the server is older than JSON_TABLE")
    flows = [read(node.context_item.raw_expr, scope, work)]
    flows += [read(part.json_argument.val.raw_expr, scope, work) for part in node.passing]
    flows += [read(node.pathspec.string, scope, work), read(node.on_error.expr, scope, work)]
    names: list[str] = []
    _json_columns(list(node.columns), names, scope, work)
    flow = join(flows)
    work.probe(flow)
    return _add(scope, Item(node.alias.aliasname or "json_table", _all_alike(names, flow, node)))


def _json_columns(nodes: "list[Message]", names: list[str], scope: Scope, work: Work) -> None:
    for wrapped in nodes:
        column = wrapped.json_table_column
        if column.HasField("type_name"):
            read_type(column.type_name, scope, work)
        for part in (column.on_empty.expr, column.on_error.expr, column.pathspec.string):
            work.probe(read(part, scope, work))
        if column.columns:
            _json_columns(list(column.columns), names, scope, work)
        else:
            names.append(column.name)


_HANDLERS: dict[str | None, Callable[[Message, Scope, Work], list[Named] | None]] = {
    "range_var": _range_var,
    "range_subselect": _range_subselect,
    "range_function": _range_function,
    "join_expr": _join,
    "range_table_sample": _table_sample,
    "range_table_func": _table_func,
    "json_table": _json_table,
}
HANDLED = frozenset(name for name in _HANDLERS if name is not None)
