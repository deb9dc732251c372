"""The development issuer's login page: a person in a browser clicks a name. Never a production identity provider.

What it is: the authorization code flow with PKCE, as far as a demonstration and its tests need: an authorization
endpoint that lists the people it knows, and the two grants of the token endpoint that follow from it.
What it will not do: ask for a password, remember who was there, list agents, or lead to anything but loopback.
It implements RFC 6749 (sections 4.1, 6), RFC 7636 (S256 alone), RFC 9207 (`iss`), and OpenID Connect Core 1.0 (2, 3.1).

Invariants: a code works once, within a minute, for the client, address and verifier that it was made for.
"""

import base64
import hashlib
import hmac
import html
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlencode, urlsplit

CODE_S: Final = 60
MAX_OPEN: Final = 1000
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
PARAMETERS: Final = ("client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "response_type")
NS_PER_S: Final = 1_000_000_000
HUMAN: Final = "human"


class Who(Protocol):
    """Somebody who may be clicked on: `issuer.Principal`."""

    @property
    def subject(self) -> str:
        """Who it is."""

    @property
    def kind(self) -> str:
        """`human` or `agent`."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Their groups."""

    @property
    def name(self) -> str:
        """What they are called."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A login that was made: of whom, when, for which client, and what its ID token must repeat."""

    subject: str
    client: str
    nonce: str
    auth_time_s: int


@dataclass(frozen=True, slots=True)
class _Code:
    granted: Granted
    redirect_uri: str
    challenge: str
    made_unix_ns: int


class Logins:
    """The codes and refresh tokens that are out. `clock` gives nanoseconds since the epoch."""

    def __init__(self, url: Callable[[], str], clock: Callable[[], int]) -> None:
        self._url = url
        self._clock = clock
        self._codes: dict[str, _Code] = {}
        self._refresh: dict[str, Granted] = {}

    def page(self, query: Mapping[str, str], people: Iterable[Who]) -> tuple[int, bytes]:
        """The page that lists the people; 400 for a request that cannot be answered."""
        if problem := _problem(query):
            return 400, _document("This is no login", f"<p>{html.escape(problem)}</p>")
        kept = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(query.get(name, ""))}">' for name in PARAMETERS
        )
        rows = "".join(_row(person) for person in people if person.kind == HUMAN)
        asked = html.escape(query["client_id"])
        anew = "<p>A fresh login was asked for.</p>" if query.get("prompt") == "login" else ""
        form = f'<form method="post" action="/authorize">{kept}{rows}</form>'
        return 200, _document("Who are you?", f"<p>{asked} wants to know who you are.</p>{anew}{form}")

    def choose(self, form: Mapping[str, str], people: Iterable[Who]) -> str | None:
        """Where the browser goes after somebody was clicked; None for a request that cannot be answered."""
        known = {person.subject for person in people if person.kind == HUMAN}
        if _problem(form) or form.get("subject") not in known or len(self._codes) >= MAX_OPEN:
            return None
        now = self._clock()
        granted = Granted(form["subject"], form["client_id"], form.get("nonce", ""), now // NS_PER_S)
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Code(granted, form["redirect_uri"], form["code_challenge"], now)
        back = {"code": code, "state": form.get("state", ""), "iss": self._url()}
        joiner = "&" if "?" in form["redirect_uri"] else "?"
        return f"{form['redirect_uri']}{joiner}{urlencode(back)}"

    def redeem(self, form: Mapping[str, str]) -> Granted | None:
        """The login that a code stands for; None where it stands for none any more."""
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or not 0 <= self._clock() - code.made_unix_ns < CODE_S * NS_PER_S:
            return None
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=")
        fits = form.get("redirect_uri") == code.redirect_uri and form.get("client_id") == code.granted.client
        return code.granted if fits and hmac.compare_digest(challenge, code.challenge.encode()) else None

    def renew(self, form: Mapping[str, str]) -> Granted | None:
        """The login that a refresh token stands for; it works once, and another comes with its tokens."""
        granted = self._refresh.pop(form.get("refresh_token", ""), None)
        return granted if granted is not None and form.get("client_id") == granted.client else None

    def refresh_token(self, granted: Granted) -> str:
        """A token to renew a login with."""
        if len(self._refresh) >= MAX_OPEN:
            self._refresh.pop(next(iter(self._refresh)))
        token = secrets.token_urlsafe(24)
        self._refresh[token] = granted
        return token


def _problem(query: Mapping[str, str]) -> str:
    if query.get("response_type") != "code" or not query.get("client_id") or "state" not in query:
        return "expected response_type=code, a client_id and a state"
    if query.get("code_challenge_method", "S256") != "S256" or not query.get("code_challenge"):
        return "expected a code_challenge by S256"
    parts = urlsplit(query.get("redirect_uri", ""))
    if parts.scheme not in {"http", "https"} or parts.hostname not in LOOPBACK:
        return "this issuer leads back to this machine alone"
    return ""


def _row(person: Who) -> str:
    name, subject = html.escape(person.name or person.subject), html.escape(person.subject)
    groups = html.escape(", ".join(person.groups))
    return (
        f'<p><button name="subject" value="{subject}"><b>{name}</b><br><small>{subject}; {groups}</small></button></p>'
    )


def _document(title: str, body: str) -> bytes:
    style = (
        "body{font:1rem/1.5 system-ui,sans-serif;max-width:26rem;margin:10vh auto;padding:0 1rem}"
        "html{color-scheme:light dark}"
        "button{font:inherit;text-align:left;width:100%;padding:.7rem 1rem;border:1px solid gray;border-radius:.5rem}"
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<link rel="icon" href="data:,"><title>{title}</title>'
        f"<style>{style}</style><h1>{title}</h1>{body}"
        "<p><small>Development issuer: no passwords, nobody's real login.</small></p></html>"
    ).encode()
