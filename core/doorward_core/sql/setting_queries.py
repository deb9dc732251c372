"""Queries that are SET and SHOW in disguise: which setting they mean is written out, so it can be judged.

pg_dump: `SELECT set_config('search_path', '...', false)`, alone, is a SET whose effect is tracked as SET's is.
pg_dump: `SELECT set_config(name, '...', false) FROM pg_settings WHERE name = '...'` sets one, if the server knows it.
PgJDBC: `SELECT setting FROM pg_settings WHERE name = '...'` is a SHOW.

It implements ARCHITECTURE.md, "Deciding on SQL"; threat model PG-06, PG-08.
It will not read a call that has anything else beside it (another row source, a second column, an argument that is not
written out), nor one inside another statement: whether and when such a call runs is not told by the text.
"""

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from doorward_core.model import Action, Atom, Target
from doorward_core.sql.calls import literal
from doorward_core.sql.catalog import CATALOG_SCHEMA, Name, Relation
from doorward_core.sql.census import relation_name, strings
from doorward_core.sql.found import Found
from doorward_core.sql.lineage import CLEAR, Named
from doorward_core.sql.names import split_path
from doorward_core.sql.session import SetSetting
from doorward_core.sql.settings import judge_setting
from doorward_core.sql.work import Shape, Work

# What the parser fills in for `SELECT f(...)`: anything more is more than a call.
_QUERY_FIELDS = frozenset({"target_list", "limit_option", "op"})
_ROW_FIELDS = _QUERY_FIELDS | {"from_clause", "where_clause"}
_CALL_FIELDS = frozenset({"funcname", "args", "funcformat", "location"})
_ARGUMENTS = 3
_NAMES: frozenset[Name] = frozenset({("set_config",), (CATALOG_SCHEMA, "set_config")})


def read_path_setting(node: Message, work: Work) -> Found | None:
    """Read a SELECT that does nothing but set the search path; None where it is anything else."""
    call = _only_call(node, _QUERY_FIELDS, work)
    if call is None or (literal(call.args[0]) or "").lower() != "search_path":
        return None
    path, local = literal(call.args[1]), _boolean(call.args[2])
    if path is None or local is None or split_path(path) is None:
        return None
    work.seen_functions.add(strings(call.funcname))
    work.pure = False
    work.atom(Action.SESSION, "setting", "search_path")
    shape = Shape((Named(node.target_list[0].res_target.name or "set_config", CLEAR),))
    return Found(shape, SetSetting("search_path", path, local))


def name_chosen_setting(node: Message, work: Work) -> None:
    """Put the one setting that a row of pg_settings names in the place of "any", in the notes of a SELECT just read."""
    call = _only_call(node, _ROW_FIELDS, work)
    any_setting = Atom(Action.ADMIN, Target("setting", "*", detail="set_config"))
    if call is None or any_setting not in work.atoms or _plain_column(call.args[0]) != "name":
        return
    name, value, local = _chosen(node, work), literal(call.args[1]), _boolean(call.args[2])
    if name is None or value is None or local is None:
        return
    verdict = judge_setting(name, [value])
    if verdict.harmless and verdict.name != "search_path":
        del work.atoms[any_setting]
        work.atom(Action.SESSION, "setting", verdict.name)


def name_shown_setting(node: Message, work: Work) -> None:
    """Put SHOW of the one setting that is asked for in the place of reading the values of all of them."""
    plain = (part.res_target.val.WhichOneof("node") == "column_ref" for part in node.target_list)
    if _fields(node) - _ROW_FIELDS or not all(plain):
        return
    name, settings = _chosen(node, work), _settings(node, work)
    if name is None or settings is None:
        return
    columns = work.columns_read.get(settings.oid)
    if columns is not None and "setting" in columns:
        columns.remove("setting")
        work.atom(Action.SESSION, "setting", name.lower(), detail="show")


def _only_call(node: Message, fields: frozenset[str], work: Work) -> Message | None:
    """Give the call of the built-in set_config that is all that a query computes."""
    if _fields(node) - fields or len(node.target_list) != 1:
        return None
    value = node.target_list[0].res_target.val
    call = value.func_call
    if value.WhichOneof("node") != "func_call" or _fields(call) - _CALL_FIELDS or len(call.args) != _ARGUMENTS:
        return None
    name = strings(call.funcname)
    return call if name in _NAMES and _built_in(name, work) else None


def _chosen(node: Message, work: Work) -> str | None:
    """Which name `FROM pg_settings WHERE name = '...'` leaves."""
    if _settings(node, work) is None:
        return None
    test = node.where_clause.a_expr
    if node.where_clause.WhichOneof("node") != "a_expr" or test.kind != pb.AEXPR_OP or strings(test.name) != ("=",):
        return None
    return literal(test.rexpr) if _plain_column(test.lexpr) == "name" else None


def _settings(node: Message, work: Work) -> Relation | None:
    """Give pg_settings, where a query reads it and nothing else."""
    if len(node.from_clause) != 1 or node.from_clause[0].WhichOneof("node") != "range_var":
        return None
    source = node.from_clause[0].range_var
    relation = None if source.HasField("alias") else work.lens.resolve(relation_name(source))
    if relation is None or not relation.builtin or relation.qualified != f"{CATALOG_SCHEMA}.pg_settings":
        return None
    return relation


def _plain_column(node: Message) -> str | None:
    if node.WhichOneof("node") != "column_ref" or len(node.column_ref.fields) != 1:
        return None
    return strings(node.column_ref.fields)[0]


def _fields(node: Message) -> frozenset[str]:
    return frozenset(descriptor.name for descriptor, _ in node.ListFields())


def _boolean(node: Message) -> bool | None:
    if node.WhichOneof("node") != "a_const" or node.a_const.WhichOneof("val") != "boolval":
        return None
    return bool(node.a_const.boolval.boolval)


def _built_in(name: Name, work: Work) -> bool:
    catalog = work.lens.catalog
    found = () if catalog is None else catalog.functions(name, work.lens.path)
    return bool(found) and all(item.builtin for item in found)
