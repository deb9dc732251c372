"""The words by which a statement is known: PostgreSQL's own command tags, as far as the tree tells them.

It implements the names of PostgreSQL's `src/include/tcop/cmdtaglist.h` where one exists.
Only people and policy's explanations read a verb; nothing is decided by it.
"""

from collections.abc import Callable

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

_VERBS = {
    "select_stmt": "SELECT", "insert_stmt": "INSERT", "update_stmt": "UPDATE", "delete_stmt": "DELETE",
    "merge_stmt": "MERGE", "copy_stmt": "COPY", "variable_show_stmt": "SHOW", "explain_stmt": "EXPLAIN",
    "prepare_stmt": "PREPARE", "execute_stmt": "EXECUTE", "deallocate_stmt": "DEALLOCATE",
    "declare_cursor_stmt": "DECLARE CURSOR", "close_portal_stmt": "CLOSE CURSOR", "listen_stmt": "LISTEN",
    "unlisten_stmt": "UNLISTEN", "notify_stmt": "NOTIFY", "discard_stmt": "DISCARD", "lock_stmt": "LOCK TABLE",
    "truncate_stmt": "TRUNCATE TABLE", "do_stmt": "DO", "call_stmt": "CALL", "vacuum_stmt": "VACUUM",
    "create_stmt": "CREATE TABLE", "create_table_as_stmt": "CREATE TABLE AS", "view_stmt": "CREATE VIEW",
    "index_stmt": "CREATE INDEX", "create_seq_stmt": "CREATE SEQUENCE", "alter_seq_stmt": "ALTER SEQUENCE",
    "create_function_stmt": "CREATE FUNCTION", "alter_function_stmt": "ALTER FUNCTION", "grant_stmt": "GRANT",
    "grant_role_stmt": "GRANT ROLE", "create_trig_stmt": "CREATE TRIGGER", "rule_stmt": "CREATE RULE",
    "create_schema_stmt": "CREATE SCHEMA", "alter_table_stmt": "ALTER TABLE", "check_point_stmt": "CHECKPOINT",
    "constraints_set_stmt": "SET CONSTRAINTS", "refresh_mat_view_stmt": "REFRESH MATERIALIZED VIEW",
    "comment_stmt": "COMMENT", "load_stmt": "LOAD", "alter_system_stmt": "ALTER SYSTEM", "cluster_stmt": "CLUSTER",
    "reindex_stmt": "REINDEX", "createdb_stmt": "CREATE DATABASE", "dropdb_stmt": "DROP DATABASE",
    "sec_label_stmt": "SECURITY LABEL", "create_plang_stmt": "CREATE LANGUAGE", "define_stmt": "CREATE",
    "rename_stmt": "ALTER RENAME", "create_am_stmt": "CREATE ACCESS METHOD",
}  # fmt: skip

_TRANSACTIONS = {
    pb.TRANS_STMT_BEGIN: "BEGIN", pb.TRANS_STMT_START: "START TRANSACTION", pb.TRANS_STMT_COMMIT: "COMMIT",
    pb.TRANS_STMT_ROLLBACK: "ROLLBACK", pb.TRANS_STMT_SAVEPOINT: "SAVEPOINT", pb.TRANS_STMT_RELEASE: "RELEASE",
    pb.TRANS_STMT_ROLLBACK_TO: "ROLLBACK TO", pb.TRANS_STMT_PREPARE: "PREPARE TRANSACTION",
    pb.TRANS_STMT_COMMIT_PREPARED: "COMMIT PREPARED", pb.TRANS_STMT_ROLLBACK_PREPARED: "ROLLBACK PREPARED",
}  # fmt: skip


def verb_of(kind: str, node: Message) -> str:
    """Name the statement in `node`, whose oneof field is `kind`."""
    statement = getattr(node, kind)
    special = _SPECIAL.get(kind)
    verb = "" if special is None else special(statement)
    return verb or _VERBS.get(kind) or kind.removesuffix("_stmt").replace("_", " ").upper()


def _drop(node: Message) -> str:
    return f"DROP {pb.ObjectType.Name(node.remove_type).removeprefix('OBJECT_').replace('_', ' ')}"


_SPECIAL: dict[str, Callable[[Message], str]] = {
    "transaction_stmt": lambda node: _TRANSACTIONS.get(node.kind, "TRANSACTION"),
    "variable_set_stmt": lambda node: "RESET" if node.kind in {pb.VAR_RESET, pb.VAR_RESET_ALL} else "SET",
    "fetch_stmt": lambda node: "MOVE" if node.ismove else "FETCH",
    "drop_stmt": _drop,
    "grant_stmt": lambda node: "GRANT" if node.is_grant else "REVOKE",
    "grant_role_stmt": lambda node: "GRANT ROLE" if node.is_grant else "REVOKE ROLE",
}
