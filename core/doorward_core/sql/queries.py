"""SELECT, VALUES, TABLE and set operations: what they read, what they look at, and what each output column holds.

It implements `SelectStmt` of PostgreSQL's raw parse trees, in the order of `src/backend/parser/analyze.c`.
threat model PG-22, PG-24, PG-80, PG-81, PG-83.
It decides nothing; what it cannot read it writes down as unread.
"""

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from doorward_core.model import Action
from doorward_core.sql.calls import read_window
from doorward_core.sql.census import relation_name, strings
from doorward_core.sql.ctes import read_with
from doorward_core.sql.effects import check_operator
from doorward_core.sql.expressions import condition, read
from doorward_core.sql.from_items import read_from
from doorward_core.sql.lineage import CLEAR, UNPROVEN, Flow, Named, alternative, join
from doorward_core.sql.names import TEMPORARY_SCHEMA
from doorward_core.sql.naming import column_name
from doorward_core.sql.scope import Scope
from doorward_core.sql.work import Shape, Work

# MaxTupleAttributeNumber of src/include/access/htup_details.h: the server takes no more.
MOST_COLUMNS = 1664


def read_query(work: Work, node: Message, scope: Scope | None) -> Shape:
    """Read a SelectStmt whose surroundings are `scope`; gives its columns."""
    work.budget.spend()
    inner = Scope(scope)
    if node.HasField("with_clause"):
        read_with(node.with_clause, inner, work)
    if node.op != pb.SETOP_NONE:
        shape = _set_operation(node, inner, work)
        _order_set(node, shape, inner, work)
    elif node.values_lists:
        shape = _values(node, inner, work)
        _order_set(node, shape, inner, work)
    else:
        shape = _select(node, inner, work)
    _tail(node, shape, inner, work)
    return shape


def _select(node: Message, scope: Scope, work: Work) -> Shape:
    read_from(list(node.from_clause), scope, work)
    if node.HasField("where_clause"):
        condition(node.where_clause, scope, work)
    for part in node.window_clause:
        flow = read_window(part.window_def, scope, work, read)
        scope.windows[part.window_def.name] = flow
    shape = read_targets(list(node.target_list), scope, work)
    for part in node.group_clause:
        _key(part, shape, scope, work)
    if node.HasField("having_clause"):
        condition(node.having_clause, scope, work)
    if node.distinct_clause:
        check_operator(work, ("=",))
        keys = [part for part in node.distinct_clause if part.WhichOneof("node") is not None]
        for part in keys:
            _key(part, shape, scope, work)
        if not keys:
            _probe_all(shape, work)
    for part in node.sort_clause:
        _key(part, shape, scope, work)
    return shape


def read_targets(nodes: "list[Message]", scope: Scope, work: Work) -> Shape:
    """Read a target or RETURNING list into named columns."""
    columns: list[Named] = []
    rest: Flow | None = None
    for wrapped in nodes:
        target = wrapped.res_target
        value = target.val
        kind = value.WhichOneof("node")
        expanded: Shape | None = None
        if kind == "column_ref":
            parts = strings(value.column_ref.fields)
            if parts[-1] == "*":
                work.seen_columns.add(parts)
                expanded = scope.expand(parts[:-1][-2:], work)
        elif kind == "a_indirection" and value.a_indirection.indirection[-1].WhichOneof("node") == "a_star":
            expanded = _expand_row(value.a_indirection, scope, work)
        if expanded is None:
            columns.append(Named(target.name or column_name(value), read(value, scope, work)))
            continue
        columns.extend(expanded.columns)
        rest = expanded.rest if rest is None else join([rest, expanded.rest or CLEAR])
        if len(columns) > MOST_COLUMNS:
            work.incomplete(f"more than {MOST_COLUMNS} columns")
            return Shape((), join([UNPROVEN, *(column.flow for column in columns)]))
    return Shape(tuple(columns), rest)


def _expand_row(node: Message, scope: Scope, work: Work) -> Shape:
    """`(c).*`: the columns of a row source known by name; of anything else, columns that are not known."""
    if node.arg.WhichOneof("node") == "column_ref" and len(node.indirection) == 1:
        parts = strings(node.arg.column_ref.fields)
        item = scope.item(parts) if parts[-1] != "*" else None
        if item is not None and scope.column(parts[-1], work) is None:
            work.seen_columns.add(parts)
            item.whole(work)
            return item.shape
    flow = read(node.arg, scope, work)
    for part in node.indirection:
        if part.WhichOneof("node") == "a_indices":
            flow = join([flow, read(part, scope, work)])
    return Shape((), join([flow, UNPROVEN]))


def _key(node: Message, shape: Shape, scope: Scope, work: Work) -> None:
    """A key of ORDER BY, GROUP BY or DISTINCT ON: an output's number or name, or an expression."""
    kind = node.WhichOneof("node")
    if kind == "sort_by":
        if node.sort_by.use_op:
            check_operator(work, strings(node.sort_by.use_op))
        _key(node.sort_by.node, shape, scope, work)
        return
    if kind == "grouping_set":
        for part in node.grouping_set.content:
            _key(part, shape, scope, work)
        return
    if kind == "a_const" and node.a_const.WhichOneof("val") == "ival":
        _probe_output(node.a_const.ival.ival, shape, work)
        return
    if kind == "column_ref" and len(node.column_ref.fields) == 1:
        name = strings(node.column_ref.fields)
        flows = [column.flow for column in shape.columns if column.name == name[0]]
        if flows or shape.rest is not None:
            work.seen_columns.add(name)
            work.probe(join(flows))
            found = scope.column(name[0], work)
            work.probe(found or CLEAR)
            return
    work.probe(read(node, scope, work))


def _probe_output(number: int, shape: Shape, work: Work) -> None:
    if shape.rest is not None:
        _probe_all(shape, work)
    elif 1 <= number <= len(shape.columns):
        work.probe(shape.columns[number - 1].flow)


def _probe_all(shape: Shape, work: Work) -> None:
    work.probe(join([column.flow for column in shape.columns] + [shape.rest or CLEAR]))


def _values(node: Message, scope: Scope, work: Work) -> Shape:
    columns: list[Flow] = []
    for row in node.values_lists:
        for index, part in enumerate(row.list.items):
            flow = read(part, scope, work)
            if index < len(columns):
                columns[index] = alternative(columns[index], flow)
            else:
                columns.append(flow)
    return Shape(tuple(Named(f"column{index}", flow) for index, flow in enumerate(columns, 1)))


def _set_operation(node: Message, scope: Scope, work: Work) -> Shape:
    """UNION, INTERSECT, EXCEPT; a chain of them leans to the left, and is followed without recursion."""
    chain = [node]
    while chain[-1].larg.op != pb.SETOP_NONE and not _decorated(chain[-1].larg):
        chain.append(chain[-1].larg)
    shape = read_query(work, chain[-1].larg, scope)
    for link in reversed(chain):
        right = read_query(work, link.rarg, scope)
        shape = _merged(shape, right)
        if not link.all or link.op != pb.SETOP_UNION:
            check_operator(work, ("=",))
            _probe_all(shape, work)
    return shape


def _decorated(node: Message) -> bool:
    return bool(
        node.HasField("with_clause") or node.sort_clause or node.locking_clause or node.into_clause.HasField("rel")
        or node.limit_count.WhichOneof("node") or node.limit_offset.WhichOneof("node")
    )  # fmt: skip


def _merged(left: Shape, right: Shape) -> Shape:
    if left.rest is not None or right.rest is not None or len(left.columns) != len(right.columns):
        flows = [column.flow for column in (*left.columns, *right.columns)]
        flow = join([*flows, left.rest or CLEAR, right.rest or CLEAR, UNPROVEN])
        return Shape(tuple(Named(column.name, flow) for column in left.columns), flow)
    return Shape(
        tuple(
            Named(first.name, alternative(first.flow, second.flow))
            for first, second in zip(left.columns, right.columns, strict=True)
        )
    )


def _order_set(node: Message, shape: Shape, scope: Scope, work: Work) -> None:
    """ORDER BY over a set operation or VALUES: output names and numbers; anything else is read as an expression."""
    for part in node.sort_clause:
        _key(part, shape, scope, work)


def _tail(node: Message, shape: Shape, scope: Scope, work: Work) -> None:
    """LIMIT, OFFSET, FOR UPDATE, INTO."""
    for part in (node.limit_offset, node.limit_count):
        work.probe(read(part, scope, work))
    for part in node.locking_clause:
        _lock(part.locking_clause, scope, work)
    if node.HasField("into_clause"):
        make_relation(node.into_clause, shape, work)


def _lock(node: Message, scope: Scope, work: Work) -> None:
    """FOR UPDATE and its kin lock rows of what is named, or of everything read so far."""
    work.pure = False
    named = []
    for wrapped in node.locked_rels:
        parts = relation_name(wrapped.range_var)
        work.seen_relations.add(parts)
        item = scope.item(parts)
        named.append(None if item is None else item.relation)
    oids = {relation.oid for relation in named if relation is not None}
    if not named or None in named:
        oids |= set(work.columns_read)
    catalog = work.lens.catalog
    for oid in sorted(oids):
        relation = None if catalog is None else catalog.relation_by_oid(oid)
        if relation is not None:
            work.atom(Action.WRITE, "relation", relation.qualified, detail="lock")


def make_relation(into: Message, shape: Shape, work: Work) -> None:
    """SELECT INTO and CREATE TABLE AS: a new relation, holding what may be masked elsewhere."""
    parts = relation_name(into.rel)
    work.seen_relations.add(parts)
    work.atom(Action.DEFINE, "relation", new_relation(into.rel, work))
    _probe_all(shape, work)


def new_relation(relation: Message, work: Work) -> str:
    """The canonical name of a relation about to be made."""
    parts = relation_name(relation)
    if relation.relpersistence == "t":
        parts = (TEMPORARY_SCHEMA, parts[-1])
    return work.lens.new_name(parts)
