"""The operators' side of the control API: which sessions are open, what their terminals show, and how to end one.

    GET  /v1/sessions                        the sessions that are open now, oldest first
    GET  /v1/sessions/{id}/stream?after=N    what its client was sent after piece N; waits ten seconds for something.
                                             Without `after` it begins to watch, and says from which piece on
    POST /v1/sessions/{id}/end               {"reason": "..."}

Only people in a group that the configuration names (`operators`) may, and nobody where it names none; agents never.
That somebody watched, or ended a session and why, is on stable storage before it happens.

What it will not do: show what is not shown to the session's own client, or let anybody type.
"""

import base64
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from doorward_core import entries
from doorward_core.event import Event
from doorward_core.gate import Gate
from doorward_core.live import Shown
from doorward_core.model import Identity, PrincipalKind
from doorward_core.net.control import Call, Problem, Reply, Route, json_reply, read_json
from doorward_core.session_gate import SessionGate

WAIT_S: Final = 10.0  # of one question about a stream; the control port gives a handler 30
GONE_S: Final = 5.0  # for proxies to end what is meant; they take a fraction of a second, more on a busy machine
REASON_CHARACTERS: Final = 1000
MAX_DIGITS: Final = 18
MAX_LISTED: Final = 1000  # the default limit of connections


def session_routes(gate: Gate, groups: frozenset[str]) -> tuple[Route, ...]:
    """The routes; `groups` are those whose people may use them."""
    api = _Api(gate, groups)
    return (
        Route("GET", "/v1/sessions", api.only(api.list)),
        Route("GET", "/v1/sessions/{id}/stream", api.only(api.stream)),
        Route("POST", "/v1/sessions/{id}/end", api.only(api.end)),
    )


class _Api:
    def __init__(self, gate: Gate, groups: frozenset[str]) -> None:
        self._gate = gate
        self._groups = groups

    def only(self, handler: Callable[[Call], Awaitable[Reply]]) -> Callable[[Call], Awaitable[Reply]]:
        """A handler that answers operators alone."""

        async def answer(call: Call) -> Reply:
            if not is_operator(call.who, self._groups):
                raise Problem(403, "only people in a group of `operators` may look at sessions, or end them")
            return await handler(call)

        return answer

    async def list(self, call: Call) -> Reply:
        if call.query:
            raise Problem(400, "there is no filter")
        doors = sorted(self._gate.sessions.values(), key=lambda door: door.session.opened_unix_ns)
        return json_reply(
            {"sessions": [_summary(door) for door in doors[:MAX_LISTED]], "more": max(0, len(doors) - MAX_LISTED)}
        )

    async def stream(self, call: Call) -> Reply:
        door, after = self._door(call), _after(call)
        live, now = door.live, self._gate.clock()
        if after is None or not live.watched(now):
            await self._keep(entries.session_watched(door.session, call.who, call.peer))
        if after is None:
            await live.after(-1, self._gate.clock(), 0)
            return json_reply({"from": live.number, "pieces": [], "ended": live.ended})
        pieces = await live.after(after, now, WAIT_S)
        ended = live.ended or ("the session is over" if live.gone.is_set() else "")
        return json_reply({"from": after, "pieces": [_piece(one) for one in pieces], "ended": ended})

    async def end(self, call: Call) -> Reply:
        body = read_json(call)
        reason = body.get("reason")
        if set(body) != {"reason"} or not isinstance(reason, str) or not reason.strip():
            raise Problem(400, 'say why: {"reason": "..."}')
        if len(reason) > REASON_CHARACTERS:
            raise Problem(400, f"a reason has at most {REASON_CHARACTERS} characters")
        door = self._door(call)
        await self._keep(entries.session_ended(door.session, call.who, call.peer, reason.strip()))
        door.live.end(f"an operator ended this session: {reason.strip()}")
        with trio.move_on_after(GONE_S):
            await door.live.gone.wait()
        return json_reply({"session": door.session.id.hex(), "gone": door.live.gone.is_set()})

    async def _keep(self, event: Event) -> None:
        log = self._gate.log
        await log.durable(log.append(event, self._gate.clock()))

    def _door(self, call: Call) -> SessionGate:
        name = call.parameters["id"].lower()
        try:
            door = self._gate.sessions.get(bytes.fromhex(name))
        except ValueError:
            door = None
        if door is None:
            raise Problem(404, "there is no such session, or it is over")
        return door


def is_operator(who: Identity, groups: frozenset[str]) -> bool:
    """Whether somebody may look at sessions and end them."""
    return who.kind is PrincipalKind.HUMAN and not groups.isdisjoint(who.groups)


def _after(call: Call) -> int | None:
    text = call.query.get("after")
    number = text is None or (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS)
    if set(call.query) - {"after"} or not number:
        raise Problem(400, "after is the number of a piece; there is nothing else to say")
    return None if text is None else int(text)


def _summary(door: SessionGate) -> dict[str, object]:
    session = door.session
    return {
        "session": session.id.hex(),
        "opened_unix_ns": session.opened_unix_ns,
        "expires_unix_ns": session.identity.expires_unix_ns,
        "subject": session.identity.subject,
        "issuer": session.identity.issuer,
        "principal": session.identity.kind.value,
        "sponsor": session.identity.sponsor,
        "attributes": dict(session.identity.attributes),
        "resource": session.resource.name,
        "protocol": session.resource.protocol,
        "account": session.account,
        "peer": session.peer.address,
        "software": session.peer.software,
    }


def _piece(one: Shown) -> dict[str, object]:
    return {
        "number": one.number,
        "unix_ns": one.unix_ns,
        "operation": one.operation.hex(),
        "stream": one.stream,
        "data": base64.b64encode(one.data).decode("ascii"),
    }
