"""What the gateway asks the server itself about a held statement: its EXPLAIN, for those who are asked to approve it.

What it is: the shell that asks in the name of whoever asks, as an operation of its own: decided by policy like any
other, recorded, bounded in time, in size and in number.
What it will not do: use the client's connection, whose transaction an error would end; run a statement (never ANALYZE);
ask for what policy does not allow outright; or keep a statement from being held because a look at it failed.

Source: PostgreSQL documentation, EXPLAIN, "Extended Query"; section "Previews" of docs/postgres.md.

Invariants:
- The connection is the session's own account, told to be read only, and closed afterwards: planning may run functions,
  and those may read what that account may read, and write nothing.
- A statement with a condition on a masked column has no preview: its estimate would depend on what is hidden.
- Every Permit is finished in the record. Cancelled, it leaves no connection behind.
"""

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

import trio

from doorward_core.errors import ProtocolError, UpstreamUnavailable
from doorward_core.event import Outcome, Status
from doorward_core.model import Action, Effect, Operation, Permit
from doorward_core.session_gate import Memo, SessionGate
from doorward_postgres import estimates
from doorward_postgres.diagnostics import hide_text
from doorward_postgres.estimates import EXPLAIN, Answer, UnreadablePlan, plan_lines
from doorward_postgres.machine import Phase, Question
from doorward_postgres.names import NameTable
from doorward_postgres.operations import LONG_TEXT_CHARS, Reader, View
from doorward_postgres.readings import Reading
from doorward_postgres.results import MaskDuty
from doorward_postgres.state import SessionState
from doorward_postgres.upstream import Upstream

ATTRIBUTE: Final = "preview"  # of the held operation, and so of its card
AT_ONCE: Final = 4  # of one target: who floods it with statements to be held takes no more of its connections
SERVER_SHARE: Final = 2 / 3  # of the time that there is, for planning, locks included: so it ends where we are gone
MAX_PARAMETER_BYTES: Final = 1024 * 1024
EXPLAINED: Final = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"})

HEADING: Final = "EXPLAIN, which the gateway asked for beforehand: an estimate, and nothing has run"
BESIDE: Final = (
    "planned on a connection of its own, with the settings that the session began with: it sees nothing uncommitted"
)
PROBES: Final = "none, for a condition looks at a masked column, and the estimate would tell of its values"
UNREAD_CODE: Final = "none, for it may run functions that were not seen through, and columns are masked here"
ITS_OWN: Final = "none, for the session has names, definitions or a role of its own that only its own connection knows"
TOO_LONG: Final = "none, for the statement is too long"
TOO_MANY: Final = "none, for too many are being asked for"
NO_ANSWER: Final = "none, for the server did not answer in time"
UNREACHED: Final = "none, for the server took no connection for it"
UNREADABLE: Final = "none, for the server's answer could not be read"

Dial = Callable[[dict[str, str]], Awaitable[Upstream]]


@dataclass(frozen=True, slots=True)
class Room:
    """What the previews of all sessions at one target share. `within_s` bounds dialling, logging in and planning."""

    within_s: float
    at_once: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(AT_ONCE))


@dataclass(frozen=True, slots=True)
class Asked:
    """A held statement, and what it is read under."""

    question: Question
    operation: Operation
    state: SessionState
    view: View


class _Nobody:
    """How an EXPLAIN waits for people: not at all."""

    async def prepare(self) -> str:
        """See `Waiter`."""
        await trio.lowlevel.checkpoint()
        return "a preview waits for nobody"

    async def notify(self, request_id: str, advice: str, within_s: int) -> int | None:  # noqa: ARG002 - nothing is told
        """See `Waiter`."""
        await trio.lowlevel.checkpoint()
        return 0

    async def progress(self, request_id: str, words: str, within_s: int) -> None:
        """See `Waiter`."""


class Previews:
    """The previews of one session. `dial` opens a session at the target like its own, with these settings over its."""

    def __init__(self, dial: Dial, door: SessionGate, reader: Reader, duty: MaskDuty, room: Room) -> None:
        self._dial = dial
        self._door = door
        self._reader = reader
        self._duty = duty
        self._room = room

    async def shown(self, asked: Asked) -> Operation:
        """The held operation, with what EXPLAIN says of it; as it was where policy lets nobody look."""
        told = await self._told(asked)
        if not told:
            return asked.operation
        attributes = {**asked.operation.attributes, ATTRIBUTE: told}
        return replace(asked.operation, attributes=attributes)

    async def _told(self, asked: Asked) -> str:
        if asked.question.phase not in (Phase.QUERY, Phase.BIND) or asked.operation.verb not in EXPLAINED:
            return ""
        if len(asked.question.text) > LONG_TEXT_CHARS:
            return TOO_LONG
        question = replace(asked.question, frame=b"", text=EXPLAIN + asked.question.text)
        reading = self._reader.read(question, asked.state, NameTable(), asked.view)
        memo: Memo = {}
        operation = self._reader.operation(question, reading, asked.state, os.urandom(16))
        operation = replace(operation, attributes={**operation.attributes, "for": asked.operation.id.hex()})
        if len(reading.analyses) != 1 or reading.analyses[0].inner != "EXPLAIN" or not reading.complete:
            return ""
        if self._door.holds(operation, memo) or not any(one.effect is Effect.PERMIT for one in memo.values()):
            return ""
        return self._objection(asked, reading) or await self._asked(question, operation, asked, memo)

    def _objection(self, asked: Asked, reading: Reading) -> str:
        state, bind = asked.state, asked.question.bind
        if state.temp_names or state.uncertain or state.role or not state.settled:
            return ITS_OWN
        if self._duty.hides_columns and any(one.action is Action.PROBE for one in reading.atoms):
            return PROBES
        if self._duty.hides_columns and not reading.pure:
            return UNREAD_CODE
        if bind is not None and sum(len(value or b"") for value in bind.params) > MAX_PARAMETER_BYTES:
            return TOO_LONG
        return ""

    async def _asked(self, question: Question, operation: Operation, asked: Asked, memo: Memo) -> str:
        try:
            self._room.at_once.acquire_on_behalf_of_nowait(self)
        except trio.WouldBlock:
            return TOO_MANY
        try:
            verdict = await self._door.decide(operation, _Nobody(), memo)
            return await self._answered(question, verdict, asked) if isinstance(verdict, Permit) else ""
        finally:
            self._room.at_once.release_on_behalf_of(self)

    async def _answered(self, question: Question, permit: Permit, asked: Asked) -> str:
        began_ns, said, outcome = time.monotonic_ns(), NO_ANSWER, Outcome(Status.ABORTED)
        try:
            with trio.move_on_after(self._room.within_s):
                answer = await self._explained(question, asked.state)
                said, outcome = self._words(answer)
        except UpstreamUnavailable:
            said = UNREACHED
        except (ProtocolError, trio.BrokenResourceError, UnicodeDecodeError):
            said = UNREADABLE
        finally:
            took_ns = max(0, time.monotonic_ns() - began_ns)
            self._door.finish(permit, replace(outcome, duration_ns=took_ns))
        return said

    async def _explained(self, question: Question, state: SessionState) -> Answer:
        server_ms = str(max(1, int(self._room.within_s * SERVER_SHARE * 1000)))
        upstream = await self._dial(
            {
                "search_path": state.search_path,
                "default_transaction_read_only": "on",
                "statement_timeout": server_ms,
                "lock_timeout": server_ms,
            }
        )
        try:
            await upstream.link.send_all(estimates.question(question.text, question.parameter_oids, question.bind))
            answer = Answer()
            data = upstream.leftover or await upstream.link.receive()
            while not answer.ended(data):
                data = await upstream.link.receive()
            return answer
        finally:
            with trio.CancelScope(shield=True):
                await upstream.aclose()

    def _words(self, answer: Answer) -> tuple[str, Outcome]:
        size = len(answer.plan or b"")
        if answer.plan is None:
            return estimates.refused(answer.sqlstate), Outcome(Status.ERROR, answer.sqlstate)
        done = Outcome(Status.OK, rows=1, bytes_down=size)
        try:
            plan = plan_lines(answer.plan, self._name)
        except UnreadablePlan:
            return UNREADABLE, done
        return "\n".join((f"{HEADING}:", *(f"  {one}" for one in plan), BESIDE)), done

    def _name(self, name: str) -> str:
        detectors = self._duty.detectors
        return name if detectors is None else hide_text(name, detectors=detectors, key=self._duty.key)[0]
