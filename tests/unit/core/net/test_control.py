"""The control plane's HTTP: bounded, authenticated, and told apart from everything that is not a request."""

import json
import ssl
from dataclasses import replace

import httpx2
import pytest
import trio

from doorward_core.errors import AuthenticationError, StoreError
from doorward_core.model import AuthMethod, Identity, PrincipalKind
from doorward_core.net import control
from doorward_core.net.control import ControlServer, Problem, Reply, Route, json_reply, probes, read_json
from doorward_core.net.listen import open_tcp, open_unix

WHO = Identity("dora", "https://id.example", PrincipalKind.HUMAN, frozenset({"dba"}), AuthMethod.JWT, "jti", 0, 2**62)


async def authenticate(token, peer):
    await trio.lowlevel.checkpoint()
    if token.reveal() != "good":
        raise AuthenticationError("canary: the token is bad")
    return WHO


async def echo(call):
    await trio.lowlevel.checkpoint()
    return json_reply({"who": call.who.subject, "query": dict(call.query), "parameters": dict(call.parameters)})


async def post(call):
    await trio.lowlevel.checkpoint()
    return json_reply(read_json(call), 201)


async def broken(call):
    await trio.lowlevel.checkpoint()
    raise StoreError("canary: /secret/path")


async def mad(call):
    await trio.lowlevel.checkpoint()
    raise RuntimeError("canary")


async def teapot(call):
    await trio.lowlevel.checkpoint()
    raise Problem(418, "no coffee")


ROUTES = (
    Route("GET", "/v1/things", echo),
    Route("GET", "/v1/things/{id}", echo),
    Route("POST", "/v1/things", post),
    Route("GET", "/broken", broken),
    Route("GET", "/mad", mad),
    Route("GET", "/teapot", teapot),
    *probes({"/healthz": lambda: Reply(200, b"ok\n", b"text/plain")}),
)
BEARER = {"authorization": "Bearer good"}


class Told(list):
    def __call__(self, error, peer):
        self.append(error)


@pytest.fixture
async def place(nursery):
    """A running server; gives its port and what its supervisor was told."""
    told = Told()
    listener = open_tcp("127.0.0.1", 0)
    server = ControlServer(ROUTES, authenticate).server([listener], told)
    await nursery.start(server.serve)
    yield listener.port, told
    await server.drain(0)


async def ask(port: int, method: str, path: str, **options) -> httpx2.Response:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        return await client.request(method, path, **options)


async def raw(port: int, *pieces: bytes) -> bytes:
    """Send bytes as they are, and read until the server closes."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        for piece in pieces:
            await stream.send_all(piece)
        answer = b""
        with trio.fail_after(60):
            async for chunk in stream:
                answer += chunk
    return answer


async def test_a_route_answers_who_is_known(place):
    port, _ = place
    answer = await ask(port, "GET", "/v1/things/ap-1?state=all", headers=BEARER)
    assert answer.json() == {"who": "dora", "query": {"state": "all"}, "parameters": {"id": "ap-1"}}
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer bad"},
        {"authorization": "Basic good"},
        {"authorization": "Bearer"},
        {"authorization": "good"},
        [("authorization", "Bearer good"), ("authorization", "Bearer good")],
    ],
)
async def test_nobody_else_gets_past_401_and_learns_nothing(place, headers):
    port, _ = place
    answer = await ask(port, "GET", "/v1/things", headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "canary" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/v1/things/", 404),
        ("GET", "/v1/things/a/b", 404),
        ("DELETE", "/v1/things", 405),
        ("GET", "/v1/things/%61", 400),
        ("GET", "/v1/things?a=1&a=2", 400),
        ("GET", "/v1/things?a", 400),
        ("GET", "/v1/things?" + "&".join(f"a{n}=1" for n in range(9)), 400),
        ("GET", "/broken", 503),
        ("GET", "/teapot", 418),
    ],
)
async def test_problems_have_their_status_and_say_nothing_inside(place, method, path, status):
    port, _ = place
    answer = await ask(port, method, path, headers=BEARER)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert "canary" not in answer.text


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"a": 1}', "application/json", 201),
        (b'{"a": 1}', "application/json; charset=utf-8", 201),
        (b'{"a": 1}', "text/plain", 415),
        (b"a=1", "application/x-www-form-urlencoded", 415),
        (b'{"a": 1, "a": 2}', "application/json", 400),
        (b"[]", "application/json", 400),
        (b"", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 60_000, "application/json", 400),
        (b'{"a": "' + b"x" * 65_536 + b'"}', "application/json", 413),
    ],
)
async def test_only_a_json_object_of_bounded_size_is_read(place, body, content_type, status):
    port, _ = place
    answer = await ask(port, "POST", "/v1/things", content=body, headers={**BEARER, "content-type": content_type})
    assert answer.status_code == status


async def test_one_connection_carries_several_requests(place):
    port, _ = place
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=BEARER, trust_env=False) as client:
        for _ in range(3):
            assert (await client.get("/v1/things")).status_code == 200


async def test_probes_answer_anyone_and_only_get(place):
    port, _ = place
    assert (await ask(port, "GET", "/healthz")).text == "ok\n"
    assert (await ask(port, "POST", "/healthz", headers={"content-type": "application/json"})).status_code == 405


async def test_a_server_without_authentication_answers_probes_only(nursery):
    listener = open_tcp("127.0.0.1", 0)
    server = ControlServer(ROUTES).server([listener], Told())
    await nursery.start(server.serve)
    assert (await ask(listener.port, "GET", "/v1/things", headers=BEARER)).status_code == 401
    await server.drain(0)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"garbage\r\n\r\n",
        b"GET /v1/things HTTP/1.1\r\n\r\n",
        b"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/things HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000,
    ],
)
async def test_what_is_not_http_gets_400_and_a_close(place, data):
    port, told = place
    answer = await raw(port, data + b"\r\n" * 8)
    assert answer == b"" or answer.split(b" ")[1] in (b"400", b"431", b"501")
    assert told == []
    assert (await ask(port, "GET", "/healthz")).status_code == 200


async def test_a_request_byte_by_byte_is_the_same_request(place):
    port, _ = place
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = await raw(port, *(request[n : n + 1] for n in range(len(request))))
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"ok\n")


async def test_a_client_that_waits_for_100_is_told_to_go_on(place):
    port, _ = place
    head = (
        b"POST /v1/things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(head)
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 100")
        await stream.send_all(b"{}")
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 201")


async def test_a_defect_in_a_handler_ends_that_connection_only(place):
    port, told = place
    with pytest.raises(httpx2.RemoteProtocolError):
        await ask(port, "GET", "/mad", headers=BEARER)
    assert [type(error) for error in told] == [RuntimeError]
    assert (await ask(port, "GET", "/healthz")).status_code == 200


async def test_a_client_that_sends_nothing_is_cut(nursery, mock_clock):
    listener = open_tcp("127.0.0.1", 0)
    control_server = ControlServer(ROUTES, authenticate)
    server = control_server.server([listener], Told())
    server.limits = replace(server.limits, handshake_s=1000.0)
    await nursery.start(server.serve)
    stream = await trio.open_tcp_stream("127.0.0.1", listener.port)
    await stream.send_all(b"GET /healthz HT")
    while not server.connected:
        await trio.lowlevel.checkpoint()
    for _ in range(20):
        await trio.lowlevel.checkpoint()
    mock_clock.jump(control.REQUEST_TIMEOUT_S + 1)
    assert await stream.receive_some() == b""
    await stream.aclose()
    await server.drain(0)


async def test_a_unix_socket_serves_the_same(nursery, tmp_path):
    told = Told()
    server = ControlServer(ROUTES, authenticate).server([open_unix(tmp_path / "s")], told)
    await nursery.start(server.serve)
    transport = httpx2.AsyncHTTPTransport(uds=str(tmp_path / "s"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway", headers=BEARER) as client:
        assert (await client.get("/v1/things")).json()["who"] == "dora"
    await server.drain(0)
    assert told == []


async def test_over_tcp_with_tls_plaintext_gets_nothing(nursery, server_tls, authorities):
    told = Told()
    listener = open_tcp("127.0.0.1", 0)
    server = ControlServer(ROUTES, authenticate, server_tls).server([listener], told)
    await nursery.start(server.serve)
    assert b"HTTP" not in await raw(listener.port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    context = ssl.create_default_context(cafile=authorities)
    async with httpx2.AsyncClient(verify=context, trust_env=False) as client:
        assert (await client.get(f"https://127.0.0.1:{listener.port}/healthz")).status_code == 200
    await server.drain(0)


def test_an_answer_is_ascii_json():
    assert json.loads(json_reply({"a": "ä\u202e"}).body) == {"a": "ä\u202e"}
    assert json_reply({"a": "ä\u202e"}).body.isascii()


async def test_where_the_body_proves_who_asks_a_post_need_not_be_json(nursery):
    async def take(call):
        await trio.lowlevel.checkpoint()
        return Reply(200, call.body, b"text/plain")

    made = ControlServer((Route("POST", "/take", take, public=True),), proof_in_body=True)
    server = made.server([open_tcp("127.0.0.1", 0)], lambda *_: None)
    await nursery.start(server.serve)
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"http://127.0.0.1:{server.listeners[0].port}/take", content=b"old 0")
        assert (answer.status_code, answer.content) == (200, b"old 0")
        assert len(server.waiting) == 0  # an answer of success stands for authentication
    await server.drain(0)
