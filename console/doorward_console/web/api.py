"""The JSON API: what the pages show, for programs, through the same questions.

    GET /api/openapi.json    describes all of it (OpenAPI 3.1), made of the same table as the routes
    /api/v1/...              the entries that page modules list in `API`

Who calls shows an access token of the identity provider (RFC 6750); cookies mean nothing here, so that no page of
another site can call it with somebody's login. Problems are RFC 9457. A POST must say that it is JSON.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from doorward_console.web.desk import Desk
from doorward_console.web.openapi import Asked, Entry, document
from doorward_console.web.people import Person, roles_of
from doorward_console.web.reach import GatewayDown, GatewayRefused
from doorward_console.web.visits import Refusal, peer_of, read_body
from doorward_core.errors import AuthenticationError, RecordError
from doorward_core.model import Secret

DESCRIPTION = "/api/openapi.json"


def api_routes(desk: Desk, entries: Sequence[Entry]) -> list[BaseRoute]:
    """The routes of all entries, and of their description."""
    described = document(entries, desk.settings.url)

    async def describe(_request: Request) -> Response:
        return JSONResponse(described)

    routes: list[BaseRoute] = [Route(DESCRIPTION, describe, methods=["GET"])]
    return [*routes, *(Route(f"/api{one.path}", _answering(desk, one), methods=[one.method]) for one in entries)]


def _answering(desk: Desk, entry: Entry) -> Callable[..., object]:
    async def answer(request: Request) -> Response:
        try:
            return as_json(await entry.handler(desk, await _asked(desk, entry, request)))
        except Refusal as refusal:
            return problem(refusal.status, refusal.words)
        except AuthenticationError:
            return problem(401, "a valid bearer token is needed", {"WWW-Authenticate": 'Bearer realm="doorward desk"'})
        except GatewayRefused as error:
            status = error.status if error.status != HTTPStatus.UNAUTHORIZED else HTTPStatus.BAD_GATEWAY
            return problem(status, error.detail)
        except GatewayDown as error:
            return problem(502, f"the gateway did not answer: {error}")
        except RecordError:
            return problem(503, "what is read here is recorded, and just now it cannot be")

    return answer


async def _asked(desk: Desk, entry: Entry, request: Request) -> Asked:
    """Who calls, whether they may, and what they ask."""
    person, peer = await _person(desk, request), peer_of(request).address
    if not person.may(entry.roles):
        await desk.diary.refused("page", peer, person)
        raise Refusal(403, f"this is for the role {' or '.join(sorted(entry.roles))}")
    body = {} if entry.method == "GET" else await _body(request)
    return Asked(person, request.path_params, _query(request, entry), body, peer)


async def _person(desk: Desk, request: Request) -> Person:
    given = request.headers.getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise AuthenticationError("no bearer token, or several")
    secret = Secret(token.strip())
    identity = await desk.provider.identify(secret, peer_of(request))
    return Person(identity, roles_of(identity, desk.settings.roles), secret)


def _query(request: Request, entry: Entry) -> Mapping[str, str]:
    known = {one.name: one for one in entry.query}
    given = request.query_params.multi_items()
    for name, value in given:
        if name not in known or len(request.query_params.getlist(name)) > 1:
            raise Refusal(400, f"the query has {', '.join(known) or 'nothing'}, each once")
        if known[name].choices and value not in known[name].choices:
            raise Refusal(400, f"{name} is one of {', '.join(known[name].choices)}")
    return dict(given)


async def _body(request: Request) -> Mapping[str, object]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "send JSON, and say so: Content-Type: application/json")
    try:
        read = json.loads(await read_body(request))
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise Refusal(400, "expected one JSON object")
    return read


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Why not, as `application/problem+json`."""
    body = {"status": status, "title": HTTPStatus(status).phrase, "detail": detail}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def as_json(value: object) -> Response:
    """What a page is made of, as JSON."""
    return Response(json.dumps(value, default=_plain, separators=(",", ":")), media_type="application/json")


def _plain(value: object) -> object:
    """What JSON has no form for, as something that it has one for."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    return str(value)
