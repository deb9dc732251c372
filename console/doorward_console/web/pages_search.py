"""Search: one box, plain filters, and what was asked, by whom, and who approved it.

    GET /search    the box with examples; with a query, what is found

What is found is what a checkpoint covers, a second after it happened. What somebody looks for is recorded first.
"""

from starlette.responses import Response
from starlette.routing import BaseRoute

from doorward_console.index import query
from doorward_console.index.found import Changes, OperationRow, Page
from doorward_console.index.query import Index
from doorward_console.index.question import Reading, read
from doorward_console.web.asking import ACTIONS, EXAMPLES, VERDICTS, Asked, asked
from doorward_console.web.desk import Desk, Place
from doorward_console.web.library import Freshness, Library, Unreadable
from doorward_console.web.people import READERS
from doorward_console.web.visits import Visit, page

PLACES = (Place("Search", "/search", READERS, order=30),)
PAGE = 25


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
