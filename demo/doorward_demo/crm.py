"""A small CRM with an HTTP API, for the demonstration: the same customers as the shop's, behind one service token.

What it is: four requests over what `doorward_demo.dataset` makes up: look at customers, delete one, write a note about
one, and follow what happens as server-sent events (WHATWG HTML, "Server-sent events").
What it will not do: keep anything, listen on anything but 127.0.0.1, or hide a value: that is the gateway's work.

Run it: `CRM_TOKEN=... python -m doorward_demo.crm --port 8080`; it serves until SIGTERM.
"""

import argparse
import hmac
import json
import os
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from doorward_demo.dataset import Customer, customers

ADDRESS: Final = "127.0.0.1"
CUSTOMERS: Final = 100
LIMIT: Final = 20
EVENTS: Final = 4
BETWEEN_EVENTS_S: Final = 0.25  # slow enough to be seen to stream


def shown(customer: Customer) -> dict[str, object]:
    """A customer as the API gives it."""
    names = ("id", "name", "email", "phone", "card", "country", "newsletter")
    return {name: getattr(customer, name) for name in names}


class Rows(JSONResponse):
    """JSON with one item a line: a person looks at it."""

    def render(self, content: list[dict[str, object]]) -> bytes:
        """See `Response`."""
        return ("[" + ",\n ".join(json.dumps(item) for item in content) + "]\n").encode()


class Crm:
    """The API's handlers over what they share."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()
        self._known = {customer.id: customer for customer in customers(CUSTOMERS)}
        self._notes: list[dict[str, object]] = []

    def app(self) -> Starlette:
        """The application."""
        return Starlette(
            routes=[
                Route("/customers", self._list),
                Route("/customers/{id:int}", self._one, methods=["GET", "DELETE"]),
                Route("/customers/{id:int}/notes", self._annotate, methods=["GET", "POST"]),
                Route("/events", self._events),
            ]
        )

    def _refused(self, request: Request) -> Response | None:
        given = request.headers.get("authorization", "").encode()
        if hmac.compare_digest(given, self._expected):
            return None
        return JSONResponse({"error": "this API knows its service token, and nobody else"}, 401)

    async def _list(self, request: Request) -> Response:
        limit = request.query_params.get("limit", str(LIMIT))
        wanted = min(CUSTOMERS, int(limit)) if limit.isascii() and limit.isdigit() else LIMIT
        return self._refused(request) or Rows([shown(one) for one in list(self._known.values())[:wanted]])

    async def _one(self, request: Request) -> Response:
        found = self._known.get(request.path_params["id"])
        if (refused := self._refused(request)) is not None:
            return refused
        if found is None:
            return JSONResponse({"error": "no such customer"}, 404)
        if request.method == "DELETE":
            del self._known[found.id]
            return Response(status_code=204)
        return Rows([shown(found)])

    async def _annotate(self, request: Request) -> Response:
        number = request.path_params["id"]
        if (refused := self._refused(request)) is not None:
            return refused
        if number not in self._known:
            return JSONResponse({"error": "no such customer"}, 404)
        if request.method == "GET":
            return JSONResponse([note for note in self._notes if note["customer"] == number])
        try:
            text = str(json.loads(await request.body())["text"])
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"error": 'a note is {"text": "..."}'}, 400)
        self._notes.append({"note": len(self._notes) + 1, "customer": number, "text": text})
        return JSONResponse(self._notes[-1], 201)

    async def _events(self, request: Request) -> Response:
        return self._refused(request) or StreamingResponse(self._happening(), media_type="text/event-stream")

    async def _happening(self) -> AsyncIterator[bytes]:
        for number, customer in zip(range(1, EVENTS + 1), self._known.values(), strict=False):
            if number > 1:
                await trio.sleep(BETWEEN_EVENTS_S)
            said = {"customer": customer.id, "said": f"Please write to {customer.email} and charge {customer.card}."}
            yield f"id: {number}\nevent: message\ndata: {json.dumps(said)}\n\n".encode()


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description="A small CRM for the demonstration.")
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    config = Config()
    config.bind = [f"{ADDRESS}:{port}"]
    config.include_server_header = False
    # An ASGI application takes any scope; hypercorn's types are narrower than starlette's.
    trio.run(partial(serve, Crm(os.environ["CRM_TOKEN"]).app(), config))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
