"""Function calls: what they run, what flows through them, and the few whose arguments are names of things.

It implements `FuncCall` of PostgreSQL's parse trees, aggregates and window clauses included; threat model PG-06, PG-21,
PG-24, PG-80, PG-81. Whether a function is safe is `doorward_core.sql.effects`' to say.
"""

from collections.abc import Callable

from google.protobuf.message import Message

from doorward_core.model import Action
from doorward_core.sql.catalog import CATALOG_SCHEMA, Name
from doorward_core.sql.census import strings
from doorward_core.sql.effects import SEQUENCE_WRITERS, SHOWING, check_call
from doorward_core.sql.lineage import UNPROVEN, Flow, join
from doorward_core.sql.names import split_path
from doorward_core.sql.scope import Scope
from doorward_core.sql.settings import judge_setting
from doorward_core.sql.work import Work

Reader = Callable[[Message, Scope, Work], Flow]
# How many arguments set_config takes: name, value, whether it is local.
_SET_CONFIG_ARGUMENTS = 3
# Casts to these give back the very text, as long as no length is asked for.
_UNCHANGING = frozenset({"text", "varchar", "regclass"})
# Functions whose other arguments must be clear for the first one to be only shown.
_POSITIONAL = frozenset({"lag", "lead", "left", "right", "substr"})


def read_call(node: Message, scope: Scope, work: Work, read: Reader) -> Flow:
    """Read one call."""
    name = strings(node.funcname)
    arguments = [read(part, scope, work) for part in node.args]
    flows = [*arguments, *(read(part, scope, work) for part in node.agg_order)]
    if node.HasField("agg_filter"):
        chosen = read(node.agg_filter, scope, work)
        work.probe(chosen)
        flows.append(chosen)
    if node.HasField("over"):
        flows.append(read_window(node.over, scope, work, read))
    flow = join(flows)
    if _special(node, name, work):
        # It goes where it can be read back: a setting, a channel.
        work.probe(flow)
        return flow.changed()
    count = len(node.args)
    known = check_call(work, name, count)
    if flow.taint and not _only_shows(name, bool(known), arguments):
        work.probe(flow)
    if not known and not _is_cast(work, name):
        return join((flow, UNPROVEN))
    return flow


def _only_shows(name: Name, known: bool, arguments: list[Flow]) -> bool:
    if not known or name[-1] not in SHOWING:
        return False
    return name[-1] not in _POSITIONAL or not any(flow.taint for flow in arguments[1:])


def _is_cast(work: Work, name: Name) -> bool:
    catalog = work.lens.catalog
    return (
        catalog is not None
        and not catalog.functions(name, work.lens.path)
        and catalog.type(name, work.lens.path) is not None
    )


def read_window(node: Message, scope: Scope, work: Work, read: Reader) -> Flow:
    """Read a window: its order is the order in which rows tend to come, so that a masked column in it is probed."""
    flow = join(
        [scope.window(node.refname or node.name)]
        + [read(part, scope, work) for part in (*node.partition_clause, *node.order_clause)]
        + [read(part, scope, work) for part in (node.start_offset, node.end_offset)]
    )
    work.probe(flow)
    return flow


def _special(node: Message, name: Name, work: Work) -> bool:
    """The built-ins whose arguments name a setting or a sequence; whether this is one, and was read as one."""
    if len(name) > 1 and name[0] != CATALOG_SCHEMA:
        return False
    catalog = work.lens.catalog
    if catalog is None or any(not item.builtin for item in catalog.functions(name, work.lens.path)):
        return False
    if name[-1] == "set_config" and len(node.args) == _SET_CONFIG_ARGUMENTS:
        _set_config(node, work)
    elif name[-1] in SEQUENCE_WRITERS and node.args:
        _sequence(node, name, work)
    elif name[-1] == "pg_notify" and node.args:
        work.atom(Action.TRANSFER, "channel", literal(node.args[0]) or "*")
    elif name[-1] == "pg_advisory_unlock_all":
        work.pure = False
        work.atom(Action.SESSION, "session", "advisory unlock")
    else:
        return False
    work.seen_functions.add(name)
    return True


def literal(node: Message) -> str | None:
    """The text of a string constant, casts that leave it as it is looked through; None for anything else."""
    while node.WhichOneof("node") == "type_cast":
        to = node.type_cast.type_name
        if strings(to.names)[-1] not in _UNCHANGING or to.typmods or to.array_bounds:
            return None
        node = node.type_cast.arg
    if node.WhichOneof("node") != "a_const" or node.a_const.WhichOneof("val") != "sval":
        return None
    return str(node.a_const.sval.sval)


def _set_config(node: Message, work: Work) -> None:
    name, value = literal(node.args[0]), literal(node.args[1])
    work.pure = False
    if name is None:
        work.atom(Action.ADMIN, "setting", "*", detail="set_config")
        return
    # Where only pinned values are harmless, one that is not written out is none of them.
    verdict = judge_setting(name, [value or ""])
    if verdict.harmless and verdict.name != "search_path":
        work.atom(Action.SESSION, "setting", verdict.name)
    else:
        work.atom(Action.ADMIN, "setting", verdict.name, detail="set_config")


def _sequence(node: Message, name: Name, work: Work) -> None:
    text = literal(node.args[0])
    parts = None if text is None else split_path(text.replace(".", ","))
    relation = None if not parts else work.lens.resolve(parts)
    if relation is None or relation.kind != "S" or '"' in (text or ""):
        work.opaque("function", f"{CATALOG_SCHEMA}.{name[-1]}")
    else:
        work.atom(Action.WRITE, "relation", relation.qualified, detail=name[-1])
