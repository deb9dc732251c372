"""One visit of one person to one page: who it is, whether they may, and what they sent.

What it is: `page` and `action`, which make a route of a function from a `Visit` to a response, and everything that has
to be true before that function runs.
What it will not do: know any page, or trust a cookie further than the session that it names.

Invariants:

- Nothing of a page runs for somebody who is not logged in, or has none of its roles.
- A change (`action`) needs the token that only a page of the same session carries, besides what `guard` asks.
- A session's access token is renewed before it ends where the provider gives means; else the session ends with it.
- Whoever is refused is told why in words, and a known person's refusal is in the log.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import parse_qsl, quote

import trio
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from doorward_console.web.desk import Desk
from doorward_console.web.people import EVERYBODY, Person, Role, roles_of
from doorward_console.web.provider import ProviderUnavailable
from doorward_console.web.sessions import WebSession
from doorward_core.errors import AuthenticationError, RecordError
from doorward_core.model import Peer

MAX_FORM_BYTES = 64 * 1024
"""A reason has a thousand characters, a passkey's answer a few thousand."""
BODY_S = 15.0
"""For the whole of a form: a connection that sends half of one must not be held for ever, by anybody."""
MAX_FIELDS = 64
MAX_DIGITS = 9
RENEW_BEFORE_NS = 30 * 1_000_000_000
"""A token that ends sooner could end between our look and a gateway's."""
COOKIE_SECURE = "__Host-doorward"
COOKIE_PLAIN = "doorward-desk"
"""On plain HTTP, which is for loopback alone, browsers do not agree on what a secure cookie is."""


class Refusal(Exception):
    """Ends a visit with a page that says why; `words` are for people, and are escaped."""

    def __init__(self, status: int, words: str, *, title: str = "This is not possible") -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.title = title


@dataclass(slots=True)
class Visit:
    """One request of somebody who is logged in. `form` is what an action was sent; empty for a page."""

    desk: Desk
    request: Request
    session: WebSession
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def person(self) -> Person:
        """Who it is."""
        return self.session.person

    @property
    def peer(self) -> str:
        """Where they come from, as far as the desk can see."""
        return peer_of(self.request).address

    def name(self, parameter: str) -> str:
        """A piece of the path."""
        return str(self.request.path_params[parameter])

    def asked(self, parameter: str, default: str = "") -> str:
        """A value of the query; the first, where there are several."""
        return self.request.query_params.getlist(parameter)[0] if parameter in self.request.query_params else default

    def render(self, template: str, *, status: int = 200, csp: str = "", **values: object) -> Response:
        """A page. `csp` is a looser policy for this page's own path; the usual one stands where it is empty."""
        headers = {"Content-Security-Policy": csp} if csp else {}
        return HTMLResponse(self.desk.views.render(template, {**common(self), **values}), status, headers)

    def go(self, path: str) -> Response:
        """Send them to a path of the desk, after a change."""
        return RedirectResponse(path, 303)

    async def reading(self, what: str, name: str, *, words: str = "") -> None:
        """Record that they read something, before it is shown. Refuses the visit where it cannot be recorded."""
        try:
            await self.desk.read(self.person, what, name, self.peer, words=words)
        except RecordError:
            raise Refusal(503, "What is read here is recorded, and just now it cannot be. Try again soon.") from None


Endpoint: TypeAlias = Callable[[Visit], Awaitable[Response]]


def page(
    desk: Desk, path: str, endpoint: Endpoint, *, roles: frozenset[Role] = EVERYBODY, by_itself: bool = False
) -> Route:
    """A page: GET and HEAD, for whoever is logged in and has one of `roles`. It must change nothing.

    `by_itself` is for what open pages ask for without anybody there: it keeps no idle session alive.
    """

    async def answer(request: Request) -> Response:
        session = await current(desk, request, seen=not by_itself)
        if session is None:
            return _to_login(request)
        return await _visited(Visit(desk, request, session), endpoint, roles)

    return Route(path, answer, methods=["GET"])


def action(desk: Desk, path: str, endpoint: Endpoint, *, roles: frozenset[Role] = EVERYBODY) -> Route:
    """A change: POST of a form that a page of the same session made, for one of `roles`."""

    async def answer(request: Request) -> Response:
        session = await current(desk, request)
        if session is None:
            return refusal_page(desk, Refusal(401, "Log in first; what you sent was not done.", title="Logged out"))
        visit = Visit(desk, request, session)
        try:
            visit.form = await read_form(request)
        except Refusal as refusal:
            return refusal_page(desk, refusal, visit)
        if not session.accepts(visit.form.get("csrf", "")):
            words = "This form is of an earlier login. Open the page again, and do it there; nothing was done."
            return refusal_page(desk, Refusal(403, words), visit)
        return await _visited(visit, endpoint, roles)

    return Route(path, answer, methods=["POST"])


async def _visited(visit: Visit, endpoint: Endpoint, roles: frozenset[Role]) -> Response:
    try:
        if not visit.person.may(roles):
            await visit.desk.diary.refused("page", visit.peer, visit.person)
            names = " or ".join(sorted(roles))
            raise Refusal(403, f"This page is for the role {names}, which none of your groups has.")  # noqa: TRY301 - told below as any other
        return await endpoint(visit)
    except Refusal as refusal:
        return refusal_page(visit.desk, refusal, visit)
    except RecordError:
        words = "What happens here is recorded, and just now it cannot be. Try again soon."
        return refusal_page(visit.desk, Refusal(503, words), visit)


def refusal_page(desk: Desk, refusal: Refusal, visit: Visit | None = None) -> Response:
    """The page that says why not."""
    shown = common(visit) if visit is not None else {"person": None, "places": (), "path": ""}
    words = {"title": refusal.title, "words": refusal.words}
    return HTMLResponse(desk.views.render("refusal.html", {**shown, **words}), refusal.status)


def common(visit: Visit) -> dict[str, object]:
    """What every page's template is given."""
    person = visit.person
    return {
        "person": person,
        "csrf": visit.session.csrf,
        "places": [place for place in visit.desk.places if person.may(place.roles)],
        "path": visit.request.url.path,
        "now": visit.desk.clock(),
        "visit": visit,
    }


async def current(desk: Desk, request: Request, *, seen: bool = True) -> WebSession | None:
    """The session of a request's cookie, with a token that is good for a while yet."""
    name = request.cookies.get(cookie_name(desk), "")
    session = desk.sessions.find(name, seen=seen) if name else None
    if session is None:
        return None
    if not _ends_soon(session, desk):
        return session
    async with session.lock:
        if _ends_soon(session, desk) and not await _renewed(session, desk, request):
            desk.sessions.close(name)
            return None
    return session


def _ends_soon(session: WebSession, desk: Desk) -> bool:
    return session.person.identity.expires_unix_ns - desk.clock() < RENEW_BEFORE_NS


async def _renewed(session: WebSession, desk: Desk, request: Request) -> bool:
    """Renew a session's token; roles are those of the new one. False where that cannot be."""
    if session.refresh is None:
        return False
    try:
        tokens = await desk.provider.renew(session.refresh, session.person.identity, peer_of(request))
    except (AuthenticationError, ProviderUnavailable):
        return False
    roles = roles_of(tokens.identity, desk.settings.roles)
    session.person, session.refresh = Person(tokens.identity, roles, tokens.access), tokens.refresh
    return bool(roles)


def cookie_name(desk: Desk) -> str:
    """What the session's cookie is called."""
    return COOKIE_SECURE if desk.settings.secure else COOKIE_PLAIN


def peer_of(request: Request) -> Peer:
    """Where a request comes from."""
    client = request.client
    return Peer(client.host if client is not None else "", 0, "", encrypted=request.url.scheme == "https")


async def read_form(request: Request) -> dict[str, str]:
    """A form as browsers send it without files, bounded; each field once. Raises Refusal."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refusal(415, "This is not a form of the desk.")
    body = await read_body(request)
    try:
        fields = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise Refusal(400, "This is not a form of the desk.") from None
    if len(dict(fields)) != len(fields):
        raise Refusal(400, "This form says one thing twice.")
    return dict(fields)


async def read_body(request: Request) -> bytes:
    """What was sent, bounded in size and time. Raises Refusal."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or len(declared) > MAX_DIGITS or int(declared) > MAX_FORM_BYTES:
        raise Refusal(413, "This is more than is taken here.")
    body = bytearray()
    with trio.move_on_after(BODY_S) as waiting:
        # Closed here: left by a raise, the library's generator would linger.
        async with aclosing(request.stream()) as stream:
            async for chunk in stream:
                body += chunk
                if len(body) > MAX_FORM_BYTES:
                    raise Refusal(413, "This is more than is taken here.")
    if waiting.cancelled_caught:
        raise Refusal(408, "This did not arrive in time; nothing was done.")
    return bytes(body)


def _to_login(request: Request) -> Response:
    """Where somebody goes who is not logged in, and the way back from there."""
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.headers.get("hx-request") == "true":
        return Response(status_code=401, headers={"HX-Redirect": f"/login?back={quote(path, safe='')}"})
    return RedirectResponse(f"/login?back={quote(path, safe='')}", 303)
