"""One request: all there is to know about it, and the vote.

    GET  /approvals/{id}                          leads to its page, at whichever gateway it is: for links in messages
    GET  /requests/{gateway}/{id}                 its page
    GET  /requests/{gateway}/{id}/state           whether it is open, and attended, and how many voted (JSON), for its
                                                  open page
    POST /requests/{gateway}/{id}/statement       what a vote would have to sign, for a passkey (JSON; changes nothing)
    POST /requests/{gateway}/{id}/vote            the vote

A vote carries the digest of the card that was shown, so that it counts for nothing else; and the person's own proof:
their passkey's, or the token of their own login. The gateway judges both.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from doorward_console.web.cases import case
from doorward_console.web.desk import Desk
from doorward_console.web.openapi import OBJECT, Asked, Entry, Schema
from doorward_console.web.people import Role
from doorward_console.web.reach import Gateway, GatewayDown, GatewayRefused, ask_all
from doorward_console.web.visits import Refusal, Visit, action, page
from doorward_core.approvals.codec import card
from doorward_core.approvals.request import Verdict, canonical_id
from doorward_core.approvals.votes import MAX_REASON_CHARACTERS

APPROVERS = frozenset({Role.APPROVER})
_PROOF = frozenset({"kind", "credential", "authenticator_data", "client_data", "signature", "cast_unix_ns"})


def routes(desk: Desk) -> list[BaseRoute]:
    """The routes of a request."""
    return [
        page(desk, "/approvals/{id}", _find),
        page(desk, "/requests/{gateway}/{id}", _page),
        page(desk, "/requests/{gateway}/{id}/state", _state, by_itself=True),
        action(desk, "/requests/{gateway}/{id}/statement", _statement, roles=APPROVERS),
        action(desk, "/requests/{gateway}/{id}/vote", _vote, roles=APPROVERS),
    ]


async def _find(visit: Visit) -> Response:
    name = _id(visit)
    gateways = tuple(visit.desk.gateways.values())
    told, down = await ask_all(gateways, visit.person.token, "approvals", name)
    if told:
        return visit.go(f"/requests/{told[0].gateway}/{name}")
    silent = [one.gateway for one in down if not one.refused]
    if silent:
        raise Refusal(502, f"Not found at the gateways that answer; {', '.join(silent)} did not.")
    raise _absent()


async def _page(visit: Visit) -> Response:
    return await _show(visit)


async def _show(visit: Visit, problem: str = "", status: int = 200) -> Response:
    gateway, name = _gateway(visit), _id(visit)
    await visit.reading("request", name)
    try:
        shown = await case(visit.desk, gateway, visit.person, name)
    except GatewayRefused as error:
        raise _refused(error) from None
    except GatewayDown as error:
        raise Refusal(502, f"The gateway {gateway.name} does not answer: {error}.") from None
    return visit.render("request.html", status=status, case=shown, problem=problem)


async def _state(visit: Visit) -> Response:
    """Nothing of what the request says, so it is no reading of it."""
    try:
        answer = await _gateway(visit).get(visit.person.token, "approvals", _id(visit))
    except GatewayRefused as error:
        raise _refused(error) from None
    except GatewayDown as error:
        return JSONResponse({"problem": f"The gateway does not answer: {error}."}, HTTPStatus.BAD_GATEWAY)
    votes = answer.get("votes")
    number = len(votes) if isinstance(votes, list) else 0
    attended = answer.get("attended") is not False  # an older gateway does not say
    return JSONResponse({"state": str(answer.get("state")), "votes": number, "attended": attended})


async def _statement(visit: Visit) -> Response:
    body = {"verdict": _verdict(visit).value, "reason": _reason(visit), **_retry(visit)}
    try:
        answer = await _gateway(visit).post(visit.person.token, "approvals", _id(visit), "statement", body=body)
    except GatewayRefused as error:
        return JSONResponse({"problem": error.detail}, error.status)
    except GatewayDown as error:
        return JSONResponse({"problem": f"The gateway does not answer: {error}."}, HTTPStatus.BAD_GATEWAY)
    given = ("statement", "challenge", "cast_unix_ns", "content", "passkeys", "rp_id")
    # As text: a time in nanoseconds is more than a number of JavaScript's can hold.
    told = {name: answer.get(name) for name in given} | {"cast_unix_ns": str(answer.get("cast_unix_ns"))}
    return JSONResponse(told)


async def _vote(visit: Visit) -> Response:
    verdict, reason = _verdict(visit), _reason(visit)
    if verdict is Verdict.REJECT and not reason:
        return await _show(visit, "Say why you reject it: the requester reads it.", HTTPStatus.BAD_REQUEST)
    body: dict[str, object] = {"verdict": verdict.value, "reason": reason, "content": visit.form.get("content", "")}
    body |= _retry(visit)
    if visit.form.get("proof"):
        body["proof"] = _proof(visit.form["proof"])
    try:
        await _gateway(visit).post(visit.person.token, "approvals", _id(visit), "vote", body=body)
    except GatewayRefused as error:
        if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.UNAUTHORIZED}:
            raise _refused(error) from None
        return await _show(visit, f"Your vote does not count: {error.detail}.", error.status)
    except GatewayDown as error:
        words = f"The gateway did not answer ({error}). Your vote may have been heard: look before you vote again."
        raise Refusal(502, words) from None
    return visit.go(f"/requests/{_gateway(visit).name}/{_id(visit)}")


def _gateway(visit: Visit) -> Gateway:
    return _gateway_of(visit.desk, visit.request.path_params)


def _id(visit: Visit) -> str:
    return _id_of(visit.request.path_params)


def _gateway_of(desk: Desk, path: Mapping[str, str]) -> Gateway:
    found = desk.gateways.get(path["gateway"])
    if found is None:
        raise _absent()
    return found


def _id_of(path: Mapping[str, str]) -> str:
    name = canonical_id(path["id"])
    if name is None:
        raise _absent()
    return name


def _absent() -> Refusal:
    return Refusal(404, "There is no such request, or it is not yours to see.", title="No such request")


def _refused(error: GatewayRefused) -> Refusal:
    if error.status == HTTPStatus.NOT_FOUND:
        return _absent()
    if error.status == HTTPStatus.UNAUTHORIZED:
        return Refusal(502, "The gateway does not take your login. Log out and in again; else tell its operator.")
    return Refusal(error.status, f"The gateway refused: {error.detail}.")


async def shown(desk: Desk, asked: Asked) -> dict[str, object]:
    """One request, for the JSON API; that it was read is recorded first."""
    gateway, name = _gateway_of(desk, asked.path), _id_of(asked.path)
    await desk.read(asked.person, "request", name, asked.peer)
    found = await case(desk, gateway, asked.person, name)
    return {
        "gateway": found.gateway,
        "state": found.detail.state,
        "request": card(found.request),
        "content": found.detail.content,
        "votes": [dict(vote) for vote in found.detail.votes],
        "missing": dict(found.detail.missing),
        "flags": [{"kind": flag.kind.value, "count": flag.count, "words": flag.words} for flag in found.flags],
        "granted_until_unix_ns": found.granted_until_unix_ns,
        "attended": found.detail.attended,
        "retry": found.detail.retry,
        "before": dict(found.before),
    }


async def voted(desk: Desk, asked: Asked) -> dict[str, object]:
    """A vote, for the JSON API: it goes to the gateway as it is, with the caller's own token."""
    gateway, name = _gateway_of(desk, asked.path), _id_of(asked.path)
    return await gateway.post(asked.person.token, "approvals", name, "vote", body=asked.body)


_VOTE: Schema = {
    "type": "object",
    "properties": {
        "verdict": {"type": "string", "enum": list(Verdict)},
        "reason": {"type": "string", "maxLength": MAX_REASON_CHARACTERS},
        "retry": {
            "type": "boolean",
            "description": "where the rule allows one: whether an identical retry may use the approval as well, once;"
            " left out, it is for the one that waits alone",
        },
        "content": {"type": "string", "description": "the digest of the card that was decided on"},
        "proof": {"type": "object", "description": "as the gateway's control API takes it (docs/approvals.md)"},
    },
    "required": ["verdict"],
}
API = (
    Entry("GET", "/v1/approvals/{gateway}/{id}", "One request, whole", shown, OBJECT),
    Entry("POST", "/v1/approvals/{gateway}/{id}/vote", "Vote", voted, OBJECT, APPROVERS, body=_VOTE),
)


def _verdict(visit: Visit) -> Verdict:
    given = visit.form.get("verdict", "")
    if given not in set(Verdict):
        raise Refusal(400, "A vote approves or rejects.")
    return Verdict(given)


def _retry(visit: Visit) -> dict[str, bool]:
    """What was chosen about an identical retry, where there was a choice."""
    given = visit.form.get("retry", "")
    if given not in {"", "true", "false"}:
        raise Refusal(400, "An approval allows an identical retry, or does not.")
    return {"retry": given == "true"} if given else {}


def _reason(visit: Visit) -> str:
    reason = " ".join(visit.form.get("reason", "").split())
    if len(reason) > MAX_REASON_CHARACTERS:
        raise Refusal(400, f"A reason has at most {MAX_REASON_CHARACTERS} characters.")
    return reason


def _proof(text: str) -> Mapping[str, object]:
    """What the page's script made of the passkey's answer; its time comes as text."""
    try:
        document = json.loads(text)
        proof = {**document, "cast_unix_ns": int(document["cast_unix_ns"])}
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Refusal(400, "The passkey's answer cannot be read.") from None
    if set(proof) != _PROOF:
        raise Refusal(400, "The passkey's answer cannot be read.")
    return proof
