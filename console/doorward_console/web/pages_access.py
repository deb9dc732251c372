"""Access: what stands for a time, what is revoked, and taking either away.

    GET  /access                          what stands and what is revoked, over all gateways; the form that revokes
    POST /access/{gateway}/{id}/revoke    take standing access back
    POST /access/revoke                   revoke at every gateway: a token, a subject, a sponsor, a session
    GET  /access/everything               what it would be to revoke everything; the form that does
    POST /access/lift                     lift a revocation, wherever it is in force

Everybody with a role reads; each gateway shows what is theirs to see. What is taken away is judged there as well, and
what each gateway answered is on the page that follows: one that is down has revoked nothing.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute

from doorward_console.web.desk import Desk, Place
from doorward_console.web.open_sessions import open_sessions
from doorward_console.web.openapi import OBJECT, Asked, Entry, Schema
from doorward_console.web.people import Role
from doorward_console.web.reach import Gateway, GatewayDown, GatewayRefused
from doorward_console.web.revoking import Revoked, lift, read_entries, revoke
from doorward_console.web.standing import Standing, standing
from doorward_console.web.visits import Refusal, Visit, action, page
from doorward_core.access.ledger import What
from doorward_core.operators import REASON_CHARACTERS

PLACES = (Place("Access", "/access", order=45),)
OPERATORS: Final = frozenset({Role.OPERATOR})
DECIDERS: Final = frozenset({Role.APPROVER, Role.OPERATOR})
"""Who may take standing access back here. Whoever has it themselves, and who answers for them, use the command."""
WORDS: Final = {
    What.SUBJECT: "a person or an agent (subject)",
    What.SPONSOR: "all agents of a sponsor",
    What.TOKEN: "a credential (token)",
    What.SESSION: "a session, and what opened it",
}
MAX_VALUE: Final = 1_000
EVERYTHING: Final = What.EVERYTHING.value


def routes(desk: Desk) -> list[BaseRoute]:
    """The routes of access."""
    return [
        page(desk, "/access", _show),
        action(desk, "/access/revoke", _revoke, roles=OPERATORS),
        page(desk, "/access/everything", _everything, roles=OPERATORS),
        action(desk, "/access/lift", _lift, roles=OPERATORS),
        action(desk, "/access/{gateway}/{id}/revoke", _take_back, roles=DECIDERS),
    ]


async def _show(visit: Visit) -> Response:
    found = await standing(visit.desk, visit.person)
    return visit.render(
        "access.html", found=found, words=WORDS, operator=visit.person.may(OPERATORS),
        decides=visit.person.may(DECIDERS), gateways=tuple(visit.desk.gateways),
        what=visit.asked("what")[:MAX_VALUE], value=visit.asked("value")[:MAX_VALUE],
    )  # fmt: skip


async def _take_back(visit: Visit) -> Response:
    gateway, reason = _gateway(visit.desk, visit.request.path_params), reason_of(visit)
    try:
        await gateway.post(visit.person.token, "access", visit.name("id"), "revoke", body={"reason": reason})
    except GatewayRefused as error:
        raise Refusal(_status(error), f"It stands as before: {error.detail}.") from None
    except GatewayDown as error:
        words = f"The gateway {gateway.name} did not answer ({error}). Look whether it stands, and take it back again."
        raise Refusal(502, words) from None
    return visit.go("/access")


async def _revoke(visit: Visit) -> Response:
    what, value = visit.form.get("what", ""), visit.form.get("value", "").strip()
    if what not in set(What):
        raise Refusal(400, f"What is revoked is one of {', '.join(What)}.")
    if what == EVERYTHING:
        if visit.form.get("sure", "").strip().lower() != EVERYTHING:
            return await _everything(visit)
        value = ""
    elif not value or len(value) > MAX_VALUE:
        raise Refusal(400, f"Say whose or which, in at most {MAX_VALUE} characters.")
    reason, at = reason_of(visit), tuple(visit.form.get("at", "").split())
    if not set(at) <= set(visit.desk.gateways):
        raise Refusal(404, "There is no such gateway.")
    return revoked_page(visit, await revoke(visit.desk, visit.person, what=what, value=value, reason=reason, at=at))


def revoked_page(visit: Visit, done: Revoked) -> Response:
    """What each gateway made of a revocation."""
    return visit.render("revoked.html", status=200 if done.anywhere else HTTPStatus.BAD_GATEWAY, done=done, words=WORDS)


async def _everything(visit: Visit) -> Response:
    live, down = await open_sessions(visit.desk, visit.person)
    silent = {one.gateway: one.why for one in down}
    open_now = {name: sum(one.gateway == name for one in live) for name in visit.desk.gateways}
    reason = " ".join(visit.form.get("reason", "").split())[:REASON_CHARACTERS]
    return visit.render(
        "everything.html", open_now=open_now, silent=silent, reason=reason, again=visit.request.method == "POST"
    )


async def _lift(visit: Visit) -> Response:
    try:
        entries = read_entries(visit.form.get("which", ""))
    except ValueError:
        raise Refusal(400, "This form says of no revocation which it is.") from None
    outcomes = await lift(visit.desk, visit.person, entries, reason_of(visit))
    failed = [f"{one.gateway} ({one.why})" for one in outcomes if not one.done]
    if failed:
        raise Refusal(
            502, f"It is not lifted at {', '.join(failed)}. Look which are in force still.", title="Not lifted"
        )
    return visit.go("/access")


def reason_of(visit: Visit) -> str:
    """Why something is taken away, as the form says. Raises Refusal where it does not."""
    return _reason(visit.form.get("reason", ""))


def _reason(given: object) -> str:
    reason = " ".join(given.split()) if isinstance(given, str) else ""
    if not reason or len(reason) > REASON_CHARACTERS:
        raise Refusal(400, f"Say why, in at most {REASON_CHARACTERS} characters: the record keeps it.")
    return reason


def _gateway(desk: Desk, path: Mapping[str, str]) -> Gateway:
    found = desk.gateways.get(path["gateway"])
    if found is None:
        raise Refusal(404, "There is no such gateway.", title="No such gateway")
    return found


def _status(error: GatewayRefused) -> int:
    return error.status if error.status != HTTPStatus.UNAUTHORIZED else HTTPStatus.BAD_GATEWAY


async def shown(desk: Desk, asked: Asked) -> Standing:
    """What stands and what is revoked, for the JSON API."""
    return await standing(desk, asked.person)


async def taken_back(desk: Desk, asked: Asked) -> dict[str, object]:
    """Standing access taken back, for the JSON API."""
    gateway = _gateway(desk, asked.path)
    return await gateway.post(asked.person.token, "access", asked.path["id"], "revoke", body=asked.body)


async def revoked(desk: Desk, asked: Asked) -> Revoked:
    """A revocation at every gateway, for the JSON API; each one's answer is in it, whatever it is."""
    what, value, at = asked.body.get("what"), asked.body.get("value", ""), asked.body.get("at", [])
    if set(asked.body) - {"what", "value", "reason", "at"} or not _named(what) or not isinstance(value, str):
        raise Refusal(400, f"what is one of {', '.join(What)}; value says whose, or which")
    if not isinstance(at, list) or not all(isinstance(name, str) and name in desk.gateways for name in at):
        raise Refusal(400, f"at is a list of gateways: {', '.join(desk.gateways)}")
    reason = _reason(asked.body.get("reason"))
    return await revoke(desk, asked.person, what=str(what), value=value, reason=reason, at=tuple(at))


def _named(what: object) -> bool:
    return isinstance(what, str) and what in set(What)


async def lifted(desk: Desk, asked: Asked) -> dict[str, object]:
    """One gateway's own entry of a revocation lifted, for the JSON API."""
    gateway = _gateway(desk, asked.path)
    return await gateway.post(asked.person.token, "revocations", asked.path["id"], "lift", body=asked.body)


_WHY: Schema = {"type": "string", "maxLength": REASON_CHARACTERS}
_REASON: Schema = {"type": "object", "properties": {"reason": _WHY}, "required": ["reason"]}
_REVOKED: Schema = {
    "type": "object",
    "properties": {
        "what": {"type": "string", "enum": list(What)},
        "value": {"type": "string", "maxLength": MAX_VALUE, "description": "whose, or which; none for everything"},
        "reason": _WHY,
        "at": {"type": "array", "items": {"type": "string"}, "description": "gateways; all of them if left out"},
    },
    "required": ["what", "reason"],
}
API = (
    Entry("GET", "/v1/access", "What stands for a time, and what is revoked, over all gateways", shown, Standing),
    Entry(
        "POST", "/v1/access/{gateway}/{id}/revoke", "Take standing access back", taken_back, OBJECT, DECIDERS,
        body=_REASON,
    ),
    Entry("POST", "/v1/revocations", "Revoke at every gateway", revoked, Revoked, OPERATORS, body=_REVOKED),
    Entry("POST", "/v1/revocations/{gateway}/{id}/lift", "Lift a revocation", lifted, OBJECT, OPERATORS, body=_REASON),
)  # fmt: skip
