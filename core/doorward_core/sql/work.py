"""The notebook of one statement's analysis, and the lens through which it sees the database.

`Lens` is what stays the same for a session's context: names resolve through it, columns have their flows from it.
`Work` is what is found out about one statement; handlers write in it and it forgets nothing.
It walks no tree. Whatever a handler does not write down as proved is not proved.
"""

from dataclasses import dataclass
from typing import Protocol

from google.protobuf.message import Message

from doorward_core.model import Action, Atom, Target
from doorward_core.sql.budget import VIEW_STEPS, Budget
from doorward_core.sql.catalog import Catalog, ColumnId, Name, Relation, qualified
from doorward_core.sql.lineage import CLEAR, NOTHING, UNPROVEN, Flow, Masks, Named, family_taint
from doorward_core.sql.names import TEMPORARY_SCHEMA
from doorward_core.sql.parse import UnreadableSQL, parse

# Built-in relations whose rows hold values of other tables, or other sessions' statements: never proved clear.
LEAKY = frozenset(
    {"pg_statistic", "pg_stats", "pg_stats_ext", "pg_stats_ext_exprs", "pg_statistic_ext_data", "pg_stat_activity",
     "pg_prepared_statements", "pg_cursors", "pg_largeobject", "pg_stat_statements"}
)  # fmt: skip
SYSTEM_COLUMNS = frozenset({"ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"})


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of a row source. `rest` is the flow of columns that could not be listed; None where all are."""

    columns: tuple[Named, ...]
    rest: Flow | None = None


@dataclass(frozen=True, slots=True)
class ViewFacts:
    """What reading a view does: its columns over every stored column, its effects, what it reaches."""

    columns: dict[str, Flow]
    pure: bool
    complete: bool
    atoms: tuple[Atom, ...]
    reads: frozenset[int]


class Readers(Protocol):
    """The readers that lower modules call back: queries, data changes, views."""

    def query(self, work: "Work", node: Message, scope: object) -> Shape:
        """Read a SelectStmt."""

    def change(self, work: "Work", kind: str, node: Message, scope: object) -> Shape:
        """Read an INSERT, UPDATE, DELETE or MERGE; gives what it returns."""

    def view(self, catalog: Catalog, relation: Relation) -> ViewFacts | None:
        """Read a view's definition."""


class Lens:
    """A session's view of the database."""

    __slots__ = ("_memo", "_readers", "catalog", "home", "masks", "path", "temp_names")

    def __init__(
        self,
        catalog: Catalog | None,
        path: tuple[str, ...],
        masks: Masks,
        readers: Readers,
        *,
        temp_names: frozenset[str] = frozenset(),
        memo: dict[object, object] | None = None,
        home: str = "",
    ) -> None:
        self.catalog = catalog
        # The schema that new names go to, where it is not the first of the path that exists.
        self.home = home
        self.path = path
        self.masks = masks
        self.temp_names = temp_names
        self._readers = readers
        self._memo: dict[object, object] = {} if memo is None else memo

    @property
    def readers(self) -> Readers:
        """Who reads what lower modules cannot."""
        return self._readers

    @property
    def server_version(self) -> int:
        """The server's version number, 0 where nothing is known."""
        return 0 if self.catalog is None else self.catalog.server_version

    def resolve(self, parts: Name) -> Relation | None:
        """Find a relation; None for what is unknown or may be temporary."""
        if self.catalog is None or (len(parts) == 1 and parts[0] in self.temp_names):
            return None
        if len(parts) > 1 and parts[-2].startswith(TEMPORARY_SCHEMA):
            return None
        return self.catalog.resolve(parts, self.path)

    def within(self, home: str) -> "Lens":
        """The same view, from inside a schema that is being made."""
        return Lens(
            self.catalog, (home, *self.path), self.masks, self._readers,
            temp_names=self.temp_names, memo=self._memo, home=home,
        )  # fmt: skip

    def is_temporary(self, parts: Name) -> bool:
        """Whether a new object by this name would be temporary."""
        place = parts[-2] if len(parts) > 1 else (self.path[0] if self.path else "")
        return place.startswith(TEMPORARY_SCHEMA)

    def new_name(self, parts: Name) -> str:
        """The canonical name that a new object would get."""
        if self.is_temporary(parts):
            return qualified(TEMPORARY_SCHEMA, parts[-1])
        if len(parts) > 1:
            return qualified(parts[-2], parts[-1])
        schemas = self.catalog.schemas if self.catalog is not None else frozenset(self.path)
        place = self.home or next((schema for schema in self.path if schema in schemas), "")
        return qualified(place, parts[-1])

    def facts(self, relation: Relation) -> ViewFacts | None:
        """What reading this view does; None where it could not be read. Built-in views are taken as plain."""
        assert self.catalog is not None
        return self._readers.view(self.catalog, relation)

    def columns(self, relation: Relation) -> dict[str, Named]:
        """A relation's columns by name, in order, each with its flow under this session's masks."""
        key = ("columns", relation.oid)
        found = self._memo.get(key)
        if found is None:
            found = self._memo[key] = self._columns(relation)
        return found  # type: ignore[return-value]  # the memo holds what this key was given

    def _columns(self, relation: Relation) -> dict[str, Named]:
        assert self.catalog is not None
        own = family_taint(self.catalog, self.masks, relation)
        is_view = relation.kind in {"v", "m"} and not relation.builtin
        facts = self.facts(relation) if is_view else None
        leaky = relation.builtin and relation.name in LEAKY
        named = {}
        for column in relation.columns:
            taint = own.get(column.name, NOTHING)
            proven = not leaky and (not is_view or facts is not None)
            origin: ColumnId | None = (relation.oid, column.attnum)
            if facts is not None:
                flow = facts.columns.get(column.name, UNPROVEN)
                taint |= self.marked(flow.taint)
                proven = flow.proven
                origin = flow.origin
            elif column.generated:
                origin, more, proven = None, *self._generated(column.generated, own)
                taint |= more
            named[column.name] = Named(column.name, Flow(taint, proven, origin if proven else None), column.attnum)
        return named

    def _generated(self, expression: str, own: dict[str, frozenset[ColumnId]]) -> tuple[frozenset[ColumnId], bool]:
        """What a generated column holds: a mix of the columns that its expression names."""
        try:
            message = parse(f"SELECT {expression}")
        except UnreadableSQL:
            return NOTHING, False
        taint = NOTHING
        for name in message.statements[0].census.columns:
            taint |= own.get(name[-1], NOTHING)
        return taint, len(message.statements) == 1

    def marked(self, columns: frozenset[ColumnId]) -> frozenset[ColumnId]:
        """Which of these base columns are masked."""
        if self.masks.empty:
            return NOTHING
        assert self.catalog is not None
        found = set()
        for oid, attnum in columns:
            relation = self.catalog.relation_by_oid(oid)
            if relation is not None and attnum in self.masks.own(relation):
                found.add((oid, attnum))
        return frozenset(found)


class Work:
    """What is found out about one statement."""

    __slots__ = (
        "absent",
        "atoms",
        "budget",
        "columns_read",
        "complete",
        "lens",
        "problem",
        "pure",
        "reaches_masked",
        "reads",
        "seen_columns",
        "seen_functions",
        "seen_operators",
        "seen_relations",
        "seen_types",
        "stands_for",
    )

    def __init__(self, lens: Lens, budget: Budget | None = None) -> None:
        self.lens = lens
        self.budget = budget or Budget(VIEW_STEPS)
        self.atoms: dict[Atom, None] = {}
        self.complete = True
        self.problem = ""
        # What the first problem is about, where it is a name that stands for nothing: `relation nosuch`.
        self.absent = ""
        self.pure = True
        self.reaches_masked = False
        self.reads: set[int] = set()
        # Columns read by relation OID; None where it is the whole row.
        self.columns_read: dict[int, set[str] | None] = {}
        self.seen_functions: set[Name] = set()
        self.seen_relations: set[Name] = set()
        self.seen_operators: set[Name] = set()
        self.seen_types: set[Name] = set()
        self.seen_columns: set[Name] = set()
        # The texts that prepared names and cursors stand for, by kind and name.
        self.stands_for: dict[tuple[str, str], str] = {}

    def atom(self, action: Action, kind: str, name: str, columns: tuple[str, ...] = (), detail: str = "") -> None:
        """Write down that the statement does this; anything but a read is not pure."""
        self.atoms[Atom(action, Target(kind, name, columns, detail))] = None
        if action not in {Action.READ, Action.PROBE, Action.SESSION}:
            self.pure = False

    def incomplete(self, problem: str) -> None:
        """Write down that something could not be read; the first problem is kept."""
        self.complete = False
        self.pure = False
        self.problem = self.problem or problem

    def missing(self, kind: str, parts: Name) -> None:
        """Write down that a name stands for nothing here: the server would say the same."""
        name = ".".join(parts)
        if self.lens.catalog is None:
            self.incomplete(f'no catalogue: what the {kind} "{name}" is cannot be known')
        elif kind == "relation" and (self.lens.is_temporary(parts) or parts[-1] in self.lens.temp_names):
            self.incomplete(f'the relation "{name}" is temporary, and those are not followed')
        else:
            self.absent = self.absent or (f"{kind} {name}" if self.complete else "")
            self.incomplete(f'{kind} "{name}" does not exist, or is not visible here')

    def unknown(self, what: str, problem: str) -> None:
        """Write down that the statement does something unknown."""
        self.atom(Action.UNKNOWN, "opaque", what)
        self.incomplete(problem)
        self.reaches_masked = True

    def opaque(self, kind: str, name: str) -> None:
        """Write down that code runs which is not seen through: it may reach anything."""
        self.atom(Action.EXECUTE, kind, name)
        self.reaches_masked = True

    def probe(self, flow: Flow, *, equality: bool = False) -> None:
        """Write down that the statement looks at masked columns."""
        if not flow.taint:
            return
        assert self.lens.catalog is not None
        for oid, attnum in sorted(flow.taint):
            relation = self.lens.catalog.relation_by_oid(oid)
            if relation is None:
                continue
            name = next((column.name for column in relation.columns if column.attnum == attnum), "")
            self.atom(Action.PROBE, "relation", relation.qualified, (name,), "equality" if equality else "other")

    def read(self, relation: Relation, column: str | None) -> None:
        """Write down that a column of a relation is read; None for the whole row."""
        columns = self.columns_read.setdefault(relation.oid, set())
        if column is None:
            self.columns_read[relation.oid] = None
        elif columns is not None and column not in SYSTEM_COLUMNS:
            columns.add(column)

    def reach(self, relation: Relation) -> None:
        """Write down that rows of a relation flow in: what it stands on, what reading it does."""
        self.columns_read.setdefault(relation.oid, set())
        if relation.oid in self.reads:
            return
        self.reads.add(relation.oid)
        lens = self.lens
        assert lens.catalog is not None
        if relation.kind == "f" or relation.row_security:
            self.pure = False
        if relation.kind in {"v", "m"} and not relation.builtin:
            facts = lens.facts(relation)
            if facts is None or not facts.complete:
                self.incomplete(f"the definition of {relation.qualified} could not be read whole")
            if facts is not None:
                self.reads |= facts.reads
                self.pure = self.pure and facts.pure
                for atom in facts.atoms:
                    self.atom(atom.action, atom.target.kind, atom.target.name, atom.target.columns, atom.target.detail)
        self.note_masked(relation)

    def note_masked(self, relation: Relation) -> None:
        """Write down whether a masked column is within reach through this relation."""
        if self.reaches_masked or self.lens.masks.empty:
            return
        for named in self.lens.columns(relation).values():
            if named.flow.taint or not named.flow.proven:
                self.reaches_masked = True
                return
        facts = self.lens.facts(relation) if relation.kind in {"v", "m"} and not relation.builtin else None
        if facts is not None and self.lens.catalog is not None:
            members = (self.lens.catalog.relation_by_oid(oid) for oid in facts.reads)
            self.reaches_masked = any(item is not None and self.lens.masks.own(item) for item in members)

    def read_atoms(self) -> list[Atom]:
        """One READ atom for each relation read, and for whatever a partition is part of."""
        catalog = self.lens.catalog
        atoms: dict[Atom, None] = {}
        for oid, columns in self.columns_read.items():
            relation = catalog.relation_by_oid(oid) if catalog is not None else None
            if relation is None or catalog is None:
                continue
            listed = (
                () if columns is None else tuple(column.name for column in relation.columns if column.name in columns)
            )
            atoms[Atom(Action.READ, Target("relation", relation.qualified, listed))] = None
            for ancestor in catalog.ancestors(oid) if relation.is_partition else ():
                parent = catalog.relation_by_oid(ancestor)
                if parent is not None:
                    atoms[Atom(Action.READ, Target("relation", parent.qualified, listed))] = None
        return list(atoms)


def shape_flow(shape: Shape) -> Flow:
    """Everything in a row source, mixed."""
    taint = NOTHING
    proven = shape.rest is None or shape.rest.proven
    for named in shape.columns:
        taint |= named.flow.taint
        proven = proven and named.flow.proven
    if shape.rest is not None:
        taint |= shape.rest.taint
    return Flow(taint, proven) if taint or not proven else CLEAR
