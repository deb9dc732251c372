"""The application: every page there is, behind the guard.

What it is: it collects the modules `pages_*` beside it. Each has `routes(desk)`, and may have `PLACES`, its entries of
the menu, and `API`, its entries of the JSON API (`api`).
What it will not do: serve (`serve`), or know what a page shows.
"""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from doorward_console.web.api import api_routes
from doorward_console.web.desk import Desk, Place
from doorward_console.web.guard import HEALTH, Guard
from doorward_console.web.openapi import Entry
from doorward_console.web.visits import Refusal, refusal_page

_PREFIX: Final = "pages_"


def application(desk: Desk) -> ASGIApp:
    """All pages of a desk, behind the guard; the desk's menu is filled."""
    modules = tuple(page_modules())
    places: list[Place] = [place for module in modules for place in getattr(module, "PLACES", ())]
    desk.places = tuple(sorted(places, key=lambda place: (place.order, place.words)))
    routes: list[BaseRoute] = [Route(HEALTH, _health(desk), methods=["GET"]), desk.assets.route()]
    for module in modules:
        routes += module.routes(desk)
    routes += api_routes(desk, api_entries())
    app = Starlette(routes=routes, exception_handlers={HTTPException: _not_there(desk)})
    app.router.redirect_slashes = False  # an address is exact: nothing is sent on to another
    return Guard(app, site=desk.settings.url)


def api_entries() -> tuple[Entry, ...]:
    """Every entry of the JSON API, by path."""
    entries = (entry for module in page_modules() for entry in getattr(module, "API", ()))
    return tuple(sorted(entries, key=lambda entry: (entry.path, entry.method)))


def page_modules() -> Iterator[ModuleType]:
    """The modules of pages, by name."""
    package = __name__.rpartition(".")[0]
    for found in sorted(pkgutil.iter_modules([str(Path(__file__).parent)]), key=lambda module: module.name):
        if found.name.startswith(_PREFIX):
            yield importlib.import_module(f"{package}.{found.name}")


def _not_there(desk: Desk) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(_request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        words = {404: "There is nothing at this address.", 405: "This address does not take that."}
        return refusal_page(desk, Refusal(status, words.get(status, "This cannot be done."), title="Nothing here"))

    return answer


def _health(desk: Desk) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_request: Request) -> Response:
        failed = desk.diary.failed is not None
        return PlainTextResponse("the log cannot be written\n" if failed else "ok\n", 503 if failed else 200)

    return answer
