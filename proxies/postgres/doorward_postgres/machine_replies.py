"""The server's half of the machine: which answer belongs to what was asked, and what of it the client may see.

What it is: a reader of server messages that pairs each with the oldest expectation on the line, masks rows, COPY data,
errors and notices through the plan of the statement they belong to, follows transaction state, and notes outcomes.
What it will not do: decide, await, or release; its caller releases `line.to_client` once the record allows.

Source: PostgreSQL protocol, "Message Flow" and "Message Formats".

Invariants:
- A message that is not legal for the oldest expectation ends the connection (UpstreamProtocolError).
- A row never passes without a masker, and a masker exists only for a described result of a permitted statement.
- After an error in the extended protocol everything up to Sync is undone in the name tables, newest first.
"""

from collections.abc import Callable
from struct import Struct
from typing import Final, Protocol

from doorward_core.errors import UpstreamProtocolError
from doorward_core.event import Outcome, Status
from doorward_core.sql import session as sql
from doorward_postgres import wire, wire_decode, wire_encode
from doorward_postgres.machine_line import EXTENDED, SHOWN_FORMAT_COPY, Expected, Kind, Line, Running
from doorward_postgres.names import Prepared
from doorward_postgres.plan import Masker
from doorward_postgres.rows import UNPROVED
from doorward_postgres.wire import Backend, FrameReader, Side

PINNED: Final = {"client_encoding": ("UTF8",), "standard_conforming_strings": ("on",)}
TURNS: Final = frozenset({Kind.SYNC, Kind.QUERY, Kind.FUNCTION_CALL})  # what ReadyForQuery answers
RESULTS: Final = frozenset({Kind.QUERY, Kind.EXECUTE})
SUSPENDED: Final = "SELECT"
NO_ROWS: Final = "SELECT 0"
_ROW_HEAD: Final = Struct("!BIH")  # type, length, number of fields


class Ambient(Protocol):
    """How messages that belong to no statement may be seen: session-wide, and so strict."""

    def diagnostic(self, frame: bytes) -> bytes:
        """An ErrorResponse or NoticeResponse outside any statement."""

    def notification(self, frame: bytes) -> bytes:
        """A NotificationResponse."""


class Replies:
    """Reads what the server sends; `receive` leaves what the client may see in `line.to_client`."""

    def __init__(self, line: Line, ambient: Ambient, *, max_message_bytes: int = wire.MAX_MESSAGE_BYTES) -> None:
        self._line = line
        self._ambient = ambient
        self._reader = FrameReader(Side.UPSTREAM, max_message_bytes=max_message_bytes)
        self._now_ns = 0
        self._streaming: Running | None = None  # a row or COPY message that passes in pieces
        self._handlers: dict[int, Callable[[int, int], None]] = {
            Backend.ParseComplete: self._parse_complete,
            Backend.BindComplete: self._bind_complete,
            Backend.CloseComplete: self._close_complete,
            Backend.ParameterDescription: self._parameter_description,
            Backend.RowDescription: self._row_description,
            Backend.NoData: self._no_data,
            Backend.DataRow: self._rows,
            Backend.CommandComplete: self._command_complete,
            Backend.EmptyQueryResponse: self._empty,
            Backend.PortalSuspended: self._suspended,
            Backend.CopyInResponse: self._copy_in,
            Backend.CopyOutResponse: self._copy_out,
            Backend.CopyData: self._rows,
            Backend.CopyDone: self._copy_done,
            Backend.ErrorResponse: self._error,
            Backend.NoticeResponse: self._notice,
            Backend.NotificationResponse: self._notification,
            Backend.ParameterStatus: self._parameter_status,
            Backend.ReadyForQuery: self._ready,
            Backend.FunctionCallResponse: self._function_result,
        }

    def receive(self, data: bytes, now_ns: int) -> None:
        """Take a chunk from the server. Raises UpstreamProtocolError when it breaks its protocol, or our trust."""
        self._now_ns = now_ns
        reader = self._reader
        reader.receive(data)
        if reader.owed:
            self._piece()
        for kind, start, end in reader:
            handler = self._handlers.get(kind)
            if handler is None:
                raise UpstreamProtocolError(f"a message of type 0x{kind:02x} is not expected here")
            handler(start, end)
        if reader.consumed != reader.position:
            reader.consume(reader.position)
        self._start_streaming()

    @property
    def at_boundary(self) -> bool:
        """Tell whether a message of our own may be put between the server's."""
        return not self._reader.owed

    @property
    def at_rest(self) -> bool:
        """Tell whether nothing of the server is half read."""
        return self._reader.idle

    # --- rows --------------------------------------------------------------------------------------------------------

    def _rows(self, start: int, end: int) -> None:
        """One DataRow or CopyData, and every whole one of its type behind it: one slice, one send."""
        kind = self._reader.buffer[start]
        running, masker = self._result(kind)
        more, end = self._reader.run(kind)
        if kind == Backend.DataRow:
            running.rows += 1 + more
        if masker.clear:
            view = self._reader.view(start, end)
            while kind == Backend.DataRow and masker.width >= 0 and start < end:
                start = _check_width(self._reader.buffer, start, masker.width)
            running.show(view)
            self._line.to_client.append(view)
        else:
            self._show(running, masker.frames(self._reader.buffer, start, end))

    def _result(self, kind: int) -> tuple[Running, Masker]:
        head = self._head(RESULTS)
        running = head.running
        if running is None or running.code:
            raise UpstreamProtocolError("a result for a statement that has ended")
        if running.masker is not None and (kind == Backend.CopyData) != running.copying_out:
            raise UpstreamProtocolError("COPY data among rows, or rows among COPY data")
        if running.masker is None:
            if kind != Backend.DataRow or head.kind is not Kind.EXECUTE or head.portal is None:
                raise UpstreamProtocolError("rows without a description")
            portal = head.portal
            if portal.described and portal.fields is None:
                raise UpstreamProtocolError("rows from a statement that was said to return none")
            if portal.fields is None and running.plan.needs_fields:
                raise UpstreamProtocolError("rows without a description where a mask is owed")
            running.masker = running.plan.rows(running.index, portal.fields)
            running.fields = portal.fields or ()
        return running, running.masker

    def _start_streaming(self) -> None:
        """Let a row that is larger than what has arrived pass in pieces, where nothing in it is owed a mask."""
        head = self._reader.head()
        if head is None or head[0] not in (Backend.DataRow, Backend.CopyData):
            return
        running, masker = self._result(head[0])
        if masker.clear and head[2] >= _ROW_HEAD.size:
            self._streaming = running
            piece = self._reader.take_partial()
            if head[0] == Backend.DataRow:
                running.rows += 1
                _check_width(piece, 0, masker.width)
            self._give_piece(piece)

    def _piece(self) -> None:
        self._give_piece(self._reader.take_partial())

    def _give_piece(self, piece: memoryview) -> None:
        running = self._streaming
        if running is not None and len(piece):
            running.show(piece)
            self._line.to_client.append(piece)

    def _show(self, running: Running, data: bytes) -> None:
        if data:
            running.show(data)
            self._line.to_client.append(data)

    # --- answers to single messages ----------------------------------------------------------------------------------

    def _parse_complete(self, start: int, end: int) -> None:
        self._head({Kind.PARSE})
        done = self._line.answered()
        if done.statement_change is not None:
            self._line.prepared.settle(done.statement_change)
        self._pass(done, start, end)

    def _bind_complete(self, start: int, end: int) -> None:
        self._head({Kind.BIND})
        done = self._line.answered()
        if done.portal_change is not None:
            self._line.portals.settle(done.portal_change)
        self._pass(done, start, end)

    def _close_complete(self, start: int, end: int) -> None:
        self._head({Kind.CLOSE})
        done = self._line.answered()
        if done.statement_change is not None:
            self._line.prepared.settle(done.statement_change)
        if done.portal_change is not None:
            self._line.portals.settle(done.portal_change)
        self._pass(done, start, end)

    def _parameter_description(self, start: int, end: int) -> None:
        head = self._head({Kind.DESCRIBE_STATEMENT})
        if head.prepared is not None:
            head.prepared.parameter_oids = wire_decode.decode_parameter_description(self._reader.body(start, end))
        self._pass(head, start, end)

    def _row_description(self, start: int, end: int) -> None:
        head = self._head({Kind.DESCRIBE_STATEMENT, Kind.DESCRIBE_PORTAL, Kind.QUERY})
        fields = wire_decode.decode_row_description(self._reader.body(start, end))
        if head.kind is Kind.QUERY:
            running = head.running
            if running is None or running.masker is not None or running.code:
                raise UpstreamProtocolError("a description inside a result")
            running.masker = running.plan.rows(running.index, fields)
            running.fields = fields
            self._pass(head, start, end)
            return
        self._described(fields)
        self._pass(self._line.answered(), start, end)

    def _no_data(self, start: int, end: int) -> None:
        self._head({Kind.DESCRIBE_STATEMENT, Kind.DESCRIBE_PORTAL})
        self._described(None)
        self._pass(self._line.answered(), start, end)

    def _described(self, fields: tuple[wire_decode.Field, ...] | None) -> None:
        head = self._line.expected[0]
        if head.kind is Kind.DESCRIBE_PORTAL and head.portal is not None:
            head.portal.fields, head.portal.described = fields, True
            if head.injected:  # asked once for each statement, not once for each execution
                plain = None if fields is None else tuple(one._replace(format=0) for one in fields)
                _describe(head.portal.prepared, plain, head.portal.under)
        if head.prepared is not None:
            # Kept per statement, so that one executed again without a Describe is masked all the same.
            _describe(head.prepared, fields, (*self._line.state.meaning, head.version))

    def _pass(self, done: Expected, start: int, end: int) -> None:
        if not done.injected:
            self._line.to_client.append(self._reader.view(start, end))

    # --- ends of statements ------------------------------------------------------------------------------------------

    def _command_complete(self, start: int, end: int) -> None:
        head = self._head(RESULTS)
        running = head.running
        if running is None or running.code:
            raise UpstreamProtocolError("a second end of one statement")
        self._show(running, running.end_result())
        tag = wire_decode.decode_command_complete(self._reader.body(start, end))
        count = tag.rpartition(" ")[2]
        if not tag.startswith(("SELECT", "FETCH")) and count.isascii() and count.isdigit():
            running.rows += int(count)
        self._effects(running, tag)
        self._line.to_client.append(self._reader.view(start, end))
        self._statement_done(head, running)

    def _empty(self, start: int, end: int) -> None:
        head = self._head(RESULTS)
        self._line.to_client.append(self._reader.view(start, end))
        if head.running is not None:
            self._statement_done(head, head.running)

    def _suspended(self, start: int, end: int) -> None:
        head = self._head({Kind.EXECUTE})
        running = self._line.answered().running
        if running is not None:
            self._show(running, running.end_result())
            self._effects(running, SUSPENDED)  # a function in the rows so far has done what it does
            self._line.finish(running, self._now_ns)
        self._pass(head, start, end)

    def _statement_done(self, head: Expected, running: Running) -> None:
        running.index += 1
        if head.kind is Kind.EXECUTE:
            self._line.answered()
            self._line.finish(running, self._now_ns)

    def _effects(self, running: Running, tag: str) -> None:
        analyses, line = running.plan.analyses, self._line
        if running.index >= len(analyses):
            return  # a rule added a result; the closed world of the plan covers it
        analysis = analyses[running.index]
        line.touched_masked |= analysis.touches_masked
        line.state.wrote |= running.permit.operation.changes
        effect = analysis.effect
        if effect is None or (tag == NO_ROWS and isinstance(effect, sql.SetSetting)):
            return  # a call of set_config whose portal is run again past its row sets nothing more
        line.state.apply(effect, tag)
        match effect:
            case sql.Prepare(name=name, text=text):
                line.prepared.assign(name, Prepared(text, by_sql=True))
            case sql.Deallocate(name=None) | sql.Discard(what="ALL"):
                line.prepared.keep_only(line.prepared.pending_names())
            case sql.Deallocate(name=str() as gone):
                line.prepared.assign(gone, None)
            case sql.Declare(cursor=name):
                line.portals.assign(name, None)  # cursors and portals share their names
            case _:
                pass

    # --- COPY --------------------------------------------------------------------------------------------------------

    def _copy_in(self, start: int, end: int) -> None:
        head = self._head(RESULTS)
        running = head.running
        if running is None or running.code or not running.plan.copies_in:
            raise UpstreamProtocolError("the server asks for COPY data that no statement announced")
        self._line.copy_in = running
        self._pass(head, start, end)

    def _copy_out(self, start: int, end: int) -> None:
        head = self._head(RESULTS)
        running = head.running
        if running is None or running.code or running.masker is not None:
            raise UpstreamProtocolError("COPY data that no statement asked for")
        response = wire_decode.decode_copy_response(self._reader.body(start, end))
        running.masker = running.plan.copy_out(running.index, response)
        running.shown_format, running.copying_out = SHOWN_FORMAT_COPY, True
        self._pass(head, start, end)

    def _copy_done(self, start: int, end: int) -> None:
        head = self._head(RESULTS)
        if head.running is None or head.running.masker is None:
            raise UpstreamProtocolError("the end of a COPY that did not begin")
        self._show(head.running, head.running.end_result())
        self._pass(head, start, end)

    # --- errors, notices, state --------------------------------------------------------------------------------------

    def _error(self, start: int, end: int) -> None:
        line, frame = self._line, self._reader.buffer[start:end]
        code = wire_decode.decode_error_fields(self._reader.body(start, end)).get("C", "")
        line.copy_in = None
        line.state.message_failed()
        head = line.expected[0] if line.expected else None
        if head is None or head.kind is Kind.SYNC:
            line.to_client.append(self._ambient.diagnostic(frame))
        elif head.kind in EXTENDED:
            line.to_client.append(head.replacement or self._diagnostic(head, frame))
            self._fail_batch(code or "XX000")
        else:
            line.to_client.append(self._diagnostic(head, frame))
            if head.running is not None:
                head.running.end_result()
                head.running.code = code or "XX000"

    def _fail_batch(self, code: str) -> None:
        """Drop what the server skips: everything up to the next Sync, undone newest first."""
        line, dropped = self._line, []
        while line.expected and line.expected[0].kind is not Kind.SYNC:
            dropped.append(line.answered())
        for one in reversed(dropped):
            line.undo(one)
        for position, one in enumerate(dropped):
            if one.running is not None:
                one.running.end_result()
                one.running.code = code
                line.finish(one.running, self._now_ns)
            elif one.kind is Kind.BIND and one.portal is not None and position == 0:
                line.finished.append((one.portal.permit, Outcome(Status.ERROR, code)))
        if not line.expected:
            line.discarding = True

    def _diagnostic(self, head: Expected, frame: bytes) -> bytes:
        plan = head.running.plan if head.running is not None else head.plan
        if plan is None or self._line.touched_masked:
            return self._ambient.diagnostic(frame)
        return plan.diagnostic(head.running.index if head.running is not None else 0, frame)

    def _notice(self, start: int, end: int) -> None:
        frame = self._reader.buffer[start:end]
        head = self._line.expected[0] if self._line.expected else None
        shown = self._ambient.diagnostic(frame) if head is None else self._diagnostic(head, frame)
        self._line.to_client.append(shown)

    def _notification(self, start: int, end: int) -> None:
        self._line.to_client.append(self._ambient.notification(self._reader.buffer[start:end]))

    def _parameter_status(self, start: int, end: int) -> None:
        name, value = wire_decode.decode_parameter_status(self._reader.body(start, end))
        allowed = PINNED.get(name)
        if allowed is not None and value not in allowed:
            # Something that no parser could see (a function's SET clause) changed what texts mean.
            raise UpstreamProtocolError(f"the server changed {name}, which is pinned")
        if name == "search_path":
            self._line.state.reported_path(value)
        self._line.to_client.append(self._reader.view(start, end))

    def _ready(self, start: int, end: int) -> None:
        line = self._line
        self._head(TURNS)
        done = line.answered()
        if done.running is not None:
            line.finish(done.running, self._now_ns)
        status = chr(self._reader.buffer[start + wire.HEADER_BYTES])
        if status not in "ITE":
            raise UpstreamProtocolError("a transaction status that does not exist")
        line.ready(status, done.batch)
        line.copy_in = None
        if status == "I":
            line.touched_masked = False
            line.portals.keep_only({name for name, portal in line.portals.entries.items() if portal.batch > done.batch})
        self._pass(done, start, end)

    def _function_result(self, start: int, end: int) -> None:
        """The value of a fast-path call. Nothing describes it, so where a mask may be owed it becomes NULL."""
        running = self._head({Kind.FUNCTION_CALL}).running
        if running is None or running.code:
            raise UpstreamProtocolError("a result for a call that has ended")
        value = wire_decode.decode_function_call_response(self._reader.body(start, end))
        if value is None or not running.plan.needs_fields:
            self._line.to_client.append(self._reader.view(start, end))
            return
        running.masked[UNPROVED] = running.masked.get(UNPROVED, 0) + 1
        self._line.to_client.append(wire_encode.encode_function_call_response(None))

    def _head(self, kinds: set[Kind] | frozenset[Kind]) -> Expected:
        expected = self._line.expected
        if not expected or expected[0].kind not in kinds or expected[0].replacement:
            raise UpstreamProtocolError("an answer to nothing that was asked")
        return expected[0]


def _describe(prepared: Prepared, fields: tuple[wire_decode.Field, ...] | None, under: tuple[object, ...]) -> None:
    prepared.fields, prepared.described, prepared.under = fields, True, under


def _check_width(buffer: bytes | memoryview, start: int, width: int) -> int:
    """Whether the DataRow at `start` has `width` fields (-1: any number will do); give where it ends."""
    _, length, count = _ROW_HEAD.unpack_from(buffer, start)
    if width not in (-1, count):
        raise UpstreamProtocolError("a DataRow does not have the fields that its RowDescription announced")
    return start + 1 + int(length)
