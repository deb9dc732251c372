"""Which row source a column's name means: the name spaces of a query, nested as the query is.

It implements PostgreSQL's `transformColumnRef` (`src/backend/parser/parse_expr.c`) and `parse_relation.c`.
Where the server would call a name ambiguous and refuse, every candidate is taken.
It reads no expressions.
"""

from collections.abc import Iterator

from doorward_core.sql.catalog import Name, Relation
from doorward_core.sql.lineage import CLEAR, UNPROVEN, Flow, Named, join
from doorward_core.sql.work import SYSTEM_COLUMNS, Shape, Work, shape_flow

# Row sources that can be looked through for the cost of one step (`Budget`).
ITEMS_PER_STEP = 16


class Item:
    """One row source in a FROM clause, under the name by which it is referred to."""

    __slots__ = ("_index", "by_name_only", "name", "relation", "schema", "shape")

    def __init__(
        self, name: str, shape: Shape, *, relation: Relation | None = None, schema: str = "",
        index: dict[str, Named] | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self.shape = shape
        self.relation = relation
        self.schema = schema
        # Whether its columns are reached only through its name (EXCLUDED, OLD, NEW).
        self.by_name_only = False
        self._index = index

    def column(self, name: str, work: Work) -> Flow | None:
        """The flow of one column, written down as read; None where there is no such column."""
        found = self._find(name)
        if found is not None:
            if self.relation is not None:
                work.read(self.relation, name)
            return found
        if self.relation is not None and name in SYSTEM_COLUMNS and self.relation.kind not in {"v", "c"}:
            return CLEAR
        return None

    def whole(self, work: Work) -> Flow:
        """The flow of the whole row."""
        if self.relation is not None:
            work.read(self.relation, None)
        return shape_flow(self.shape)

    def _find(self, name: str) -> Flow | None:
        if self._index is not None:
            named = self._index.get(name)
            return None if named is None else named.flow
        flows = [named.flow for named in self.shape.columns if named.name == name]
        if not flows:
            return None
        return flows[0] if len(flows) == 1 else join(flows)


class Scope:
    """One level of a query: its row sources, what `*` gives, its WITH names; `parent` is the level around it."""

    __slots__ = ("ctes", "items", "parent", "star", "windows")

    def __init__(self, parent: "Scope | None" = None) -> None:
        self.parent = parent
        self.items: list[Item] = []
        self.star: list[Named] | None = []
        self.ctes: dict[str, object] = {}
        # What flows into the windows that the WINDOW clause names.
        self.windows: dict[str, Flow] = {}

    def levels(self) -> "Iterator[Scope]":
        """This level and those around it, inmost first."""
        level: Scope | None = self
        while level is not None:
            yield level
            level = level.parent

    def window(self, name: str) -> Flow:
        """What flows into a window by its name; nothing where it has none, and nothing of what is not known yet."""
        return self.windows.get(name, CLEAR)

    def item(self, parts: Name) -> Item | None:
        """The row source that a one- or two-part name refers to."""
        for level in self.levels():
            for item in level.items:
                if item.name != parts[-1]:
                    continue
                if len(parts) == 1 or (item.relation is not None and item.schema == parts[-2]):
                    return item
        return None

    def column(self, name: str, work: Work) -> Flow | None:
        """What an unqualified column name means; None where nothing has it."""
        for level in self.levels():
            work.budget.spend(len(level.items) // ITEMS_PER_STEP)
            flows = [
                flow for item in level.items if not item.by_name_only
                if (flow := item.column(name, work)) is not None
            ]  # fmt: skip
            if flows:
                return flows[0] if len(flows) == 1 else join(flows)
            rests = [item.shape.rest for item in level.items if item.shape.rest is not None]
            if rests:
                return join([*rests, UNPROVEN])
        return None

    def expand(self, parts: Name, work: Work) -> Shape:
        """What `*` or `name.*` stands for."""
        if parts:
            item = self.item(parts)
            if item is None:
                work.missing("relation", parts)
                return Shape((), UNPROVEN)
            item.whole(work)
            return item.shape
        columns: list[Named] = []
        rest: Flow | None = None
        for item in self.items:
            if not item.by_name_only:
                item.whole(work)
                rest = item.shape.rest if rest is None else rest
        if self.star is None:
            return Shape((), join([UNPROVEN, *(shape_flow(item.shape) for item in self.items)]))
        columns.extend(self.star)
        return Shape(tuple(columns), rest)


def find_column(parts: Name, scope: Scope, work: Work) -> Flow | None:
    """What a column reference of one to four parts means; None where nothing is found."""
    if len(parts) == 1:
        flow = scope.column(parts[0], work)
        if flow is not None:
            return flow
        item = scope.item(parts)
        return None if item is None else item.whole(work)
    qualifier = parts[:-1]
    if len(qualifier) == 3:  # noqa: PLR2004 - database, schema and relation
        qualifier = qualifier[1:]
    item = scope.item(qualifier)
    if item is None:
        return None
    flow = item.column(parts[-1], work)
    if flow is None and item.shape.rest is not None:
        return join([item.shape.rest, UNPROVEN])
    return flow
