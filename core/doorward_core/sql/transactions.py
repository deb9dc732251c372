"""Statements that move the session rather than data: transactions, settings, prepared names, cursors, channels.

It implements TransactionStmt, VariableSetStmt, VariableShowStmt, Prepare/Execute/Deallocate, Declare/Fetch/Close,
Listen/Unlisten/Notify, Discard and SET CONSTRAINTS of the raw parse trees (ARCHITECTURE.md, "Deciding on SQL");
threat model PG-06, PG-07, PG-26 to PG-29.
It changes nothing itself: it gives a SessionEffect, and the tracker applies that when the server has agreed.
"""

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from doorward_core.model import Action
from doorward_core.sql.census import relation_name, strings
from doorward_core.sql.names import join_path
from doorward_core.sql.session import (
    Begin,
    CloseCursor,
    Commit,
    Deallocate,
    Discard,
    Listen,
    Release,
    ResetAll,
    Rollback,
    RollbackTo,
    Savepoint,
    SessionEffect,
    SetSetting,
    Unlisten,
)
from doorward_core.sql.settings import ROLE_SETTINGS, Verdict, judge_reset, judge_setting
from doorward_core.sql.work import Work

_TWO_PHASE = frozenset({pb.TRANS_STMT_PREPARE, pb.TRANS_STMT_COMMIT_PREPARED, pb.TRANS_STMT_ROLLBACK_PREPARED})
_TRANSACTION_SETTINGS = frozenset({"transaction", "session characteristics"})
_DISCARDS = {
    pb.DISCARD_ALL: "ALL", pb.DISCARD_PLANS: "PLANS", pb.DISCARD_SEQUENCES: "SEQUENCES", pb.DISCARD_TEMP: "TEMP",
}  # fmt: skip


def transaction(node: Message, work: Work) -> SessionEffect | None:
    """BEGIN to ROLLBACK PREPARED."""
    kind = node.kind
    if kind in _TWO_PHASE:
        work.atom(Action.ADMIN, "transaction", "two-phase")
        # PREPARE TRANSACTION leaves the session as COMMIT does: what was SET stays.
        return Commit() if kind == pb.TRANS_STMT_PREPARE else None
    if kind in {pb.TRANS_STMT_BEGIN, pb.TRANS_STMT_START}:
        mode = transaction_mode(list(node.options))
        detail = "" if mode is None else "read write" if mode else "read only"
        work.atom(Action.SESSION, "transaction", "begin", detail=detail)
        return Begin(mode)
    effects: dict[int, tuple[str, SessionEffect]] = {
        pb.TRANS_STMT_COMMIT: ("commit", Commit(chain=node.chain)),
        pb.TRANS_STMT_ROLLBACK: ("rollback", Rollback(chain=node.chain)),
        pb.TRANS_STMT_SAVEPOINT: ("savepoint", Savepoint(node.savepoint_name)),
        pb.TRANS_STMT_RELEASE: ("release", Release(node.savepoint_name)),
        pb.TRANS_STMT_ROLLBACK_TO: ("rollback to", RollbackTo(node.savepoint_name)),
    }
    found = effects.get(kind)
    if found is None:
        work.unknown("transaction", "this transaction statement is not understood")
        return None
    work.atom(Action.SESSION, "transaction", found[0])
    if kind != pb.TRANS_STMT_SAVEPOINT:
        work.pure = False
    return found[1]


def transaction_mode(options: "list[Message]") -> bool | None:
    """READ WRITE is True, READ ONLY False, neither None; said twice, the one that allows more counts."""
    modes = [bool(_integer(part.def_elem.arg)) for part in options if part.def_elem.defname == "transaction_read_only"]
    return None if not modes else not all(modes)


def _integer(node: Message) -> int:
    if node.WhichOneof("node") == "a_const" and node.a_const.WhichOneof("val") == "ival":
        return int(node.a_const.ival.ival)
    return 0


def constant_text(node: Message) -> str | None:
    """A setting's value as the server would store it; None where it is not plainly written."""
    kind = node.WhichOneof("node")
    if kind == "type_cast":  # SET TIME ZONE INTERVAL '1' HOUR
        return constant_text(node.type_cast.arg)
    if kind == "string":
        return str(node.string.sval)
    value = node.a_const.WhichOneof("val") if kind == "a_const" else None
    if value == "boolval":
        return "on" if node.a_const.boolval.boolval else "off"
    if value in {"sval", "ival", "fval"}:
        return str(getattr(getattr(node.a_const, value), value))
    return None


def variable_set(node: Message, work: Work) -> SessionEffect | None:
    """SET and RESET in all their forms."""
    name = node.name.lower()
    if node.kind == pb.VAR_RESET_ALL:
        work.atom(Action.SESSION, "setting", "*", detail="reset")
        return ResetAll()
    # SET TIME ZONE INTERVAL '1' HOUR
    work.seen_types |= {strings(part.type_cast.type_name.names) for part in node.args if part.HasField("type_cast")}
    if node.kind == pb.VAR_SET_MULTI:
        return _set_transaction(node, name, work)
    if name in ROLE_SETTINGS:
        role = constant_text(node.args[0]) if node.args else None
        work.atom(Action.ADMIN, "role", role or "default", detail=name)
        return SetSetting(name, role, node.is_local)
    if node.kind in {pb.VAR_RESET, pb.VAR_SET_DEFAULT}:
        _write_setting(judge_reset(name), work)
        return SetSetting(name, None, node.is_local)
    texts = [constant_text(part) for part in node.args]
    values = [text for text in texts if text is not None]
    if node.kind != pb.VAR_SET_VALUE or len(values) != len(texts) or not values:
        work.atom(Action.ADMIN, "setting", name)
        work.incomplete(f"this way of setting {name} is not understood")
        return None
    _write_setting(judge_setting(name, values), work)
    value = join_path(values) if name == "search_path" else ", ".join(values)
    return SetSetting(name, value, node.is_local)


def _write_setting(verdict: Verdict, work: Work) -> None:
    if verdict.harmless:
        work.atom(Action.SESSION, "setting", verdict.name)
        return
    work.atom(Action.ADMIN, "setting", verdict.name)
    work.problem = work.problem or verdict.problem


def _set_transaction(node: Message, name: str, work: Work) -> SessionEffect | None:
    """SET TRANSACTION, SET SESSION CHARACTERISTICS, SET TRANSACTION SNAPSHOT."""
    if name not in _TRANSACTION_SETTINGS:
        work.atom(Action.ADMIN, "transaction", name)
        return None
    mode = transaction_mode(list(node.args))
    if mode:
        work.atom(Action.ADMIN, "setting", "transaction_read_only", detail="read write")
        return None
    work.atom(Action.SESSION, "transaction", "set", detail="" if mode is None else "read only")
    return None


def variable_show(node: Message, work: Work) -> SessionEffect | None:
    """SHOW: what it shows is settings, never rows."""
    work.atom(Action.SESSION, "setting", node.name.lower(), detail="show")
    return None


def deallocate(node: Message, work: Work) -> SessionEffect | None:
    """DEALLOCATE."""
    name = None if node.isall or not node.name else node.name
    work.atom(Action.SESSION, "prepared", name or "*", detail="deallocate")
    return Deallocate(name)


def close_cursor(node: Message, work: Work) -> SessionEffect | None:
    """CLOSE."""
    work.atom(Action.SESSION, "cursor", node.portalname or "*", detail="close")
    return CloseCursor(node.portalname or None)


def listen(node: Message, work: Work) -> SessionEffect | None:
    """LISTEN."""
    work.pure = False
    work.atom(Action.SESSION, "channel", node.conditionname)
    return Listen(node.conditionname)


def unlisten(node: Message, work: Work) -> SessionEffect | None:
    """UNLISTEN."""
    work.pure = False
    work.atom(Action.SESSION, "channel", node.conditionname or "*")
    return Unlisten(node.conditionname or None)


def notify(node: Message, work: Work) -> SessionEffect | None:
    """NOTIFY: data leaves to whoever listens."""
    work.atom(Action.TRANSFER, "channel", node.conditionname)
    return None


def discard(node: Message, work: Work) -> SessionEffect | None:
    """DISCARD."""
    work.pure = False
    what = _DISCARDS.get(node.target, "ALL")
    work.atom(Action.SESSION, "session", f"discard {what.lower()}")
    return Discard(what)


def constraints_set(node: Message, work: Work) -> SessionEffect | None:
    """SET CONSTRAINTS: checks that were deferred run now."""
    work.pure = False
    work.seen_relations |= {relation_name(part.range_var) for part in node.constraints}
    work.atom(Action.SESSION, "transaction", "set constraints")
    return None
