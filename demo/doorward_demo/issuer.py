"""A development OpenID Connect issuer, for the demonstration and for tests. Never a production identity provider.

What it is: a discovery document, a key set, a token endpoint, and a page on which people click their name
(`issuer_login`), on loopback; its keys are made at start and kept in memory.
What it will not do: listen on anything but 127.0.0.1, keep keys over a restart, know passwords of people.
It implements OpenID Connect Discovery 1.0 section 3, RFC 7517, RFC 9068 (the shape of its tokens) and
RFC 6749 section 4.4 (client credentials in the form body), as far as a demonstration needs.
It signs with `cryptography` alone, so that what checks its tokens shares no code with what makes them.

Run it: `python -m doorward_demo.issuer --port 9400 --state FOLDER`; it prints a line of JSON, and serves until told.
"""

import argparse
import base64
import hmac
import json
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeAlias
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from doorward_demo.issuer_login import Granted, Logins

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

ADDRESS: Final = "127.0.0.1"
AUDIENCE: Final = "doorward"
LIFETIME_S: Final = 900
MAX_LIFETIME_S: Final = 3600
MAX_FORM_BYTES: Final = 8 * 1024  # a client id, a secret and a scope
REQUEST_TIMEOUT_S: Final = 10


@dataclass(frozen=True, slots=True)
class Principal:
    """Someone who may ask for a token: an agent, or a person who stands in front of the demonstration."""

    subject: str
    kind: str
    groups: tuple[str, ...] = ()
    sponsor: str = ""
    name: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


DEMO_PRINCIPALS: Final = (
    Principal(
        subject="crew-analyst-7",
        kind="agent",
        groups=("crew-analysts",),
        sponsor="maria",
        name="Analyst of the quarterly crew",
        attributes={"crew": "quarterly", "task": "churn-report", "agent_role": "analyst"},
    ),
    Principal(
        subject="crew-retention",
        kind="agent",
        groups=("crew-analysts",),
        sponsor="maria",
        name="The retention crew's analyst",
        attributes={"crew": "retention", "task": "winter-review", "agent_role": "retention analyst"},
    ),
    Principal(subject="maria", kind="human", groups=("crew-owners",), name="Maria Keller"),
    Principal(subject="dba-tom", kind="human", groups=("dba",), name="Tom Berger"),
    Principal(subject="olga", kind="human", groups=("api-owners", "ops"), name="Olga Brandt"),
    Principal(subject="privacy-ana", kind="human", groups=("privacy-office",), name="Ana Costa"),
)


def base64url(data: bytes) -> str:
    """Encode as JOSE does: base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def make_key(algorithm: str) -> PrivateKey:
    """Make a fresh signing key for one of RS256, PS256, ES256 and EdDSA."""
    if algorithm in ("RS256", "PS256"):
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    raise ValueError(f"no such algorithm here: {algorithm}")


def sign(key: PrivateKey, algorithm: str, message: bytes) -> bytes:
    """Sign as RFC 7518 section 3 says; `algorithm` only tells PS256 from RS256 for an RSA key."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
        width = (key.curve.key_size + 7) // 8
        return r.to_bytes(width, "big") + s.to_bytes(width, "big")
    if algorithm == "PS256":
        return key.sign(message, padding.PSS(padding.MGF1(SHA256()), padding.PSS.DIGEST_LENGTH), SHA256())
    return key.sign(message, padding.PKCS1v15(), SHA256())


def compact(key: PrivateKey, header: bytes, payload: bytes, algorithm: str) -> str:
    """Sign exactly these bytes as a header and a payload: tests make malformed tokens with it."""
    message = f"{base64url(header)}.{base64url(payload)}"
    return f"{message}.{base64url(sign(key, algorithm, message.encode('ascii')))}"


def public_jwk(key: PrivateKey, kid: str, algorithm: str) -> dict[str, str]:
    """Give the public half as a JSON Web Key."""
    member = {"kid": kid, "use": "sig", "alg": algorithm}
    if isinstance(key, rsa.RSAPrivateKey):
        rsa_numbers = key.public_key().public_numbers()
        modulus = rsa_numbers.n.to_bytes((rsa_numbers.n.bit_length() + 7) // 8, "big")
        return member | {"kty": "RSA", "n": base64url(modulus), "e": base64url(rsa_numbers.e.to_bytes(3, "big"))}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        numbers, width = key.public_key().public_numbers(), (key.curve.key_size + 7) // 8
        point = {"x": base64url(numbers.x.to_bytes(width, "big")), "y": base64url(numbers.y.to_bytes(width, "big"))}
        return member | {"kty": "EC", "crv": "P-256"} | point
    return member | {"kty": "OKP", "crv": "Ed25519", "x": base64url(key.public_key().public_bytes_raw())}


class DevelopmentIssuer:
    """An issuer on loopback. Use it as a context manager, or call `start` and `close`.

    `url` is its issuer identifier. `clock` gives nanoseconds since the epoch.
    `documents` holds what is served and may be changed by a test: path -> (status, JSON bytes).
    """

    def __init__(
        self,
        *,
        port: int = 0,
        algorithm: str = "RS256",
        principals: tuple[Principal, ...] = DEMO_PRINCIPALS,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.algorithm = algorithm
        self.clock = clock
        self.principals = {principal.subject: principal for principal in principals}
        self.secrets = {principal.subject: secrets.token_urlsafe(24) for principal in principals}
        self.requests: list[str] = []
        self._server = _Server((ADDRESS, port), _Handler)
        self._server.issuer = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://{ADDRESS}:{self._server.server_address[1]}"
        self.documents: dict[str, tuple[int, bytes]] = {}
        self._published: list[dict[str, str]] = []
        self.logins = Logins(lambda: self.url, lambda: self.clock())  # noqa: PLW0108 - tests set another clock later
        self.rotate()

    def start(self) -> Self:
        """Begin to serve, in a thread of its own."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving; tokens that were issued stay what they are."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def rotate(self, *, keep: int = 1) -> str:
        """Make a new signing key and publish it beside the last `keep` ones; give its key id."""
        self.key = make_key(self.algorithm)
        self.kid = base64url(secrets.token_bytes(9))
        kept = self._published[-keep:] if keep else []
        self._published = [*kept, public_jwk(self.key, self.kid, self.algorithm)]
        discovery = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "grant_types_supported": ["client_credentials", "authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "none"],
            "response_types_supported": ["token", "code"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.algorithm],
        }
        self.documents["/.well-known/openid-configuration"] = (200, json.dumps(discovery).encode())
        self.documents["/jwks"] = (200, self.jwks())
        return self.kid

    def jwks(self) -> bytes:
        """Give the key set that is published now."""
        return json.dumps({"keys": self._published}).encode()

    def claims(
        self,
        subject: str,
        *,
        kind: str = "agent",
        groups: tuple[str, ...] = (),
        sponsor: str = "",
        attributes: Mapping[str, str] | None = None,
        audience: str = AUDIENCE,
        lifetime_s: int = LIFETIME_S,
    ) -> dict[str, object]:
        """Give the claims that `issue` would sign."""
        now_s = self.clock() // 1_000_000_000
        claims: dict[str, object] = {
            "iss": self.url,
            "sub": subject,
            "aud": audience,
            "iat": now_s,
            "exp": now_s + lifetime_s,
            "jti": secrets.token_hex(16),
            "client_id": subject,
            "doorward_kind": kind,
            "groups": list(groups),
        }
        return claims | ({"doorward_sponsor": sponsor} if sponsor else {}) | dict(attributes or {})

    def sign_claims(self, claims: Mapping[str, object], header: Mapping[str, object] | None = None) -> str:
        """Sign any claims with the current key; `header` adds to, or replaces, the usual header."""
        full = {"alg": self.algorithm, "kid": self.kid, "typ": "at+jwt"} | dict(header or {})
        return compact(self.key, json.dumps(full).encode(), json.dumps(claims).encode(), self.algorithm)

    def issue(  # noqa: PLR0917 - callers read it as a sentence: subject, kind, groups, sponsor
        self,
        subject: str,
        kind: str = "agent",
        groups: tuple[str, ...] = (),
        sponsor: str = "",
        attributes: Mapping[str, str] | None = None,
        audience: str = AUDIENCE,
        lifetime_s: int = LIFETIME_S,
    ) -> str:
        """Give an access token for anyone: whoever holds this object holds the keys."""
        return self.sign_claims(
            self.claims(
                subject,
                kind=kind,
                groups=groups,
                sponsor=sponsor,
                attributes=attributes,
                audience=audience,
                lifetime_s=lifetime_s,
            )
        )

    def answer_token_request(self, form: Mapping[str, str]) -> tuple[int, dict[str, object]]:
        """Answer the token endpoint (RFC 6749 sections 4.1.3, 4.4, 5.2 and 6)."""
        if form.get("grant_type") in {"authorization_code", "refresh_token"}:
            redeem = self.logins.redeem if form["grant_type"] == "authorization_code" else self.logins.renew
            granted = redeem(form)
            return (400, {"error": "invalid_grant"}) if granted is None else (200, self.login_tokens(granted))
        if form.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type"}
        client = form.get("client_id", "")
        expected = self.secrets.get(client, secrets.token_urlsafe(24))
        if not hmac.compare_digest(form.get("client_secret", "").encode(), expected.encode()):
            return 401, {"error": "invalid_client"}
        lifetime_s = form.get("lifetime_s", str(LIFETIME_S))
        if not (lifetime_s.isascii() and lifetime_s.isdecimal() and 0 < int(lifetime_s) <= MAX_LIFETIME_S):
            return 400, {"error": "invalid_request"}
        who = self.principals[client]
        claims = self.claims(
            who.subject,
            kind=who.kind,
            groups=who.groups,
            sponsor=who.sponsor,
            attributes=dict(who.attributes) | ({"name": who.name} if who.name else {}),
            audience=form.get("audience", AUDIENCE),
            lifetime_s=int(lifetime_s),
        )
        return 200, {"access_token": self.sign_claims(claims), "token_type": "Bearer", "expires_in": int(lifetime_s)}

    def login_tokens(self, granted: Granted) -> dict[str, object]:
        """The tokens of a login in a browser: an access token, an ID token, and one to renew them with."""
        who = self.principals[granted.subject]
        claims = self.claims(who.subject, kind=who.kind, groups=who.groups, sponsor=who.sponsor)
        claims |= {"client_id": granted.client, "auth_time": granted.auth_time_s, "name": who.name or who.subject}
        about = {"iss": self.url, "sub": who.subject, "aud": granted.client, "nonce": granted.nonce}
        times = {name: claims[name] for name in ("iat", "exp", "auth_time")}
        return {
            "access_token": self.sign_claims(claims),
            "id_token": self.sign_claims(about | times, {"typ": "JWT"}),
            "refresh_token": self.logins.refresh_token(granted),
            "token_type": "Bearer",
            "expires_in": LIFETIME_S,
        }


class _Server(ThreadingHTTPServer):
    """Its handlers find their issuer here."""

    issuer: DevelopmentIssuer
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent about a client that broke off; report everything else."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # typeshed asks for a narrower request


class _Handler(BaseHTTPRequestHandler):
    """One connection. It serves documents, and the token endpoint."""

    server: _Server
    timeout = REQUEST_TIMEOUT_S
    server_version = "doorward-development-issuer"
    sys_version = ""

    def do_GET(self) -> None:
        """Serve a document, or the page with the people."""
        issuer = self.server.issuer
        issuer.requests.append(self.path)
        parts = urlsplit(self.path)
        if parts.path == "/authorize":
            self._answer(*issuer.logins.page(_single(parts.query), issuer.principals.values()), kind="text/html")
            return
        self._answer(*issuer.documents.get(self.path, (404, b'{"error": "not_found"}')))

    def do_POST(self) -> None:
        """Serve the token endpoint, and whoever was clicked on."""
        issuer = self.server.issuer
        length = self.headers.get("Content-Length", "")
        if self.path not in {"/token", "/authorize"} or not length.isdecimal() or int(length) > MAX_FORM_BYTES:
            self._answer(400, b'{"error": "invalid_request"}')
            return
        form = _single(self.rfile.read(int(length)).decode("utf-8", "replace"))
        if self.path == "/token":
            status, answer = issuer.answer_token_request(form)
            self._answer(status, json.dumps(answer).encode())
            return
        place = issuer.logins.choose(form, issuer.principals.values())
        self._answer(400 if place is None else 303, b"", place=place)

    def _answer(self, status: int, body: bytes, *, kind: str = "application/json", place: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if place is not None:
            self.send_header("Location", place)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name for it
        """Say nothing: request lines are no one's business, and tests count requests themselves."""


def _single(query: str) -> dict[str, str]:
    """The fields of a form or a query that stand once."""
    return {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items() if len(values) == 1}


def write_secrets(issuer: DevelopmentIssuer, folder: Path) -> Path:
    """Write the principals' client secrets to a file that only its owner can read.

    A crash leaves a part of the file at most; the next start writes it anew, with other secrets.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "issuer-secrets.json"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(json.dumps({"token_endpoint": f"{issuer.url}/token", "clients": issuer.secrets}, indent=2) + "\n")
    return path


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(prog="doorward_demo.issuer", description="A development OpenID Connect issuer.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--state", type=Path, required=True, help="folder for the file with the clients' secrets")
    parser.add_argument("--algorithm", choices=("RS256", "PS256", "ES256", "EdDSA"), default="RS256")
    options = parser.parse_args()
    ends = {signal.SIGINT, signal.SIGTERM}  # blocked before any thread starts: `sigwait` alone gets them
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        with DevelopmentIssuer(port=options.port, algorithm=options.algorithm) as issuer:
            path = str(write_secrets(issuer, options.state))
            print(json.dumps({"issuer": issuer.url, "audience": AUDIENCE, "secrets": path}), flush=True)
            signal.sigwait(ends)
    except OSError as error:
        parser.error(f"{error.filename or f'--port {options.port}'}: {error.strerror}")


if __name__ == "__main__":
    main()
