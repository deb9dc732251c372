"""`SELECT set_config('search_path', '...', false)`, alone: a SET of the search path in the clothes of a query.

pg_dump begins with it, and it is as plain as SET: its effect can be told beforehand and tracked.
It implements DESIGN section 7 ("State that changes meaning"); ATTACKS PG-06, PG-08.
It will not read a call that has anything beside it (a row source, a second column, a condition, an argument that is
not written out), nor one inside another statement: whether and when such a call runs is not told by the text.
"""

from google.protobuf.message import Message

from doorward_core.model import Action
from doorward_core.sql.calls import literal
from doorward_core.sql.catalog import CATALOG_SCHEMA, Name
from doorward_core.sql.census import strings
from doorward_core.sql.found import Found
from doorward_core.sql.lineage import CLEAR, Named
from doorward_core.sql.names import split_path
from doorward_core.sql.session import SetSetting
from doorward_core.sql.work import Shape, Work

# What the parser fills in for `SELECT f(...)`: anything more is more than a call.
_QUERY_FIELDS = frozenset({"target_list", "limit_option", "op"})
_CALL_FIELDS = frozenset({"funcname", "args", "funcformat", "location"})
_ARGUMENTS = 3
_NAMES: frozenset[Name] = frozenset({("set_config",), (CATALOG_SCHEMA, "set_config")})


def read_path_setting(node: Message, work: Work) -> Found | None:
    """Read a SELECT that does nothing but set the search path; None where it is anything else."""
    if _fields(node) - _QUERY_FIELDS or len(node.target_list) != 1:
        return None
    target = node.target_list[0].res_target
    call = target.val.func_call
    if target.val.WhichOneof("node") != "func_call" or _fields(call) - _CALL_FIELDS or len(call.args) != _ARGUMENTS:
        return None
    name = strings(call.funcname)
    path, local = literal(call.args[1]), _boolean(call.args[2])
    if name not in _NAMES or not _built_in(name, work) or path is None or local is None:
        return None
    if (literal(call.args[0]) or "").lower() != "search_path" or split_path(path) is None:
        return None
    work.seen_functions.add(name)
    work.pure = False
    work.atom(Action.SESSION, "setting", "search_path")
    shape = Shape((Named(target.name or "set_config", CLEAR),))
    return Found(shape, SetSetting("search_path", path, local))


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
