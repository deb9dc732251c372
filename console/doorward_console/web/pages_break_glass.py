"""Broken glass: breaking it, what is open, and the review that is owed.

    GET  /break-glass                          what is open, what is owed, what was reviewed; the form that breaks it
    POST /break-glass                          break it: for oneself, on one resource, for some minutes
    POST /break-glass/{gateway}/{id}/review    sign a review, in words

The form of a review stands on the front page too, and stays there until somebody else than who broke the glass signed.
Whether somebody may break it, or review, each gateway says; the form is shown to those whom one lets.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute

from doorward_console.web.desk import Desk
from doorward_console.web.openapi import OBJECT, Asked, Entry, Parameter, Schema
from doorward_console.web.openings import STATES, Openings, openings
from doorward_console.web.people import EVERYBODY
from doorward_console.web.reach import Gateway, GatewayDown, GatewayRefused
from doorward_console.web.standing import rights
from doorward_console.web.visits import Refusal, Visit, action, page
from doorward_core.operators import REASON_CHARACTERS

MAX_MINUTES: Final = 24 * 60
"""What a form may ask for; each gateway has a bound of its own (`break_glass.longest`)."""
_MINUTE_S: Final = 60
_FIELDS: Final = ("gateway", "resource", "minutes", "reason")


def routes(desk: Desk) -> list[BaseRoute]:
    """The routes of broken glass."""
    return [
        page(desk, "/break-glass", _page),
        action(desk, "/break-glass", _break),
        action(desk, "/break-glass/{gateway}/{id}/review", _review),
    ]


async def _page(visit: Visit) -> Response:
    return await _show(visit)


async def _show(visit: Visit, problem: str = "", status: int = 200) -> Response:
    found = await openings(visit.desk, visit.person, "all")
    breaks = tuple(one.gateway for one in await rights(visit.desk, visit.person) if one.break_glass)
    given = {name: visit.form.get(name, "")[:REASON_CHARACTERS] for name in _FIELDS}
    return visit.render("break_glass.html", status=status, found=found, breaks=breaks, given=given, problem=problem)


async def _break(visit: Visit) -> Response:
    minutes, reason = visit.form.get("minutes", "").strip(), " ".join(visit.form.get("reason", "").split())
    gateway, resource = visit.desk.gateways.get(visit.form.get("gateway", "")), visit.form.get("resource", "").strip()
    if not (minutes.isascii() and minutes.isdigit() and len(minutes) <= len(str(MAX_MINUTES)) and int(minutes)):
        return await _show(visit, f"Say for how many minutes, from 1 to {MAX_MINUTES}.", HTTPStatus.BAD_REQUEST)
    if gateway is None or not resource or not reason or len(reason) > REASON_CHARACTERS:
        return await _show(visit, "Say at which gateway, on which resource, and why.", HTTPStatus.BAD_REQUEST)
    body = {"resource": resource, "reason": reason, "seconds": int(minutes) * _MINUTE_S}
    try:
        await gateway.post(visit.person.token, "break-glass", body=body)
    except GatewayRefused as error:
        return await _show(visit, f"It is not broken: {error.detail}.", _status(error))
    except GatewayDown as error:
        words = f"The gateway did not answer ({error}). Look below whether it is broken, before you do it again."
        return await _show(visit, words, HTTPStatus.BAD_GATEWAY)
    return visit.go("/break-glass")


async def _review(visit: Visit) -> Response:
    gateway = _gateway(visit.desk, visit.request.path_params)
    words = " ".join(visit.form.get("words", "").split())
    if not words:
        raise Refusal(400, "Say what you found: a review without words is none.")
    try:
        await gateway.post(visit.person.token, "break-glass", visit.name("id"), "review", body={"words": words})
    except GatewayRefused as error:
        raise Refusal(_status(error), f"Your review does not count: {error.detail}.") from None
    except GatewayDown as error:
        raise Refusal(502, f"The gateway did not answer ({error}). Look before you do it again.") from None
    return visit.go("/break-glass" if visit.form.get("back") == "break-glass" else "/")


def _gateway(desk: Desk, path: Mapping[str, str]) -> Gateway:
    found = desk.gateways.get(path["gateway"])
    if found is None:
        raise Refusal(404, "There is no such gateway.")
    return found


def _status(error: GatewayRefused) -> int:
    return error.status if error.status != HTTPStatus.UNAUTHORIZED else HTTPStatus.BAD_GATEWAY


async def shown(desk: Desk, asked: Asked) -> Openings:
    """Broken glass, for the JSON API."""
    return await openings(desk, asked.person, asked.query.get("state", "owed"))


async def broken(desk: Desk, asked: Asked) -> dict[str, object]:
    """The glass broken, for the JSON API: by the caller, for the caller."""
    return await _gateway(desk, asked.path).post(asked.person.token, "break-glass", body=asked.body)


async def reviewed(desk: Desk, asked: Asked) -> dict[str, object]:
    """A review signed, for the JSON API."""
    gateway, name = _gateway(desk, asked.path), asked.path["id"]
    return await gateway.post(asked.person.token, "break-glass", name, "review", body=asked.body)


_STATE = Parameter("state", "which openings; those whose review is owed where it is not said", STATES)
_TEXT: Schema = {"type": "string", "maxLength": REASON_CHARACTERS}
_OPEN: Schema = {
    "type": "object",
    "properties": {"resource": {"type": "string"}, "reason": _TEXT, "seconds": {"type": "integer", "minimum": 1}},
    "required": ["resource", "reason", "seconds"],
}
_REVIEW: Schema = {"type": "object", "properties": {"words": _TEXT}, "required": ["words"]}
API = (
    Entry(
        "GET", "/v1/break-glass", "Break-glass access: owed a review, open, or all", shown, Openings, query=(_STATE,)
    ),
    Entry("POST", "/v1/break-glass/{gateway}", "Break the glass", broken, OBJECT, EVERYBODY, body=_OPEN),
    Entry("POST", "/v1/break-glass/{gateway}/{id}/review", "Sign a review", reviewed, OBJECT, EVERYBODY, body=_REVIEW),
)
