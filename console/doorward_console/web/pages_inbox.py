"""The front page: what waits for people.

    GET /          requests that wait, over all gateways, newest first
    GET /events    the same list again whenever it changes (server-sent events)

A gateway that does not answer is named on the page: an empty list means that nothing waits.
"""

from starlette.responses import Response
from starlette.routing import BaseRoute

from doorward_console.web.desk import Desk, Place
from doorward_console.web.visits import Visit, page
from doorward_console.web.waiting import inbox

PLACES = (Place("Inbox", "/", order=10),)


def routes(desk: Desk) -> list[BaseRoute]:
    """The routes of the front page."""
    return [page(desk, "/", _show)]


async def _show(visit: Visit) -> Response:
    return visit.render("inbox.html", inbox=await inbox(visit.desk, visit.person))
