"""Statements within statements: EXPLAIN, PREPARE, EXECUTE, DECLARE, FETCH, COPY's query, CREATE TABLE AS.

Each is seen through to what would run. It implements ARCHITECTURE.md, "Deciding on SQL";
threat model PG-22, PG-23, PG-26, PG-27.

Invariants: a name that is not known is unknown, never harmless; whatever runs when the outer statement runs has its
atoms among the outer one's.
"""

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from doorward_core.model import Action, Atom, Target
from doorward_core.sql.census import relation_name
from doorward_core.sql.expressions import read_each
from doorward_core.sql.found import Found, Names
from doorward_core.sql.lineage import CLEAR, UNPROVEN, Named, join
from doorward_core.sql.parse import ParsedStatement, UnreadableSQL, parse
from doorward_core.sql.queries import make_relation, read_query
from doorward_core.sql.scope import Scope
from doorward_core.sql.session import ChangeCatalog, Declare, MakeTemporary, Prepare, SessionEffect
from doorward_core.sql.work import Shape, Work

# EXECUTE of a name that executes a name: no client nests them.
DEEPEST_NAMES = 4
_FALSE = frozenset({"false", "off", "0", "f", "of", "no", "n", "fals", "fal", "fa"})


def explain(node: Message, work: Work, names: Names) -> Found:
    """EXPLAIN: with ANALYZE the statement runs; without, it is planned, and planning can run functions."""
    runs = any(_switched_on(part.def_elem) for part in node.options)
    kind = str(node.query.WhichOneof("node"))
    inner = Work(work.lens, work.budget)
    names.dispatch(kind, getattr(node.query, kind), inner, names)
    if not runs:
        _only_planned(inner)
    absorb(work, inner)
    shown = CLEAR if not any(_opaque(atom) for atom in inner.atoms) and inner.complete else UNPROVEN
    work.atom(Action.SESSION, "statement", "EXPLAIN")
    return Found(Shape((Named("QUERY PLAN", shown),)), inner="EXPLAIN ANALYZE" if runs else "EXPLAIN")


def _opaque(atom: Atom) -> bool:
    return atom.action in {Action.EXECUTE, Action.UNKNOWN, Action.ADMIN}


def _switched_on(option: Message) -> bool:
    """Whether an option asks for ANALYZE; anything not plainly off is on."""
    if option.defname.lower() not in {"analyze", "analyse"}:
        return False
    value = option.arg.WhichOneof("node")
    if value is None:
        return True
    if value == "integer":
        return bool(option.arg.integer.ival)
    return not (value == "string" and option.arg.string.sval.lower() in _FALSE)


def _only_planned(work: Work) -> None:
    """What is left of a statement's atoms where it does not run: what it would write, it looks at."""
    kept: dict[Atom, None] = {}
    for atom in work.atoms:
        if atom.action is Action.WRITE and atom.target.kind == "relation":
            kept[Atom(Action.READ, Target("relation", atom.target.name))] = None
        elif atom.action is not Action.DEFINE:
            kept[atom] = None
    work.atoms = kept
    work.pure = work.complete and not any(_opaque(atom) for atom in kept)


def take_problem(work: Work, inner: Work) -> None:
    """Take over why an inner statement could not be read whole."""
    if not inner.complete:
        work.absent = inner.absent if work.complete else work.absent
        work.incomplete(inner.problem)


def absorb(work: Work, inner: Work) -> None:
    """Take over everything that was found out about an inner statement."""
    for atom in (*inner.read_atoms(), *inner.atoms):
        work.atoms[atom] = None
    work.pure = work.pure and inner.pure
    take_problem(work, inner)
    work.reaches_masked = work.reaches_masked or inner.reaches_masked
    work.reads |= inner.reads
    work.stands_for.update(inner.stands_for)
    for field in ("seen_functions", "seen_relations", "seen_operators", "seen_types", "seen_columns"):
        getattr(work, field).update(getattr(inner, field))


def prepare(node: Message, work: Work, names: Names) -> Found:
    """PREPARE: nothing runs yet, but what cannot be seen through is said at once."""
    kind = str(node.query.WhichOneof("node"))
    inner = Work(work.lens, work.budget)
    names.dispatch(kind, getattr(node.query, kind), inner, names)
    for atom in inner.atoms:
        if _opaque(atom):
            work.atoms[atom] = None
    for field in ("seen_functions", "seen_relations", "seen_operators", "seen_types", "seen_columns"):
        getattr(work, field).update(getattr(inner, field))
    work.seen_types |= {tuple(part.string.sval for part in wrapped.type_name.names) for wrapped in node.argtypes}
    take_problem(work, inner)
    work.reaches_masked = inner.reaches_masked
    work.stands_for.update(inner.stands_for)
    work.pure = False
    work.atom(Action.SESSION, "prepared", node.name)
    return Found(effect=Prepare(node.name, names.text))


def execute(node: Message, work: Work, names: Names) -> Found:
    """EXECUTE: decided on the text that the name stands for."""
    arguments = read_each(list(node.params), Scope(), work)
    found = by_name("prepared", node.name, work, names)
    shape = found.shape
    if shape is not None and not arguments.clear:
        flow = join([arguments, UNPROVEN])
        shape = Shape(tuple(Named(column.name, join([column.flow, flow])) for column in shape.columns), shape.rest)
    return Found(shape, found.effect, inner=f"EXECUTE {node.name}")


def by_name(kind: str, name: str, work: Work, names: Names) -> Found:
    """Analyse the statement that a prepared name or a cursor stands for."""
    text = names.prepared.get(name) if kind == "prepared" else names.cursors.get(name)
    work.atom(Action.SESSION, kind, name)
    if text is None:
        work.absent = work.absent or (f"{kind} {name}" if work.complete else "")
        work.unknown(f"{kind} {name}", f'no {kind} "{name}" is known in this session')
        return Found(Shape((), UNPROVEN))
    work.stands_for[kind, name] = text
    if names.depth >= DEEPEST_NAMES:
        work.unknown(f"{kind} {name}", "prepared names stand for each other too deeply")
        return Found(Shape((), UNPROVEN))
    try:
        statements = parse(text).statements
    except UnreadableSQL as error:
        work.unknown(f"{kind} {name}", f'what "{name}" stands for cannot be read: {error}')
        return Found(Shape((), UNPROVEN))
    if len(statements) != 1:
        work.unknown(f"{kind} {name}", f'"{name}" does not stand for one statement')
        return Found(Shape((), UNPROVEN))
    inner = Work(work.lens, work.budget)
    found = _dispatch_text(statements[0], inner, names, text)
    absorb(work, inner)
    return found


def _dispatch_text(statement: ParsedStatement, work: Work, names: Names, text: str) -> Found:
    """Look through the PREPARE or DECLARE that made a name."""
    node: Message = getattr(statement.tree, statement.kind)
    kind = statement.kind
    if kind in {"prepare_stmt", "declare_cursor_stmt"}:
        wrapped = node.query
        kind = str(wrapped.WhichOneof("node"))
        node = getattr(wrapped, kind)
    deeper = Names(names.prepared, names.cursors, text, names.depth + 1, names.dispatch)
    found = names.dispatch(kind, node, work, deeper)
    work.seen_types |= statement.census.types if statement.kind == "prepare_stmt" else frozenset()
    check_census(statement, work)
    return found


def check_census(statement: ParsedStatement, work: Work) -> None:
    """Hold what the handlers met against what stands in the tree: a name that none met is a part that none read."""
    census = statement.census
    missed = (
        (census.functions - work.seen_functions)
        or (census.relations - work.seen_relations)
        or (census.operators - work.seen_operators)
        or (census.types - work.seen_types)
        or (census.columns - work.seen_columns)
    )
    if missed:
        work.unknown("part", f'a part of the statement was not read: "{".".join(min(missed))}"')


def declare(node: Message, work: Work, names: Names) -> Found:
    """DECLARE: the query starts here, its rows leave by FETCH."""
    kind = str(node.query.WhichOneof("node"))
    names.dispatch(kind, getattr(node.query, kind), work, names)
    work.atom(Action.SESSION, "cursor", node.portalname)
    hold = bool(node.options & _CURSOR_OPT_HOLD)
    return Found(effect=Declare(node.portalname, names.text, hold))


# CURSOR_OPT_HOLD of src/include/nodes/parsenodes.h
_CURSOR_OPT_HOLD = 0x0020


def fetch(node: Message, work: Work, names: Names) -> Found:
    """FETCH and MOVE: the cursor's query, once more."""
    found = by_name("cursor", node.portalname, work, names)
    if node.ismove:
        return Found(inner=f"MOVE {node.portalname}")
    return Found(found.shape, inner=f"FETCH {node.portalname}")


def create_table_as(node: Message, work: Work, names: Names) -> Found:
    """CREATE TABLE AS and CREATE MATERIALIZED VIEW, of a query or of an EXECUTE."""
    kind = str(node.query.WhichOneof("node"))
    found = names.dispatch(kind, getattr(node.query, kind), work, names)
    shape = found.shape or Shape((), UNPROVEN)
    if node.objtype == pb.OBJECT_MATVIEW:
        # Its lineage is followed through its definition, as a view's.
        shape = Shape(())
    make_relation(node.into, shape, work)
    return Found(effect=creation_effect(node.into.rel, work))


def creation_effect(relation: Message, work: Work) -> SessionEffect:
    """What a new relation does to the session's names."""
    parts = relation_name(relation)
    if relation.relpersistence == "t" or work.lens.is_temporary(parts):
        return MakeTemporary(parts[-1])
    return ChangeCatalog()


def select(node: Message, work: Work, _names: Names) -> Found:
    """SELECT in all its forms; SELECT INTO makes a relation and gives no rows."""
    shape = read_query(work, node, None)
    if node.HasField("into_clause"):
        return Found(effect=creation_effect(node.into_clause.rel, work))
    return Found(shape)
