"""The operators' side of the control API: what is taken away, from whom, until when.

    POST /v1/revocations              {"what": "token"|"subject"|"sponsor"|"session"|"everything",
                                       "value": "...", "reason": "..."}
    GET  /v1/revocations              what is revoked now, oldest first
    POST /v1/revocations/{id}/lift    {"reason": "..."}

Only people in a group that the configuration names (`operators`) may, and nobody where it names none; agents never.
It is on stable storage before it acts. Then live sessions that it means end, what they hold never runs, standing access
and broken glass of the same people end, and nobody whom it means opens a session until it is lifted.

What it will not do: judge. Whoever is meant by a revocation is not heard here either, but for that of everything.
"""

import secrets
from typing import Final

import structlog
import trio

from doorward_core.access.codec import revocation_out
from doorward_core.access.ledger import Revocation, What
from doorward_core.access.register import Register, RegisterFull
from doorward_core.approvals.request import RequestState
from doorward_core.errors import RecordError, StoreError
from doorward_core.gate import Gate
from doorward_core.model import Identity
from doorward_core.net.control import Call, Problem, Reply, Route, json_reply, read_json
from doorward_core.operators import GONE_S, REASON_CHARACTERS, is_operator
from doorward_core.session_gate import SessionGate

VALUE_CHARACTERS: Final = 1000
RANDOM_BYTES: Final = 6

log = structlog.get_logger()


def revocation_routes(gate: Gate, register: Register, groups: frozenset[str]) -> tuple[Route, ...]:
    """The routes; `groups` are those whose people may use them."""
    api = _Api(gate, register, groups)
    return (
        Route("POST", "/v1/revocations", api.revoke),
        Route("GET", "/v1/revocations", api.list),
        Route("POST", "/v1/revocations/{id}/lift", api.lift),
    )


class _Api:
    def __init__(self, gate: Gate, register: Register, groups: frozenset[str]) -> None:
        self._gate = gate
        self._register = register
        self._groups = groups

    async def list(self, call: Call) -> Reply:
        self._operator(call)
        await trio.lowlevel.checkpoint()
        return json_reply({"revocations": [revocation_out(one) for one in self._gate.ledger.revocations.values()]})

    async def revoke(self, call: Call) -> Reply:
        operator = self._operator(call)
        one = self._wanted(read_json(call), operator)
        meant: list[SessionGate] = []

        def act() -> None:
            meant.extend(self._gate.meant(one))
            for door in meant:
                door.revoke(one)

        kept = ""
        try:
            await self._register.revoke(one, operator, call.peer, sessions=lambda: len(self._gate.meant(one)), act=act)
        except RegisterFull as error:
            raise Problem(409, str(error)) from None
        except StoreError as error:
            kept = f"it is in force, and a restart of this gateway will have forgotten it: {error}"
            log.warning("revocation.unkept", revocation=one.id, problem=str(error))
        with trio.CancelScope(shield=True):
            await self._take_back(one)
        with trio.move_on_after(GONE_S):
            for door in meant:
                await door.live.gone.wait()
        gone = sum(door.live.gone.is_set() for door in meant)
        answer = {**revocation_out(one), "sessions": len(meant), "gone": gone, "problem": kept}
        return json_reply(answer)

    async def lift(self, call: Call) -> Reply:
        operator = self._operator(call)
        reason = _reason(read_json(call), {"reason"})
        one = self._gate.ledger.revocations.get(call.parameters["id"].lower())
        if one is None or not await self._register.lift(one, operator, call.peer, reason):
            raise Problem(404, "there is no such revocation, or it was lifted")
        return json_reply({**revocation_out(one), "lifted": True})

    def _operator(self, call: Call) -> Identity:
        if not is_operator(call.who, self._groups):
            raise Problem(403, "only people in a group of `operators` may revoke, or lift a revocation")
        return call.who

    def _wanted(self, body: dict[str, object], operator: Identity) -> Revocation:
        reason = _reason(body, {"what", "value", "reason"})
        what, value = body.get("what"), body.get("value", "")
        if (
            type(what) is not str
            or what not in set(What)
            or not isinstance(value, str)
            or len(value) > VALUE_CHARACTERS
        ):
            raise Problem(400, f"what is one of {', '.join(What)}; value says whose, or which")
        value, credential = value.strip(), ""
        if (what == What.EVERYTHING) is bool(value):
            raise Problem(400, "`everything` has no value, and everything else needs one")
        if what == What.SESSION:
            value = value.lower()
            credential = self._credential(value)
        return Revocation(
            f"rv-{secrets.token_hex(RANDOM_BYTES)}",
            What(what),
            value,
            reason,
            operator.subject,
            operator.issuer,
            self._gate.clock(),
            credential,
        )

    def _credential(self, session: str) -> str:
        """What opened a live session: it goes with the session, else its client would be back at once."""
        try:
            door = self._gate.sessions.get(bytes.fromhex(session))
        except ValueError:
            door = None
        if door is None:
            raise Problem(404, "there is no such session, or it is over; revoke the credential that opened it")
        return door.session.identity.credential_id

    async def _take_back(self, one: Revocation) -> None:
        """What else its people have: standing access, requests for it, and glass that is open."""
        now, desk = self._gate.clock(), self._gate.desk
        open_now = (glass for glass in self._gate.ledger.openings.values() if now < glass.until_unix_ns)
        try:
            await self._register.shut(tuple(glass for glass in open_now if one.names(glass.subject, glass.display)))
            for stands in desk.standing:
                if one.names(stands.request.subject, stands.request.display, stands.request.sponsor):
                    await desk.end_standing(stands.request, f"revoked: {one.id}")
            for case in await desk.list(RequestState.PENDING):
                asked = case.request
                if asked.standing and one.names(asked.subject, asked.display, asked.sponsor):
                    await desk.withdraw(asked.id, f"revoked: {one.id}")
        except (RecordError, StoreError) as error:  # none of it lets anybody in: they have no sessions
            log.warning("revocation.incomplete", revocation=one.id, problem=str(error))


def _reason(body: dict[str, object], members: set[str]) -> str:
    reason = body.get("reason")
    if set(body) - members or not isinstance(reason, str) or not reason.strip():
        raise Problem(400, f"say why; the members are {', '.join(sorted(members))}")
    if len(reason) > REASON_CHARACTERS:
        raise Problem(400, f"a reason has at most {REASON_CHARACTERS} characters")
    return reason.strip()
