"""Every smuggling shape through a whole gateway to three servers with different parsers, and to what the log says.

h11, node (llhttp) and nginx each say which requests they saw: those that the log says were permitted, and no others.
"""

import contextlib
import json
import socket
import ssl
import threading
import time
from collections import Counter

import h2.config
import h2.connection
import h2.events
import h11
import pytest
from http_raw import raw
from http_shapes import CHUNKED, HIDDEN, SMUGGLED, post
from http_stack import http_started
from http_targets import running

from doorward_core.event import EventKind

pytestmark = [pytest.mark.need_nginx, pytest.mark.need_node]

EVERYTHING = """\
version: 1
rules:
  - {id: all, effect: allow, who: {groups: [crew-sales]}, resource: crm, do: [read, write], requests: ["* /**", "!* /hidden"]}
"""
# What is odd and well framed: it arrives, as one request and no more.
ODD = [
    post(b"Content-Type: text/plain\r\n", b"Content-Length: %d\r\n" % len(HIDDEN), body=HIDDEN),
    post(CHUNKED, b"Content-Type: text/plain\r\n", body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)),
    post(b"Content-Length: 5\r\n", body=b"hello").replace(b"POST", b"GET"),
    post(b"Connection: upgrade\r\n", b"Upgrade: h2c\r\n", body=b""),
    post(b"X-Content-Length: 5\r\n", b"Content-Lengths: 5\r\n", body=b""),
    post(b"Connection: keep-alive, x-gone\r\n", b"X-Gone: 1\r\n", body=b""),
    b"GET http://a.example/p HTTP/1.1\r\nHost: a.example\r\n\r\n",
    b"HEAD /p HTTP/1.1\r\nHost: a.example\r\n\r\n",
    b"OPTIONS /p?a=b HTTP/1.1\r\nHost: a.example\r\n\r\n",
]
# H-02, H-04 and H-05: refused, or the same to everybody.
CONFUSED = [
    b"GET /p HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n",
    b"GET http://b.example/p HTTP/1.1\r\nHost: a.example\r\n\r\n",
    b"GET http://u@a.example/p HTTP/1.1\r\nHost: a.example\r\n\r\n",
    b"GET /p HTTP/1.1\r\nHost: a.example\r\nX-Original-URL: /hidden\r\n\r\n",
    b"GET /x/../hidden HTTP/1.1\r\nHost: a.example\r\n\r\n",
    b"GET /x%2f..%2fhidden HTTP/1.1\r\nHost: a.example\r\n\r\n",
    b"GET /%68idden HTTP/1.1\r\nHost: a.example\r\n\r\n",
    b"GET //hidden HTTP/1.1\r\nHost: a.example\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: a.example\r\n\r\n",
    b"CONNECT /hidden HTTP/1.1\r\nHost: a.example\r\n\r\n",
    post(b"Expect: 100-continue\r\n", b"Content-Length: 0\r\n", body=HIDDEN),
    post(b"Connection: upgrade\r\n", b"Upgrade: websocket\r\n", b"Content-Length: 5\r\n", body=b"hello"),
]
PSEUDO = [
    {":path": "/p HTTP/1.1\r\nHost: a\r\n\r\nGET /hidden"},
    {":path": "/p\r\nx: y"},
    {":method": "GET /hidden HTTP/1.1\r\nx:"},
    {":authority": "a.example\r\ntransfer-encoding: chunked"},
    {"transfer-encoding": "chunked"},
    {"x": "a\r\ntransfer-encoding: chunked"},
    {"x\r\ntransfer-encoding": "chunked"},
    {"content-length": "4"},
    {"host": "b.example"},
    {"upgrade": "h2c", "connection": "upgrade"},
    {":scheme": "http://a/hidden?"},
    {},
]


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    with running(tmp_path_factory.mktemp("targets"), b"big") as targets:
        yield targets


class H11Server:
    """A server that reads with h11, and keeps what it read."""

    def __init__(self):
        self.seen = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        wire = h11.Connection(h11.SERVER)
        asked = None
        with client, contextlib.suppress(h11.RemoteProtocolError, OSError):
            while data := client.recv(65536):
                wire.receive_data(data)
                while (event := wire.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                    if isinstance(event, h11.Request):
                        asked = f"{event.method.decode()} {event.target.decode()}"
                    elif isinstance(event, h11.EndOfMessage):
                        self.seen.append(asked)
                        client.sendall(wire.send(h11.Response(status_code=204, headers=[])))
                        client.sendall(wire.send(h11.EndOfMessage()))
                        wire.start_next_cycle()

    def told(self):
        told, self.seen = self.seen, []
        return told

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)  # else the thread goes on to accept, on whatever has this number next
        self._accepting.join()
        self._listener.close()


@pytest.fixture(scope="module", params=["h11", "node", "nginx"])
def before(request, targets, tmp_path_factory):
    """A gateway before each of the servers, and what tells which requests it has seen since then, of so many at least."""
    server = H11Server()
    leads = {
        "h11": (server.port, lambda _: server.told()),
        "node": (targets.node, lambda _: _node_saw(targets)),
        "nginx": (targets.nginx, targets.nginx_saw),
    }
    target, saw = leads[request.param]
    with http_started(tmp_path_factory.mktemp(request.param), policy=EVERYTHING) as gateway:
        gateway.recorder.lead_to(target)
        yield gateway, saw
    server.close()


@pytest.fixture
def gateway(before):
    gateway, saw = before
    saw(0)
    gateway.recorder.mark()
    return gateway


@pytest.fixture
def seen(before):
    return before[1]


def _node_saw(targets):
    with socket.create_connection(("127.0.0.1", targets.node), timeout=60) as client:
        client.sendall(b"GET /seen HTTP/1.0\r\nHost: a\r\n\r\n")
        said = b"".join(iter(lambda: client.recv(65536), b""))
    return json.loads(said.partition(b"\r\n\r\n")[2])


def _shown(gateway, shape):
    """The shape, as a client with a token would send it."""
    token = f"Authorization: Bearer {gateway.token()}\r\n".encode()
    shape = shape.replace(b" /p", b" /crm/p").replace(b" /hidden", b" /crm/hidden").replace(b"GET / ", b"GET /crm/p ")
    return shape.replace(b"Host: a.example\r\n", b"Host: a.example\r\n" + token).replace(
        b"//a.example/p", b"//a.example/crm/p"
    )


def _permitted(gateway, before):
    """What the log says was permitted since: method and target."""
    gateway.curl("/crm/p", "-X", "OPTIONS")  # the last: once it is on record, so is all that came before it
    said, end = [], time.monotonic() + 60
    while not any("user-agent: curl" in text for text in said):
        assert time.monotonic() < end
        said = _decided(gateway)[before:]
    return Counter(text.split("\n")[0] for text in said)


def _decided(gateway):
    return [
        entry.payload["text"]
        for entry in gateway.entries(EventKind.OPERATION_DECIDED)
        if entry.header["verdict"] == "permit"
    ]


def test_h_01_no_server_sees_what_was_not_decided(gateway, seen):
    before = len(_decided(gateway))
    for shape in SMUGGLED.values():
        answer = raw(gateway, _shown(gateway, shape + HIDDEN))
        assert not answer or answer[9:12] in {b"400", b"505", b"413"}, (shape, answer)
    for sent in ODD:
        assert raw(gateway, _shown(gateway, sent), head_only=True).startswith(b"HTTP/1.1 ")
    decided = _permitted(gateway, before)
    saw = Counter(seen(decided.total()))
    assert saw == decided
    assert len(ODD) <= saw.total()
    assert not any("hidden" in line for line in saw)


def test_h_02_h_05_what_is_confused_is_refused_or_the_same_to_everybody(gateway, seen):
    before = len(_decided(gateway))
    for sent in CONFUSED:
        raw(gateway, _shown(gateway, sent + HIDDEN), head_only=True)
    decided = _permitted(gateway, before)
    saw = Counter(seen(decided.total()))
    assert saw == decided
    assert not any("hidden" in line for line in saw)
    assert b"GET /hidden" not in bytes(gateway.recorder.sent)


def test_h_03_no_field_of_h2_becomes_a_request(gateway, seen):
    before = len(_decided(gateway))
    answered = [_over_h2(gateway, changed) for changed in PSEUDO]
    assert answered[-1] in {"200", "204", "404"}
    assert not {"200", "204", "404"} & set(answered[:-1]), answered
    decided = _permitted(gateway, before)
    assert Counter(seen(decided.total())) == decided == Counter(["GET /p", "OPTIONS /p"])
    assert b"hidden" not in bytes(gateway.recorder.sent)


def _over_h2(gateway, changed):
    """One request over h2 with other fields than is usual: its status, or that the connection or stream ended."""
    fields = {":method": "GET", ":scheme": "https", ":path": "/crm/p", ":authority": "localhost"}
    fields |= {"authorization": f"Bearer {gateway.token()}"} | changed
    context = ssl.create_default_context(cafile=str(gateway.state / "tls/ca.crt"))
    context.set_alpn_protocols(["h2"])
    plain = socket.create_connection(("127.0.0.1", gateway.port), timeout=60)
    with plain, context.wrap_socket(plain, server_hostname="localhost") as client:
        config = h2.config.H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
        wire = h2.connection.H2Connection(config)
        wire.initiate_connection()
        wire.send_headers(1, list(fields.items()), end_stream=True)
        client.sendall(wire.data_to_send())
        while data := client.recv(65536):
            for event in wire.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    return dict(event.headers)[b":status"].decode()
                if isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                    return "ended"
            client.sendall(wire.data_to_send())
        return "closed"
