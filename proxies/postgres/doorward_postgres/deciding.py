"""From one message to its verdict: read, decided by the gate, held while people decide, planned again after them.

What it is: the trio shell that a session asks with each `Question` of its machine; it answers the machine, and is the
`doorward_core.terms.Waiter` of what is held.
What it will not do: read from a connection, or send a statement: a Permit is given to the machine, which puts it on
the line.

Invariants (ARCHITECTURE.md, "A hold", "Deciding on SQL"):
- What a message is read under (catalogue, masks) is what is in force as it is decided; where people decided, or the
  policy changed meanwhile, it is read again after them, and what is no longer the same is refused.
- A statement that was cancelled, or whose batch has failed meanwhile, is not sent.
- While an operation is held, its client's hang-up and CancelRequest end the hold.

Cancelled, it leaves an undecided request withdrawn.
"""

import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

import trio

from doorward_core.model import Decision, Denial, Operation, Permit
from doorward_core.session_gate import SessionGate
from doorward_postgres import refusals, wire_encode
from doorward_postgres.catalogue import Catalogue
from doorward_postgres.flow import Flow
from doorward_postgres.machine import Machine, Phase, Question
from doorward_postgres.machine_line import Line
from doorward_postgres.operations import LONG_TEXT_CHARS, Reader, View
from doorward_postgres.previews import Asked, Previews
from doorward_postgres.readings import Reading
from doorward_postgres.refusals import Ending
from doorward_postgres.repeater import Repeater
from doorward_postgres.results import MaskDuty, MessagePlan
from doorward_postgres.state import IDLE, IN_TRANSACTION

LONG_READS: Final = trio.CapacityLimiter(1)
STALE_S: Final = 1.0  # a catalogue older than this is read again before a name in it is said not to exist


class Talk(Protocol):
    """What is asked of the session."""

    async def settled(self) -> None:
        """Wait until the server has answered what was sent."""

    def start(self, work: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Start a task that ends with the session at the latest."""

    def end(self, ending: Ending) -> None:
        """End the session."""


class Deciding:
    """The decisions of one session, one at a time."""

    def __init__(
        self,
        talk: Talk,
        door: SessionGate,
        flow: Flow,
        *,
        line: Line,
        machine: Machine,
        repeater: Repeater,
        reader: Reader,
        catalogue: Catalogue,
        duty: MaskDuty,
        previews: Previews | None,
    ) -> None:
        self._talk = talk
        self._door = door
        self._flow = flow
        self._line = line
        self._machine = machine
        self._repeater = repeater
        self._reader = reader
        self._catalogue = catalogue
        self._duty = duty
        self._previews = previews
        self.view = View(None, {}, -1)
        self._policy = b""  # the digest of the one whose masks are in `view`
        self._told = 0  # the catalogue knows that this session has changed definitions: 2 if they are committed
        self._judging = False
        self._hold: trio.CancelScope | None = None
        self._watching = trio.CancelScope()  # of the current hold: one task may watch a connection
        self._cancelled = False
        self._waited = False  # for people, or for the line to come to rest before they are asked

    # --- what the session asks ---------------------------------------------------------------------------------------

    async def answer(self, question: Question) -> None:
        """Give the machine a verdict; none where the client hung up, or the server failed the batch meanwhile."""
        self._waited = self._cancelled = False
        self._judging = True  # from here on a CancelRequest means this message, though nothing has been sent
        try:
            await self._judge(question)
        finally:
            self._judging = False

    @property
    def held(self) -> bool:
        """Tell whether something waits for people."""
        return self._hold is not None

    def withdraw(self) -> None:
        """What waits for people waits no longer, and is not sent."""
        if self._hold is not None:
            self._hold.cancel()

    def cancel(self) -> bool:
        """A CancelRequest came: tell whether it meant what is being decided."""
        if self._hold is None and (not self._judging or self._line.expected):
            return False
        self._cancelled = True
        self.withdraw()
        return True

    def outdate(self) -> None:
        """Say that definitions changed: before its client hears of it, and at rest, for only then all is committed."""
        at_rest = 1 if self._line.expected or self._line.unsynced else 2
        if at_rest > self._told:
            self._told = at_rest
            self._catalogue.outdate()

    # --- one message -------------------------------------------------------------------------------------------------

    async def _judge(self, question: Question) -> None:
        line, machine = self._line, self._machine
        await self._refresh()
        reading = await self._read(question)
        if not reading.complete and await self._catalogue.newer_than(STALE_S):
            await self._refresh()
            reading = await self._read(question)
        operation = self._reader.operation(question, reading, line.state, os.urandom(16))
        plan = MessagePlan(reading.analyses, self.view, self._duty)
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

    def _refuse(self, question: Question, error: bytes) -> None:
        if question.phase in (Phase.PARSE, Phase.BIND):
            self._machine.refuse(error)
        else:
            self._machine.refuse_query(error)

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
                    operation = await self._previews.shown(Asked(question, operation, self._line.state, self.view))
                return await self._door.decide(operation, self, memo)
            finally:
                self._hold = None
                self._watching.cancel()
        if self._cancelled:
            self._refuse(question, refusals.CANCELLED)
        return None

    # --- what it is read under ---------------------------------------------------------------------------------------

    async def _read(self, question: Question) -> Reading:
        """What the message says. A long text is read in a thread, one at a time, so that nobody else waits for it."""
        read = partial(self._reader.read, question, self._line.state, self._line.prepared, self.view)
        if len(question.text) <= LONG_TEXT_CHARS:
            return read()
        await self._rest()  # what it is read under stands still meanwhile
        return await trio.to_thread.run_sync(read, limiter=LONG_READS)

    async def _plan_again(self, question: Question, before: Reading) -> MessagePlan | None:
        """What is owed now that people have decided: masks and definitions may have changed while they did.

        None where the statement has come to touch something else than they were shown, or that cannot be told.
        """
        if not await self._catalogue.refresh():
            return None
        await self._refresh()
        reading = await self._read(question)
        plan = MessagePlan(reading.analyses, self.view, self._duty)
        same = reading.atoms == before.atoms and reading.complete == before.complete
        return plan if same and not plan.objection() else None

    async def _refresh(self) -> None:
        """See to it that the catalogue and the masks are those of now."""
        state, door = self._line.state, self._door
        if state.uncertain and state.status == IDLE and not self._line.expected and not self._line.unsynced:
            state.uncertain = not await self._catalogue.refresh()
            self._told = 0
        catalog = await self._catalogue.current()
        if self._policy == door.policy_digest and self.view.catalog is catalog:
            return
        self._policy = door.policy_digest
        self.view = self._catalogue.view(door.masks)
        detect = self._catalogue.detectors(door.masks)
        duty = self._duty
        duty.hides_columns = any(mask.columns for mask in door.masks)
        duty.detectors = detect
        self._line.version = self.view.version

    # --- how it waits (doorward_core.terms.Waiter) --------------------------------------------------------------------

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
        if self._hold is not None:
            self._watching = trio.CancelScope()
            self._talk.start(self._watch, self._hold, self._watching)
        self._line.to_client.append(refusals.held(request_id, advice, within_s))
        await self._flow.release()

    async def progress(self, request_id: str, words: str, within_s: int) -> None:
        """Tell the client how far people are."""
        self._line.to_client.append(refusals.progress(request_id, words, within_s))
        await self._flow.release()

    async def _rest(self) -> None:
        """Bring the line to rest: everything sent, everything answered."""
        if self._line.expected and self._line.unsynced:
            self._line.to_server.append(wire_encode.FLUSH)
        await self._flow.send()
        await self._talk.settled()

    async def _watch(self, hold: trio.CancelScope, watching: trio.CancelScope) -> None:
        """End the session where its client hangs up while an operation is held."""
        with watching, suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self._flow.client_gone()
        if self._hold is hold:
            hold.cancel()
            self._talk.end(Ending("the client hung up"))
