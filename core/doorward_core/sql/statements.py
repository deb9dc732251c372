"""Every kind of statement that PostgreSQL's grammar knows, and who reads it: one table, checked against the grammar.

It reads nothing by itself. A kind that is not in the table is refused (`doorward_core.sql.analyze`), and a test holds
the table against the grammar's own list of nodes.
"""

from collections.abc import Callable

from google.protobuf.message import Message

from doorward_core.model import Action
from doorward_core.sql import transactions
from doorward_core.sql.census import strings
from doorward_core.sql.copying import copy
from doorward_core.sql.definitions import SPECIAL, Handler, creating, each_role, fixed, named, on_relation, typed
from doorward_core.sql.found import Found, Names
from doorward_core.sql.lineage import CLEAR, Named
from doorward_core.sql.nested import create_table_as, declare, execute, explain, fetch, prepare, select
from doorward_core.sql.session import ChangeCatalog, SessionEffect
from doorward_core.sql.work import Shape, Work
from doorward_core.sql.writes import read_change

_ADMIN, _DEFINE, _WRITE = Action.ADMIN, Action.DEFINE, Action.WRITE


def _session(handler: Callable[[Message, Work], SessionEffect | None]) -> Handler:
    def handle(node: Message, work: Work, _names: Names) -> Found:
        return Found(effect=handler(node, work))

    return handle


def _change(kind: str) -> Handler:
    def handle(node: Message, work: Work, _names: Names) -> Found:
        shape = read_change(work, kind, node, None)
        return Found(shape if shape.columns or shape.rest is not None else None)

    return handle


def _show(node: Message, work: Work, _names: Names) -> Found:
    effect = transactions.variable_show(node, work)
    columns = ("name", "setting", "description") if node.name.lower() == "all" else (node.name,)
    return Found(Shape(tuple(Named(name, CLEAR) for name in columns)), effect)


def _alter_role(node: Message, work: Work, _names: Names) -> Found:
    work.atom(_ADMIN, "role", node.role.rolename or "*")
    return Found(effect=ChangeCatalog())


def _alter_system(node: Message, work: Work, _names: Names) -> Found:
    work.atom(_ADMIN, "setting", node.setstmt.name.lower() or "*", detail="system")
    return Found()


HANDLERS: dict[str, Handler] = {
    **SPECIAL,
    "select_stmt": select,
    "insert_stmt": _change("insert_stmt"),
    "update_stmt": _change("update_stmt"),
    "delete_stmt": _change("delete_stmt"),
    "merge_stmt": _change("merge_stmt"),
    "copy_stmt": copy,
    "explain_stmt": explain,
    "prepare_stmt": prepare,
    "execute_stmt": execute,
    "declare_cursor_stmt": declare,
    "fetch_stmt": fetch,
    "create_table_as_stmt": create_table_as,
    "transaction_stmt": _session(transactions.transaction),
    "variable_set_stmt": _session(transactions.variable_set),
    "variable_show_stmt": _show,
    "deallocate_stmt": _session(transactions.deallocate),
    "close_portal_stmt": _session(transactions.close_cursor),
    "listen_stmt": _session(transactions.listen),
    "unlisten_stmt": _session(transactions.unlisten),
    "notify_stmt": _session(transactions.notify),
    "discard_stmt": _session(transactions.discard),
    "constraints_set_stmt": _session(transactions.constraints_set),
    # Relations
    "create_stmt": creating("relation"),
    "create_seq_stmt": creating("sequence"),
    "composite_type_stmt": creating("typevar"),
    "alter_seq_stmt": on_relation("sequence", _DEFINE),
    "index_stmt": on_relation("relation", _DEFINE),
    "cluster_stmt": on_relation("relation", _DEFINE),
    "reindex_stmt": on_relation("relation", _DEFINE),
    "refresh_mat_view_stmt": on_relation("relation", _WRITE),
    "create_trig_stmt": on_relation("relation", _DEFINE),
    "rule_stmt": on_relation("relation", _DEFINE),
    "create_policy_stmt": on_relation("table", _ADMIN, kind="policy"),
    "alter_policy_stmt": on_relation("table", _ADMIN, kind="policy"),
    "rename_stmt": typed("rename_type"),
    "alter_object_schema_stmt": typed("object_type"),
    "alter_object_depends_stmt": typed("object_type"),
    "alter_owner_stmt": typed("object_type"),
    "comment_stmt": typed("objtype"),
    # Types, functions, operators, text search, statistics
    "define_stmt": named(_DEFINE, "object", lambda node: strings(node.defnames)),
    "create_domain_stmt": named(_DEFINE, "type", lambda node: strings(node.domainname)),
    "create_enum_stmt": named(_DEFINE, "type", lambda node: strings(node.type_name)),
    "create_range_stmt": named(_DEFINE, "type", lambda node: strings(node.type_name)),
    "alter_enum_stmt": named(_DEFINE, "type", lambda node: strings(node.type_name)),
    "alter_type_stmt": named(_DEFINE, "type", lambda node: strings(node.type_name)),
    "alter_domain_stmt": named(_DEFINE, "type", lambda node: strings(node.type_name)),
    "alter_function_stmt": named(_DEFINE, "function", lambda node: strings(node.func.objname)),
    "alter_collation_stmt": named(_DEFINE, "collation", lambda node: strings(node.collname)),
    "alter_operator_stmt": named(_DEFINE, "operator", lambda node: strings(node.opername.objname)),
    "create_op_class_stmt": named(_DEFINE, "operator", lambda node: strings(node.opclassname)),
    "create_op_family_stmt": named(_DEFINE, "operator", lambda node: strings(node.opfamilyname)),
    "alter_op_family_stmt": named(_DEFINE, "operator", lambda node: strings(node.opfamilyname)),
    "create_cast_stmt": fixed(_DEFINE, "cast"),
    "create_conversion_stmt": named(_DEFINE, "conversion", lambda node: strings(node.conversion_name)),
    "create_transform_stmt": fixed(_DEFINE, "transform"),
    "create_stats_stmt": named(_DEFINE, "statistics", lambda node: strings(node.defnames)),
    "alter_stats_stmt": named(_DEFINE, "statistics", lambda node: strings(node.defnames)),
    "alter_tsdictionary_stmt": named(_DEFINE, "text-search", lambda node: strings(node.dictname)),
    "alter_tsconfiguration_stmt": named(_DEFINE, "text-search", lambda node: strings(node.cfgname)),
    # Administration
    "grant_role_stmt": each_role(lambda node: list(node.granted_roles)),
    "alter_default_privileges_stmt": fixed(_ADMIN, "privilege"),
    "create_role_stmt": fixed(_ADMIN, "role", "role"),
    "alter_role_stmt": _alter_role,
    "alter_role_set_stmt": _alter_role,
    "drop_role_stmt": each_role(lambda node: list(node.roles)),
    "drop_owned_stmt": each_role(lambda node: list(node.roles)),
    "reassign_owned_stmt": each_role(lambda node: list(node.roles)),
    "alter_system_stmt": _alter_system,
    "createdb_stmt": fixed(_ADMIN, "database", "dbname"),
    "dropdb_stmt": fixed(_ADMIN, "database", "dbname"),
    "alter_database_stmt": fixed(_ADMIN, "database", "dbname"),
    "alter_database_set_stmt": fixed(_ADMIN, "database", "dbname"),
    "alter_database_refresh_coll_stmt": fixed(_ADMIN, "database", "dbname"),
    "create_table_space_stmt": fixed(_ADMIN, "tablespace", "tablespacename"),
    "drop_table_space_stmt": fixed(_ADMIN, "tablespace", "tablespacename"),
    "alter_table_space_options_stmt": fixed(_ADMIN, "tablespace", "tablespacename"),
    "alter_table_move_all_stmt": fixed(_ADMIN, "tablespace", "orig_tablespacename"),
    "create_extension_stmt": fixed(_ADMIN, "extension", "extname"),
    "alter_extension_stmt": fixed(_ADMIN, "extension", "extname"),
    "alter_extension_contents_stmt": fixed(_ADMIN, "extension", "extname"),
    "create_fdw_stmt": fixed(_ADMIN, "foreign-data-wrapper", "fdwname"),
    "alter_fdw_stmt": fixed(_ADMIN, "foreign-data-wrapper", "fdwname"),
    "create_foreign_server_stmt": fixed(_ADMIN, "server", "servername"),
    "alter_foreign_server_stmt": fixed(_ADMIN, "server", "servername"),
    "create_foreign_table_stmt": fixed(_ADMIN, "server", "servername"),
    "import_foreign_schema_stmt": fixed(_ADMIN, "server", "server_name"),
    "create_user_mapping_stmt": fixed(_ADMIN, "server", "servername"),
    "alter_user_mapping_stmt": fixed(_ADMIN, "server", "servername"),
    "drop_user_mapping_stmt": fixed(_ADMIN, "server", "servername"),
    "create_am_stmt": fixed(_ADMIN, "access-method", "amname"),
    "create_event_trig_stmt": fixed(_ADMIN, "event-trigger", "trigname"),
    "alter_event_trig_stmt": fixed(_ADMIN, "event-trigger", "trigname"),
    "create_plang_stmt": fixed(_ADMIN, "language", "plname"),
    "load_stmt": fixed(_ADMIN, "file", "filename"),
    "check_point_stmt": fixed(_ADMIN, "database"),
    "sec_label_stmt": fixed(_ADMIN, "security-label"),
    "create_publication_stmt": fixed(_ADMIN, "replication", "pubname"),
    "alter_publication_stmt": fixed(_ADMIN, "replication", "pubname"),
    "create_subscription_stmt": fixed(_ADMIN, "replication", "subname"),
    "alter_subscription_stmt": fixed(_ADMIN, "replication", "subname"),
    "drop_subscription_stmt": fixed(_ADMIN, "replication", "subname"),
}


def dispatch(kind: str, node: Message, work: Work, names: Names) -> Found:
    """Read one statement of any kind; a kind nobody reads is unknown."""
    handler = HANDLERS.get(kind)
    if handler is None:
        work.unknown(kind, f"this kind of statement is not understood: {kind}")
        return Found()
    return handler(node, work, names)
