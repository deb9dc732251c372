"""Views, seen through: what reading one gives, reaches and does, from its definition.

A definition comes from the loader with every name qualified, and is analysed like any query, with every stored column
marked; so the same facts serve every session, whatever its masks.
It implements ARCHITECTURE.md, "Masks"; threat model PG-21, PG-83.
Built-in views are taken at their word: policy names those that may not be read.
"""

from google.protobuf.message import Message

from doorward_core.model import Action
from doorward_core.sql.catalog import Catalog, ColumnId, Relation
from doorward_core.sql.lineage import EveryColumn, family_taint
from doorward_core.sql.parse import UnreadableSQL, parse
from doorward_core.sql.queries import read_query
from doorward_core.sql.scope import Scope
from doorward_core.sql.work import Lens, Shape, ViewFacts, Work
from doorward_core.sql.writes import read_change

_EVERY = EveryColumn()


class AllReaders:
    """The readers that lower modules call back."""

    __slots__ = ()

    def query(self, work: Work, node: Message, scope: object) -> Shape:
        """Read a SelectStmt."""
        assert scope is None or isinstance(scope, Scope)
        return read_query(work, node, scope)

    def change(self, work: Work, kind: str, node: Message, scope: object) -> Shape:
        """Read an INSERT, UPDATE, DELETE or MERGE."""
        assert scope is None or isinstance(scope, Scope)
        return read_change(work, kind, node, scope)

    def view(self, catalog: Catalog, relation: Relation) -> ViewFacts | None:
        """Read a view's definition, once for a catalogue's lifetime; a view within itself is unreadable."""
        key = ("view", relation.oid)
        if key not in catalog.memo:
            catalog.memo[key] = None
            try:
                catalog.memo[key] = _read_view(catalog, relation)
            except RecursionError:
                # The statement around it is too deep, not the view: the next one may read it.
                del catalog.memo[key]
                raise
        found = catalog.memo[key]
        assert found is None or isinstance(found, ViewFacts)
        return found


READERS = AllReaders()


def _read_view(catalog: Catalog, relation: Relation) -> ViewFacts | None:
    try:
        statements = parse(relation.definition).statements
    except UnreadableSQL:
        return None
    if len(statements) != 1 or statements[0].kind != "select_stmt":
        return None
    work = Work(_wide_lens(catalog))
    shape = read_query(work, statements[0].tree.select_stmt, None)
    if shape.rest is not None or len(shape.columns) != len(relation.columns):
        return None
    flows = {column.name: named.flow for column, named in zip(relation.columns, shape.columns, strict=True)}
    hidden = tuple(atom for atom in work.atoms if atom.action not in {Action.READ, Action.PROBE})
    return ViewFacts(flows, work.pure, work.complete, hidden, frozenset(work.reads))


def _wide_lens(catalog: Catalog) -> Lens:
    """A lens that marks every stored column, under no search path: definitions are qualified."""
    lens = catalog.memo.get("wide lens")
    if not isinstance(lens, Lens):
        lens = catalog.memo["wide lens"] = Lens(catalog, (), _EVERY, READERS)
    return lens


def base_lineage(catalog: Catalog, relation: Relation) -> dict[int, frozenset[ColumnId]] | None:
    """Every stored column that each column of a relation can expose, its own included; None where unknown."""
    if relation.kind in {"v", "m"} and not relation.builtin and READERS.view(catalog, relation) is None:
        return None
    own = family_taint(catalog, _EVERY, relation)
    columns = _wide_lens(catalog).columns(relation)
    result = {}
    for column in relation.columns:
        flow = columns[column.name].flow
        result[column.attnum] = flow.taint | own.get(column.name, frozenset())
    return result
