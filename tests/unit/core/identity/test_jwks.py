import datetime as dt
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio
import trio.testing
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from doorward_core.errors import AuthenticationError
from doorward_core.identity import jwks
from doorward_core.identity.jwks import CacheTimes, KeyCache, KeysUnavailable, https_get
from doorward_core.identity.token import IssuerSettings
from doorward_demo.issuer import DevelopmentIssuer

S = 1_000_000_000
START = 1_800_000_000 * S
TIMES = CacheTimes(ttl_s=300, stale_limit_s=3600, unknown_kid_s=30, retry_s=15)


@pytest.fixture
def issuer() -> Iterator[DevelopmentIssuer]:
    with DevelopmentIssuer(algorithm="ES256") as running:
        yield running


def settings_for(issuer: DevelopmentIssuer, **more: object) -> IssuerSettings:
    return IssuerSettings(issuer.url, frozenset({"doorward"}), **more)


class Counted:
    """A transport that counts, waits where it is told to, and fails where it is told to."""

    def __init__(self, document: Callable[[], bytes]) -> None:
        self.document = document
        self.calls = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.down = False
        self.gate: trio.Event | None = None

    async def __call__(self, url: str, ca_file: Path | None) -> bytes:
        self.calls += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await trio.lowlevel.checkpoint()
            if self.gate is not None:
                await self.gate.wait()
        finally:
            self.in_flight -= 1
        if self.down:
            raise KeysUnavailable("keys: down")
        return self.document()


@pytest.fixture
def counted(issuer) -> Counted:
    return Counted(issuer.jwks)


@pytest.fixture
def direct(issuer) -> IssuerSettings:
    """Settings that need no discovery: one fetch is one call."""
    return settings_for(issuer, jwks_uri=f"{issuer.url}/jwks")


async def test_keys_are_found_by_discovery_and_then_kept(issuer):
    cache = KeyCache(TIMES)
    keys = await cache.get(settings_for(issuer), issuer.kid, START)
    assert keys.find(issuer.kid) is not None
    assert await cache.get(settings_for(issuer), issuer.kid, START + 299 * S) is keys
    assert issuer.requests == ["/.well-known/openid-configuration", "/jwks"]


async def test_a_configured_address_needs_no_discovery(issuer, direct):
    await KeyCache(TIMES).get(direct, issuer.kid, START)
    assert issuer.requests == ["/jwks"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"issuer": "https://other.example"}, "another issuer's"),
        ({"issuer": None}, "another issuer's"),
        ({"jwks_uri": None}, "jwks_uri cannot be used"),
        ({"jwks_uri": "http://idp.example/jwks"}, "jwks_uri cannot be used"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri cannot be used"),
    ],
)
async def test_a_discovery_document_that_does_not_fit_is_refused(issuer, change, problem):
    path = "/.well-known/openid-configuration"
    document = json.loads(issuer.documents[path][1]) | change
    issuer.documents[path] = (200, json.dumps(document).encode())
    with pytest.raises(KeysUnavailable, match=problem):
        await KeyCache(TIMES).get(settings_for(issuer), issuer.kid, START)
    assert "/jwks" not in issuer.requests


async def test_a_removed_key_is_gone_after_the_ttl(issuer, direct):
    cache, old = KeyCache(TIMES), issuer.kid
    await cache.get(direct, old, START)
    issuer.rotate(keep=0)
    assert (await cache.get(direct, old, START + 299 * S)).find(old) is not None
    assert (await cache.get(direct, old, START + 300 * S)).find(old) is None


async def test_a_new_key_is_fetched_when_it_is_first_seen(issuer, direct):
    cache = KeyCache(TIMES)
    await cache.get(direct, issuer.kid, START)
    new = issuer.rotate()
    assert (await cache.get(direct, new, START + 29 * S)).find(new) is None
    assert (await cache.get(direct, new, START + 30 * S)).find(new) is not None


async def test_a_flood_of_unknown_keys_costs_one_fetch_a_throttle(counted, direct, issuer):
    cache = KeyCache(TIMES, fetch=counted)
    for second in range(120):
        for number in range(20):
            await cache.get(direct, f"no-such-{number}", START + second * S)
    assert counted.calls == 4


async def test_a_flood_at_one_moment_costs_one_fetch(counted, direct, issuer):
    cache = KeyCache(TIMES, fetch=counted)
    counted.gate = trio.Event()
    async with trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(cache.get, direct, f"no-such-{number}", START)
        await trio.testing.wait_all_tasks_blocked()
        counted.gate.set()
    assert (counted.calls, counted.most_in_flight) == (1, 1)


async def test_issuers_do_not_wait_for_each_other(counted, direct, issuer):
    cache = KeyCache(TIMES, fetch=counted)
    counted.gate = trio.Event()
    other = IssuerSettings("https://other.example", direct.audiences, jwks_uri="https://other.example/jwks")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cache.get, direct, issuer.kid, START)
        nursery.start_soon(cache.get, other, issuer.kid, START)
        await trio.testing.wait_all_tasks_blocked()
        assert counted.in_flight == 2
        counted.gate.set()


async def test_a_known_key_does_not_wait_for_a_fetch_that_an_unknown_one_caused(counted, direct, issuer):
    cache = KeyCache(TIMES, fetch=counted)
    await cache.get(direct, issuer.kid, START)
    counted.gate = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cache.get, direct, "no-such", START + 60 * S)
        await trio.testing.wait_all_tasks_blocked()
        assert (await cache.get(direct, issuer.kid, START + 60 * S)).find(issuer.kid)
        counted.gate.set()


async def test_a_client_that_hangs_up_does_not_stop_the_fetch(counted, direct, issuer):
    cache = KeyCache(TIMES, fetch=counted)
    counted.gate = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cache.get, direct, "no-such", START)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        counted.gate.set()
    for _ in range(10):
        await cache.get(direct, issuer.kid, START)
    assert counted.calls == 1


async def test_known_keys_go_on_while_the_issuer_is_down_until_the_stale_limit(counted, direct, issuer):
    cache = KeyCache(TIMES, fetch=counted)
    await cache.get(direct, issuer.kid, START)
    counted.down = True
    for second in range(0, 3601, 5):
        assert (await cache.get(direct, issuer.kid, START + second * S)).find(issuer.kid)
    with pytest.raises(KeysUnavailable, match="down"):
        await cache.get(direct, issuer.kid, START + 3601 * S)
    assert counted.calls <= 1 + 3301 / 15 + 1
    counted.down = False
    assert (await cache.get(direct, issuer.kid, START + 3700 * S)).find(issuer.kid)


async def test_an_issuer_that_never_answered_is_not_asked_at_every_connection(counted, direct, issuer):
    cache = KeyCache(TIMES, fetch=counted)
    counted.down = True
    for second in range(45):
        with pytest.raises(KeysUnavailable):
            await cache.get(direct, issuer.kid, START + second * S)
    assert counted.calls == 3


async def test_a_bad_key_set_does_not_replace_a_good_one(counted, direct, issuer):
    cache = KeyCache(TIMES, fetch=counted)
    await cache.get(direct, issuer.kid, START)
    counted.document = lambda: b'{"keys": []}'
    assert (await cache.get(direct, issuer.kid, START + 400 * S)).find(issuer.kid)


async def test_a_clock_that_is_set_back_far_makes_keys_old(counted, direct, issuer):
    cache = KeyCache(TIMES, fetch=counted)
    await cache.get(direct, issuer.kid, START)
    await cache.get(direct, issuer.kid, START - 59 * S)
    assert counted.calls == 1
    counted.down = True
    with pytest.raises(KeysUnavailable):
        await cache.get(direct, issuer.kid, START - 3600 * S)


async def test_keys_unavailable_is_an_authentication_error():
    assert issubclass(KeysUnavailable, AuthenticationError)


# --- the transport, against real servers -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [204, 301, 302, 307, 308, 401, 404, 500, 503])
async def test_any_status_but_200_is_a_failure(issuer, status):
    issuer.documents["/jwks"] = (status, b"" if status == 204 else issuer.jwks())
    with pytest.raises(KeysUnavailable, match=str(status)):
        await https_get(f"{issuer.url}/jwks", None)


async def test_a_document_longer_than_the_bound_is_not_read_to_its_end(issuer):
    issuer.documents["/jwks"] = (200, b" " * jwks.MAX_DOCUMENT_BYTES)
    assert len(await https_get(f"{issuer.url}/jwks", None)) == jwks.MAX_DOCUMENT_BYTES
    issuer.documents["/jwks"] = (200, b" " * 10_000_000)
    with pytest.raises(KeysUnavailable, match="longer than the bound"):
        await https_get(f"{issuer.url}/jwks", None)


async def test_a_port_where_nobody_listens_is_a_failure(issuer):
    issuer.close()
    with pytest.raises(KeysUnavailable, match="did not answer"):
        await https_get(f"{issuer.url}/jwks", None)


@pytest.mark.parametrize("url", ["http://idp.example/jwks", "ftp://127.0.0.1/jwks", "https://user@127.0.0.1/jwks"])
async def test_an_address_outside_of_the_rule_is_not_fetched(url):
    with pytest.raises(KeysUnavailable, match="address"):
        await https_get(url, None)


class Raw(BaseHTTPRequestHandler):
    """Answers with what the server object carries: status, headers and body; without a body, it never ends."""

    server: "RawServer"

    def do_GET(self) -> None:
        status, headers, body = self.server.answer
        self.server.seen.append(dict(self.headers.items()))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if body is not None:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        while body is None:
            self.wfile.write(b" " * 65536)
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


class RawServer(ThreadingHTTPServer):
    daemon_threads = True
    answer: tuple[int, dict[str, str], bytes | None] = (200, {}, b"{}")
    seen: list[dict[str, str]]

    def handle_error(self, *_args: object) -> None:
        """A handshake that the client breaks off is what some tests are about."""


@pytest.fixture
def tls_files(tmp_path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test issuer")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = tmp_path / "tls.crt", tmp_path / "tls.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


@pytest.fixture
def serve(tls_files) -> Iterator[Callable[..., RawServer]]:
    running: list[RawServer] = []

    def start(*, tls: bool) -> RawServer:
        server = RawServer(("127.0.0.1", 0), Raw)
        server.seen = []
        if tls:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*tls_files)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def address(server: RawServer, scheme: str) -> str:
    return f"{scheme}://127.0.0.1:{server.server_address[1]}/jwks"


async def test_tls_is_verified_against_the_configured_authority(serve, tls_files):
    server = serve(tls=True)
    assert await https_get(address(server, "https"), tls_files[0]) == b"{}"
    with pytest.raises(KeysUnavailable, match="did not answer"):
        await https_get(address(server, "https"), None)


async def test_a_name_that_is_not_in_the_certificate_is_refused(serve, tls_files):
    server = serve(tls=True)
    with pytest.raises(KeysUnavailable, match="did not answer"):
        await https_get(address(server, "https").replace("127.0.0.1", "localhost"), tls_files[0])


async def test_a_redirect_is_not_followed(serve):
    goal, server = serve(tls=False), serve(tls=False)
    server.answer = (302, {"Location": address(goal, "http")}, b"")
    with pytest.raises(KeysUnavailable, match="302"):
        await https_get(address(server, "http"), None)
    assert goal.seen == []


async def test_a_compressed_answer_is_refused(serve):
    server = serve(tls=False)
    server.answer = (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b")
    with pytest.raises(KeysUnavailable, match="compressed"):
        await https_get(address(server, "http"), None)
    assert server.seen[0]["Accept-Encoding"] == "identity"


async def test_a_document_without_end_is_left_at_the_bound(serve):
    server = serve(tls=False)
    server.answer = (200, {"Content-Type": "application/json"}, None)
    with pytest.raises(KeysUnavailable, match="longer than the bound"):
        await https_get(address(server, "http"), None)


async def test_the_environment_chooses_no_proxy(serve, monkeypatch):
    trap, server = serve(tls=False), serve(tls=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{trap.server_address[1]}")
    assert await https_get(address(server, "http"), None) == b"{}"
    assert (len(trap.seen), len(server.seen)) == (0, 1)


async def test_an_issuer_that_does_not_speak_is_given_up(autojump_clock):
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(KeysUnavailable, match="in time"):
        await https_get(f"http://127.0.0.1:{silent.getsockname()[1]}/jwks", None)
    assert jwks.FETCH_TIMEOUT_S <= trio.current_time() < jwks.FETCH_TIMEOUT_S + 1


async def test_a_missing_authority_file_is_a_failure_and_no_crash(tmp_path):
    with pytest.raises(KeysUnavailable):
        await https_get("https://127.0.0.1:1/jwks", tmp_path / "no-such.pem")
