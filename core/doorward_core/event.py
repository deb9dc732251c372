"""What happened and what is kept of it: how an operation ended, and one record of the log.

What it is: the nouns in which every room writes down its doings.
What it will not do: place, seal, sign or write itself (`doorward_core.record` does).

Implements docs/spec/event-log.md, section 10.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias


class Status(StrEnum):
    """How an operation ended."""

    OK = "ok"
    ERROR = "error"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an operation ended.

    `native_code` is the protocol's own (SQLSTATE, exit status, HTTP status).
    `masked` counts masked values by label, never values.
    `shown` is what the client saw, after masking, bounded; `shown_format` names its encoding (docs/spec/event-log.md).
    `changes` are the fields that a write has changed, what each was and what it is, as they may be shown; None for
    none; `changes_truncated` says that there were more.
    `column_types` and `column_formats` are the protocol's own numbers, one for each of `columns`, or empty.
    """

    status: Status
    native_code: str = ""
    rows: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    columns: tuple[str, ...] = ()
    column_types: tuple[int, ...] = ()
    column_formats: tuple[int, ...] = ()
    masked: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    duration_ns: int = 0
    shown: bytes = b""
    shown_format: str = ""
    shown_digest: bytes = b""
    shown_truncated: bool = False
    changes: tuple[tuple[str, str | None, str | None], ...] = ()
    changes_truncated: bool = False


class EventKind(StrEnum):
    """The kinds of entry in the log (docs/spec/event-log.md)."""

    LOG_OPENED = "log.opened"
    LOG_REPAIRED = "log.repaired"
    LOG_CLOSED = "log.closed"
    LOG_FREED = "log.freed"
    KEY_ROTATED = "key.rotated"
    WITNESS_BEHIND = "witness.behind"
    WITNESS_REACHED = "witness.reached"
    WITNESS_CONFLICT = "witness.conflict"
    CONTENT_ERASED = "content.erased"
    POLICY_LOADED = "policy.loaded"
    POLICY_REFUSED = "policy.refused"
    CREDENTIAL_ISSUED = "credential.issued"
    SESSION_OPENED = "session.opened"
    SESSION_REFUSED = "session.refused"
    SESSION_CLOSED = "session.closed"
    SESSION_WATCHED = "session.watched"
    SESSION_ENDED = "session.ended"
    OPERATION_DECIDED = "operation.decided"
    OPERATION_HELD = "operation.held"
    OPERATION_FINISHED = "operation.finished"
    APPROVAL_VOTED = "approval.voted"
    APPROVAL_GRANTED = "approval.granted"
    APPROVAL_REJECTED = "approval.rejected"
    APPROVAL_EXPIRED = "approval.expired"
    APPROVAL_WITHDRAWN = "approval.withdrawn"
    ACCESS_REQUESTED = "access.requested"
    ACCESS_REVOKED = "access.revoked"
    ACCESS_RESTORED = "access.restored"
    BREAK_GLASS_OPENED = "break-glass.opened"
    BREAK_GLASS_REVIEWED = "break-glass.reviewed"
    STREAM_CHUNK = "stream.chunk"
    DESK_LOGIN = "desk.login"
    DESK_REFUSED = "desk.refused"
    DESK_READ = "desk.read"
    REVIEW_SIGNED = "review.signed"
    GATEWAY_ERROR = "gateway.error"


Scalar: TypeAlias = str | bytes | int | bool | None
Value: TypeAlias = "Scalar | list[Value] | dict[str, Value]"


@dataclass(frozen=True, slots=True)
class Event:
    """One record, before the writer gives it its place.

    `header` is in the clear for ever: nothing in it may be guessable content of the operation.
    `payload` is content: the writer seals it where the operator asked for that.
    Both hold canonical-msgpack values only.
    """

    kind: EventKind
    header: Mapping[str, Value]
    payload: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    session_id: bytes = b""
    operation_id: bytes = b""
