"""The client's half of the machine: which message may come next, what needs a decision, and what goes on at once.

What it is: a pure, pull-style state machine. `receive` takes a chunk; `step` says what the shell is to do next:
send what is in `line.to_server`, answer a `Question`, wait, or end.
Nothing behind an unanswered question is looked at, so one message is one decision and order is kept by itself.
What it will not do: decide, await, read SQL, or look at what the server says (`machine_replies` does).

Source: PostgreSQL protocol, "Message Flow", "Extended Query", "COPY Operations", "Pipelining".

Invariants:
- A Query, Parse, Bind or FunctionCall is sent only by `permit`, which takes a Permit.
- After a refusal nothing up to the protocol's own sync point is forwarded, and the server's transaction is put in the
  state that an error of its own would have left: a batch is failed by executing a portal that does not
  exist, and our error stands in the place of the server's.
- A name that the server has not acknowledged is trusted only within its own batch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from doorward_core.errors import ClientProtocolError
from doorward_core.model import Permit, Record, RecordLevel
from doorward_postgres import wire, wire_decode, wire_encode
from doorward_postgres.machine_line import PAYLOAD_BYTES, SHOWN_BYTES, Expected, Kind, Line, Running
from doorward_postgres.names import MAX_NAMES, MAX_NAMES_BYTES, Portal, Prepared
from doorward_postgres.plan import Plan
from doorward_postgres.state import IN_TRANSACTION
from doorward_postgres.wire import FrameReader, Frontend, Side
from doorward_postgres.wire_decode import Field

MAX_OUTSTANDING: Final = 20_000  # answers owed before the client is made to wait: bounds memory, not any real pipeline
MAX_OUTSTANDING_BYTES: Final = 32 * 1024 * 1024  # of the messages that they are owed for


class Phase(Enum):
    """Which message asks."""

    QUERY = "query"
    PARSE = "parse"
    BIND = "bind"
    FUNCTION_CALL = "function call"


@dataclass(slots=True)
class Question:
    """A message that needs a decision on exactly its bytes; `frame` is what will be sent."""

    phase: Phase
    frame: bytes
    text: str
    name: str = ""
    parameter_oids: tuple[int, ...] = ()
    bind: wire_decode.Bind | None = None
    prepared: Prepared | None = None
    call: wire_decode.FunctionCall | None = None


class Wait(Enum):
    """What the shell waits for before it calls `step` again; each answer of the server may end it."""

    DATA = "the client's next bytes"
    SERVER = "the server's answers"
    END = "the client said goodbye"


class Machine:
    """Reads what the client sends. Pure: the shell drives it and owns every await."""

    def __init__(
        self, line: Line, *, max_message_bytes: int = wire.MAX_MESSAGE_BYTES, shown_bytes: int = SHOWN_BYTES
    ) -> None:
        self.line = line
        self._reader = FrameReader(Side.CLIENT, max_message_bytes=max_message_bytes)
        self._shown_bytes = shown_bytes
        self._stashed: tuple[int, bytes] | None = None  # a message that waits for the server's answers
        self._copying: Expected | None = None  # a COPY FROM STDIN that the server has not answered yet
        self._piece = False
        self._handlers: dict[int, Callable[[bytes], Question | Wait | None]] = {
            Frontend.Query: self._query,
            Frontend.Parse: self._parse,
            Frontend.Bind: self._bind,
            Frontend.Describe: self._describe,
            Frontend.Execute: self._execute,
            Frontend.Close: self._close,
            Frontend.Flush: self._flush,
            Frontend.Sync: self._sync,
            Frontend.FunctionCall: self._function_call,
            Frontend.CopyData: self._late_copy,
            Frontend.CopyDone: self._late_copy,
            Frontend.CopyFail: self._late_copy,
        }

    def receive(self, data: bytes) -> None:
        """Take a chunk from the client. Raises ClientProtocolError for what cannot be framed."""
        self._reader.receive(data)

    @property
    def buffered_bytes(self) -> int:
        """Bytes of the client that wait here."""
        return self._reader.buffered

    @property
    def at_rest(self) -> bool:
        """Tell whether nothing of the client is half read or put off."""
        return self._stashed is None and self._copying is None and self._reader.idle

    def step(self) -> Question | Wait:
        """Go on as far as possible. What is to be sent lies in `line.to_server` and `line.to_client` afterwards."""
        line = self.line
        if not self._copy_known():
            return Wait.SERVER
        self._copying = None
        if self._stashed is not None:
            kind, frame = self._stashed
            self._stashed = None
            asked = self._handle(kind, frame)
            if asked is not None:
                return asked
        reader = self._reader
        if reader.owed:
            self._copy_piece()
        for kind, start, end in reader:
            frame = reader.buffer[start:end]
            reader.consume(end)
            if line.copy_in is not None:
                asked = self._during_copy(kind, frame)
            elif kind == Frontend.Terminate:
                asked = Wait.END
            else:
                asked = self._handle(kind, frame)
            if asked is not None:
                return asked
        self._copy_piece()
        return Wait.DATA

    def _handle(self, kind: int, frame: bytes) -> Question | Wait | None:
        line = self.line
        if line.discarding and kind != Frontend.Sync:
            return None  # the server would skip it as well
        handler = self._handlers.get(kind)
        if handler is None:
            raise ClientProtocolError(f"a message of type 0x{kind:02x} is not legal here")
        if len(line.expected) >= MAX_OUTSTANDING or (line.owed_bytes >= MAX_OUTSTANDING_BYTES and line.expected):
            return self._later(frame)
        return handler(frame)

    def _later(self, frame: bytes) -> Wait:
        """Look at this message again once the server has answered everything."""
        self._stashed = (frame[0], frame)
        if self.line.unsynced and self.line.expected:
            self.line.to_server.append(wire_encode.FLUSH)
        return Wait.SERVER

    @property
    def settled(self) -> bool:
        """Tell whether what `step` waits for has happened."""
        if self._copying is not None:
            return self._copy_known()
        return not self.line.expected

    # --- questions ---------------------------------------------------------------------------------------------------

    def _query(self, frame: bytes) -> Question | Wait | None:
        line, text = self.line, self._text(wire_decode.decode_query(frame[wire.HEADER_BYTES :]))
        if line.shifting or ((line.unsynced or self._names_unsettled(text)) and line.expected):
            return self._later(frame)
        self._see_room(new=False)
        return Question(Phase.QUERY, frame, text)

    def _parse(self, frame: bytes) -> Question | Wait | None:
        line = self.line
        message = wire_decode.decode_parse(frame[wire.HEADER_BYTES :])
        text = self._text(message.text)
        trusted = line.prepared.trusted(message.name, line.batch) and not self._names_unsettled(text)
        if line.shifting or (not trusted and line.expected):
            return self._later(frame)
        self._see_room(new=line.prepared.get(message.name) is None)
        return Question(Phase.PARSE, frame, text, message.name, message.oids)

    def _bind(self, frame: bytes) -> Question | Wait | None:
        line = self.line
        message = wire_decode.decode_bind(frame[wire.HEADER_BYTES :])
        trusted = line.prepared.trusted(message.statement, line.batch) and line.portals.trusted(
            message.portal, line.batch
        )
        prepared = line.prepared.get(message.statement)
        if prepared is not None and self._names_unsettled(prepared.text):
            trusted = False
        if line.shifting or (not trusted and line.expected):
            return self._later(frame)
        if prepared is None:
            self.refuse(self._missing("26000", f'prepared statement "{message.statement[:64]}" does not exist'))
            return None
        if prepared.by_sql:
            self.refuse(self._missing("0A000", "what PREPARE made is executed with EXECUTE here, not with Bind"))
            return None
        self._see_room(new=line.portals.get(message.portal) is None)
        oids = prepared.parameter_oids
        return Question(Phase.BIND, frame, prepared.text, message.portal, oids, message, prepared)

    def _function_call(self, frame: bytes) -> Question | Wait | None:
        if self.line.expected:
            return self._later(frame)
        call = wire_decode.decode_function_call(frame[wire.HEADER_BYTES :])
        return Question(Phase.FUNCTION_CALL, frame, f"function call {call.oid}", call=call)

    def _see_room(self, *, new: bool) -> None:
        """Refuse a client that keeps more than one connection may; a `new` name is one more."""
        line = self.line
        if new and max(len(line.prepared), len(line.portals), line.state.kept_cursors) >= MAX_NAMES:
            raise ClientProtocolError("more prepared statements, portals or cursors than one connection may keep")
        if line.prepared.weight_bytes + line.portals.weight_bytes + line.state.kept_bytes > MAX_NAMES_BYTES:
            raise ClientProtocolError("prepared statements, portals and cursors weigh more than a connection may keep")

    def _names_unsettled(self, text: str) -> bool:
        """Tell whether `text` may EXECUTE a name that an earlier batch changed, and the server may have refused to.

        A keyword can be written in no other letters than its own, so that the search finds every EXECUTE.
        """
        return self.line.prepared.unsettled(self.line.batch) and "execute" in text.lower()

    @staticmethod
    def _text(raw: bytes) -> str:
        # client_encoding is pinned to UTF8: what is not UTF-8 would be an error at the server, and has no meaning here.
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            # Refused by every reader of SQL, as NUL bytes are; and no two byte strings give the same text, so that a
            # grant for one that policy lets people approve unread fits no other.
            return "\x00" + raw.decode("latin-1")

    def permit(self, question: Question, permit: Permit, plan: Plan, now_ns: int) -> None:
        """The decision allows it: send exactly the bytes decided on."""
        line = self.line
        line.entry = max(line.entry, permit.entry)
        frame, size = question.frame, len(question.frame)
        if question.phase is Phase.PARSE:
            new = Prepared(question.text, question.parameter_oids)
            change = line.prepared.change(question.name, new, line.batch)
            line.unsynced = True
            line.expect(Expected(Kind.PARSE, line.batch, plan=plan, prepared=new, statement_change=change), frame)
        elif question.phase is Phase.BIND:
            self._bound(question, permit, plan)
        else:
            kind = Kind.QUERY if question.phase is Phase.QUERY else Kind.FUNCTION_CALL
            running = Running(permit, plan, now_ns, size, self._keeps(permit))
            line.batch += 1
            line.unsynced = False
            expected = Expected(kind, line.batch, running, plan)
            line.expect(expected, frame)
            self._await_copy(expected)
        if question.phase is not Phase.PARSE and permit.operation.changes:
            line.wrote(line.batch)
        if question.phase in (Phase.QUERY, Phase.FUNCTION_CALL):
            line.batch += 1  # what follows is no part of it, and begins its own transaction

    def _bound(self, question: Question, permit: Permit, plan: Plan) -> None:
        line, bind, prepared = self.line, question.bind, question.prepared
        if bind is None or prepared is None:
            raise ClientProtocolError("a Bind without its statement")
        under = (*line.state.meaning, line.version)
        described = prepared.described and prepared.under == under
        fields = _with_formats(prepared.fields, bind.result_formats) if described and prepared.fields else None
        portal = Portal(
            prepared, permit, bind.result_formats, plan, line.batch, fields, described, len(question.frame), under
        )
        change = line.portals.change(question.name, portal, line.batch)
        line.state.forget_cursor(question.name)
        line.unsynced = True
        line.expect(Expected(Kind.BIND, line.batch, plan=plan, portal=portal, portal_change=change), question.frame)

    def _keeps(self, permit: Permit) -> int:
        """How much of what a client is shown the record keeps: a rule may ask for more than the configuration."""
        asked = any(isinstance(one, Record) and one.level is RecordLevel.PAYLOAD for one in permit.decision.obligations)
        return PAYLOAD_BYTES if asked else self._shown_bytes

    def refuse(self, error: bytes) -> None:
        """The decision does not allow it: answer with `error` (an ErrorResponse frame) as the server would have."""
        line = self.line
        alone = not line.expected and not line.unsynced and line.state.status != IN_TRANSACTION
        if alone:
            line.to_client.append(error)
            line.discarding = line.local_sync = True
            return
        line.unsynced = True
        line.discarding = True
        line.expect(Expected(Kind.EXECUTE, line.batch, replacement=error), wire_encode.encode_execute(line.marker, 0))

    def refuse_query(self, error: bytes) -> None:
        """Refuse a simple Query (or FunctionCall): the error, then ReadyForQuery with the true transaction status."""
        self.refuse(error)
        line = self.line
        if line.local_sync:
            line.discarding = line.local_sync = False
            line.to_client.append(wire_encode.encode_ready_for_query(line.state.status))
            return
        line.discarding = False
        self._send_sync()

    # --- messages that follow from a decision ------------------------------------------------------------------------

    def _describe(self, frame: bytes) -> Question | Wait | None:
        line = self.line
        what = wire_decode.decode_describe(frame[wire.HEADER_BYTES :])
        if what.kind == "S":
            if not line.prepared.trusted(what.name, line.batch) and line.expected:
                return self._later(frame)
            prepared = line.prepared.get(what.name)
            if prepared is None:
                self.refuse(self._missing("26000", f'prepared statement "{what.name[:64]}" does not exist'))
                return None
            expected = Expected(Kind.DESCRIBE_STATEMENT, line.batch, prepared=prepared, version=line.version)
        else:
            if line.shifting or (not line.portals.trusted(what.name, line.batch) and line.expected):
                return self._later(frame)
            portal = line.portals.get(what.name)
            if portal is None and what.name not in line.state.cursors:
                self.refuse(self._missing("34000", f'portal "{what.name[:64]}" does not exist'))
                return None
            # A cursor that DECLARE made shares the names of portals: it may be described here, and run by FETCH alone.
            plan = None if portal is None else portal.plan
            expected = Expected(Kind.DESCRIBE_PORTAL, line.batch, plan=plan, portal=portal)
        line.unsynced = True
        line.expect(expected, frame)
        return None

    def _execute(self, frame: bytes) -> Question | Wait | None:
        line = self.line
        message = wire_decode.decode_execute(frame[wire.HEADER_BYTES :])
        if not line.portals.trusted(message.portal, line.batch) and line.expected:
            return self._later(frame)
        portal = line.portals.get(message.portal)
        if portal is None:
            self.refuse(self._missing("34000", f'portal "{message.portal[:64]}" does not exist'))
            return None
        line.unsynced = True
        if portal.plan.needs_fields and not portal.described and not self._described_soon(portal):
            # A client that never asks for a description still owes its masks: ask in its stead, swallow the answer.
            described = Expected(Kind.DESCRIBE_PORTAL, line.batch, plan=portal.plan, portal=portal, injected=True)
            line.expect(described, wire_encode.encode_describe("P", message.portal))
        running = Running(
            portal.permit, portal.plan, self.now_ns, portal.bytes_up + len(frame), self._keeps(portal.permit)
        )
        expected = Expected(Kind.EXECUTE, line.batch, running, portal.plan, portal=portal)
        line.expect(expected, frame)
        self._await_copy(expected)
        return Wait.SERVER if self._copying is not None else None

    def _described_soon(self, portal: Portal) -> bool:
        """Tell whether a description of this portal is on its way; it stands close to the end, behind the Bind."""
        for one in reversed(self.line.expected):
            if one.portal is portal and one.kind in (Kind.DESCRIBE_PORTAL, Kind.BIND):
                return one.kind is Kind.DESCRIBE_PORTAL
        return False

    now_ns = 0  # set by the shell before each `step`: the machine reads no clock

    def _close(self, frame: bytes) -> Question | Wait | None:
        line = self.line
        what = wire_decode.decode_close(frame[wire.HEADER_BYTES :])
        expected = Expected(Kind.CLOSE, line.batch)
        if what.kind == "S":
            expected.statement_change = line.prepared.change(what.name, None, line.batch)
        else:
            expected.portal_change = line.portals.change(what.name, None, line.batch)
            line.state.forget_cursor(what.name)
        line.unsynced = True
        line.expect(expected, frame)
        return None

    def _flush(self, frame: bytes) -> Question | Wait | None:
        self.line.to_server.append(frame)
        return None

    def _sync(self, _: bytes) -> Question | Wait | None:
        line = self.line
        if line.local_sync:
            line.discarding = line.local_sync = False
            line.to_client.append(wire_encode.encode_ready_for_query(line.state.status))
            return None
        line.discarding = False
        self._send_sync()
        return None

    def _send_sync(self) -> None:
        line = self.line
        line.unsynced = False
        line.expect(Expected(Kind.SYNC, line.batch), wire_encode.SYNC)
        line.batch += 1

    @staticmethod
    def _missing(sqlstate: str, message: str) -> bytes:
        return wire_encode.encode_error_response("ERROR", sqlstate, message)

    # --- COPY FROM STDIN ---------------------------------------------------------------------------------------------

    def _await_copy(self, expected: Expected) -> None:
        """Nothing more is read from the client until the server has said whether it takes COPY data."""
        if expected.plan is not None and expected.plan.copies_in:
            self._copying = expected

    def _copy_known(self) -> bool:
        """Tell whether the server has said if it takes COPY data. Asking changes nothing: two tasks ask."""
        line, expected = self.line, self._copying
        if expected is None or line.copy_in is not None or all(one is not expected for one in line.expected):
            return True
        return expected.running is not None and bool(expected.running.code)

    def _during_copy(self, kind: int, frame: bytes) -> Question | Wait | None:
        line = self.line
        if kind == Frontend.CopyData:
            if line.copy_in is not None:
                line.copy_in.bytes_up += len(frame)
            line.to_server.append(frame)
        elif kind in (Frontend.CopyDone, Frontend.CopyFail):
            line.to_server.append(frame)
            line.copy_in = None
            head = line.expected[0] if line.expected else None
            if head is not None and head.kind is Kind.QUERY:
                self._copying = head  # a further statement of the same Query may copy again
                return Wait.SERVER
        elif kind == Frontend.Terminate:
            return Wait.END
        elif kind not in (Frontend.Flush, Frontend.Sync):  # which the server ignores here, and so do we
            raise ClientProtocolError(f"a message of type 0x{kind:02x} is not legal during COPY")
        return None

    def _copy_piece(self) -> None:
        """Pass a CopyData that is larger than what has arrived on in pieces."""
        reader, line = self._reader, self.line
        head = reader.head()
        begins = line.copy_in is not None and head is not None and head[0] == Frontend.CopyData
        if not reader.owed and not begins:
            return
        if begins:
            self._piece = True
        piece = reader.take_partial()
        if self._piece and len(piece):
            line.to_server.append(piece)
            if line.copy_in is not None:
                line.copy_in.bytes_up += len(piece)
        if not reader.owed:
            self._piece = False

    def _late_copy(self, _: bytes) -> None:
        """COPY data after the server has ended the COPY with an error: it ignores them, and so do we."""


def _with_formats(fields: tuple[Field, ...], formats: tuple[int, ...]) -> tuple[Field, ...]:
    """The description of a statement as a portal will have it: Bind chose the formats."""
    if not formats:
        return fields
    if len(formats) == 1:
        return tuple(one._replace(format=formats[0]) for one in fields)
    if len(formats) != len(fields):
        return fields  # the server will refuse the Bind
    return tuple(one._replace(format=form) for one, form in zip(fields, formats, strict=True))
