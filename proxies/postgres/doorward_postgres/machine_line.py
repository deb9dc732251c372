"""The line between one client and its server: what has been sent, what is owed, and what waits to go out.

What it is: the state that both halves of the machine share (`machine` reads the client, `machine_replies` the server).
What it will not do: decide what to send.

Source: PostgreSQL protocol, "Message Flow": the server answers in the order in which it was asked, and after an error
in the extended protocol skips everything up to Sync.

Invariants:
- `expected` holds one entry for each answer that the server owes, in order; an injected one is swallowed.
- `batch` counts what ends at a Sync or a Query: across batches a name is trusted once the server has acknowledged it.
- `entry` is the highest log entry among everything sent: nothing is released before it is durable.
"""

import hashlib
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from doorward_core.event import Outcome, Status
from doorward_core.model import Permit
from doorward_postgres.names import Change, NameTable, Portal, Prepared
from doorward_postgres.plan import Masker, Plan
from doorward_postgres.state import SessionState
from doorward_postgres.wire_decode import Field

SHOWN_BYTES: Final = 64 * 1024  # of each result kept in the record at level `shape`
PAYLOAD_BYTES: Final = 1024 * 1024  # the same at level `payload`: a few wide results must not fill the log's queue
SHOWN_FORMAT_ROWS: Final = "postgresql.datarow"
SHOWN_FORMAT_COPY: Final = "postgresql.copydata"


class Kind(Enum):
    """What the server was asked, and so what it owes."""

    PARSE = "parse"
    BIND = "bind"
    DESCRIBE_STATEMENT = "describe statement"
    DESCRIBE_PORTAL = "describe portal"
    EXECUTE = "execute"
    CLOSE = "close"
    SYNC = "sync"
    QUERY = "query"
    FUNCTION_CALL = "function call"


EXTENDED: Final = frozenset(
    {Kind.PARSE, Kind.BIND, Kind.DESCRIBE_STATEMENT, Kind.DESCRIBE_PORTAL, Kind.EXECUTE, Kind.CLOSE}
)


@dataclass(slots=True)
class Running:
    """One permitted message while the server works on it; `index` is the statement that the server has reached."""

    permit: Permit
    plan: Plan
    started_ns: int
    bytes_up: int
    keep_bytes: int = SHOWN_BYTES
    index: int = 0
    masker: Masker | None = None
    rows: int = 0
    bytes_down: int = 0
    fields: tuple[Field, ...] = ()
    code: str = ""
    masked: dict[str, int] = field(default_factory=dict)
    shown_format: str = SHOWN_FORMAT_ROWS
    copying_out: bool = False
    _shown: list[bytes] = field(default_factory=list)
    _shown_bytes: int = 0
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def show(self, data: bytes | memoryview) -> None:
        """Count, hash and (up to the bound) keep what the client is shown."""
        self.bytes_down += len(data)
        self._digest.update(data)
        room = self.keep_bytes - self._shown_bytes
        if room > 0:
            piece = bytes(data[:room])
            self._shown.append(piece)
            self._shown_bytes += len(piece)

    def end_result(self) -> bytes:
        """Close the result of the current statement; give what its masker held back."""
        masker, self.masker = self.masker, None
        self.copying_out = False
        if masker is None:
            return b""
        tail = masker.finish()
        for label, count in masker.masked.items():
            self.masked[label] = self.masked.get(label, 0) + count
        return tail

    def outcome(self, now_ns: int) -> Outcome:
        """How it ended, for the record; `now_ns` on the clock of `started_ns`."""
        failed = bool(self.code)
        return Outcome(
            Status.ERROR if failed else Status.OK,
            self.code,
            self.rows,
            self.bytes_up,
            self.bytes_down,
            tuple(one.name for one in self.fields),
            tuple(one.type_oid for one in self.fields),
            tuple(one.format for one in self.fields),
            self.masked,
            now_ns - self.started_ns,
            b"".join(self._shown),
            self.shown_format,
            self._digest.digest() if self.bytes_down else b"",
            self.bytes_down > self._shown_bytes,
        )


@dataclass(slots=True)
class Expected:
    """One answer that the server owes.

    `injected` ones were asked by us, and their answer is swallowed.
    `replacement` is our own error, to stand in the place of the one that we provoke.
    """

    kind: Kind
    batch: int
    running: Running | None = None
    plan: Plan | None = None
    prepared: Prepared | None = None
    portal: Portal | None = None
    statement_change: Change[Prepared] | None = None
    portal_change: Change[Portal] | None = None
    injected: bool = False
    replacement: bytes = b""
    weight_bytes: int = 0
    version: int = 0  # of the line when this was sent

    @property
    def changes_meaning(self) -> bool:
        """Tell whether later statements mean something else once this one is done."""
        return self.running is not None and any(one.effect is not None for one in self.running.plan.analyses)


@dataclass(slots=True)
class Line:
    """Both directions of one connection, as far as both halves of the machine must know them."""

    state: SessionState
    marker: str  # the name of a portal that does not exist: executing it makes the server fail the batch
    expected: deque[Expected] = field(default_factory=deque)
    prepared: NameTable[Prepared] = field(default_factory=NameTable)
    portals: NameTable[Portal] = field(default_factory=NameTable)
    to_server: list[bytes | memoryview] = field(default_factory=list)
    to_client: list[bytes | memoryview] = field(default_factory=list)
    finished: list[tuple[Permit, Outcome]] = field(default_factory=list)
    batch: int = 0
    unsynced: bool = False  # something of the extended protocol was sent since the last Sync
    discarding: bool = False  # client messages up to Sync are dropped, as the server would
    local_sync: bool = False  # the refusal was answered here alone, and so must its Sync be
    copy_in: Running | None = None
    entry: int = -1
    version: int = 0  # of the catalogue and masks that the latest message was read with
    touched_masked: bool = False  # in the open transaction: a later error (a deferred constraint) may carry values
    owed_bytes: int = 0  # of messages that the server has not answered: they are kept until it does
    effects: int = 0  # outstanding statements that change the meaning of later ones
    wrote_batch: int = -1  # the last batch with a statement that may have changed something

    def expect(self, expected: Expected, *frames: bytes) -> None:
        """Send frames to which the server owes an answer."""
        self.expected.append(expected)
        self.effects += expected.changes_meaning
        expected.weight_bytes = sum(len(one) for one in frames)
        self.owed_bytes += expected.weight_bytes
        self.to_server.extend(frames)

    @property
    def shifting(self) -> bool:
        """Tell whether what the server has yet to answer may change the meaning of what comes behind it.

        A SET that was answered before its Sync is one: should the rest of its batch fail, it has never been.
        """
        return bool(self.expected) and (self.effects > 0 or self.state.provisional)

    def wrote(self, batch: int) -> None:
        """A statement that may change something was sent as part of this batch."""
        self.state.wrote = True
        self.wrote_batch = batch

    def ready(self, status: str, batch: int) -> None:
        """The server has ended this batch; what was sent since may have written already."""
        self.state.ready(status)
        self.state.wrote |= self.wrote_batch > batch

    def answered(self) -> Expected:
        """Take the oldest expectation: the server has answered it, or will skip it."""
        done = self.expected.popleft()
        self.effects -= done.changes_meaning
        self.owed_bytes -= done.weight_bytes
        return done

    def undo(self, expected: Expected) -> None:
        """The server skipped or refused this; call newest first."""
        if expected.statement_change is not None:
            self.prepared.undo(expected.statement_change)
        if expected.portal_change is not None:
            self.portals.undo(expected.portal_change)

    def finish(self, running: Running, now_ns: int) -> None:
        """A permitted message has ended."""
        self.finished.append((running.permit, running.outcome(now_ns)))
