"""COPY: what it moves, where to, and how the bytes are written.

It implements `CopyStmt` and the options of `ProcessCopyOptions` (PostgreSQL's `src/backend/commands/copy.c`);
threat model PG-25, PG-47, PG-83.
An option that is not understood makes the payload unreadable, never guessed at.
"""

from google.protobuf.message import Message

from doorward_core.model import Action
from doorward_core.sql.analysis import CopyInfo, OutputColumn
from doorward_core.sql.census import strings
from doorward_core.sql.expressions import condition
from doorward_core.sql.found import Found, Names
from doorward_core.sql.from_items import relation_item
from doorward_core.sql.scope import Scope
from doorward_core.sql.work import Shape, Work
from doorward_core.sql.writes import write_atoms

_TEXTS = frozenset({"delimiter", "null", "quote", "escape", "encoding", "format"})
# Options that change nothing about how the bytes are cut into fields.
_IDLE = frozenset(
    {"freeze", "force_quote", "force_not_null", "force_null", "on_error", "log_verbosity", "reject_limit", "default"}
)
_FORMATS = frozenset({"text", "csv", "binary"})
_FALSE = frozenset({"false", "off", "0"})


def copy(node: Message, work: Work, names: Names) -> Found:
    """COPY in both directions."""
    work.pure = work.pure and not node.is_from
    if node.is_program:
        end = "program"
        work.atom(Action.ADMIN, "program", node.filename)
    elif node.filename:
        end = "file"
        work.atom(Action.ADMIN, "file", node.filename)
    else:
        end = "stdin" if node.is_from else "stdout"
    options, readable = _options(node)
    if node.HasField("relation"):
        info = _copy_relation(node, work, end)
    else:
        kind = str(node.query.WhichOneof("node"))
        found = names.dispatch(kind, getattr(node.query, kind), work, names)
        info = CopyInfo("out", end, outputs=None if found.shape is None else outputs_of(found.shape, work))
    return Found(copy=_with_options(info, options, readable=readable))


def outputs_of(shape: Shape, work: Work) -> tuple[OutputColumn, ...] | None:
    """Output columns of a shape whose every column is known; proved only as far as the statement was read whole."""
    if shape.rest is not None:
        return None
    proved = work.complete
    return tuple(
        OutputColumn(
            column.name,
            clear=proved and column.flow.clear,
            origin=column.flow.origin if proved else None,
            tainted=column.flow.taint,
        )
        for column in shape.columns
    )


def _copy_relation(node: Message, work: Work, end: str) -> CopyInfo:
    direction = "in" if node.is_from else "out"
    names = strings(node.attlist)
    reads_before = dict(work.columns_read)
    pure_before = work.pure
    item = relation_item(node.relation, work)
    relation = item.relation
    if relation is None:
        return CopyInfo(direction, end)
    # Generated columns are not copied unless a query asks for them.
    listed = names or tuple(column.name for column in relation.columns if not column.generated)
    chosen = [named for name in listed for named in item.shape.columns if named.name == name]
    attnums = tuple(named.attnum for named in chosen)
    if len(chosen) != len(listed):
        work.incomplete("COPY names a column that is not known")
        work.reaches_masked = True
    if not node.is_from:
        for name in listed:
            work.read(relation, name)
        return CopyInfo(direction, end, relation.oid, attnums, outputs_of(Shape(tuple(chosen)), work))
    work.columns_read = reads_before
    work.pure = pure_before
    write_atoms(work, relation, names)
    if node.HasField("where_clause"):
        scope = Scope()
        scope.items.append(item)
        condition(node.where_clause, scope, work)
    return CopyInfo(direction, end, relation.oid, attnums)


def _options(node: Message) -> tuple[dict[str, str], bool]:
    """The options that say how bytes are cut; whether every one was understood."""
    options: dict[str, str] = {}
    readable = True
    for wrapped in node.options:
        option = wrapped.def_elem
        name = option.defname.lower()
        if name in options:
            readable = False
        if name in _TEXTS and option.arg.WhichOneof("node") == "string":
            options[name] = option.arg.string.sval
        elif name == "header":
            options[name] = _header(option.arg)
        elif name not in _IDLE:
            readable = False
    if options.get("format", "text") not in _FORMATS:
        readable = False
    return options, readable


def _header(node: Message) -> str:
    kind = node.WhichOneof("node")
    if kind is None:
        return "on"
    if kind == "integer":
        return "on" if node.integer.ival else "off"
    if kind == "boolean":
        return "on" if node.boolean.boolval else "off"
    return "off" if node.string.sval.lower() in _FALSE else "on"


def _with_options(info: CopyInfo, options: dict[str, str], *, readable: bool) -> CopyInfo:
    form = options.get("format", "text")
    is_csv = form == "csv"
    quote = options.get("quote", '"')
    return CopyInfo(
        info.direction,
        info.end,
        info.relation,
        info.columns,
        info.outputs,
        format=form,
        delimiter=options.get("delimiter", "," if is_csv else "\t"),
        quote=quote,
        escape=options.get("escape", quote),
        null=options.get("null", "" if is_csv else "\\N"),
        header=options.get("header", "off") == "on",
        encoding=options.get("encoding", ""),
        readable=readable,
    )
