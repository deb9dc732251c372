"""What holds for every request and every answer, whichever page it is.

What it is: an ASGI layer around all pages: which host was asked for, where a change comes from, and the headers that
keep a browser from doing more with an answer than to show it.
What it will not do: know who somebody is (`visits` does).

Implements the Fetch standard's `Origin` and `Sec-Fetch-Site` as a defence against forged requests, CSP level 3, and
RFC 6797 (HSTS). Rows AP-05 of docs/threat-model.md.

Invariants: a request that could change something comes from a page of the desk itself, or carries no cookie of ours
(the JSON API takes none); no answer can be framed, sniffed, stored, or run a script that is not a file of ours.
"""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
METHODS: Final = SAFE_METHODS | {"POST"}
HEALTH: Final = "/healthz"
CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS: Final = (
    ("Content-Security-Policy", CSP),
    # Not `no-referrer`: under that a browser says `Origin: null` of our own forms.
    ("Referrer-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    (
        "Permissions-Policy",
        (
            "camera=(), geolocation=(), microphone=(), payment=(), usb=(), "
            "publickey-credentials-get=(self), publickey-credentials-create=(self)"
        ),
    ),
    ("Cache-Control", "no-store"),
)
_HSTS: Final = ("Strict-Transport-Security", "max-age=31536000")


class Guard:
    """Stands before `app`. `site` is where people reach the desk: scheme, host and port."""

    def __init__(self, app: ASGIApp, *, site: str) -> None:
        self._app = app
        self._site = site
        self._host = site.partition("://")[2]
        self._secure = site.startswith("https:")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # nothing here speaks WebSocket: the server closes the connection
        problem = self._problem(scope)
        answer: ASGIApp = self._app if problem is None else PlainTextResponse(f"{problem[1]}\n", problem[0])
        await answer(scope, receive, self._guarded(send))

    def _problem(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        if scope["path"] != HEALTH and headers.get("host", "").lower() != self._host:
            return 421, "this is not the address of this desk"
        if scope["method"] not in METHODS:
            return 405, "the desk answers GET, HEAD and POST"
        if scope["method"] not in SAFE_METHODS and not self._from_here(headers, api=scope["path"].startswith("/api/")):
            return 403, "this did not come from a page of the desk; open the desk, and do it there"
        return None

    def _from_here(self, headers: Headers, *, api: bool) -> bool:
        """Whether one of our own pages sent it; programs that use the JSON API name no origin, and have no cookie."""
        origin = headers.getlist("origin")
        if origin:
            return origin == [self._site]
        return api or headers.getlist("sec-fetch-site") == ["same-origin"]

    def _guarded(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS:
                    headers.setdefault(name, value)
                if self._secure:
                    headers.setdefault(*_HSTS)
            await send(message)

        return sending
