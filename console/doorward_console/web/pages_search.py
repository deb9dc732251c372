"""Search: one box, plain filters, and what was asked, by whom, and who approved it.

    GET /search                 the box with examples; with a query, what is found
    GET /api/v1/search          the same, for programs
    GET /api/v1/sessions        sessions, by the same filters
    GET /api/v1/sessions/{id}   a session, and the first of its operations

What is found is what a checkpoint covers, a second after it happened. What somebody looks for is recorded first.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from starlette.responses import Response
from starlette.routing import BaseRoute

from doorward_console.index import query
from doorward_console.index.found import Changes, OperationRow, Page
from doorward_console.index.query import Index
from doorward_console.index.question import Reading, read
from doorward_console.web.asking import ACTIONS, EXAMPLES, FIELDS, VERDICTS, Asked, asked
from doorward_console.web.desk import Desk, Place
from doorward_console.web.library import Freshness, Library, Unreadable
from doorward_console.web.openapi import OBJECT, Entry, Parameter
from doorward_console.web.openapi import Asked as Call
from doorward_console.web.people import READERS
from doorward_console.web.visits import Refusal, Visit, page

T = TypeVar("T")

PLACES = (Place("Search", "/search", READERS, order=30),)
PAGE = 25
API_PAGE = 100
_WORDS = {
    "q": "a question, or words",
    "who": "who asked: a part of the name",
    "sponsor": "on whose behalf: a part of the name",
    "table": "a table, file, path or object that was touched",
    "action": "what was done to it; `change` is whatever may change something",
    "verdict": "permit, deny, hold (waits still) or held (was held at some time)",
    "since": "a time: yesterday, 7d, 2026-11-22, 2026-11-22T14:00 (UTC)",
    "until": "a time; a date is meant with its whole day",
    "before": "the `next` of the page before",
}


def routes(desk: Desk) -> list[BaseRoute]:
    """The routes of the search."""
    library = Library(desk.settings)

    async def show(visit: Visit) -> Response:
        return await _show(visit, library)

    return [page(desk, "/search", show, roles=READERS)]


async def _show(visit: Visit, library: Library) -> Response:
    wanted = asked(visit.request.query_params, visit.desk.clock())
    found: Changes | None = None
    reading = Reading(wanted.search, ())
    fresh, names, problem = Freshness(), _no_names(), wanted.problem
    try:
        fresh = await library.bring_up()
        names = await library.ask(query.names)
        if wanted.anything and not problem:
            await visit.reading("search", "operations", words=wanted.words)
            reading, found = await library.ask(lambda index: _find(index, wanted, visit.desk.clock()))
    except Unreadable as error:
        problem = str(error)
    return visit.render(
        "search.html", asked=wanted, found=found, reading=reading, fresh=fresh, names=names, problem=problem,
        actions=ACTIONS, verdicts=VERDICTS, examples=EXAMPLES,
    )  # fmt: skip


def _find(index: Index, wanted: Asked, now_unix_ns: int) -> tuple[Reading, Changes]:
    """What is found, and how the question was read; of changes of a table also those that do not name it."""
    reading = Reading(wanted.search, ())
    if wanted.question:
        reading = read(wanted.question, now_unix_ns, lambda name: query.is_touched(index, name), wanted.search)
    search = reading.search
    if search.action == "change" and search.table:
        return reading, query.who_changed(
            index, search.table, search.text, search=search, limit=PAGE, before=wanted.before
        )
    found: Page[OperationRow] = query.operations(index, search, limit=PAGE, before=wanted.before)
    return reading, Changes(found, 0, others_bounded=False)


def _no_names() -> dict[str, tuple[str, ...]]:
    return {"resource": (), "protocol": (), "origin": ()}


# --- for programs -----------------------------------------------------------------------------------------------------


async def found_operations(desk: Desk, call: Call) -> dict[str, object]:
    """What is found, for the JSON API; what was looked for is recorded first."""
    wanted, library = _wanted(desk, call), Library(desk.settings)
    await desk.read(call.person, "search", "operations", call.peer, words=wanted.words)
    fresh, (reading, found) = await _told(library, lambda index: _find(index, wanted, desk.clock()))
    others = {"count": found.others, "or_more": found.others_bounded}
    page = {"found": found.page.rows, "next": found.page.next, "missing": fresh.notes}
    return {"read_as": dict(reading.told), **page, "changes_that_do_not_name_it": others}


async def found_sessions(desk: Desk, call: Call) -> dict[str, object]:
    """Sessions, for the JSON API."""
    wanted, library = _wanted(desk, call), Library(desk.settings)
    await desk.read(call.person, "sessions", "list", call.peer, words=wanted.words)
    search = replace(wanted.search, text=wanted.question)
    fresh, page = await _told(
        library, lambda index: query.sessions(index, search, limit=API_PAGE, before=wanted.before)
    )
    return {"found": page.rows, "next": page.next, "note": page.note, "missing": fresh.notes}


async def one_session(desk: Desk, call: Call) -> dict[str, object]:
    """A session and what was asked in it, for the JSON API; `before` goes on where `next` says."""
    name, library = call.path["id"], Library(desk.settings)
    await desk.read(call.person, "session", name[:64], call.peer)
    after = asked(call.query, desk.clock()).before
    fresh, (row, page) = await _told(
        library,
        lambda index: (query.session(index, name), query.session_operations(index, name, limit=API_PAGE, after=after)),
    )
    if row is None:
        raise Refusal(404, "no session of this name is on record yet")
    return {"session": row, "operations": page.rows, "next": page.next, "missing": fresh.notes}


def _wanted(desk: Desk, call: Call) -> Asked:
    wanted = asked(call.query, desk.clock())
    if wanted.problem:
        raise Refusal(400, wanted.problem)
    return wanted


async def _told(library: Library, question: Callable[[Index], T]) -> tuple[Freshness, T]:
    try:
        return await library.bring_up(), await library.ask(question)
    except Unreadable as error:
        raise Refusal(503, str(error)) from None


_QUERY = tuple(Parameter(name, _WORDS.get(name, name)) for name in (*FIELDS, "before"))
API = (
    Entry("GET", "/v1/search", "What was asked, and who approved it", found_operations, OBJECT, READERS, _QUERY),
    Entry("GET", "/v1/sessions", "Sessions on record", found_sessions, OBJECT, READERS, _QUERY),
    Entry(
        "GET", "/v1/sessions/{id}", "A session and its operations", one_session, OBJECT, READERS,
        (Parameter("before", "the `next` of the page before"),),
    ),
)  # fmt: skip
