"""To log in, to log in anew, and to log out.

    GET  /login            says where one logs in, with the button; it begins nothing
    POST /login            begins a login: seals a note into a cookie, and leads on to the provider
    GET  /login/callback   the provider's answer: the code is redeemed, and a session begins
    POST /logout           ends the session

A fresh login (`fresh=1`) asks the provider to prompt again: gateways may want one for a vote.

Invariants: only a person with a role gets a session; its id is new at each login, and the one before it ends; the way
back is a path of the desk; whoever did not begin a login here cannot finish one here (login CSRF), because the answer
must fit the note in the same browser.
"""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from doorward_console.web import oidc
from doorward_console.web.desk import Desk
from doorward_console.web.people import Person, roles_of
from doorward_console.web.provider import ProviderUnavailable, Tokens
from doorward_console.web.visits import (
    Refusal,
    Visit,
    action,
    cookie_name,
    current,
    peer_of,
    read_form,
    refusal_page,
)
from doorward_core.errors import AuthenticationError, RecordError
from doorward_core.model import PrincipalKind

NOTE_SECURE = "__Host-doorward-login"
NOTE_PLAIN = "doorward-login"
UNAVAILABLE = "The identity provider does not answer just now. Try again soon."


def routes(desk: Desk) -> list[BaseRoute]:
    """The routes of the login."""
    pages = _Login(desk)
    return [
        Route("/login", pages.ask, methods=["GET"]),
        Route("/login", pages.begin, methods=["POST"]),
        Route(oidc.CALLBACK, pages.finish, methods=["GET"]),
        action(desk, "/logout", pages.logout),
    ]


class _Login:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def _note(self) -> str:
        return NOTE_SECURE if self._desk.settings.secure else NOTE_PLAIN

    async def ask(self, request: Request) -> Response:
        """The page with the button."""
        back = oidc.local_path(request.query_params.get("back", "/"))
        fresh = request.query_params.get("fresh") == "1"
        if not fresh and await current(self._desk, request) is not None:
            return RedirectResponse(back, 303)
        provider = urlsplit(self._desk.settings.login.issuer).netloc
        return self._show("login.html", back=back, fresh=fresh, provider=provider)

    async def begin(self, request: Request) -> Response:
        """On to the provider: by a page that leads there, since what a form may lead to stays this desk alone (CSP)."""
        desk = self._desk
        try:
            form = await read_form(request)
            endpoints = await desk.provider.endpoints()
        except Refusal as refusal:
            return refusal_page(desk, refusal)
        except ProviderUnavailable:
            return self._failed(503, UNAVAILABLE)
        started = oidc.begin(form.get("back", "/"), desk.clock(), fresh=form.get("fresh") == "1")
        url = oidc.authorization_url(endpoints, desk.settings.login, desk.settings.url, started)
        response = self._show("leaving.html", url=url, provider=urlsplit(url).netloc)
        self._set(response, self._note, desk.notes.seal(started), oidc.LOGIN_S)
        return response

    async def finish(self, request: Request) -> Response:
        """The way back from the provider."""
        desk = self._desk
        started = desk.notes.open(request.cookies.get(self._note, ""), desk.clock())
        if started is None:
            return self._failed(400, "This login was not begun in this browser, or too long ago. Begin again.")
        try:
            code = oidc.returned_code(request.query_params, started, desk.settings.login.issuer)
            tokens = await desk.provider.redeem(code, started, desk.settings.url, peer_of(request))
            response = await self._admit(request, tokens, started)
        except AuthenticationError as error:
            response = self._failed(403, f"You are not logged in: {error}.")
        except ProviderUnavailable:
            response = self._failed(503, UNAVAILABLE)
        except RecordError:
            response = self._failed(503, "Logins are recorded, and just now this one cannot be. Try again soon.")
        response.delete_cookie(self._note, path="/", secure=desk.settings.secure, httponly=True, samesite="lax")
        return response

    async def _admit(self, request: Request, tokens: Tokens, started: oidc.Started) -> Response:
        """Begin a session for a person with a role."""
        desk, peer = self._desk, peer_of(request).address
        person = Person(tokens.identity, roles_of(tokens.identity, desk.settings.roles), tokens.access)
        if tokens.identity.kind is not PrincipalKind.HUMAN:
            await desk.diary.refused("not-a-person", peer, person)
            return self._failed(403, "Only people may log in here, and this login is an agent's.")
        if not person.roles:
            await desk.diary.refused("no-role", peer, person)
            return self._failed(403, person.without_a_role)
        await desk.diary.login(person, peer, fresh=started.fresh)
        desk.sessions.close(request.cookies.get(cookie_name(desk), ""))
        response = RedirectResponse(started.back, 303)
        self._set(response, cookie_name(desk), desk.sessions.open(person, tokens.refresh), desk.settings.login.session)
        return response

    async def logout(self, visit: Visit) -> Response:
        """End the session; the provider's own session is the provider's to end."""
        desk = self._desk
        desk.sessions.close(visit.request.cookies.get(cookie_name(desk), ""))
        response = self._show("logged_out.html", provider=urlsplit(desk.settings.login.issuer).netloc)
        response.delete_cookie(cookie_name(desk), path="/", secure=desk.settings.secure, httponly=True, samesite="lax")
        return response

    def _set(self, response: Response, name: str, value: str, lifetime_s: int) -> None:
        """Lax, because the provider's answer and links in messages come from other sites; neither changes anything."""
        secure = self._desk.settings.secure
        response.set_cookie(name, value, lifetime_s, path="/", secure=secure, httponly=True, samesite="lax")

    def _failed(self, status: int, words: str) -> Response:
        return refusal_page(self._desk, Refusal(status, words, title="Not logged in"))

    def _show(self, template: str, **values: object) -> Response:
        shown = {"person": None, "places": (), "path": "/login", **values}
        return HTMLResponse(self._desk.views.render(template, shown))
