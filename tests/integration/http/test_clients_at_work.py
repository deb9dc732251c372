"""The clients that agents' tools are made of, where more happens than an answer: masks, holds, retries, pools, sockets."""

import asyncio
import json
import ssl
import subprocess
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import httpx2
import pytest
import requests
import websockets.exceptions
import websockets.sync.client
import websockets.sync.server
from http_stack import MASKS, POLICY, http_started
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from doorward_core.event import EventKind

LIVE = """\
  - {id: live, effect: allow, who: {groups: [crew-sales]}, resource: crm, do: [forward], requests: ["GET /live"]}
"""
SECRET = "grace.hopper@example.com"


@pytest.fixture(scope="module")
def _at_work(tmp_path_factory):
    with http_started(tmp_path_factory.mktemp("work"), policy=POLICY + LIVE + MASKS, hold="10m") as gateway:
        yield gateway


@pytest.fixture
def http(_at_work):
    _at_work.crm.scripts.clear()
    _at_work.crm.seen.clear()
    _at_work.recorder.mark()
    return _at_work


def _context(http):
    return ssl.create_default_context(cafile=str(http.state / "tls/ca.crt"))


def _headers(http):
    return {"authorization": f"Bearer {http.token()}"}


def _session(http, **adapter):
    session = requests.Session()
    session.trust_env = False
    session.verify, session.headers = str(http.state / "tls/ca.crt"), _headers(http)
    session.mount("https://", HTTPAdapter(**adapter))
    return session


def _approving(http):
    """Approve what comes to be held, beside the test."""

    def approve():
        (asked,) = http.waiting()
        assert http.vote(asked["id"])[0] == 200

    thread = threading.Thread(target=approve)
    thread.start()
    return thread


@pytest.mark.parametrize("http2", [False, True])
def test_httpx2_gets_masked_answers_and_waits_for_people(http, http2):
    with httpx2.Client(verify=_context(http), headers=_headers(http), http2=http2, timeout=60) as client:
        answer = client.get(http.url("/crm/customers/42"))
        assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
        assert (answer.json()["name"], SECRET in answer.text) == ("Grace", False)
        refused = client.delete(http.url("/crm/customers/42"))
        assert (refused.status_code, refused.json()["retry"]) == (403, False)
        assert refused.headers["content-type"] == "application/problem+json"
        approving = _approving(http)
        held = client.post(http.url("/crm/orders"), json={"customer": int(http2)})
        approving.join()
        assert (held.status_code, held.json()) == (201, {"order": 7})


def test_requests_comes_back_when_it_is_told_to(own_http):
    http = own_http(policy=POLICY + LIVE + MASKS, hold="1s")

    class Approved(Retry):
        """Approves, once it was told to come back, what it comes back with."""

        def sleep(self, response=None):
            (asked,) = http.waiting()
            assert http.vote(asked["id"], retry=True)[0] == 200
            super().sleep(response)

    again = Approved(total=3, status_forcelist=[403], allowed_methods=None, raise_on_status=False)
    with _session(http, max_retries=again) as session:
        answer = session.post(http.url("/crm/orders"), json={"customer": 3}, timeout=60)
    assert (answer.status_code, answer.json()) == (201, {"order": 7})
    assert [one.status for one in answer.raw.retries.history] == [403]
    assert len(http.crm.seen) == 1


@pytest.mark.need_node
def test_node_fetch_is_masked_refused_held_and_answered(http):
    script = """
      const [url, token] = process.argv.slice(1);
      const ask = async (path, more) => {
        const answer = await fetch(url + path, {headers: {authorization: `Bearer ${token}`}, ...more});
        return [answer.status, answer.headers.get('content-type'), await answer.json()];
      };
      const said = [await ask('/customers/42'), await ask('/customers/42', {method: 'DELETE'})];
      said.push(await ask('/orders', {method: 'POST', body: new URLSearchParams({customer: 'node'})}));
      console.log(JSON.stringify(said));
    """
    approving = _approving(http)
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script, http.url("/crm"), http.token()],
        env={"NODE_EXTRA_CA_CERTS": str(http.state / "tls/ca.crt"), "PATH": "/usr/bin:/bin:/usr/local/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    approving.join()
    masked, refused, held = json.loads(done.stdout)
    assert (masked[0], masked[2]["name"], SECRET in done.stdout) == (200, "Grace", False)
    assert (refused[0], refused[1], refused[2]["type"]) == (403, "application/problem+json", "urn:doorward:refused")
    assert (held[0], held[2]) == (201, {"order": 7})


def test_an_event_stream_is_read_masked_by_its_client(http):
    events = [{"n": number, "email": SECRET} for number in range(3)]

    def stream(crm, _):
        crm.send_response(200)
        crm.send_header("content-type", "text/event-stream")
        crm.send_header("transfer-encoding", "chunked")
        crm.end_headers()
        for event in events:
            text = f"event: change\nid: {event['n']}\ndata: {json.dumps(event)}\n\n".encode()
            crm.wfile.write(b"%x\r\n%b\r\n" % (len(text), text))
        crm.wfile.write(b"0\r\n\r\n")

    http.crm.scripts["GET", "/events"] = stream

    async def read():
        async with (
            aiohttp.ClientSession(headers=_headers(http)) as session,
            session.get(http.url("/crm/events"), ssl=_context(http)) as answer,
        ):
            return [json.loads(line[6:]) async for line in answer.content if line.startswith(b"data: ")]

    found = asyncio.run(read())
    assert [one["n"] for one in found] == [0, 1, 2]
    assert SECRET not in str(found)


def test_pools_of_clients_keep_their_connections_and_their_answers_apart(own_http):
    http = own_http()

    def with_requests(number):
        with _session(http, pool_maxsize=2) as session:
            return [session.get(http.url(f"/crm/files/{number}-{n}"), timeout=60).json()["path"] for n in range(20)]

    def with_httpx2(number):
        with httpx2.Client(verify=_context(http), headers=_headers(http), http2=True, timeout=60) as client:
            return [client.get(http.url(f"/crm/files/{number}-{n}")).json()["path"] for n in range(20)]

    async def with_aiohttp():
        connector = aiohttp.TCPConnector(limit=8, ssl=_context(http))
        async with aiohttp.ClientSession(headers=_headers(http), connector=connector) as session:

            async def one(number):
                async with session.get(http.url(f"/crm/files/a-{number}")) as answer:
                    return (await answer.json())["path"]

            return await asyncio.gather(*(one(number) for number in range(100)))

    with ThreadPoolExecutor(9) as pool:
        asked = [pool.submit(with_requests, f"r{n}") for n in range(4)]
        asked += [pool.submit(with_httpx2, f"h{n}") for n in range(4)]
        asked.append(pool.submit(asyncio.run, with_aiohttp()))
        answers = [one.result(60) for one in asked]
    assert answers[0][:2] == ["/files/r0-0", "/files/r0-1"]
    assert Counter(path for answer in answers for path in answer) == Counter(seen.target for seen in http.crm.seen)
    assert len(http.crm.seen) == 260
    opened = http.entries(EventKind.SESSION_OPENED)
    assert 9 <= len(opened) <= 16  # one for each connection and credential, not for each request
    assert "Traceback" not in http.said()


# --- websockets -------------------------------------------------------------------------------------------------------


@pytest.fixture
def live(own_http):
    """A gateway before a server of the websockets library, which greets and repeats."""

    def repeat(connection):
        connection.send(json.dumps({"email": SECRET, "n": 1}))
        for message in connection:
            connection.send(message)

    with websockets.sync.server.serve(repeat, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        http = own_http(policy=POLICY + LIVE + MASKS)
        http.recorder.lead_to(server.socket.getsockname()[1])
        yield http
        server.shutdown()
        thread.join()


def _connect(http, path="/crm/live"):
    return websockets.sync.client.connect(
        f"wss://localhost:{http.port}{path}", ssl=_context(http), additional_headers=_headers(http), proxy=None
    )


def test_websockets_are_masked_and_answer_pings(live):
    with _connect(live) as client:
        greeting = json.loads(client.recv(timeout=60))
        assert (greeting["n"], greeting["email"] == SECRET) == (1, False)
        assert client.ping(b"still there?").wait(60)
        client.send(json.dumps({"n": 2}))
        assert json.loads(client.recv(timeout=60)) == {"n": 2}


def test_websockets_hears_why_it_may_not(live):
    with pytest.raises(websockets.exceptions.InvalidStatus) as refused, _connect(live, "/crm/customers"):
        pass
    answer = refused.value.response
    assert answer.status_code == 403
    assert json.loads(answer.body)["type"] == "urn:doorward:refused"
