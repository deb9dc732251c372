"""One operation that waits for people: what was granted before, the request, the waiting, and what came of it.

What it is: the part of the gate's order between "policy holds this" and "decide again": an `Answer`, never a verdict.
What it will not do: decide, make a Permit, or let anything run (`doorward_core.session_gate` does).

Invariants:
- That an operation is held is on stable storage before its request is open.
- A grant is used, once, before an `Answer` names it.
- Cancelled, an undecided request is withdrawn, unless its rule lets an identical retry come back for it; and so is a
  grant that no retry may use.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from doorward_core import entries
from doorward_core.approvals.codec import card_bytes
from doorward_core.approvals.desk import Desk
from doorward_core.approvals.request import NS_PER_S, ApprovalRequest, Case, RequestState, binding, request_for
from doorward_core.approvals.store import RequestRefused
from doorward_core.approvals.votes import objections, progress
from doorward_core.errors import StoreError
from doorward_core.event import Event
from doorward_core.model import Decision, Operation, ReasonCode, Session
from doorward_core.record.log import EventLog
from doorward_core.terms import REFUSED_WORDS, UNREACHABLE_WORDS, Waiter

MOST_TOLD: Final = 32
"""Votes on one request that its client is told of: twice the largest quorum, and never a flood."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking: the request that was granted and is used now, or why nothing was, for the client to read."""

    granted: ApprovalRequest | None = None
    reason: ReasonCode = ReasonCode.WITHDRAWN
    words: str = ""
    request_id: str = ""
    retry: bool = False


@dataclass(frozen=True, slots=True)
class Holding:
    """How the operations of one session wait. `held` is called once for each that does, after it is on record."""

    session: Session
    desk: Desk
    log: EventLog
    binding_key: bytes
    clock: Callable[[], int]
    held: Callable[[], None]

    async def ask(self, operation: Operation, decision: Decision, waiter: Waiter) -> Answer:
        """Take the grant that is there already, or wait for people. Raises RecordError."""
        digest = binding(self.binding_key, self.session, operation)
        try:
            earlier = await self.desk.redeem(digest, self.session.identity, self.clock())
            if earlier is not None:
                return Answer(earlier)
            waiting = await self.desk.rejoin(digest, self.session.identity, decision.approvals)
            request = waiting or request_for(
                self.session,
                operation,
                decision.approvals,
                name=self.desk.new_id(),
                digest=digest,
                reason=decision.advice,
                now_unix_ns=self.clock(),
            )
            event = entries.held(
                self.session,
                operation,
                decision,
                request_id=request.id,
                expires_unix_ns=request.expires_unix_ns,
                card=card_bytes(request),
            )
            await self._keep(event, waiting)
            self.held()
            if waiting is None:
                await self.desk.open(request)
            return await self._wait(decision, request, waiter)
        except RequestRefused as error:
            return Answer(reason=ReasonCode.LIMIT, words=str(error))
        except StoreError:
            return Answer(reason=ReasonCode.UNAVAILABLE, words=UNREACHABLE_WORDS, retry=True)

    async def _keep(self, event: Event, waiting: ApprovalRequest | None) -> None:
        """Put it on record; where that does not come to its end, a request that was come back to is nobody's again."""
        try:
            await self.log.durable(self.log.append(event, self.clock()))
        except BaseException:
            if waiting is not None:
                with trio.CancelScope(shield=True):
                    await self.desk.leave(waiting)
            raise

    async def _progress(self, waiter: Waiter, case: Case) -> None:
        """Tell whoever waits how far people are. At most once a vote, of which there is one for each person."""
        left_s = max(0, (case.request.expires_unix_ns - self.clock()) // NS_PER_S)
        if len(case.votes) <= MOST_TOLD:
            await waiter.progress(case.request.id, progress(case.request, case.votes), left_s)

    async def _wait(self, decision: Decision, request: ApprovalRequest, waiter: Waiter) -> Answer:
        within_s = max(0, (request.expires_unix_ns - self.clock()) // NS_PER_S)
        settled, state = False, RequestState.WITHDRAWN
        try:
            until = await waiter.notify(request.id, decision.advice, within_s)
            state = await self.desk.wait(request.id, until, partial(self._progress, waiter))
            if state is RequestState.GRANTED and await self.desk.use(request.id):
                settled = True
                return Answer(request)
            settled = state is not RequestState.PENDING
        finally:
            # The client hung up, cancelled, or the gateway drains: what no retry may come back for does not outlive it.
            if not settled:
                with trio.CancelScope(shield=True):
                    await self.desk.leave(request)
                state = state if request.retry else RequestState.WITHDRAWN
        code, words, retry = REFUSED_WORDS.get(state, (ReasonCode.WITHDRAWN, "the request was withdrawn", True))
        case = await self.desk.get(request.id)
        reason = objections(case.votes) if case else ""
        return Answer(reason=code, words=f"{words}: {reason}" if reason else words, request_id=request.id, retry=retry)
