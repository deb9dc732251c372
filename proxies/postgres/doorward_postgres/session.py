"""One client and its server in the query phase: the trio shell around the machine.

What it is: two loops and a few watchers in one nursery, which move bytes, ask the gate, and wait.
What it will not do: know a message's layout or order (`machine`, `machine_replies`), or what anything owes (`results`).

Invariants (ARCHITECTURE.md, "The order"):
- Nothing goes to the server but what the machine put on the line, and it puts a statement there only under a Permit.
- Nothing goes to the client before the record of the last thing sent is durable.
- While an operation is held the client's bytes are not read; its hang-up and its CancelRequest are noticed.

Cancelled, it leaves both connections to be closed by `proxy`, and an undecided request withdrawn.
"""

import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

import structlog
import trio

from doorward_core import errors
from doorward_core.config import Limits
from doorward_core.model import Decision, Denial, Operation, Permit, RecordLevel
from doorward_core.net.attend import Heed
from doorward_core.net.link import Link
from doorward_core.session_gate import SessionGate
from doorward_postgres import refusals, wire_encode
from doorward_postgres.catalogue import Catalogue
from doorward_postgres.flow import Flow
from doorward_postgres.machine import Machine, Phase, Question, Wait
from doorward_postgres.machine_line import PAYLOAD_BYTES, SHOWN_BYTES, Line
from doorward_postgres.machine_replies import Replies
from doorward_postgres.operations import LONG_TEXT_CHARS, Reader, View
from doorward_postgres.previews import Asked, Previews
from doorward_postgres.readings import Reading
from doorward_postgres.refusals import Ending
from doorward_postgres.repeater import Repeater
from doorward_postgres.results import MaskDuty, MessagePlan, SessionMessages
from doorward_postgres.state import IDLE, IN_TRANSACTION
from doorward_postgres.upstream import Upstream

GOODBYE_S: Final = 5.0  # how long the server may take to finish what was sent before a client said goodbye
LONG_READS: Final = trio.CapacityLimiter(1)
STALE_S: Final = 1.0  # a catalogue older than this is read again before a name in it is said not to exist

log = structlog.get_logger()


class Conversation:
    """Drives one session until it ends; `run` gives the reason."""

    def __init__(
        self,
        client: Link,
        upstream: Upstream,
        door: SessionGate,
        *,
        line: Line,
        reader: Reader,
        catalogue: Catalogue,
        duty: MaskDuty,
        limits: Limits,
        previews: Previews | None,
    ) -> None:
        self._client = client
        self._upstream = upstream
        self._door = door
        self._line = line
        self._reader = reader
        self._catalogue = catalogue
        self._policy = b""
        self._view = View(None, {}, -1)
        self._duty = duty
        self._previews = previews
        self._idle_s = limits.idle
        self._heard_s = trio.current_time()
        shown = PAYLOAD_BYTES if door.level is RecordLevel.PAYLOAD else SHOWN_BYTES
        self._machine = Machine(line, max_message_bytes=limits.statement_bytes, shown_bytes=shown)
        self._replies = Replies(line, SessionMessages(self._duty), max_message_bytes=limits.buffer_bytes)
        self._flow = Flow(client, upstream.link, door, line)
        self._repeater = Repeater(line, self._machine, self._replies, reader, door)
        self._answered: trio.Event | None = None  # where somebody waits for the server's next answer
        self._deciding = False
        self._hold: trio.CancelScope | None = None
        self._watching = trio.CancelScope()  # of the current hold: one task may watch a connection
        self._cancelled = False
        self._waited = False  # for people, or for the line to come to rest before they are asked
        self._cancelling = False  # one CancelRequest at a time goes to the target
        self._told = 0  # the catalogue knows that this session has changed definitions: 2 if they are committed
        self._ending: Ending | None = None
        self._nursery: trio.Nursery | None = None

    async def run(self, draining: trio.Event) -> Ending:
        """Serve until either side ends, the credential expires, or the gateway drains."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                for loop in (self._from_client, self._from_server, self._until_over, self._until_idle):
                    nursery.start_soon(self._guarded, loop)
                nursery.start_soon(self._until_drained, draining)
        finally:
            self._flow.end()
        return self._ending or Ending("ended")

    def cancel(self) -> None:
        """A CancelRequest named this session."""
        if self._hold is not None:
            self._cancelled = True
            self._hold.cancel()
        elif self._deciding and not self._line.expected:
            self._cancelled = True
        elif self._line.expected and self._nursery is not None and not self._cancelling:
            self._cancelling = True
            self._nursery.start_soon(self._cancel_upstream)

    async def _cancel_upstream(self) -> None:
        try:
            await self._upstream.cancel()
        except (errors.UpstreamUnavailable, errors.UpstreamProtocolError) as error:
            log.warning("cancel.not_taken", problem=str(error))
        finally:
            self._cancelling = False

    # --- the loops ---------------------------------------------------------------------------------------------------

    async def _from_client(self) -> Ending:
        machine, line = self._machine, self._line
        while True:
            machine.now_ns = time.monotonic_ns()
            step = machine.step()
            if isinstance(step, Question):
                await self._answer(step)
                continue
            self._repeater.sending()
            await self._flow.send()
            if line.to_client:
                await self._flow.release()
            if step is Wait.SERVER:
                await self._settled()
            elif step is Wait.END:
                await self._finish_up()
                return Ending("the client said goodbye")
            elif not await self._flow.attend_client(self._hear_client):
                return Ending("the client hung up")

    def _hear_client(self, data: bytes) -> Heed:
        self._heard_s = trio.current_time()
        catalog = self._catalogue.fresh(self._heard_s)
        if self._repeater.client(data, catalog, time.monotonic_ns(), calm=self._flow.calm):
            return Heed.MORE if self._flow.pass_on(data) else Heed.WAKE
        self._machine.receive(data)
        return Heed.WAKE

    async def _from_server(self) -> Ending:
        if self._upstream.leftover:
            self._hear_server(self._upstream.leftover)
        while True:
            await self._flow.release()
            if not await self._flow.attend_server(self._hear_server):
                return Ending("the target closed the connection", refusals.LOST)

    def _hear_server(self, data: bytes) -> Heed:
        line, door, repeater, now_ns = self._line, self._door, self._repeater, time.monotonic_ns()
        if not repeater.server(data, now_ns):
            learning = repeater.watch()
            self._replies.receive(data, now_ns)
            if learning is not None:
                repeater.learn(learning, data, self._view.catalog)
        for permit, outcome in line.finished:
            door.finish(permit, outcome)
        line.finished.clear()
        if line.state.uncertain and line.state.status == IDLE:
            self._tell()
        if self._answered is not None and self._machine.settled:
            self._answered.set()
            self._answered = None
        return self._flow.let_go()

    def _tell(self) -> None:
        """Say that definitions changed: before its client hears of it, and at rest, for only then all is committed."""
        at_rest = 1 if self._line.expected or self._line.unsynced else 2
        if at_rest > self._told:
            self._told = at_rest
            self._catalogue.outdate()

    async def _until_over(self) -> Ending:
        left_ns = self._door.session.identity.expires_unix_ns - time.time_ns()
        return refusals.over(await self._door.live.over(left_ns))

    async def _until_idle(self) -> Ending:
        """One sleeping task a session, woken once a period: no deadline is set for each message."""
        while True:
            quiet_s = trio.current_time() - self._heard_s
            if quiet_s >= self._idle_s and not self._line.expected and self._hold is None:
                return Ending("idle for too long", refusals.IDLE)
            await trio.sleep(max(1.0, self._idle_s - quiet_s))

    async def _until_drained(self, draining: trio.Event) -> None:
        """The gateway goes down: what is held is withdrawn, what runs may end, then the session does."""
        await draining.wait()
        if self._hold is not None:
            # What the rest of its transaction would do depends on it: the server undoes it as the connection ends.
            self._hold.cancel()
            self._end(Ending("the gateway is going down", refusals.GOING_DOWN))
        while self._line.expected or self._line.state.status != IDLE:
            await self._answer_of_server()
        self._end(Ending("the gateway is going down", refusals.GOING_DOWN))

    async def _guarded(self, loop: Callable[[], Awaitable[Ending]]) -> None:
        try:
            ending = await loop()
        except errors.ClientProtocolError as error:
            ending = Ending(f"client protocol: {error}", refusals.fatal("08P01", str(error)))
        except errors.UpstreamProtocolError as error:
            ending = Ending(f"upstream protocol: {error}", refusals.UNTRUSTED)
        except errors.RecordError as error:
            ending = Ending("the record cannot be written", refusals.no_record(error))
        except errors.UpstreamUnavailable as error:
            ending = Ending(f"target: {error}", refusals.LOST)
        except errors.GatewayError as error:
            ending = Ending(f"gateway: {error}", refusals.INTERNAL)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            ending = Ending("a connection broke")
        self._end(ending)

    def _end(self, ending: Ending) -> None:
        self._ending = self._ending or ending
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    # --- waiting -----------------------------------------------------------------------------------------------------

    async def _settled(self) -> None:
        while not self._machine.settled:
            await self._answer_of_server()

    async def _answer_of_server(self) -> None:
        if self._answered is None:
            self._answered = trio.Event()
        await self._answered.wait()

    async def _finish_up(self) -> None:
        """Let the server end what was sent before the goodbye, so that its outcome is recorded."""
        with trio.move_on_after(GOODBYE_S):
            await self._flow.send()
            while self._line.expected and not self._line.copy_in:
                await self._answer_of_server()
            await self._upstream.link.send_all(wire_encode.TERMINATE)

    # --- questions ---------------------------------------------------------------------------------------------------

    async def _answer(self, question: Question) -> None:
        self._waited = self._cancelled = False
        self._deciding = True  # from here on a CancelRequest means this message, though nothing has been sent
        try:
            await self._judge(question)
        finally:
            self._deciding = False

    async def _judge(self, question: Question) -> None:
        line, machine = self._line, self._machine
        await self._fresh()
        reading = await self._read(question)
        if not reading.complete and await self._catalogue.newer_than(STALE_S):
            await self._fresh()
            reading = await self._read(question)
        operation = self._reader.operation(question, reading, line.state, os.urandom(16))
        plan = MessagePlan(reading.analyses, self._view, self._duty)
        fast_path = question.phase is Phase.FUNCTION_CALL
        objection = plan.objection(fast_path=fast_path, read_only=self._door.read_only)
        if objection:
            verdict: Permit | Denial | None = await self._door.refuse(operation, objection)
        elif question.phase is Phase.PARSE:
            verdict = await self._door.prepare(operation, reading.memo)
        else:
            verdict = await self._decide(question, operation, reading.memo)
        if verdict is None or line.discarding:
            return  # the client is gone or has cancelled; or the server has failed the batch meanwhile
        if isinstance(verdict, Permit) and (self._waited or self._door.policy_digest != self._policy):
            again = await self._plan_again(question, reading)
            if again is None:
                verdict = await self._door.refuse(operation, refusals.CHANGED)
            else:
                plan = again
        if isinstance(verdict, Permit) and self._cancelled:
            self._door.finish(verdict, refusals.NEVER_SENT)
            self._refuse(question, refusals.CANCELLED)
        elif isinstance(verdict, Permit):
            if not self._waited:
                self._repeater.granted(question, reading, plan, verdict)
            machine.permit(question, verdict, plan, time.monotonic_ns())
        else:
            self._refuse(question, refusals.denied(verdict))

    async def _read(self, question: Question) -> Reading:
        """What the message says. A long text is read in a thread, one at a time, so that nobody else waits for it."""
        read = partial(self._reader.read, question, self._line.state, self._line.prepared, self._view)
        if len(question.text) <= LONG_TEXT_CHARS:
            return read()
        await self._rest()  # what it is read under stands still meanwhile
        return await trio.to_thread.run_sync(read, limiter=LONG_READS)

    async def _rest(self) -> None:
        """Bring the line to rest: everything sent, everything answered."""
        if self._line.expected and self._line.unsynced:
            self._line.to_server.append(wire_encode.FLUSH)
        await self._flow.send()
        await self._settled()

    async def _plan_again(self, question: Question, before: Reading) -> MessagePlan | None:
        """What is owed now that people have decided: masks and definitions may have changed while they did.

        None where the statement has come to touch something else than they were shown, or that cannot be told.
        """
        if not await self._catalogue.refresh():
            return None
        await self._fresh()
        reading = await self._read(question)
        plan = MessagePlan(reading.analyses, self._view, self._duty)
        same = reading.atoms == before.atoms and reading.complete == before.complete
        return plan if same and not plan.objection() else None

    async def _decide(
        self, question: Question, operation: Operation, memo: dict[bytes, Decision]
    ) -> Permit | Denial | None:
        """The gate's verdict; None where the client hung up or cancelled while it was held."""
        if not operation.pure:  # its decision waits for the disk: let the server work on what came before meanwhile
            await self._flow.send()
        if not self._door.holds(operation, memo):
            return await self._door.decide(operation, self, memo)
        with trio.CancelScope() as scope:
            self._hold = scope
            try:
                if self._previews is not None and not await self.prepare():
                    operation = await self._previews.shown(Asked(question, operation, self._line.state, self._view))
                return await self._door.decide(operation, self, memo)
            finally:
                self._hold = None
                self._watching.cancel()
        if self._cancelled:
            self._refuse(question, refusals.CANCELLED)
        return None

    async def prepare(self) -> str:
        """Bring the line to rest before people are asked: the server may already have failed the batch."""
        line = self._line
        self._waited = True
        await self._rest()
        if line.discarding:
            return "an earlier statement of the same batch has failed"
        open_work = line.state.status == IN_TRANSACTION or line.unsynced
        return refusals.AFTER_WRITE if open_work and line.state.wrote else ""

    async def notify(self, request_id: str, advice: str, within_s: int) -> None:
        """Tell the client that it waits, and begin to watch whether it is still there."""
        if self._nursery is not None and self._hold is not None:
            self._watching = trio.CancelScope()
            self._nursery.start_soon(self._watch, self._hold, self._watching)
        self._line.to_client.append(refusals.held(request_id, advice, within_s))
        await self._flow.release()

    async def progress(self, request_id: str, words: str, within_s: int) -> None:
        """Tell the client how far people are."""
        self._line.to_client.append(refusals.progress(request_id, words, within_s))
        await self._flow.release()

    async def _watch(self, hold: trio.CancelScope, watching: trio.CancelScope) -> None:
        """A hang-up hides behind unread bytes: watch the connection itself for as long as an operation is held."""
        with watching, suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self._client.wait_hangup()
        if self._hold is hold:
            hold.cancel()
            self._end(Ending("the client hung up"))

    def _refuse(self, question: Question, error: bytes) -> None:
        if question.phase in (Phase.PARSE, Phase.BIND):
            self._machine.refuse(error)
        else:
            self._machine.refuse_query(error)

    async def _fresh(self) -> None:
        """See to it that the catalogue and the masks are those of now."""
        state, door = self._line.state, self._door
        if state.uncertain and state.status == IDLE and not self._line.expected and not self._line.unsynced:
            state.uncertain = not await self._catalogue.refresh()
            self._told = 0
        catalog = await self._catalogue.current()
        if self._policy == door.policy_digest and self._view.catalog is catalog:
            return
        self._policy = door.policy_digest
        self._view = self._catalogue.view(door.masks)
        detect = self._catalogue.detectors(door.masks)
        duty = self._duty
        duty.hides_columns = any(mask.columns for mask in door.masks)
        duty.detectors = detect
        self._line.version = self._view.version
