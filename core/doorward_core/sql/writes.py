"""INSERT, UPDATE, DELETE and MERGE: what they write, what they look at on the way, and what RETURNING shows.

It implements the four statements of PostgreSQL's raw parse trees; threat model PG-21, PG-22, PG-83.

Invariants: an assignment target is not a read; a masked value that is stored anywhere but in masked columns is
written down as a probe, for it could be read back in clear from there.
"""

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from doorward_core.model import Action
from doorward_core.sql.catalog import Relation
from doorward_core.sql.census import relation_name
from doorward_core.sql.ctes import read_with
from doorward_core.sql.expressions import condition, read
from doorward_core.sql.from_items import read_from, read_item, unresolved_item
from doorward_core.sql.lineage import UNPROVEN, Flow
from doorward_core.sql.queries import read_query, read_targets
from doorward_core.sql.scope import Item, Scope
from doorward_core.sql.work import Shape, Work

_VIEWS = frozenset({"v", "m"})
# OLD and NEW in RETURNING; before it they are columns' or relations' names that do not resolve.
_RETURNING_OLD_NEW_SINCE = 180000


def read_change(work: Work, kind: str, node: Message, scope: Scope | None) -> Shape:
    """Read a data-changing statement whose surroundings are `scope`; gives what it returns."""
    inner = Scope(scope)
    if node.HasField("with_clause"):
        read_with(node.with_clause, inner, work)
    if kind == "insert_stmt":
        return _insert(node, inner, work)
    if kind == "update_stmt":
        return _update(node, inner, work)
    if kind == "delete_stmt":
        return _delete(node, inner, work)
    if kind == "merge_stmt":
        return _merge(node, inner, work)
    work.unknown(kind, f"this kind of statement is not understood here: {kind}")
    return Shape((), UNPROVEN)


def write_atoms(work: Work, relation: Relation, columns: tuple[str, ...] = (), detail: str = "") -> None:
    """Write down a write to a relation, to what it is part of, and to what a view stands on."""
    work.atom(Action.WRITE, "relation", relation.qualified, columns, detail)
    work.note_masked(relation)
    if relation.has_triggers and not work.lens.masks.empty:
        work.reaches_masked = True
    catalog = work.lens.catalog
    assert catalog is not None
    if relation.is_partition:
        for oid in catalog.ancestors(relation.oid):
            parent = catalog.relation_by_oid(oid)
            if parent is not None:
                work.atom(Action.WRITE, "relation", parent.qualified, columns, detail)
    if relation.kind in _VIEWS and not relation.builtin:
        facts = work.lens.facts(relation)
        for oid in sorted(facts.reads) if facts is not None else ():
            base = catalog.relation_by_oid(oid)
            if base is not None:
                work.atom(Action.WRITE, "relation", base.qualified, (), detail)
    if relation.has_rules:
        work.opaque("opaque", f"rules on {relation.qualified}")


def _target(node: Message, scope: Scope, work: Work) -> Item:
    """The relation written to, as a row source; it is never a WITH name."""
    parts = relation_name(node)
    work.seen_relations.add(parts)
    has_alias = node.HasField("alias")
    name = node.alias.aliasname if has_alias else node.relname
    relation = work.lens.resolve(parts)
    if relation is None:
        item = unresolved_item(name, parts, work)
    else:
        work.reads.add(relation.oid)
        columns = work.lens.columns(relation)
        shape = Shape(tuple(columns.values()))
        item = Item(name, shape, relation=relation, schema="" if has_alias else relation.schema, index=columns)
    scope.items.append(item)
    return item


def _insert(node: Message, scope: Scope, work: Work) -> Shape:
    outer = Scope(scope.parent)
    outer.ctes.update(scope.ctes)
    item = _target(node.relation, scope, work)
    names = tuple(part.res_target.name for part in node.cols)
    if item.relation is not None:
        write_atoms(work, item.relation, names)
    if node.HasField("select_stmt"):
        shape = read_query(work, node.select_stmt.select_stmt, outer)
        targets = names or tuple(column.name for column in item.shape.columns)
        for index, column in enumerate(shape.columns):
            _stored(column.flow, targets[index] if index < len(targets) else "", item, work)
        if shape.rest is not None:
            _stored(shape.rest, "", item, work)
    for part in node.cols:
        _subscripts(part.res_target, scope, work)
    if node.HasField("on_conflict_clause"):
        _on_conflict(node.on_conflict_clause, item, scope, work)
    return _returning(node, item, scope, work)


def _stored(flow: Flow, name: str, item: Item, work: Work) -> None:
    """A value goes into a column: harmless where that column hides all that the value may hold."""
    if not flow.taint:
        return
    kept = next((column.flow.taint for column in item.shape.columns if column.name == name), frozenset())
    if not flow.taint <= kept:
        work.probe(flow)


def _subscripts(target: Message, scope: Scope, work: Work) -> None:
    for part in target.indirection:
        if part.WhichOneof("node") == "a_indices":
            work.probe(read(part, scope, work))


def _on_conflict(node: Message, item: Item, scope: Scope, work: Work) -> None:
    excluded = Item("excluded", Shape(tuple(item.shape.columns), item.shape.rest))
    excluded.by_name_only = True
    scope.items.append(excluded)
    for part in node.infer.index_elems:
        element = part.index_elem
        if element.HasField("expr"):
            work.probe(read(element.expr, scope, work))
    if node.infer.HasField("where_clause"):
        condition(node.infer.where_clause, scope, work)
    _assign(list(node.target_list), item, scope, work)
    if node.HasField("where_clause"):
        condition(node.where_clause, scope, work)


def _assign(targets: "list[Message]", item: Item, scope: Scope, work: Work) -> tuple[str, ...]:
    names = []
    for part in targets:
        target = part.res_target
        names.append(target.name)
        _subscripts(target, scope, work)
        _stored(read(target.val, scope, work), target.name, item, work)
    return tuple(dict.fromkeys(names))


def _update(node: Message, scope: Scope, work: Work) -> Shape:
    item = _target(node.relation, scope, work)
    read_from(list(node.from_clause), scope, work)
    names = _assign(list(node.target_list), item, scope, work)
    if item.relation is not None:
        write_atoms(work, item.relation, names)
    if node.HasField("where_clause"):
        _where(node.where_clause, item, scope, work)
    return _returning(node, item, scope, work)


def _delete(node: Message, scope: Scope, work: Work) -> Shape:
    item = _target(node.relation, scope, work)
    read_from(list(node.using_clause), scope, work)
    if item.relation is not None:
        write_atoms(work, item.relation)
    if node.HasField("where_clause"):
        _where(node.where_clause, item, scope, work)
    return _returning(node, item, scope, work)


def _where(node: Message, item: Item, scope: Scope, work: Work) -> None:
    """A condition on the rows written: looking at the target's own columns there is part of the write."""
    if item.relation is None:
        condition(node, scope, work)
        return
    oid = item.relation.oid
    known = oid in work.columns_read
    columns = work.columns_read.get(oid)
    before = None if columns is None else set(columns)
    condition(node, scope, work)
    if known:
        work.columns_read[oid] = before
    else:
        work.columns_read.pop(oid, None)


def _merge(node: Message, scope: Scope, work: Work) -> Shape:
    item = _target(node.relation, scope, work)
    read_item(node.source_relation, scope, work)
    condition(node.join_condition, scope, work)
    for wrapped in node.merge_when_clauses:
        clause = wrapped.merge_when_clause
        if clause.HasField("condition"):
            condition(clause.condition, scope, work)
        names: tuple[str, ...] = ()
        if clause.values:
            names = tuple(part.res_target.name for part in clause.target_list)
            targets = names or tuple(column.name for column in item.shape.columns)
            for index, value in enumerate(clause.values):
                _stored(read(value, scope, work), targets[index] if index < len(targets) else "", item, work)
        else:
            names = _assign(list(clause.target_list), item, scope, work)
        if item.relation is not None and clause.command_type != pb.CMD_NOTHING:
            write_atoms(work, item.relation, names)
    columns = [column for source in scope.items for column in source.shape.columns]
    scope.star = columns[len(item.shape.columns) :] + list(item.shape.columns)
    if any(source.shape.rest is not None for source in scope.items):
        scope.star = None
    return _returning_list(node, item, scope, work)


def _returning(node: Message, item: Item, scope: Scope, work: Work) -> Shape:
    """`RETURNING *` takes the target's columns, then those of FROM or USING."""
    if scope.star is not None:
        scope.star = None if item.shape.rest is not None else [*item.shape.columns, *scope.star]
    return _returning_list(node, item, scope, work)


def _returning_list(node: Message, item: Item, scope: Scope, work: Work) -> Shape:
    clause = node.returning_clause
    if not node.HasField("returning_clause") or not clause.exprs:
        return Shape(())
    names = ["old", "new"]
    for part in clause.options:
        option = part.returning_option
        names[0 if option.option == pb.RETURNING_OPTION_OLD else 1] = option.value
    if work.lens.server_version >= _RETURNING_OLD_NEW_SINCE:
        for name in names:
            other = Item(name, item.shape, relation=item.relation)
            other.by_name_only = True
            scope.items.append(other)
    shape = read_targets(list(clause.exprs), scope, work)
    if item.relation is not None and item.relation.has_rules:
        return Shape(shape.columns, UNPROVEN)
    return shape
