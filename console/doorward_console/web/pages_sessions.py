"""Sessions: those that are open now, and all that are on record; each opens to its timeline.

    GET  /sessions                        open ones first (for operators), then those on record; the search's filters
    GET  /sessions/{id}                   the timeline; `at` is an entry of it that has to be on the page
    GET  /sessions/{id}/watch/{gateway}   what its terminal shows from now on
    GET  /sessions/{id}/watch/{gateway}/stream   the same, as server-sent events
    POST /sessions/{id}/end/{gateway}     end it, with a reason
    POST /sessions/{id}/revoke/{gateway}  end it, and revoke the credential that opened it, at every gateway

To read a session is recorded in the desk's own log; to watch or end one, in the gateway's.
"""

from dataclasses import replace
from http import HTTPStatus

from starlette.responses import Response
from starlette.routing import BaseRoute

from doorward_console.index import query
from doorward_console.index.found import Page, SessionRow
from doorward_console.web.asking import VERDICTS, asked
from doorward_console.web.desk import Desk, Place
from doorward_console.web.library import Freshness, Library, Unreadable
from doorward_console.web.open_sessions import open_sessions
from doorward_console.web.pages_access import reason_of, revoked_page
from doorward_console.web.people import READERS, Role
from doorward_console.web.reach import Gateway, GatewayDown, GatewayRefused
from doorward_console.web.revoking import revoke_session
from doorward_console.web.timeline import Step, timeline
from doorward_console.web.visits import Refusal, Visit, action, page
from doorward_console.web.watching import Watching

PLACES = (Place("Sessions", "/sessions", READERS, order=40),)
OPERATORS = frozenset({Role.OPERATOR})
PAGE = 50
ID_DIGITS = 32
MAX_REASON = 1_000


def routes(desk: Desk) -> list[BaseRoute]:
    """The routes of sessions."""
    library = Library(desk.settings)

    async def listed(visit: Visit) -> Response:
        return await _list(visit, library)

    async def one(visit: Visit) -> Response:
        return await _one(visit, library)

    async def stream(visit: Visit) -> Response:
        return Watching(desk, _gateway(visit), visit.session, session_id(visit))

    return [
        page(desk, "/sessions", listed, roles=READERS),
        page(desk, "/sessions/{id}", one, roles=READERS),
        page(desk, "/sessions/{id}/watch/{gateway}", _watch, roles=OPERATORS),
        page(desk, "/sessions/{id}/watch/{gateway}/stream", stream, roles=OPERATORS),
        action(desk, "/sessions/{id}/end/{gateway}", _end, roles=OPERATORS),
        action(desk, "/sessions/{id}/revoke/{gateway}", _revoke, roles=OPERATORS),
    ]


async def _list(visit: Visit, library: Library) -> Response:
    wanted = asked(visit.request.query_params, visit.desk.clock())
    search = replace(wanted.search, text=wanted.question)
    await visit.reading("sessions", "list", words=wanted.words)
    found: Page[SessionRow] = Page(())
    fresh, problem = Freshness(), wanted.problem
    live, down = await open_sessions(visit.desk, visit.person)
    try:
        fresh = await library.bring_up()
        if not problem:
            found = await library.ask(lambda index: query.sessions(index, search, limit=PAGE, before=wanted.before))
    except Unreadable as error:
        problem = str(error)
    return visit.render(
        "sessions.html", asked=wanted, found=found, fresh=fresh, problem=problem, live=live, down=down,
        operator=visit.person.may(OPERATORS), verdicts=VERDICTS,
    )  # fmt: skip


async def _one(visit: Visit, library: Library) -> Response:
    name = session_id(visit)
    at = visit.asked("at")
    wanted = int(at) if at.isascii() and at.isdigit() and len(at) < 16 else 0  # noqa: PLR2004 - no log is longer
    await visit.reading("session", name)
    fresh, row = await found_session(library, name)
    after = visit.asked("from")
    start = int(after) if after.isascii() and after.isdigit() and len(after) < 16 else 0  # noqa: PLR2004 - as above
    try:
        kept = await library.kept(row, after=start)
        if kept.next and wanted >= kept.next:
            kept = await library.kept(row, after=wanted)
            start = wanted
    except Unreadable as error:
        raise Refusal(503, f"This session cannot be shown: {error}.") from None
    made = timeline(kept.entries, row.opened_unix_ns)
    terminal = any(isinstance(item, Step) and ("pty" in {kind for _, kind, _ in item.touched}) for item in made.items)
    return visit.render(
        "session.html", row=row, timeline=made, fresh=fresh, next=kept.next, start=start, terminal=terminal,
        auditor=visit.person.may(frozenset({Role.AUDITOR})),
        live=[one for one in (await open_sessions(visit.desk, visit.person))[0] if one.id == name],
    )  # fmt: skip


async def found_session(library: Library, name: str) -> tuple[Freshness, SessionRow]:
    """A session of the index, brought up first; a refusal where there is none."""
    try:
        fresh = await library.bring_up()
        row = await library.session(name)
    except Unreadable as error:
        raise Refusal(503, f"The index cannot be asked: {error}.") from None
    if row is None:
        words = "No session of this name is on record yet. One that has just begun is there after a second or two."
        raise Refusal(404, words, title="No such session")
    return fresh, row


async def _watch(visit: Visit) -> Response:
    gateway, name = _gateway(visit), session_id(visit)
    await visit.reading("watch", name)
    live = [one for one in (await open_sessions(visit.desk, visit.person))[0] if one.id == name]
    if not live:
        raise Refusal(404, "This session is not open any more.", title="It has ended")
    return visit.render("watch.html", one=live[0], gateway=gateway.name)


async def _end(visit: Visit) -> Response:
    gateway, name = _gateway(visit), session_id(visit)
    reason = " ".join(visit.form.get("reason", "").split())
    if not reason or len(reason) > MAX_REASON:
        raise Refusal(400, f"Say why you end it, in at most {MAX_REASON} characters: its user reads it.")
    try:
        answer = await gateway.post(visit.person.token, "sessions", name, "end", body={"reason": reason})
    except GatewayRefused as error:
        gone = error.status == HTTPStatus.NOT_FOUND
        raise Refusal(
            error.status, "It had ended already." if gone else f"The gateway refused: {error.detail}."
        ) from None
    except GatewayDown as error:
        raise Refusal(502, f"The gateway did not answer ({error}). It may have been ended: look at the list.") from None
    if not answer.get("gone"):
        raise Refusal(502, "It was told to end, and has not yet. Look at the list in a moment.", title="Not over yet")
    return visit.go("/sessions")


async def _revoke(visit: Visit) -> Response:
    gateway, name, reason = _gateway(visit), session_id(visit), reason_of(visit)
    return revoked_page(visit, await revoke_session(visit.desk, visit.person, gateway, name, reason))


def session_id(visit: Visit) -> str:
    """The session that the address names."""
    name = visit.name("id").lower()
    if len(name) != ID_DIGITS or not set(name) <= set("0123456789abcdef"):
        raise Refusal(404, "There is no such session.", title="No such session")
    return name


def _gateway(visit: Visit) -> Gateway:
    found = visit.desk.gateways.get(visit.name("gateway"))
    if found is None:
        raise Refusal(404, "There is no such gateway.", title="No such gateway")
    return found
