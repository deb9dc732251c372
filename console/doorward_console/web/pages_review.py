"""Access reviews: who could, who did, what nobody needs; and the signature under it.

    GET  /review        one gateway's, over some time
    POST /review/sign   sign off the review that was shown, by its digest

A sign-off is an event of the desk's own log. It names the log, the time, the policy and the digest, from which anybody
can make the same review again (`doorward review`).
"""

from collections import OrderedDict
from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute

from doorward_console.index.times import NoTime, since, until
from doorward_console.review.report import Review
from doorward_console.web.desk import Desk, Place
from doorward_console.web.library import Library, Unreadable
from doorward_console.web.pages_policy import standing
from doorward_console.web.people import READERS
from doorward_console.web.policies import reviewed
from doorward_console.web.visits import Refusal, Visit, action, page

PLACES = (Place("Reviews", "/review", READERS, order=70),)
MAX_VALUE: Final = 40
MAX_WORDS: Final = 1000
MAX_SHOWN: Final = 16
"""Reviews that can be signed: those that were shown last."""


def routes(desk: Desk) -> list[BaseRoute]:
    """The routes of reviews."""
    library, shown = Library(desk.settings), OrderedDict[str, Review]()

    async def show(visit: Visit) -> Response:
        return await _show(visit, library, shown)

    async def sign(visit: Visit) -> Response:
        return await _sign(visit, shown)

    return [page(desk, "/review", show, roles=READERS), action(desk, "/review/sign", sign, roles=READERS)]


async def _show(visit: Visit, library: Library, shown: OrderedDict[str, Review]) -> Response:
    gateway, spans = visit.asked("g"), (visit.asked("since")[:MAX_VALUE], visit.asked("until")[:MAX_VALUE])
    found, stopped, problem = None, -1, ""
    try:
        if gateway:
            now = visit.desk.clock()
            place = await standing(visit, gateway)
            begin, end = since(spans[0] or "90d", now), until(spans[1], now) or now
            await visit.reading("review", gateway)
            found, stopped = await reviewed(library, place, since_unix_ns=begin, until_unix_ns=end)
            if stopped < 0:
                shown[found.digest] = found
                while len(shown) > MAX_SHOWN:
                    shown.popitem(last=False)
    except (Unreadable, NoTime) as error:
        problem = str(error)
    return visit.render(
        "review.html", gateways=tuple(visit.desk.settings.gateways), gateway=gateway, since=spans[0], until=spans[1],
        found=found, stopped=stopped, problem=problem, signed="",
    )  # fmt: skip


async def _sign(visit: Visit, shown: OrderedDict[str, Review]) -> Response:
    found, words = shown.get(visit.form.get("digest", "")), visit.form.get("words", "").strip()
    if found is None:
        raise Refusal(409, "This review is not the one that was shown last. Make it again, read it, and sign that.")
    if not words or len(words) > MAX_WORDS:
        raise Refusal(400, f"Say in a sentence or two what you decided, in at most {MAX_WORDS} characters.")
    await visit.desk.diary.signed(visit.person, found, words, visit.peer)
    return visit.render(
        "review.html", gateways=tuple(visit.desk.settings.gateways), gateway="", since="", until="", found=None,
        stopped=-1, problem="", signed=found.digest,
    )  # fmt: skip
