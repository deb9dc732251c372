"""Statements that define, grant and administer: each is mapped to what it touches, none is run in thought.

It implements the utility statements of PostgreSQL's raw parse trees; threat model PG-20, PG-25, PG-28.
Expressions and queries inside a definition (defaults, checks, USING, index expressions, view bodies, bodies in SQL)
are swept: what they call, read and look at is written down as if they ran now, for many of them do.
"""

from collections.abc import Callable

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from doorward_core.model import Action
from doorward_core.sql.census import Name, relation_name, strings
from doorward_core.sql.expressions import HANDLED, MIXING_NODES, SHOWING_NODES, read
from doorward_core.sql.found import Found, Names
from doorward_core.sql.lineage import UNPROVEN
from doorward_core.sql.nested import creation_effect
from doorward_core.sql.queries import new_relation, read_query
from doorward_core.sql.scope import Item, Scope
from doorward_core.sql.session import ChangeCatalog, Opaque
from doorward_core.sql.work import Shape, Work
from doorward_core.sql.writes import read_change, write_atoms

Handler = Callable[[Message, Work, Names], Found]

_EXPRESSIONS = (HANDLED | SHOWING_NODES | MIXING_NODES.keys()) - {"res_target", "list", "sort_by"}
_CHANGES = frozenset({"insert_stmt", "update_stmt", "delete_stmt", "merge_stmt"})
# Languages whose code the server confines; any other is the machine's own.
_CONFINED_LANGUAGES = frozenset({"sql", "plpgsql"})

# What an object's kind is called for policy, and whether defining it is administration.
_RELATIONS = frozenset(
    {pb.OBJECT_TABLE, pb.OBJECT_VIEW, pb.OBJECT_MATVIEW, pb.OBJECT_INDEX, pb.OBJECT_SEQUENCE, pb.OBJECT_FOREIGN_TABLE}
)
_PARTS_OF_RELATIONS = frozenset(
    {pb.OBJECT_TRIGGER, pb.OBJECT_RULE, pb.OBJECT_COLUMN, pb.OBJECT_TABCONSTRAINT, pb.OBJECT_ATTRIBUTE}
)
_ADMINISTERED = {
    pb.OBJECT_ROLE: "role", pb.OBJECT_DATABASE: "database", pb.OBJECT_TABLESPACE: "tablespace",
    pb.OBJECT_EXTENSION: "extension", pb.OBJECT_FDW: "foreign-data-wrapper", pb.OBJECT_FOREIGN_SERVER: "server",
    pb.OBJECT_USER_MAPPING: "role", pb.OBJECT_EVENT_TRIGGER: "event-trigger", pb.OBJECT_LANGUAGE: "language",
    pb.OBJECT_ACCESS_METHOD: "access-method", pb.OBJECT_PUBLICATION: "replication",
    pb.OBJECT_SUBSCRIPTION: "replication", pb.OBJECT_PARAMETER_ACL: "setting", pb.OBJECT_POLICY: "policy",
    pb.OBJECT_LARGEOBJECT: "large-object", pb.OBJECT_DEFACL: "role",
}  # fmt: skip
_FUNCTIONS = frozenset({pb.OBJECT_FUNCTION, pb.OBJECT_PROCEDURE, pb.OBJECT_ROUTINE, pb.OBJECT_AGGREGATE})


def sweep(message: Message, scope: Scope, work: Work) -> None:
    """Find every expression, query and name under a definition and write down what it does."""
    stack: list[Message] = [message]
    while stack:
        part = stack.pop()
        name = part.DESCRIPTOR.name
        if name == "Node":
            kind = part.WhichOneof("node")
            if kind == "select_stmt":
                read_query(work, part.select_stmt, None)
                continue
            if kind in _CHANGES:
                read_change(work, kind, getattr(part, kind), None)
                continue
            if kind in _EXPRESSIONS:
                work.probe(read(part, scope, work))
                continue
        elif name == "RangeVar":
            work.seen_relations.add(relation_name(part))
        elif name == "TypeName":
            work.seen_types.add(strings(part.names))
        for field, value in part.ListFields():
            if field.message_type is not None:
                stack.extend(value if field.is_repeated else (value,))


def _loose_scope(relation: Message | None, work: Work) -> Scope:
    """A scope in which a relation's columns are known where it exists, and any other column may exist."""
    scope = Scope()
    found = work.lens.resolve(relation_name(relation)) if relation is not None else None
    if found is not None:
        columns = work.lens.columns(found)
        # Not bound to the relation: looking at its own columns is part of defining it.
        scope.items.append(Item(found.name, Shape(tuple(columns.values()), UNPROVEN)))
        work.note_masked(found)
    else:
        scope.items.append(Item("", Shape((), UNPROVEN)))
    for name in ("old", "new", "excluded"):
        scope.items.append(Item(name, Shape((), UNPROVEN)))
    return scope


def existing(parts: Name, work: Work) -> str:
    """The canonical name of a relation that should exist; as it would be made where it does not."""
    found = work.lens.resolve(parts)
    return work.lens.new_name(parts) if found is None else found.qualified


def _object(node: Message) -> Name:
    """An object's name, in whichever of its shapes the grammar gives it."""
    kind = node.WhichOneof("node")
    if kind == "list":
        return tuple(part for item in node.list.items for part in _object(item))
    shape = _SHAPES.get(kind)
    return ("?",) if shape is None else shape(getattr(node, kind))


_SHAPES: dict[str, Callable[[Message], Name]] = {
    "object_with_args": lambda node: strings(node.objname),
    "type_name": lambda node: strings(node.names),
    "string": lambda node: (str(node.sval),),
    "range_var": relation_name,
    "role_spec": lambda node: (str(node.rolename),),
}


def touch(work: Work, object_type: int, parts: Name, *, detail: str = "") -> None:
    """Write down that an object of a kind is defined, changed or dropped."""
    parts = parts or ("?",)
    if object_type in _RELATIONS:
        work.atom(Action.DEFINE, "relation", existing(parts, work), detail=detail)
    elif object_type in _PARTS_OF_RELATIONS and len(parts) > 1:
        work.atom(Action.DEFINE, "relation", existing(parts[:-1], work), detail=detail)
    elif object_type in _FUNCTIONS:
        work.atom(Action.DEFINE, "function", work.lens.new_name(parts), detail=detail)
    elif object_type in _ADMINISTERED:
        work.atom(Action.ADMIN, _ADMINISTERED[object_type], ".".join(parts), detail=detail)
    elif object_type == pb.OBJECT_SCHEMA:
        work.atom(Action.DEFINE, "schema", parts[-1], detail=detail)
    else:
        kind = pb.ObjectType.Name(object_type).removeprefix("OBJECT_").lower().replace("_", "-")
        work.atom(Action.DEFINE, kind, work.lens.new_name(parts), detail=detail)


def _drop(node: Message, work: Work, _names: Names) -> Found:
    for part in node.objects:
        touch(work, node.remove_type, _object(part), detail="drop")
    if node.behavior == pb.DROP_CASCADE:
        work.atom(Action.DEFINE, "opaque", "whatever depends on it", detail="drop cascade")
    sweep(node, Scope(), work)
    return Found(effect=ChangeCatalog())


def _truncate(node: Message, work: Work, _names: Names) -> Found:
    for part in node.relations:
        parts = relation_name(part.range_var)
        relation = work.lens.resolve(parts)
        if relation is None:
            work.atom(Action.UNKNOWN, "relation", ".".join(parts))
            work.missing("relation", parts)
        else:
            write_atoms(work, relation, detail="truncate")
    if node.behavior == pb.DROP_CASCADE:
        work.atom(Action.WRITE, "opaque", "whatever refers to it", detail="truncate cascade")
    sweep(node, Scope(), work)
    return Found()


_ACCESS_SHARE = 1  # AccessShareLock of src/include/storage/lockdefs.h


def _lock(node: Message, work: Work, _names: Names) -> Found:
    for part in node.relations:
        parts = relation_name(part.range_var)
        relation = work.lens.resolve(parts) if node.mode == _ACCESS_SHARE else None
        if relation is not None:
            # What every SELECT takes, and pg_dump before it begins.
            work.atom(Action.READ, "relation", relation.qualified, detail="lock")
        else:
            work.atom(Action.WRITE, "relation", existing(parts, work), detail="lock")
    sweep(node, Scope(), work)
    return Found()


def on_relation(field: str, action: Action, *, kind: str = "relation", effect: bool = True) -> Handler:
    """A handler for statements about the relation in one field."""

    def handle(node: Message, work: Work, _names: Names) -> Found:
        relation = getattr(node, field)
        name = existing(relation_name(relation), work) if relation.relname else "*"
        work.atom(action, kind, name)
        sweep(node, _loose_scope(relation if relation.relname else None, work), work)
        return Found(effect=ChangeCatalog() if effect else None)

    return handle


def creating(field: str) -> Handler:
    """A handler for statements that make the relation in one field."""

    def handle(node: Message, work: Work, _names: Names) -> Found:
        relation = getattr(node, field)
        work.atom(Action.DEFINE, "relation", new_relation(relation, work))
        sweep(node, _loose_scope(None, work), work)
        return Found(effect=creation_effect(relation, work))

    return handle


def fixed(action: Action, kind: str, name_field: str = "") -> Handler:
    """A handler for statements that touch one thing, named by a plain field or not at all."""

    def handle(node: Message, work: Work, _names: Names) -> Found:
        name = str(getattr(node, name_field)) if name_field else ""
        work.atom(action, kind, name or "*")
        sweep(node, _loose_scope(None, work), work)
        return Found(effect=ChangeCatalog())

    return handle


def named(action: Action, kind: str, get: Callable[[Message], Name]) -> Handler:
    """A handler for statements that define one object with a dotted name."""

    def handle(node: Message, work: Work, _names: Names) -> Found:
        parts = get(node) or ("?",)
        work.atom(action, kind, work.lens.new_name(parts))
        refuse_temporary(parts, work)
        sweep(node, _loose_scope(None, work), work)
        return Found(effect=ChangeCatalog())

    return handle


def each_role(get: Callable[[Message], "list[Message]"]) -> Handler:
    """A handler for statements about roles."""

    def handle(node: Message, work: Work, _names: Names) -> Found:
        for part in get(node):
            name = part.access_priv.priv_name if part.WhichOneof("node") == "access_priv" else part.role_spec.rolename
            work.atom(Action.ADMIN, "role", name or "*")
        if not work.atoms:
            work.atom(Action.ADMIN, "role", "*")
        sweep(node, Scope(), work)
        return Found(effect=ChangeCatalog())

    return handle


def refuse_temporary(parts: Name, work: Work) -> None:
    """Temporary types shadow every other type, and are in no snapshot: they are not followed."""
    if work.lens.is_temporary(parts):
        work.incomplete("temporary types and functions are not followed")


def typed(type_field: str, object_field: str = "object") -> Handler:
    """A handler for statements that name an object and its kind: rename, owner, schema, comment."""

    def handle(node: Message, work: Work, _names: Names) -> Found:
        object_type = getattr(node, type_field)
        if node.DESCRIPTOR.fields_by_name.get("relation") is not None and node.HasField("relation"):
            parts = relation_name(node.relation)
            touch(work, object_type if object_type in _RELATIONS else pb.OBJECT_TABLE, parts)
        elif node.DESCRIPTOR.fields_by_name.get("subname") is not None and node.subname and not node.HasField("object"):
            touch(work, object_type, (node.subname,))
        else:
            touch(work, object_type, _object(getattr(node, object_field)))
        if node.DESCRIPTOR.name == "AlterOwnerStmt":
            work.atom(Action.ADMIN, "role", node.newowner.rolename or "*", detail="owner")
        sweep(node, Scope(), work)
        return Found(effect=ChangeCatalog())

    return handle


def _alter_table(node: Message, work: Work, _names: Names) -> Found:
    parts = relation_name(node.relation)
    touch(work, node.objtype if node.objtype in _RELATIONS else pb.OBJECT_TABLE, parts)
    for wrapped in node.cmds:
        command = wrapped.alter_table_cmd
        word = pb.AlterTableType.Name(command.subtype)
        if command.subtype == pb.AT_ChangeOwner:
            work.atom(Action.ADMIN, "role", command.newowner.rolename or "*", detail="owner")
        elif "RowSecurity" in word or "Trig" in word or "Rule" in word:
            work.atom(Action.ADMIN, "policy", existing(parts, work), detail=word)
        if command.behavior == pb.DROP_CASCADE:
            work.atom(Action.DEFINE, "opaque", "whatever depends on it", detail="drop cascade")
    sweep(node, _loose_scope(node.relation, work), work)
    return Found(effect=ChangeCatalog())


def _create_function(node: Message, work: Work, _names: Names) -> Found:
    work.atom(Action.DEFINE, "function", work.lens.new_name(strings(node.funcname)))
    refuse_temporary(strings(node.funcname), work)
    for wrapped in node.options:
        option = wrapped.def_elem
        if option.defname == "language" and option.arg.string.sval.lower() not in _CONFINED_LANGUAGES:
            work.atom(Action.ADMIN, "program", f"language {option.arg.string.sval}")
    sweep(node, _loose_scope(None, work), work)
    return Found(effect=ChangeCatalog())


def _create_schema(node: Message, work: Work, names: Names) -> Found:
    name = node.schemaname or node.authrole.rolename or "*"
    work.atom(Action.DEFINE, "schema", name)
    work.lens = work.lens.within(name)
    for wrapped in node.schema_elts:
        kind = str(wrapped.WhichOneof("node"))
        names.dispatch(kind, getattr(wrapped, kind), work, names)
    return Found(effect=ChangeCatalog())


def _do(_node: Message, work: Work, _names: Names) -> Found:
    work.opaque("opaque", "DO")
    return Found(effect=Opaque())


def _call(node: Message, work: Work, _names: Names) -> Found:
    """CALL: a procedure is code that is not seen through, whoever made it."""
    scope = Scope()
    name = strings(node.funccall.funcname)
    work.seen_functions.add(name)
    for part in node.funccall.args:
        work.probe(read(part, scope, work))
    catalog = work.lens.catalog
    found = catalog.functions(name, work.lens.path) if catalog is not None else ()
    for item in found:
        work.opaque("function", item.qualified)
    if not found:
        work.opaque("function", ".".join(name))
        work.missing("function", name)
    return Found(Shape((), UNPROVEN), effect=Opaque())


def _grant(node: Message, work: Work, _names: Names) -> Found:
    for part in node.objects:
        parts = _object(part)
        name = existing(parts, work) if node.objtype in _RELATIONS else ".".join(parts)
        work.atom(Action.ADMIN, "privilege", name, detail="grant" if node.is_grant else "revoke")
    if not node.objects:
        work.atom(Action.ADMIN, "privilege", "*")
    sweep(node, Scope(), work)
    return Found(effect=ChangeCatalog())


def _vacuum(node: Message, work: Work, _names: Names) -> Found:
    for part in node.rels:
        work.atom(Action.ADMIN, "relation", existing(relation_name(part.vacuum_relation.relation), work),
                  detail="vacuum" if node.is_vacuumcmd else "analyze")  # fmt: skip
    if not node.rels:
        work.atom(Action.ADMIN, "database", "*", detail="vacuum" if node.is_vacuumcmd else "analyze")
    sweep(node, Scope(), work)
    return Found()


def _view(node: Message, work: Work, _names: Names) -> Found:
    """CREATE VIEW: what it shows is followed through it, but whoever makes it must be able to read it."""
    work.atom(Action.DEFINE, "relation", new_relation(node.view, work))
    sweep(node, Scope(), work)
    return Found(effect=creation_effect(node.view, work))


SPECIAL: dict[str, Handler] = {
    "drop_stmt": _drop,
    "truncate_stmt": _truncate,
    "lock_stmt": _lock,
    "alter_table_stmt": _alter_table,
    "create_function_stmt": _create_function,
    "create_schema_stmt": _create_schema,
    "do_stmt": _do,
    "call_stmt": _call,
    "grant_stmt": _grant,
    "vacuum_stmt": _vacuum,
    "view_stmt": _view,
}
