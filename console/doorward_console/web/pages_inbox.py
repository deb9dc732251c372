"""The front page: what waits for people.

    GET /            requests that wait, over all gateways, newest first; above them, reviews that are owed.
                     The newest two hundred of each gateway, live; with `all=1` a thousand, as of now
    GET /live/inbox  the same list again whenever it changes (server-sent events)
    GET /decided     what was decided lately, and how

A gateway that does not answer is named on the page: an empty list means that nothing waits.
"""

import trio
from starlette.responses import Response
from starlette.routing import BaseRoute

from doorward_console.web.desk import Desk, Place
from doorward_console.web.live import Stream, Streams
from doorward_console.web.openapi import Asked, Entry, Parameter
from doorward_console.web.openings import OpeningRow, owed
from doorward_console.web.people import Role
from doorward_console.web.visits import Visit, common, page
from doorward_console.web.waiting import Inbox, inbox
from doorward_core.approvals.request import RequestState

DECIDERS = frozenset({Role.APPROVER, Role.OPERATOR, Role.AUDITOR})
PLACES = (Place("Inbox", "/", DECIDERS, order=10), Place("Decided", "/decided", DECIDERS, order=20))


def routes(desk: Desk) -> list[BaseRoute]:
    """The routes of the front page."""
    streams = Streams()

    async def live(visit: Visit) -> Response:
        async def piece() -> tuple[object, str]:
            found, reviews = await _shown(visit)
            values = {**common(visit), "inbox": found, "owed": reviews}
            return (found, reviews), visit.desk.views.render("inbox_list.html", values)

        return Stream(desk, streams, visit.session, "inbox", piece)

    return [
        page(desk, "/", _show, roles=DECIDERS),
        page(desk, "/live/inbox", live, roles=DECIDERS, by_itself=True),
        page(desk, "/decided", _decided, roles=DECIDERS),
    ]


async def listed(desk: Desk, asked: Asked) -> Inbox:
    """Requests, for the JSON API."""
    return await inbox(desk, asked.person, asked.query.get("state", "pending"))


_STATE = Parameter("state", "which requests; pending where it is not said", ("all", *RequestState))
API = (Entry("GET", "/v1/approvals", "Requests that wait, over all gateways", listed, Inbox, DECIDERS, (_STATE,)),)


async def _shown(visit: Visit, *, whole: bool = False) -> tuple[Inbox, tuple[OpeningRow, ...]]:
    """Both at once: a gateway that hangs costs its time once."""
    reviews: list[OpeningRow] = []

    async def ask() -> None:
        reviews.extend(await owed(visit.desk, visit.person))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        found = await inbox(visit.desk, visit.person, whole=whole)
    return found, tuple(reviews)


async def _show(visit: Visit) -> Response:
    whole = visit.asked("all") == "1"
    found, reviews = await _shown(visit, whole=whole)
    return visit.render("inbox.html", inbox=found, owed=reviews, whole=whole)


async def _decided(visit: Visit) -> Response:
    found = await inbox(visit.desk, visit.person, "all")
    return visit.render("decided.html", inbox=found, rows=[row for row in found.rows if row.state != "pending"])
