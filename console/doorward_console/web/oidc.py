"""What is said between the desk and an identity provider, and what of it is believed.

What it is: the addresses and forms of a login (authorization code with PKCE), the sealed note that a browser carries
meanwhile, and the check of what comes back.
What it will not do: send anything (`provider` does), or keep anything: a login in progress lives in the browser's
cookie, sealed under a key of this process, so that nobody fills our memory with logins, or ends one in another browser.
It implements OpenID Connect Core 1.0 (sections 3.1.2, 3.1.3.7, 15.5.2), RFC 7636 (S256 alone) and RFC 9207 (`iss`).

Invariants: pure but for random numbers; the access token and the ID token are both verified, name the same person, and
the ID token carries the nonce of this very login; a login leads back to a path of the desk and to nowhere else.
"""

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from urllib.parse import urlencode, urlsplit

from cryptography.fernet import Fernet, InvalidToken

from doorward_console.settings import Login
from doorward_core.errors import AuthenticationError
from doorward_core.identity.address import url_problem
from doorward_core.identity.jose import parse_compact
from doorward_core.identity.keys import KeySet
from doorward_core.identity.token import DEFAULT_ALGORITHMS, IssuerSettings, verify_jws
from doorward_core.model import Identity

CALLBACK = "/login/callback"
LOGIN_S = 600
"""From the button to the way back: a password, a second factor, and a coffee."""
FRESH_SKEW_S = 60
"""A fresh login may look this much older than the moment it was asked for: clocks differ."""
MAX_CODE_CHARACTERS = 4096
MAX_PATH_CHARACTERS = 512
_RANDOM_BYTES = 32
_NS_PER_S = 1_000_000_000
_ID_TOKEN_TYP = frozenset({"JWT", ""})


@dataclass(frozen=True, slots=True)
class Started:
    """A login in progress, as the browser's sealed note holds it."""

    state: str
    nonce: str
    verifier: str
    back: str
    fresh: bool
    started_unix_ns: int


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the provider takes what, as its discovery document says."""

    authorization: str
    token: str

    @property
    def site(self) -> str:
        """The scheme and host of the page where people log in: forms of ours may lead there."""
        parts = urlsplit(self.authorization)
        return f"{parts.scheme}://{parts.netloc}"


class Notes:
    """Seals and opens the notes that browsers carry while somebody logs in; a restart makes them all worthless."""

    def __init__(self) -> None:
        self._seal = Fernet(Fernet.generate_key())

    def seal(self, started: Started) -> str:
        """A note for a cookie."""
        return self._seal.encrypt(json.dumps(asdict(started)).encode()).decode("ascii")

    def open(self, note: str, now_unix_ns: int) -> Started | None:
        """What the note says; None where it is not ours, or too old."""
        try:
            started = Started(**json.loads(self._seal.decrypt(note.encode("ascii", "replace"))))
        except (InvalidToken, ValueError, TypeError):
            return None
        return started if 0 <= now_unix_ns - started.started_unix_ns < LOGIN_S * _NS_PER_S else None


def begin(back: str, now_unix_ns: int, *, fresh: bool) -> Started:
    """A login that leads back to a path, with random numbers of its own."""
    state, nonce, verifier = (secrets.token_urlsafe(_RANDOM_BYTES) for _ in range(3))
    return Started(state, nonce, verifier, local_path(back), fresh, now_unix_ns)


def local_path(path: str) -> str:
    r"""A path of the desk itself, or the front page for anything else (no open redirect).

    Browsers take `//host` and `/\host` for another site, and drop tabs and newlines before they look.
    """
    plain = path.isascii() and path.isprintable() and "\\" not in path and " " not in path
    local = path.startswith("/") and not path.startswith("//") and len(path) <= MAX_PATH_CHARACTERS
    return path if plain and local and not path.startswith(("/login", "/logout")) else "/"


def authorization_url(endpoints: Endpoints, login: Login, site: str, started: Started) -> str:
    """Where the browser is sent (OpenID Connect Core, section 3.1.2.1)."""
    challenge = urlsafe_b64encode(hashlib.sha256(started.verifier.encode("ascii")).digest()).rstrip(b"=")
    query = {
        "response_type": "code",
        "client_id": login.client_id,
        "redirect_uri": site + CALLBACK,
        "scope": " ".join(login.scopes),
        "state": started.state,
        "nonce": started.nonce,
        "code_challenge": challenge.decode("ascii"),
        "code_challenge_method": "S256",
    }
    if started.fresh:
        query |= {"prompt": "login", "max_age": "0"}
    joiner = "&" if "?" in endpoints.authorization else "?"
    return f"{endpoints.authorization}{joiner}{urlencode(query)}"


def returned_code(query: Mapping[str, str], started: Started, issuer: str) -> str:
    """The code that the provider sent back with this login's own state. Raises AuthenticationError."""
    if not hmac.compare_digest(query.get("state", "").encode("utf-8", "replace"), started.state.encode("ascii")):
        raise AuthenticationError("the login that came back is not the one that was begun here")
    if query.get("iss", issuer) != issuer:
        raise AuthenticationError("another provider answered (RFC 9207)")
    if "error" in query:
        raise AuthenticationError(f"the identity provider refused: {query['error'][:100]!a}")
    code = query.get("code", "")
    if not code or len(code) > MAX_CODE_CHARACTERS:
        raise AuthenticationError("the identity provider sent no code")
    return code


def read_endpoints(document: Mapping[str, object], issuer: str) -> Endpoints:
    """What a discovery document says (OpenID Connect Discovery 1.0, section 3). Raises AuthenticationError."""
    if document.get("issuer") != issuer:
        raise AuthenticationError("the discovery document is another issuer's")
    found = {name: document.get(name) for name in ("authorization_endpoint", "token_endpoint")}
    for name, url in found.items():
        if not isinstance(url, str) or url_problem(url):
            raise AuthenticationError(f"the discovery document's {name} cannot be used")
    return Endpoints(str(found["authorization_endpoint"]), str(found["token_endpoint"]))


def access_settings(login: Login) -> IssuerSettings:
    """How access tokens are judged: as a gateway with the same settings judges them."""
    return IssuerSettings(
        issuer=login.issuer,
        audiences=frozenset(login.audience),
        tolerated_audiences=frozenset(login.tolerated_audiences),
        max_age_s=login.max_age,
        subject_claim=login.subject_claim,
        groups_claim=login.groups_claim,
        display_claim=login.display_claim,
        kind=login.kind,
        kind_claim=login.kind_claim,
        human_clients=login.human_clients,
        ca_file=login.ca,
        algorithms=login.algorithms or DEFAULT_ALGORITHMS,
    )


def check_id_token(
    token: str, keys: KeySet, login: Login, *, started: Started, person: Identity, now_unix_ns: int
) -> None:
    """Check an ID token whole against this login and the access token's person. Raises AuthenticationError."""
    settings = IssuerSettings(
        issuer=login.issuer,
        audiences=frozenset({login.client_id}),
        typ=_ID_TOKEN_TYP,
        max_age_s=max(login.max_age, login.session),
        subject_claim=login.subject_claim,
        groups_claim=login.groups_claim,
        kind_claim=login.kind_claim,
        kind=login.kind,
        accept_id_tokens=True,
        ca_file=login.ca,
        algorithms=login.algorithms or DEFAULT_ALGORITHMS,
    )
    jws = parse_compact(token)
    identity = verify_jws(jws, keys, settings, now_unix_ns)
    nonce = jws.claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), started.nonce.encode()):
        raise AuthenticationError("the ID token is not of this login: another nonce")
    if jws.claims.get("azp", login.client_id) != login.client_id:
        raise AuthenticationError("the ID token was made for another client")
    if identity.subject != person.subject:
        raise AuthenticationError("the ID token and the access token are two people's")
    if started.fresh:
        at = jws.claims.get("auth_time")
        if not isinstance(at, int) or (at + FRESH_SKEW_S) * _NS_PER_S < started.started_unix_ns:
            raise AuthenticationError("a fresh login was asked for, and the provider did not ask anew")
