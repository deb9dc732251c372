"""One call: decided, sent on, answered, recorded.

What it is: the trio shell between an exchange of `doorward_core.http` and the gate.
What it will not do: know who may do what, or what a call means (`operations`, `effects`).

Invariants: nothing of a call reaches the cluster before its Permit; what is sent is framed and addressed by us, from
what was decided, in the name of who was verified; no byte of the answer leaves before the record of the decision is
durable; no tunnel before the cluster's 101; every Permit is finished in the record, whatever ends the call.
"""

import base64
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import trio

from doorward_core.doors import NS_PER_S, Door, Held
from doorward_core.errors import UpstreamProtocolError, UpstreamUnavailable
from doorward_core.event import Outcome, Status
from doorward_core.http.budget import Budget
from doorward_core.http.exchange import Exchange
from doorward_core.http.kept import SHOWN_BYTES, SHOWN_WHOLE_BYTES, Kept
from doorward_core.http.messages import Head, Headers, ResponseHead, UpstreamTimeout
from doorward_core.http.relay import relay
from doorward_core.http.upstream import Upgrade, UpstreamResponse
from doorward_core.http.websocket import (
    KEY_BYTES,
    PROTOCOL,
    WebSocketWire,
    check_request,
    check_response,
    request_headers,
    response_headers,
    subprotocols,
)
from doorward_core.mask.detect import detectors_for
from doorward_core.model import Decision, Denial, Effect, Mask, Permit, Record, RecordLevel
from doorward_core.policy.decide import Policy
from doorward_core.record.log import EventLog
from doorward_core.session_gate import Memo
from doorward_core.terminal import BINARY, FORMAT, Screen, Tape
from doorward_k8s import refusals, reviews
from doorward_k8s.accept import NotAcceptable
from doorward_k8s.calls import Kind
from doorward_k8s.changes import Seen
from doorward_k8s.channels import Channels
from doorward_k8s.facts import PORT_FORWARD
from doorward_k8s.headers import STREAMS, TUNNEL, V5, for_client, for_cluster, spoken
from doorward_k8s.impersonation import NotImpersonable, claims_identity
from doorward_k8s.looks import Answer, Changes, Looks
from doorward_k8s.masking import Masking, Owing, Withheld, resource_of
from doorward_k8s.objects import writes_hidden
from doorward_k8s.operations import Reading, Request
from doorward_k8s.ports import Ports, is_opening
from doorward_k8s.refusals import Refusal, Refused, refusal
from doorward_k8s.streams import Recorder, Side, Stream, Tunnel, carry
from doorward_k8s.upstream import Cluster
from doorward_k8s.writes import Copied, in_json, is_rehearsal, writes

UNAUTHORIZED: Final = 401
SWITCHING: Final = 101
REDIRECTS: Final = frozenset({300, 301, 302, 303, 305, 307, 308})
OBSERVED: Final = (b"doorward-mode", b"observe")
NEVER_SENT: Final = Outcome(Status.ABORTED)
TUNNELLED: Final = "what went through a forwarded port was neither masked nor recorded"
_LEVELS: Final = (RecordLevel.DECISION, RecordLevel.SHAPE, RecordLevel.PAYLOAD)


@dataclass(frozen=True, slots=True)
class Means:
    """What every call is served with: masks and their key, the log, room for bodies, the policy in force, the clock."""

    owing: Owing
    mask_key: bytes
    log: EventLog
    link: str
    refused: Refused
    bodies: Budget
    policy: Callable[[], Policy]
    clock: Callable[[], int]
    discharges: frozenset[type]


class Serving:
    """Serves one call of one session on one cluster."""

    def __init__(self, cluster: Cluster, door: Door, exchange: Exchange, means: Means, draining: trio.Event) -> None:
        self._cluster = cluster
        self._door = door
        self._exchange = exchange
        self._means = means
        self._draining = draining
        self._began_ns = means.clock()
        self._ports = Ports(door, means.policy, means.clock)
        self._looks = Looks(cluster, door, means.owing, means.clock)
        self._changed: Changes | None = None
        self._outcome: Outcome | None = None
        self._kept: Kept | None = None
        self._notes: Headers = ()

    # --- the order ---------------------------------------------------------------------------------------------------

    async def run(self, request: Request, reading: Reading) -> Refusal | None:
        """Decide, send on, answer; or give what is said instead, for a call that did not come to be answered."""
        objection = self._objection(request, reading)
        if objection is not None:
            return await self._refuse(objection, reading)
        gate, operation = self._door.gate, await self._looks.rehearsed(request, reading.operation)
        operation = self._ports.opening(operation)
        until = self._began_ns + int(self._cluster.settings.hold * NS_PER_S)
        verdict = await self._door.decide(operation, {}, self._exchange, until, self._draining)
        if verdict is None and gate.live.ended:
            return self.ended()
        if verdict is None:
            return refusal(503, refusals.GOING_DOWN, operation)
        if isinstance(verdict, Denial):
            refused = refusals.denied(verdict, self._means.link)
            if request.call.streams:
                self._means.refused.keep(self._key(reading), refused, self._means.clock())
            return refused
        return await self._permitted(request, reading, verdict)

    def _objection(self, request: Request, reading: Reading) -> tuple[int, str] | None:
        """What keeps this from being served here, whatever policy says: a status, and words."""
        call, head = request.call, request.head
        strict = any(mask.strict and mask.detect for mask in self._door.gate.masks)
        spoken_here = ", ".join(name.decode("ascii") for name in STREAMS.get(call.sub, ()))
        found = (
            # What there is may be asked for all the same, without them: of a refusal there kubectl shows no words.
            (claims_identity(head.headers) and call.kind is not Kind.DISCOVERY, 403, refusals.NO_IMPERSONATION),
            (writes_hidden(request.body), 403, refusals.HIDDEN),
            (self._means.owing.taken(request, self._door.gate.masks), 403, refusals.TAKEN),
            (call.kind is Kind.UNKNOWN and bool(self._door.gate.masks), 403, refusals.UNREAD),
            (head.upgrade == PROTOCOL and not call.streams, 400, refusals.NO_STREAM),
            (call.streams and head.upgrade != PROTOCOL, 400, refusals.SPDY),
            (call.streams and not spoken(head.headers, call.sub), 400, refusals.CHANNELS + spoken_here),
            (strict and reading.query.tty, 403, refusals.STRICT_TTY),
        )
        return next(((status, words) for stands, status, words in found if stands), None)

    async def _refuse(self, objection: tuple[int, str], reading: Reading) -> Refusal:
        """Refuse, on record. Policy's own refusal goes first: its words help more than those about how one asked."""
        memo: Memo = {}
        gate, operation = self._door.gate, reading.operation
        status, words = objection
        held = gate.holds(operation, memo)
        if not held and any(decision.effect is Effect.DENY for decision in memo.values()):
            verdict = await gate.decide(operation, Held(self._began_ns), memo)
            if isinstance(verdict, Denial):
                return refusals.denied(verdict, self._means.link)
        await gate.refuse(operation, words)
        # kubectl asks again by SPDY where its WebSocket was refused, and prints what it is told then.
        earlier = self._means.refused.earlier(self._key(reading), self._means.clock())
        return earlier or refusal(status, words, operation)

    def _key(self, reading: Reading) -> bytes:
        session = self._door.gate.session
        return b"\0".join(
            (session.identity.issuer.encode(), session.identity.subject.encode(), reading.operation.digest)
        )

    async def _permitted(self, request: Request, reading: Reading, permit: Permit) -> Refusal | None:
        """Send it on and answer; whatever happens, the Permit is finished. Gives what is to be said instead."""
        masking = self._means.owing.of(permit.decision, resource_of(request.call))
        refused: Refusal | None = None
        try:
            with self._door.life() as life:
                refused = await self._sent(request, reading, masking, permit)
            if life.cancelled_caught:
                refused = self.ended()
        except NotAcceptable as error:
            refused = refusal(406, str(error), permit.operation)
        except NotImpersonable as error:
            refused = refusal(403, str(error), permit.operation)
        except Withheld as owed:
            refused = refusal(502, f"the answer owes a mask that cannot be applied: {owed}", permit.operation)
        except (UpstreamUnavailable, UpstreamProtocolError) as error:
            await self._door.gate.failed(f"target: {error}")
            status = 504 if isinstance(error, UpstreamTimeout) else 502
            refused = refusal(status, f"the cluster could not be used: {error}", permit.operation)
        finally:
            if refused is not None:
                self._outcome = Outcome(Status.ERROR, str(refused.status), bytes_up=len(request.body))
            self._finish(permit, masking, len(request.body))
        if refused is not None:
            await self._door.gate.released(permit.entry)
            if self._exchange.started:
                self._exchange.cut()
                return None
        return refused

    async def _sent(self, request: Request, reading: Reading, masking: Masking, permit: Permit) -> Refusal | None:
        if await self._reviewed(request, permit):
            return None
        lines = masking.request(for_cluster(request.head.headers), request.head.method)
        before: Seen | None = None
        if self._compares(request, permit):
            lines = in_json(lines, request.head.method)
            before = await self._looks.before(request, permit.operation)
        head = await self._cluster.head(self._door.gate.session, request, lines, permit.operation)
        if request.call.streams:
            return await self._streamed(request, reading, masking, head, permit)
        if not request.call.lasts:
            async with self._cluster.pool.request(head, request.body) as response:
                return await self._answered(request, response, masking, permit, before)
        refused: Refusal | None = None
        async with trio.open_nursery() as nursery:  # nothing is written for hours: who has gone would not be missed
            nursery.start_soon(self._cancel_after, self._exchange.wait_disconnected, nursery.cancel_scope)
            nursery.start_soon(self._cancel_after, self._draining.wait, nursery.cancel_scope)
            async with self._cluster.pool.request(head, request.body) as response:
                refused = await self._answered(request, response, masking, permit)
            nursery.cancel_scope.cancel()
        if refused is None and not (self._kept is not None and self._kept.whole):
            return refusal(503, refusals.GOING_DOWN, permit.operation)  # to whoever is still there to be told
        return refused

    @staticmethod
    async def _cancel_after(wait: Callable[[], Awaitable[object]], scope: trio.CancelScope) -> None:
        await wait()
        scope.cancel()

    def _why(self) -> str:
        return f"doorward: {self._door.gate.live.ended or 'the credential of this session has expired'}"

    def ended(self) -> Refusal:
        """What a client is told whose session was ended, or whose credential has."""
        words = self._door.gate.live.ended
        return refusal(403, words) if words else refusals.unauthenticated(given=True)

    async def _reviewed(self, request: Request, permit: Permit) -> bool:
        """Answer a question about one's own rights where policy refuses what is asked about; else leave it as it is."""
        if reviews.lists_rights(request.call):
            self._notes = (reviews.LISTED,)
        asked = reviews.question(request)
        if asked is None:
            return False
        session, policy, now = self._door.gate.session, self._means.policy(), self._means.clock()
        judged = [
            policy.decide(session.identity, session.resource, one, now, discharges=self._means.discharges)
            for one in map(self._ports.opening, asked.calls)
        ]
        effects = {one.effect for one in judged}
        if effects - {Effect.DENY}:
            self._notes = () if Effect.PERMIT in effects else (reviews.HELD,)
            return False
        head, body = reviews.refused(asked, asked.words or judged[0].advice)
        await self._door.gate.released(permit.entry)
        await self._exchange.respond(head, body)
        self._outcome = Outcome(Status.OK, str(head.status), bytes_up=len(request.body), bytes_down=len(body))
        return True

    # --- answers -----------------------------------------------------------------------------------------------------

    async def _answered(
        self,
        request: Request,
        response: UpstreamResponse,
        masking: Masking,
        permit: Permit,
        before: Seen | None = None,
    ) -> Refusal | None:
        """Carry the answer to the client; of a write, see what it has changed. Raises Withheld."""
        head = response.head
        if head.status == UNAUTHORIZED:
            self._cluster.forget(self._door.gate.session.account)
            return refusal(502, "the cluster refused the gateway's own credential", permit.operation)
        if head.status in REDIRECTS or head.status == SWITCHING:
            return refusal(502, "the cluster sends its clients elsewhere, and the gateway does not", permit.operation)
        lines = for_client(head.headers, schema=request.call.kind is Kind.DISCOVERY)
        lines = (*lines, *self._notes, *((OBSERVED,) if self._door.gate.observe else ()))
        try:
            answer = masking.answer(ResponseHead(head.status, lines), request.head.method)
        except Withheld as owed:
            if not refusals.is_clients(head.status):
                raise
            # As of a group that is not there: a client goes on by the number, and the words are a server's own.
            return refusal(
                head.status, f"the cluster answered so, in words that cannot be masked: {owed}", permit.operation
            )
        await self._door.gate.released(permit.entry)
        copied = Copied(masking) if before is not None else None
        self._kept = kept = Kept(copied or masking, answer, self._room(permit.decision), masking)
        try:
            await relay(response, self._exchange, answer, kept, masked=masking.changes_answer, holding=kept)
            kept.whole = True
            if copied is not None:
                self._changed = self._looks.changed(request, before, Answer(head.status, copied.body))
        finally:
            for words in masking.coverage:
                self._door.gate.uncovered(words)
        return None

    def _compares(self, request: Request, permit: Permit) -> bool:
        """Whether what this changes is kept in the record."""
        kept = self._cluster.settings.changes and self._level(permit.decision) is not RecordLevel.DECISION
        return kept and writes(request.call) and not is_rehearsal(permit.operation)

    def _room(self, decision: Decision) -> int:
        return SHOWN_WHOLE_BYTES if self._level(decision) is RecordLevel.PAYLOAD else SHOWN_BYTES

    def _level(self, decision: Decision) -> RecordLevel:
        levels = [item.level for item in decision.obligations if isinstance(item, Record)]
        return max((self._door.gate.level, *levels), key=_LEVELS.index)

    # --- streams -----------------------------------------------------------------------------------------------------

    async def _streamed(
        self, request: Request, reading: Reading, masking: Masking, head: Head, permit: Permit
    ) -> Refusal | None:
        """Leave HTTP, if the cluster agrees; else its answer is one like any other."""
        theirs, ours = check_request(request.head), base64.b64encode(secrets.token_bytes(KEY_BYTES))
        names = spoken(request.head.headers, request.call.sub)
        if is_opening(permit.operation):  # in the other protocol nothing would ask for a port
            names = tuple(name for name in names if name == TUNNEL)
        lines = (*head.headers, (b"sec-websocket-protocol", b", ".join(names)))
        head = replace(
            head, method="GET", headers=request_headers(lines, ours), body="none", length=-1, upgrade=PROTOCOL
        )
        async with self._cluster.pool.upgrade(head) as answer:
            if not answer.upgraded:
                return await self._answered(request, answer.response, masking, permit)
            chosen = check_response(answer.head, ours, subprotocols(head.headers))
            await self._door.gate.released(permit.entry)
            await self._carry(reading, permit, answer, response_headers(theirs, chosen), chosen)
        return None

    async def _carry(self, reading: Reading, permit: Permit, answer: Upgrade, lines: Headers, chosen: bytes) -> None:
        near, early = await self._exchange.upgrade(lines)
        far, said = answer.stream()
        client = Side(near, WebSocketWire(client=False), early)
        target = Side(far, WebSocketWire(client=True), said)
        if reading.operation.verb == PORT_FORWARD:
            asks = partial(self._ports.asked, reading.operation, permit) if chosen == TUNNEL else None
            tunnel, whole = Tunnel(asks), False
            try:
                whole = await carry(client, target, tunnel, self._draining, self._why)
            finally:
                self._door.gate.uncovered(TUNNELLED)
                status = Status.OK if whole else Status.ABORTED
                self._outcome = Outcome(status, bytes_up=tunnel.bytes_up, bytes_down=tunnel.bytes_down)
            return
        masks = tuple(item for item in permit.decision.obligations if isinstance(item, Mask))
        detectors = None if reading.transfer else detectors_for(masks)
        tty = reading.query.tty
        screen = Screen(detectors, self._means.mask_key, pty=tty, strict=any(mask.strict for mask in masks))
        tape = Tape(self._level(permit.decision), pty=tty)
        recorder = Recorder(self._means.log, self._door, permit, tape)
        channels = Channels(screen, tape, closes=chosen == V5)
        try:
            await carry(client, target, Stream(channels, recorder), self._draining, self._why)
        finally:
            recorder.write_now()
            words = (BINARY,) if reading.transfer and detectors_for(masks) else screen.coverage
            for one in words:
                self._door.gate.uncovered(one)
            self._outcome = _outcome(channels, screen, tape)

    def _finish(self, permit: Permit, masking: Masking, sent: int) -> None:
        kept, took_ns = self._kept, max(0, self._means.clock() - self._began_ns)
        if kept is not None and self._outcome is None:
            outcome = kept.outcome(bytes_up=sent, masked=masking.masked, duration_ns=took_ns)
        else:
            outcome = replace(self._outcome or NEVER_SENT, duration_ns=took_ns)
        if self._changed is not None:
            outcome = replace(outcome, changes=self._changed[0], changes_truncated=self._changed[1])
        self._door.gate.finish(permit, outcome)


def _outcome(channels: Channels, screen: Screen, tape: Tape) -> Outcome:
    status = Status.ABORTED if not channels.code else Status.OK if channels.code == "0" else Status.ERROR
    return Outcome(
        status,
        native_code=channels.code,
        bytes_up=channels.bytes_up,
        bytes_down=tape.total_bytes,
        masked=screen.masked,
        shown=tape.shown,
        shown_format=FORMAT,
        shown_digest=tape.digest,
        shown_truncated=tape.truncated,
    )
