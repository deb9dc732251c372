"""The desk: where an operation waits for people, and where people's votes arrive.

It is the trio shell of this room: it reads the clock, runs the store in a worker thread, wakes who waits, and sees that
the log has it before it counts.
It authenticates nobody (the control API hands it a verified identity) and lets nothing run (the gate does).

Invariants:

- A vote is durable in the event log before it is kept, and kept before it counts.
- A grant is used once, by compare-and-set; whatever happens after `use` or `redeem` returned, it stays used.
- While a requester waits, its grant is its own; once it is gone, one identical request may redeem it, if its rule and
  every approval allow that. Else there is no grant without its requester: it is withdrawn with them.
- Everything fails closed: if the log or the store cannot be written, the request stays undecided and expires.

Cancellation: `wait` leaves the request as it was. What else has begun is finished in a shield.
"""

import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias, TypeVar

import trio

from doorward_core.approvals import events
from doorward_core.approvals.ballot import Proof, Trusted, cast
from doorward_core.approvals.changes import Changes
from doorward_core.approvals.counters import SignCounters, keep_counter, last_counter
from doorward_core.approvals.notify import of_request
from doorward_core.approvals.notify_send import Notifier
from doorward_core.approvals.request import (
    ID_RANDOM_BYTES,
    NS_PER_S,
    ApprovalRequest,
    Case,
    RequestState,
    Verdict,
    Vote,
    VoteOutcome,
    held_rules,
    request_id,
)
from doorward_core.approvals.standing import StandingAccess
from doorward_core.approvals.store import SqliteStore
from doorward_core.approvals.taken import Taken
from doorward_core.approvals.votes import in_vain, retriable, tally
from doorward_core.errors import RecordError, StoreError
from doorward_core.event import Event
from doorward_core.model import Approve, Identity

SWEEP_INTERVAL_S = 5.0
"""How often requests that nobody waits for are looked at; those that are waited for end on time."""
RETENTION_S = 30 * 24 * 3600
"""How long a closed request can still be shown; its history is in the event log."""

_NOBODY = Trusted()

T = TypeVar("T")
Counted: TypeAlias = Callable[[Case], Awaitable[None]]


class Desk:
    """One gateway's desk.

    `clock` gives nanoseconds since the epoch. `record` returns when an event is durable, or raises RecordError.
    `trusted` are the keys that approvers may prove a vote with; others may be put in their place at any time.
    `counters` are those of passkeys; without them no vote by passkey counts.
    `notifier` tells others what happens here; nothing waits for it.
    """

    def __init__(
        self,
        store: SqliteStore,
        *,
        clock: Callable[[], int],
        record: Callable[[Event], Awaitable[None]],
        trusted: Trusted = _NOBODY,
        counters: SignCounters | None = None,
        notifier: Notifier | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._record = record
        self.trusted = trusted
        self._counters = counters
        self.notifier = notifier
        self.problem = ""
        """Why the last round of `run` failed; empty while all is well. For readiness to look at."""
        self.changes = Changes(clock())
        self.standing = StandingAccess()
        self._thread = trio.CapacityLimiter(1)
        # One thing at a time: votes, endings and withdrawals are rare, and their order is what the log must show.
        self._turn = trio.Lock()
        self._woken: dict[str, trio.Event] = {}
        self._taken = Taken()

    def new_id(self) -> str:
        """Draw the name of a new request."""
        return request_id(secrets.token_bytes(ID_RANDOM_BYTES))

    async def recover(self) -> None:
        """Withdraw what an earlier process left undecided, for its requesters are gone; call once, at the start.

        What a rule lets be retried stays open, so does what nobody waits on (standing access), and a grant that was
        not used and that a retry may use.
        """
        await self._settle()
        for case in await self._call(self._store.list, RequestState.GRANTED):
            self.standing.keep(case)
            async with self._turn:
                await self._lapse(case.request.id)
        for case in await self._call(self._store.list, RequestState.PENDING):
            if not (case.request.retry or case.request.standing):
                await self.withdraw(case.request.id, "the gateway restarted while it was held")

    async def run(self) -> None:
        """Expire what nobody waits for, and forget what is long closed; runs until cancelled.

        A round that fails leaves `problem`, and everything as it was; the next one tries again.
        """
        async with trio.open_nursery() as nursery:
            if self.notifier is not None:
                nursery.start_soon(self.notifier.run)
            await self._rounds()

    async def _rounds(self) -> None:
        while True:
            await trio.sleep(SWEEP_INTERVAL_S)
            try:
                await self.sweep()
            except (StoreError, RecordError) as error:
                self.problem = str(error)
            else:
                self.problem = ""

    async def sweep(self) -> None:
        """One round of `run`."""
        await self._settle()
        now = self._clock()
        for case in await self._call(self._store.overdue, now):
            undecided = case.state is RequestState.PENDING
            lapsed = "its time is over" if case.request.standing else "the grant was not used in time"
            why = "nobody decided in time" if undecided else lapsed
            async with self._turn:
                await self._end(case.request.id, RequestState.EXPIRED, why, case.state)
        await self._call(self._store.purge, now - RETENTION_S * NS_PER_S)
        self._taken.forget(now)

    async def open(self, request: ApprovalRequest) -> None:
        """Keep a request, undecided. RequestRefused if one too many waits, StoreError if it cannot be kept."""
        self._taken.hold(request)  # first: once the store has it, a vote may come
        try:
            await self._call(self._store.open, request)
        except BaseException:  # cancelled as well: then it was not kept, for the store is not left half-way
            self._taken.leave(request.id)
            raise
        self.changes.made()
        self._tell("held", request)

    async def ask(self, request: ApprovalRequest) -> ApprovalRequest:
        """Ask for standing access, on record first; gives the request that waits for the very same already, if any."""
        for case in await self._call(self._store.list, RequestState.PENDING):
            same = (case.request.digest, case.request.rules) == (request.digest, request.rules)
            if same and self._clock() < case.request.expires_unix_ns:
                return case.request
        await self._record(events.asked(request))
        await self.open(request)
        return request

    async def end_standing(self, request: ApprovalRequest, why: str) -> None:
        """From now on nothing stands by this request, whatever the store comes to say; it is on record already."""
        self._taken.use(request)
        self.standing.drop(request.id)
        async with self._turn:
            await self._end(request.id, RequestState.WITHDRAWN, why, RequestState.GRANTED)

    async def wait(
        self, request_id: str, until_unix_ns: int | None = None, counted: Counted | None = None
    ) -> RequestState:
        """Wait until a request is decided, expires, or is withdrawn, and give its state.

        At `until_unix_ns` it gives PENDING if nothing has happened. Cancelled, it leaves the request as it was, and its
        requester counts as gone. `counted` is told of votes that leave it undecided; several at once may be one.
        """
        try:
            return await self._wait(request_id, until_unix_ns, counted)
        except trio.Cancelled:
            self._left(request_id)
            raise
        finally:
            self._wake(request_id)

    async def vote(
        self,
        identity: Identity,
        request_id: str,
        verdict: Verdict,
        reason: str,
        proof: Proof | None = None,
        *,
        retry: bool | None = None,
    ) -> VoteOutcome:
        """Take the vote of a verified identity, and decide the request if it was the last one needed.

        `retry` is whether an identical retry may use the grant as well; not said, it may not.
        RecordError or StoreError: the vote does not count, and may be cast again.
        """
        async with self._turn:
            case = await self._call(self._store.get, request_id)
            if case is None:
                return VoteOutcome(RequestState.WITHDRAWN, "there is no such request", found=False)
            if case.state is not RequestState.PENDING:
                return VoteOutcome(case.state, f"the request is already {case.state.value}")
            now, seen = self._clock(), await self._call(last_counter, self._counters, proof)
            said = partial(cast, trusted=self.trusted, now_unix_ns=now, last_counter=seen, retry=retry)
            vote, refusal = said(identity, case, verdict, reason, proof)
            refusal = refusal or in_vain(case.request, (*case.votes, vote), attended=self.attended(request_id))
            # First the log: a crash after this line leaves a vote on record that never counted.
            with trio.CancelScope(shield=True):
                await self._record(events.voted(case.request, vote, refusal))
                if not refusal:
                    await self._call(keep_counter, self._counters, proof)
                state = case.state if refusal else await self._count(case, vote)
        return VoteOutcome(state, refusal)

    async def withdraw(self, request_id: str, why: str = "the requester is gone") -> bool:
        """Withdraw a request that is undecided; False if it no longer is.

        A grant that was given already stays, for one identical retry where that may use it.
        """
        self._taken.leave(request_id)
        async with self._turn:
            return await self._end(request_id, RequestState.WITHDRAWN, why)

    async def leave(self, request: ApprovalRequest) -> None:
        """The requester is gone: what no identical retry may come back for is withdrawn, the rest stays as it is."""
        self._left(request.id)
        async with self._turn:
            if not request.retry:
                await self._end(request.id, RequestState.WITHDRAWN, "the requester is gone")
            await self._lapse(request.id)

    def attended(self, request_id: str) -> bool:
        """Whether the requester waits, on the connection that it asked on or came back on."""
        return self._taken.held(request_id)

    async def use(self, request_id: str) -> bool:
        """Use a grant, once; False if there is none (any more). A crash from here on leaves it used."""
        self._taken.leave(request_id)
        if self._taken.used(request_id):
            return False
        now = self._clock()
        case = await self._call(self._store.get, request_id)
        used = await self._call(self._store.transition, request_id, RequestState.GRANTED, RequestState.USED, now)
        if used and case is not None:
            self._taken.use(case.request)
            self.changes.made()
        return used

    async def redeem(self, digest: bytes, identity: Identity, now_unix_ns: int) -> ApprovalRequest | None:
        """Use the grant of an identical request of the same principal, whose connection is gone; None without one."""
        who, taken = (identity.subject, identity.issuer), self._taken.all()
        request = await self._call(self._store.use_grant, digest, *who, now_unix_ns, taken)
        if request is not None:
            self._taken.use(request)
            self.changes.made()
        return request

    async def rejoin(self, digest: bytes, identity: Identity, holds: tuple[Approve, ...]) -> ApprovalRequest | None:
        """Wait again on one's own undecided request for the very same thing, whose connection is gone; None without.

        A client that asks again and again is then one request for its approvers, not one for each time.
        """
        rules, now = held_rules(holds), self._clock()
        for case in await self._call(self._store.list, RequestState.PENDING):
            request = case.request
            same = (request.digest, request.subject, request.issuer) == (digest, identity.subject, identity.issuer)
            if same and request.rules == rules and not self._taken.held(request.id) and now < request.expires_unix_ns:
                self._taken.hold(request)
                self.changes.made()
                return request
        return None

    async def get(self, request_id: str) -> Case | None:
        """One request as it stands."""
        return await self._call(self._store.get, request_id)

    async def list(
        self, state: RequestState | None = None, limit: int = -1, before: tuple[int, str] | None = None
    ) -> tuple[Case, ...]:
        """Requests, newest first; `before` is the time and the id of the one that the list goes on after."""
        return await self._call(self._store.list, state, limit, before)

    def now_unix_ns(self) -> int:
        """The desk's own time, which a vote that is to be signed names."""
        return self._clock()

    async def _wait(self, request_id: str, until_unix_ns: int | None, counted: Counted | None) -> RequestState:
        votes: int | None = None
        while True:
            woken = self._woken.setdefault(request_id, trio.Event())
            case = await self._call(self._store.get, request_id)
            if case is None:
                return RequestState.WITHDRAWN
            if case.state is not RequestState.PENDING:
                return case.state
            now = self._clock()
            if now >= case.request.expires_unix_ns:
                async with self._turn:
                    await self._end(request_id, RequestState.EXPIRED, "nobody decided in time")
                continue
            if until_unix_ns is not None and now >= until_unix_ns:
                return RequestState.PENDING
            if counted is not None and votes is not None and votes < len(case.votes):
                await counted(case)
            votes = len(case.votes)
            until = min(case.request.expires_unix_ns, until_unix_ns or case.request.expires_unix_ns)
            with trio.move_on_after((until - now) / NS_PER_S):
                await woken.wait()

    async def _end(
        self, request_id: str, state: RequestState, why: str, old: RequestState = RequestState.PENDING
    ) -> bool:
        """Take a request out of a state, holding the turn; False if it is not in it. Finished even when cancelled."""
        changed = False
        with trio.CancelScope(shield=True):
            case = await self._call(self._store.get, request_id)
            spent = state is RequestState.GRANTED and self._taken.used(request_id)  # an older copy of the file says so
            if case is not None and case.state is old and not spent:
                # First the log: a crash between the two leaves an ending on record whose request is still undecided; it
                # then ends once more, and what can be used is never ahead of what is on record.
                try:
                    await self._record(events.ended(case.request, state, case.votes, why))
                    change = partial(self._store.transition, request_id, old, state)
                    changed = await self._call(change, self._clock())
                    if changed:
                        self._tell(state.value, case.request, *case.votes[-1:])
                    if case.request.standing:
                        await self._stand(request_id)
                finally:
                    self._wake(request_id)
                    self.changes.made()
        return changed

    async def _lapse(self, request_id: str) -> None:
        """Withdraw a grant that was given to its requester alone, who is gone; holding the turn."""
        case = await self._call(self._store.get, request_id)
        if case is None or case.state is not RequestState.GRANTED or case.request.standing:
            return
        if not self.attended(request_id) and not retriable(case.request, case.votes):
            why = "the requester is gone, and it was approved for nobody else"
            await self._end(request_id, RequestState.WITHDRAWN, why, RequestState.GRANTED)

    async def _stand(self, request_id: str) -> None:
        """Let standing access stand, or not, as the store has it now."""
        self.standing.drop(request_id)
        case = await self._call(self._store.get, request_id)
        if case is not None and not self._taken.used(request_id):
            self.standing.keep(case)

    async def _settle(self) -> None:
        """End what has its votes and is still open, because the process or the log failed just then."""
        for case in await self._call(self._store.list, RequestState.PENDING):
            state = tally(case.request, case.votes, case.changed_unix_ns)
            if state is not RequestState.PENDING:
                async with self._turn:
                    await self._end(case.request.id, state, "")
                    await self._lapse(case.request.id)

    async def _count(self, case: Case, vote: Vote) -> RequestState:
        """Keep a vote that is on record, and end the request if it was the last one needed; holding the turn."""
        if not await self._call(self._store.add_vote, vote):
            raise StoreError("the vote could not be kept")
        self.changes.made()
        self._tell("voted", case.request, vote)
        state = tally(case.request, (*case.votes, vote), vote.cast_unix_ns)
        if state is not RequestState.PENDING:
            await self._end(case.request.id, state, "")
        else:
            self._wake(case.request.id)
        return state

    def _tell(self, event: str, request: ApprovalRequest, vote: Vote | None = None) -> None:
        """Have it told, if anybody wants to know; this neither waits nor fails."""
        if self.notifier is not None:
            self.notifier.tell(of_request(event, request, self._clock(), vote=vote))

    def _left(self, request_id: str) -> None:
        """Its requester is gone, which those who look at it are told."""
        if self._taken.held(request_id):
            self._taken.leave(request_id)
            self.changes.made()

    def _wake(self, request_id: str) -> None:
        woken = self._woken.pop(request_id, None)
        if woken is not None:
            woken.set()

    async def _call(self, function: Callable[..., T], *values: object) -> T:
        return await trio.to_thread.run_sync(partial(function, *values), limiter=self._thread)
