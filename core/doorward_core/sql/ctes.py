"""WITH: names for queries, in the order and with the recursion that SQL gives them.

It implements PostgreSQL's `src/backend/parser/parse_cte.c`.
A WITH without RECURSIVE lets a query see only the names before it, so that `WITH t AS (SELECT * FROM t)` reads a table.
A recursive one is read again and again until no flow changes, which the finite number of taints bounds.
"""

from google.protobuf.message import Message

from doorward_core.sql.census import strings
from doorward_core.sql.lineage import UNPROVEN, Flow, Named, join
from doorward_core.sql.scope import Scope
from doorward_core.sql.work import Shape, Work, shape_flow

# Flows only grow; a query of n columns settles in n + 1 rounds. Past this, everything is mixed.
MOST_ROUNDS = 12


class Cte:
    """One WITH query: its shape once read, its estimate while it is being read."""

    __slots__ = ("busy", "estimate", "node", "scope", "shape", "used")

    def __init__(self, node: Message, scope: Scope) -> None:
        self.node = node
        self.scope = scope
        self.shape: Shape | None = None
        self.estimate: Shape | None = None
        self.busy = False
        self.used = False

    def read(self, work: Work) -> Shape:
        """Its columns; within itself, what is known of them so far."""
        if self.shape is not None:
            return self.shape
        if self.busy:
            self.used = True
            return self.estimate or Shape((), UNPROVEN)
        self.busy = True
        shape = self._settle(work)
        self.busy = False
        for value in (self.node.cycle_clause.cycle_mark_value, self.node.cycle_clause.cycle_mark_default):
            # Both are constants in a statement that the server takes.
            if value.WhichOneof("node") not in {None, "a_const", "type_cast"}:
                work.incomplete("a CYCLE mark is not a constant")
        self.shape = _with_search_and_cycle(self.node, shape)
        return self.shape

    def _settle(self, work: Work) -> Shape:
        query = self.node.ctequery
        if query.WhichOneof("node") == "select_stmt" and query.select_stmt.HasField("larg"):
            around = Scope(self.scope)
            if query.select_stmt.HasField("with_clause"):
                read_with(query.select_stmt.with_clause, around, work)
            first = work.lens.readers.query(work, query.select_stmt.larg, around)
            self.estimate = _named(self.node, _exactless(first))
        for _ in range(MOST_ROUNDS):
            self.used = False
            shape = _named(self.node, _read_body(query, self.scope, work))
            if not self.used or shape == self.estimate:
                return shape
            self.estimate = shape
        flow = join([shape_flow(shape), UNPROVEN])
        return Shape(tuple(Named(column.name, flow) for column in shape.columns), shape.rest)


def _exactless(shape: Shape) -> Shape:
    return Shape(tuple(Named(column.name, column.flow) for column in shape.columns), shape.rest)


def _read_body(query: Message, scope: Scope, work: Work) -> Shape:
    kind = query.WhichOneof("node")
    if kind == "select_stmt":
        return work.lens.readers.query(work, query.select_stmt, Scope(scope))
    return work.lens.readers.change(work, str(kind), getattr(query, str(kind)), Scope(scope))


def _named(node: Message, shape: Shape) -> Shape:
    names = strings(node.aliascolnames)
    columns = tuple(
        Named(names[index] if index < len(names) else column.name, column.flow)
        for index, column in enumerate(shape.columns)
    )
    extra = names[len(columns) :]
    if shape.rest is not None:
        columns += tuple(Named(name, shape.rest) for name in extra)
    return Shape(columns, shape.rest)


def _with_search_and_cycle(node: Message, shape: Shape) -> Shape:
    """SEARCH and CYCLE add columns that hold the values of others."""
    flow = shape_flow(shape)
    mixed = Flow(flow.taint, flow.proven)
    added: list[Named] = []
    if node.HasField("search_clause"):
        added.append(Named(node.search_clause.search_seq_column, mixed))
    if node.HasField("cycle_clause"):
        added.append(Named(node.cycle_clause.cycle_mark_column, mixed))
        added.append(Named(node.cycle_clause.cycle_path_column, mixed))
    return Shape((*shape.columns, *added), shape.rest) if added else shape


def read_with(clause: Message, scope: Scope, work: Work) -> None:
    """Give `scope` the names of a WITH clause; every query in it is read, whether it is used or not."""
    made: list[Cte] = []
    level = scope
    for wrapped in clause.ctes:
        node = wrapped.common_table_expr
        if clause.recursive:
            cte = Cte(node, scope)
            scope.ctes[node.ctename] = cte
        else:
            # What it sees: the names before it, and what lies around.
            level = Scope(scope.parent)
            level.ctes.update(scope.ctes)
            cte = Cte(node, level)
            cte.read(work)
            scope.ctes[node.ctename] = cte
        made.append(cte)
    for cte in made:
        cte.read(work)


def find_cte(name: str, scope: Scope, work: Work) -> Shape | None:
    """The WITH query that an unqualified name means, if any level has one."""
    for level in scope.levels():
        found = level.ctes.get(name)
        if isinstance(found, Cte):
            return found.read(work)
    return None
