"""The clients that agents' tools are made of, unchanged: another base URL and a token, nothing else."""

import asyncio
import json
import ssl
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import grpc
import httpx2
import pytest
import requests
from http_stack import CONFIG, POLICY

SERVICE = """\
  - id: service
    effect: allow
    who: {groups: [crew-sales]}
    resource: crm
    do: [write]
    requests: ["POST /crm.Customers/*", "!POST /crm.Customers/Delete"]
"""


def _ca(http):
    return str(http.state / "tls/ca.crt")


def _headers(http):
    return {"authorization": f"Bearer {http.token()}"}


def test_requests(http):
    with requests.Session() as session:
        session.trust_env = False
        session.verify, session.headers = _ca(http), _headers(http)
        assert session.get(http.url("/crm/customers/42"), timeout=60).json()["name"] == "Grace"
        posted = session.post(http.url("/crm/discounts"), json={"percent": 5}, timeout=60)
        assert posted.status_code == 200
        refused = session.delete(http.url("/crm/customers/42"), timeout=60)
        assert refused.json()["type"] == "urn:doorward:refused"
        chunked = session.put(http.url("/crm/files/1"), data=iter([b"a" * 70_000] * 40), timeout=60)
        assert chunked.json()["received"] == 2_800_000


def test_httpx2(http):
    context = ssl.create_default_context(cafile=_ca(http))
    with httpx2.Client(base_url=http.url("/crm/"), verify=context, headers=_headers(http)) as client:
        assert [one["id"] for one in client.get("customers", params={"limit": 2}).json()["customers"]] == [41, 42]
        assert client.get("customers", params={"export": "csv"}).status_code == 403


def test_a_stream_of_events_arrives_event_by_event(http):
    release = threading.Event()

    def events(crm, _):
        crm.send_response(200)
        crm.send_header("content-type", "text/event-stream")
        crm.send_header("transfer-encoding", "chunked")
        crm.end_headers()
        for number in range(2):
            piece = f"data: {json.dumps({'n': number})}\n\n".encode()
            crm.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            crm.wfile.flush()
            release.wait(60)
        crm.wfile.write(b"0\r\n\r\n")

    http.crm.scripts["GET", "/events"] = events
    context = ssl.create_default_context(cafile=_ca(http))
    with httpx2.Client(verify=context, timeout=60) as client:
        with client.stream("GET", http.url("/crm/events"), headers=_headers(http)) as answer:
            lines = answer.iter_lines()
            assert next(line for line in lines if line) == 'data: {"n": 0}'
            release.set()
            assert next(line for line in lines if line) == 'data: {"n": 1}'


def test_aiohttp(http):
    async def ask():
        context = ssl.create_default_context(cafile=_ca(http))
        async with aiohttp.ClientSession(headers=_headers(http)) as session:
            answers = []
            for _ in range(3):
                async with session.get(http.url("/crm/customers/41"), ssl=context) as answer:
                    answers.append((await answer.json())["name"])
            return answers

    assert asyncio.run(ask()) == ["Ada"] * 3


@pytest.mark.need_node
def test_node_fetch(http):
    script = """
      const answer = await fetch(process.argv[1], {headers: {authorization: `Bearer ${process.argv[2]}`}});
      console.log(answer.status, (await answer.json()).name);
    """
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script, http.url("/crm/customers/42"), http.token()],
        env={"NODE_EXTRA_CA_CERTS": _ca(http), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "200 Grace\n", done.stderr


class Customers(grpc.GenericRpcHandler):
    """A gRPC service without generated code: bytes in, bytes out."""

    def __init__(self):
        self.seen = []

    def service(self, details):
        self.seen.append(details.method)
        if details.method.endswith("/List"):
            return grpc.unary_stream_rpc_method_handler(lambda request, _: iter([request, b"two", b"three"]))
        if details.method.endswith("/Chat"):
            return grpc.stream_stream_rpc_method_handler(lambda asked, _: (b"re: " + one for one in asked))
        return grpc.unary_unary_rpc_method_handler(lambda request, _: request.upper())


@pytest.fixture
def grpc_gateway(own_http):
    """A gateway before a gRPC server without TLS, which speaks HTTP/2 at once."""
    service = Customers()
    server = grpc.server(ThreadPoolExecutor(4), handlers=(service,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    config = CONFIG.replace("at: [/crm, crm.localhost]", "at: [localhost]").replace("{target}{base}", str(port))
    gateway = own_http(policy=POLICY + SERVICE, config=config, more="      http2: prior-knowledge")
    credentials = grpc.ssl_channel_credentials((gateway.state / "tls/ca.crt").read_bytes())
    token = grpc.access_token_call_credentials(gateway.token())
    both = grpc.composite_channel_credentials(credentials, token)
    with grpc.secure_channel(f"localhost:{gateway.port}", both) as channel:
        yield service, channel
    server.stop(None).wait()


def test_grpc_is_decided_by_service_and_method(grpc_gateway):
    service, channel = grpc_gateway
    assert channel.unary_unary("/crm.Customers/Get")(b"ada", timeout=60) == b"ADA"
    assert list(channel.unary_stream("/crm.Customers/List")(b"one", timeout=60)) == [b"one", b"two", b"three"]
    with pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary("/crm.Customers/Delete")(b"ada", timeout=60)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "doorward refused POST" in refused.value.details()
    assert service.seen == ["/crm.Customers/Get", "/crm.Customers/List"]


def test_grpc_streams_both_ways_at_once(grpc_gateway):
    _, channel = grpc_gateway
    answered = threading.Semaphore(0)

    def asked():
        for number in range(3):
            yield f"m{number}".encode()
            assert answered.acquire(timeout=60)

    found = []
    for answer in channel.stream_stream("/crm.Customers/Chat")(asked(), timeout=60):
        found.append(answer)
        answered.release()
    assert found == [b"re: m0", b"re: m1", b"re: m2"]
