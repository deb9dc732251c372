"""What the gateway asks the cluster itself about a write: how its object is now, and what a dry run says comes of it.

What it is: the shell that asks in the name of whoever asks, as operations of their own: decided by policy like any
other, recorded, bounded in time and in size; and the comparison that is made of the answers.
What it will not do: ask for what policy does not allow outright (whatever is held or refused is not asked), show or
keep what a mask hides, or keep a write from going on because a look at it failed.

Implements: section "Previews" of docs/k8s.md.
Invariants: before a write is permitted nothing is asked but dry runs, where the operator switched them on and policy
allows the dry run and the look; every Permit is finished in the record.
"""

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import trio

from doorward_core.doors import Door, Held
from doorward_core.errors import UnreadableBody, UpstreamProtocolError, UpstreamUnavailable
from doorward_core.event import Outcome, Status
from doorward_core.http.upstream import UpstreamResponse
from doorward_core.model import Effect, Operation, Permit
from doorward_core.session_gate import Memo
from doorward_k8s.changes import NOTHING, Change, Seen, changes, lines, removed
from doorward_k8s.documents import Json, Unreadable, member
from doorward_k8s.headers import for_cluster
from doorward_k8s.impersonation import NotImpersonable
from doorward_k8s.masking import Owing
from doorward_k8s.object_paths import Resource
from doorward_k8s.operations import Request, read
from doorward_k8s.refusals import request_id
from doorward_k8s.upstream import Cluster
from doorward_k8s.writes import MAX_COMPARED_BYTES, changes_one, is_rehearsal, look_of, rehearsal_of, writes

LOOK_S: Final = 10.0  # a dry run runs the cluster's webhooks, which have ten seconds by default
OPERATION_ID_BYTES: Final = 16
MAX_TOLD_CHARS: Final = 8 * 1024  # of a card that has 32 KiB
FOUND: Final = 200
MORE_THAN_FINE: Final = 300
ABSENT: Final = 404
HEADING: Final = "a dry run, which the gateway asked for beforehand:"
_REASON: Final = re.compile(r"[A-Za-z]{1,64}")
Changes = tuple[tuple[Change, ...], bool]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the cluster said; without a body where that was too long."""

    status: int
    body: bytes | None

    @property
    def fine(self) -> bool:
        """Whether it did what it was asked."""
        return FOUND <= self.status < MORE_THAN_FINE


class Looks:
    """The looks of one session at one cluster."""

    def __init__(self, cluster: Cluster, door: Door, owing: Owing, clock: Callable[[], int]) -> None:
        self._cluster = cluster
        self._door = door
        self._owing = owing
        self._clock = clock

    async def rehearsed(self, request: Request, operation: Operation) -> Operation:
        """A write that is held, with what a dry run says would come of it, for those who are asked."""
        call = request.call
        wanted = self._cluster.settings.previews and writes(call) and call.verb != "deletecollection"
        if not wanted or is_rehearsal(operation) or not self._door.gate.holds(operation, {}):
            return operation
        try:
            rehearsal = rehearsal_of(request)
        except Unreadable:
            return operation
        before = await self.before(request, operation)
        answer = await self._ask(rehearsal, operation)
        if answer is None:
            return operation
        told = f"\n\n{HEADING}\n{self._words(request, before, answer)}"
        room = MAX_TOLD_CHARS * 3  # what is written stands first, and is cut for it only where it is longer
        return replace(
            operation,
            text=operation.text[:room] + told,
            text_truncated=operation.text_truncated or len(operation.text) > room,
        )

    def _words(self, request: Request, before: Seen | None, answer: Answer) -> str:
        if not answer.fine:
            said = member(_json(answer.body), "reason")
            named = f" {said}" if isinstance(said, str) and _REASON.fullmatch(said) else ""
            return f"the cluster refuses it: {answer.status}{named}"
        found = self.changed(request, before, answer)
        if found is None:
            return "the cluster takes it; what would change cannot be shown"
        told = lines(found[0], more=found[1]) or "it would change nothing"
        return told if len(told) <= MAX_TOLD_CHARS else f"{told[:MAX_TOLD_CHARS]}\nand more"

    async def before(self, request: Request, operation: Operation) -> Seen | None:
        """How the object of a write is now; NOTHING where there is none, None where it is not known."""
        if not changes_one(request.call):
            return NOTHING
        answer = await self._ask(look_of(request), operation)
        if answer is None or answer.status == ABSENT:
            return None if answer is None else NOTHING
        return self._side(request, answer.body) if answer.fine else None

    def changed(self, request: Request, before: Seen | None, answer: Answer) -> Changes | None:
        """What a write has changed, by its answer; None where that is not known."""
        if not answer.fine or answer.body is None or before is None:
            return None
        after = self._side(request, answer.body)
        if after is None:
            return None
        if request.call.verb == "deletecollection":
            return removed(after.shown)
        told = member(after.raw, "kind")
        # What is removed at once is answered with as it was; what goes later has the time of it.
        if request.call.verb == "delete" and not member(after.raw, "metadata", "deletionTimestamp"):
            after = NOTHING
        elif told in {"Status", "Table"}:
            return None
        return changes(before, after)

    def _side(self, request: Request, body: bytes | None) -> Seen | None:
        """An object as it is and as it may be shown; None for what cannot be."""
        call, raw = request.call, _json(body)
        if body is None or raw is None:
            return None
        show = self._owing.show(self._door.gate.masks, Resource(call.group, call.resource, call.sub))
        try:
            shown = _json(show(body, "application/json"))
        except UnreadableBody:
            return None
        return Seen(raw, shown)

    async def _ask(self, asked: Request, about: Operation) -> Answer | None:
        """Ask, if policy allows it outright; None where nothing was asked, or nothing answered."""
        gate, call = self._door.gate, asked.call
        session = gate.session
        try:
            reading = read(
                asked,
                identifier=secrets.token_bytes(OPERATION_ID_BYTES),
                seq=self._door.number(),
                account=session.account,
                cluster=self._cluster.destination.authority,
                show=self._owing.show(gate.masks, Resource(call.group, call.resource, call.sub)),
            )
        except Unreadable:
            return None
        attributes = {**reading.operation.attributes, "for": request_id(about)}
        operation = replace(reading.operation, attributes=attributes)
        memo: Memo = {}
        if gate.holds(operation, memo) or not any(one.effect is Effect.PERMIT for one in memo.values()):
            return None
        verdict = await gate.decide(operation, Held(self._clock()), memo)
        return await self._sent(asked, verdict) if isinstance(verdict, Permit) else None

    async def _sent(self, asked: Request, permit: Permit) -> Answer | None:
        began_ns, answer, outcome = self._clock(), None, Outcome(Status.ABORTED)
        try:
            with self._door.life(), trio.move_on_after(LOOK_S):
                lines_on = for_cluster(asked.head.headers)
                head = await self._cluster.head(self._door.gate.session, asked, lines_on, permit.operation)
                async with self._cluster.pool.request(head, asked.body) as response:
                    answer = Answer(response.head.status, await _whole(response))
                    status = Status.OK if answer.fine else Status.ERROR
                    outcome = Outcome(
                        status,
                        str(answer.status),
                        bytes_up=len(asked.body),
                        bytes_down=len(answer.body or b""),
                    )
        except (UpstreamUnavailable, UpstreamProtocolError, NotImpersonable):
            answer = None  # the write itself will be told the same
        finally:
            took_ns = max(0, self._clock() - began_ns)
            self._door.gate.finish(permit, replace(outcome, duration_ns=took_ns))
        return answer


async def _whole(response: UpstreamResponse) -> bytes | None:
    body = bytearray()
    while piece := await response.read():
        body += piece
        if len(body) > MAX_COMPARED_BYTES:
            return None
    return bytes(body)


def _json(body: bytes | None) -> Json:
    try:
        found: Json = json.loads(body or b"null")
    except (ValueError, RecursionError):
        return None
    return found
