"""What a session may do, and in which order it happens: the only maker of a `Permit`.

What it is: the door of one admitted connection, and the one place that owns the order
`decide -> record -> relay -> mask -> record`; and `Premises`, what all the sessions of a gateway share.
A proxy drives and is answered; `doorward_core.gate` says who comes in, and makes these.

What it will not do: know a protocol, touch a wire, or evaluate a rule (that is `doorward_core.policy`).

Invariants:
- No other code constructs a `Permit` (tests/architecture).
- A decision is on stable storage before its operation may be sent, unless the operation is proved free of side effects;
  then `Permit.early` is set, and nothing may be *released* before `SessionGate.released` has returned for its entry.
- A hold is decided twice: once to hold, and once more with the grant as input. A grant is used once.
- What stands or was broken open satisfies holds and nothing else; each use of it is decided anew, and on record.
- A session that was revoked decides nothing more, whatever its proxy still has under way.
- Anything but an understood permit is a refusal (the deny-biased PEP of XACML 3.0).
"""

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field, replace

from doorward_core import entries
from doorward_core.access.ledger import Ledger, Revocation
from doorward_core.again import Standing
from doorward_core.approvals.desk import Desk
from doorward_core.approvals.request import NS_PER_S, ApprovalRequest
from doorward_core.covers import Cover, cover
from doorward_core.errors import RecordError
from doorward_core.event import Event, Outcome
from doorward_core.holding import Holding
from doorward_core.live import Live
from doorward_core.model import (
    Decision,
    Denial,
    Effect,
    Limit,
    Mask,
    Obligation,
    Operation,
    Permit,
    ReasonCode,
    RecordLevel,
    Session,
)
from doorward_core.policy.decide import Policy
from doorward_core.policy.rate import RateCounter
from doorward_core.record.log import EventLog
from doorward_core.scribe import Scribe
from doorward_core.shares import Shares
from doorward_core.terms import EXPIRED_WORDS, INTERRUPTED, OBSERVE_WORDS, REVOKED_WORDS, Waiter

Memo = MutableMapping[bytes, Decision]  # policy digest -> decision, kept by a proxy beside what it decides again


@dataclass(slots=True, kw_only=True)
class Premises:
    """What the sessions of one gateway process share: the policy in force, the log, the desk, and what is counted.

    `binding_key` is 32 secret bytes: what ties a grant to an operation is an HMAC under it, and is not in the log.
    `discharges` are the obligations that this gateway's proxy honours; a permit that carries another is a denial.
    """

    policy: Policy
    log: EventLog
    desk: Desk
    binding_key: bytes
    discharges: frozenset[type[Obligation]]
    level: RecordLevel
    clock: Callable[[], int]
    ledger: Ledger = field(default_factory=Ledger)
    rates: RateCounter = field(default_factory=RateCounter)
    sessions: dict[bytes, "SessionGate"] = field(default_factory=dict)
    shares: Shares = field(default_factory=Shares)
    totals: dict[str, int] = field(default_factory=lambda: {"permitted": 0, "denied": 0, "held": 0})


class SessionGate:
    """The door of one admitted connection; a proxy's supervisor calls `close` exactly once."""

    def __init__(self, gate: Premises, session: Session, *, read_only: bool, observe: bool = False) -> None:
        self.session = session
        self.read_only = read_only
        self.observe = observe  # at login; the proxy tells its client
        self.opened = -1  # the entry that says so
        self.live = Live()  # by which it is watched and ended from outside
        self._gate = gate
        self._until_unix_ns = session.identity.expires_unix_ns
        self._generation = gate.log.generation
        self._scribe = Scribe(session)
        self._holding = Holding(session, gate.desk, gate.log, gate.binding_key, gate.clock, lambda: self._count("held"))
        self._coverage: dict[str, None] = {OBSERVE_WORDS: None} if observe else {}
        self._totals: dict[str, int] = {"permitted": 0, "denied": 0, "held": 0, "rows": 0, "masked": 0}

    @property
    def level(self) -> RecordLevel:
        """How much of each operation the log keeps."""
        return self._gate.level

    @property
    def masks(self) -> tuple[Mask, ...]:
        """The masks in force for this identity on this resource, now."""
        return self._gate.policy.masks(self.session.identity, self.session.resource, self._gate.clock())

    @property
    def policy_digest(self) -> bytes:
        """The policy in force now; anything remembered under another is to be decided again."""
        return self._gate.policy.digest

    def uncovered(self, what: str) -> None:
        """Add a line to the session's coverage statement: what was not seen or not enforced, and why."""
        self._coverage.setdefault(what)

    def expired(self) -> bool:
        """Tell whether the credential of this session has run out, or was revoked."""
        return self._gate.clock() >= self._until_unix_ns

    def revoke(self, one: Revocation) -> None:
        """End it: nothing is decided for it any more, from this very moment; its proxy tells its client, and closes."""
        self._until_unix_ns = 0
        self.live.end(f"{REVOKED_WORDS}: {one.reason}")

    async def prepare(self, operation: Operation, memo: Memo) -> Permit | Denial:
        """Decide whether an operation may be prepared at the target, which reads it and takes locks but runs nothing.

        What could never run is refused here; what would be held may be prepared, and is held when it is to run.
        """
        decision = self._evaluate(operation, memo)
        if decision.effect is Effect.DENY:
            return await self._deny(operation, decision)
        leave = replace(decision, effect=Effect.PERMIT, obligations=())
        return await self._permit(replace(operation, pure=True), leave)

    async def decide(self, operation: Operation, waiter: Waiter, memo: Memo) -> Permit | Denial:
        """Decide, record, and for a hold wait for people; the record is durable before this returns.

        The exception is a permit with `early` set, whose record is appended and not yet durable.
        Cancelled while held, the request is withdrawn (unless its rule allows an identical retry) and nothing runs.
        Raises RecordError if the log cannot be written.
        """
        decision = self._evaluate(operation, memo)
        if decision.effect is Effect.PERMIT:
            over = self._over_rate(decision)
            return await (self._deny(operation, over, retry=True) if over else self._permit(operation, decision))
        if decision.effect is Effect.DENY:
            return await self._deny(operation, decision)
        covered = self._cover(operation, decision)
        if covered is not None:
            again = self._evaluate(operation, {}, covered.granted)
            if again.effect is Effect.PERMIT and not self._over_rate(again):
                return await self._permit(operation, again, covered.request_id)
        return await self._hold(operation, decision, waiter)

    def holds(self, operation: Operation, memo: Memo) -> bool:
        """Tell whether `decide` would wait for people, so that the caller can prepare to be hung up on."""
        decision = self._evaluate(operation, memo)
        return decision.effect is Effect.HOLD and self._cover(operation, decision) is None

    async def refuse(self, operation: Operation, advice: str) -> Denial:
        """Record that the proxy cannot discharge what is owed on this operation, and so refuses it."""
        return await self._deny(operation, self._no(ReasonCode.OBLIGATION_UNSUPPORTED, advice))

    async def released(self, entry: int) -> None:
        """Return once nothing that depends on `entry` need be held back: the one release watermark."""
        log = self._gate.log
        if log.generation != self._generation:
            # It failed and was brought back without what was not durable: `entry` may be another's by now.
            raise RecordError(INTERRUPTED)
        if entry >= log.durable_size:
            await log.durable(entry)

    def release(self, entry: int, later: Callable[[], None]) -> bool:
        """The same without waiting; where False, `later` is called when to ask again, and must not raise."""
        log = self._gate.log
        if log.generation != self._generation:
            raise RecordError(INTERRUPTED)
        if entry < log.durable_size:
            return True
        if log.failed is not None:
            raise RecordError(log.failed)
        log.when_durable(entry, later)
        return False

    def finish(self, permit: Permit, outcome: Outcome) -> None:
        """Record how a permitted operation ended; rides along with the next flush and causes none."""
        self._totals["rows"] += outcome.rows
        self._totals["masked"] += sum(outcome.masked.values())
        self._gate.log.append(self._scribe.finished(permit, outcome, self._gate.level), self._gate.clock())

    def standing(self, permit: Permit) -> Standing | None:
        """Leave to do the same again, each time on record; None where each time is to be decided."""
        policy = self._gate.policy
        again = permit.early and policy.repeatable(permit.decision) and not policy.rates(permit.decision)
        return Standing(self, self.session, permit, self._gate.level) if again else None

    def permit_again(self, standing: Standing, operation: Operation, entry: int) -> Permit:
        """The permit of one use of a standing, for when its answer is another than before."""
        return replace(standing.permit, operation=operation, entry=entry)

    def used(self, event: Event) -> int:
        """For a standing alone: put on record that it was used, and begin to make that durable; give the entry."""
        entry = self._gate.log.append(event, self._gate.clock())
        self._count("permitted")
        self._gate.log.soon(entry)
        return entry

    def ended(self, event: Event, rows: int) -> None:
        """For a standing alone: put on record how one use of it ended."""
        self._gate.log.append(event, self._gate.clock())
        self._totals["rows"] += rows

    async def failed(self, what: str) -> None:
        """Record that something failed for this session; `what` carries no value and no credential."""
        log = self._gate.log
        await log.durable(log.append(entries.gateway_error(self.session, what), self._gate.clock()))

    def close(self, reason: str) -> None:
        """Record the end of the session with its coverage statement."""
        if self._gate.sessions.pop(self.session.id, None) is not None:
            self._gate.shares.give(self.session.identity)
        self.live.close()
        now = self._gate.clock()
        self._totals["duration_ns"] = now - self.session.opened_unix_ns
        self._gate.log.append(entries.session_closed(self.session, self._totals, self._coverage, reason), now)

    # --- the order, inside -----------------------------------------------------------------------------------------

    def _evaluate(
        self, operation: Operation, memo: Memo, granted: frozenset[tuple[str, bytes]] = frozenset()
    ) -> Decision:
        if self.expired():
            if not self._until_unix_ns:
                return self._no(ReasonCode.REVOKED, self.live.ended)
            return self._no(ReasonCode.EXPIRED, EXPIRED_WORDS)
        policy = self._gate.policy
        known = memo.get(policy.digest) if not granted else None
        if known is not None:
            return known
        session, now = self.session, self._gate.clock()
        discharges = self._gate.discharges | {Limit} if operation.stoppable else self._gate.discharges
        decision = policy.decide(session.identity, session.resource, operation, now, granted, discharges=discharges)
        if not granted and policy.repeatable(decision):
            memo[policy.digest] = decision
        return decision

    def _cover(self, operation: Operation, decision: Decision) -> Cover | None:
        """What lets a held operation go on without asking. Nothing stands and nothing is open nearly always."""
        gate = self._gate
        if not gate.desk.standing and not gate.ledger.openings:
            return None
        return cover(
            self.session,
            operation,
            decision,
            standing=gate.desk.standing,
            ledger=gate.ledger,
            now_unix_ns=gate.clock(),
        )

    def _count(self, verdict: str) -> None:
        self._totals[verdict] += 1
        self._gate.totals[verdict] += 1

    def _over_rate(self, decision: Decision) -> Decision | None:
        """Count what policy permits only so often; a denial once it is used up."""
        rates = self._gate.policy.rates(decision)
        if not rates:
            return None
        identity = self.session.identity
        wait_ns = self._gate.rates.take((identity.issuer, identity.subject), rates, self._gate.clock())
        if wait_ns is None:
            return None
        words = f"masked columns were probed too often; try again in {wait_ns // NS_PER_S + 1} s"
        return self._no(ReasonCode.LIMIT, words, decision)

    async def _permit(self, operation: Operation, decision: Decision, request_id: str = "") -> Permit:
        log = self._gate.log
        entry = log.append(self._scribe.decided(operation, decision, request_id), self._gate.clock())
        self._count("permitted")
        early = operation.pure and not request_id
        if early:
            log.soon(entry)
        elif entry >= log.durable_size:
            await log.durable(entry)
        return Permit(operation, decision, entry, self.session.identity.expires_unix_ns, early)

    async def _deny(
        self, operation: Operation, decision: Decision, request_id: str = "", *, retry: bool = False
    ) -> Denial:
        event = entries.decided(self.session, operation, decision, request_id=request_id)
        entry = self._gate.log.append(event, self._gate.clock())
        self._count("denied")
        await self._gate.log.durable(entry)
        return Denial(operation, decision.reason, decision.advice, entry, request_id, retry, decision.blamed)

    async def _hold(self, operation: Operation, decision: Decision, waiter: Waiter) -> Permit | Denial:
        objection = await waiter.prepare()
        if objection:
            return await self._deny(operation, self._no(ReasonCode.WITHDRAWN, objection, decision))
        answer = await self._holding.ask(operation, decision, waiter)
        if answer.granted is not None:
            return await self._granted(operation, answer.granted)
        refusal = self._no(answer.reason, answer.words, decision)
        return await self._deny(operation, refusal, answer.request_id, retry=answer.retry)

    async def _granted(self, operation: Operation, request: ApprovalRequest) -> Permit | Denial:
        # Decide again, with the grant as input: the token may have expired, a rule may have changed or begun to block.
        decision = self._evaluate(operation, {}, request.granted_rules)
        if decision.effect is Effect.PERMIT:
            return await self._permit(operation, decision, request.id)
        if decision.effect is Effect.HOLD:
            words = "the rule that held this has changed since; ask again"
            return await self._deny(operation, self._no(ReasonCode.CHANGED, words, decision), request.id, retry=True)
        return await self._deny(operation, decision, request.id)

    def _no(self, reason: ReasonCode, advice: str, decision: Decision | None = None) -> Decision:
        matches = decision.matches if decision else ()
        blamed = decision.blamed if decision else ()
        return Decision(Effect.DENY, reason, advice, self._gate.policy.digest, (), matches, blamed)
