"""WebSockets: where policy permits `forward`, message by message, masked, and never by default."""

import json
import socket
import ssl
import threading

import pytest
from http_stack import MASKS, POLICY
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)

from doorward_core.event import EventKind

LIVE = """\
  - id: live
    effect: allow
    who: {groups: [crew-sales]}
    resource: crm
    do: [forward]
    requests: ["GET /live"]
"""


class Echo:
    """A WebSocket server on loopback for one connection after another: says what it is told, after a greeting."""

    def __init__(self, greeting=()):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.greeting = greeting
        self.heard = []
        self.asked = []
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                self._one(client)
            self.ended.set()

    def _one(self, client):
        wire = WSConnection(ConnectionType.SERVER)
        while data := client.recv(65536):
            wire.receive_data(data)
            for event in wire.events():
                match event:
                    case Request():
                        self.asked.append(event)
                        client.sendall(wire.send(AcceptConnection(subprotocol=(event.subprotocols or [None])[0])))
                        for text in self.greeting:
                            client.sendall(wire.send(TextMessage(text)))
                    case TextMessage(data=text):
                        self.heard.append(text)
                        client.sendall(wire.send(TextMessage(text)))
                    case BytesMessage(data=content):
                        self.heard.append(content)
                        client.sendall(wire.send(BytesMessage(content)))
                    case Ping():
                        client.sendall(wire.send(event.response()))
                    case CloseConnection():
                        self.heard.append(event.code)
                        client.sendall(wire.send(event.response()))
                        return

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)  # else the thread goes on to accept, on whatever has this number next
        self._listener.close()


class Client:
    """One WebSocket client over TLS."""

    def __init__(self, http, path="/crm/live", **who):
        context = ssl.create_default_context(cafile=str(http.state / "tls/ca.crt"))
        raw = socket.create_connection(("127.0.0.1", http.port), timeout=60)
        self.socket = context.wrap_socket(raw, server_hostname="localhost")
        self.wire = WSConnection(ConnectionType.CLIENT)
        headers = [(b"authorization", f"Bearer {http.token(**who)}".encode())]
        request = Request(host="localhost", target=path, extra_headers=headers, subprotocols=["crm.v1"])
        self.socket.sendall(self.wire.send(request))

    def next(self):
        while True:
            for event in self.wire.events():
                return event
            self.wire.receive_data(self.socket.recv(65536) or None)

    def say(self, event):
        self.socket.sendall(self.wire.send(event))

    def close(self):
        self.socket.close()


@pytest.fixture
def live(own_http):
    """A gateway before a WebSocket server, and a maker of clients."""
    made = []

    def start(policy=POLICY + LIVE, greeting=()):
        server = Echo(greeting)
        http = own_http(policy=policy)
        http.recorder.lead_to(server.port)
        made.append(server)

        def client(**how):
            made.append(Client(http, **how))
            return made[-1]

        return http, server, client

    yield start
    for one in made:
        one.close()


def test_messages_go_both_ways_and_are_on_record(live):
    http, server, client = live()
    talk = client()
    accepted = talk.next()
    assert (type(accepted), accepted.subprotocol) == (AcceptConnection, "crm.v1")
    for message in (TextMessage("hello"), BytesMessage(b"\x00\x01")):
        talk.say(message)
        assert talk.next().data == message.data
    talk.say(Ping(b"are you there"))
    assert isinstance(talk.next(), Pong)
    talk.say(CloseConnection(4000, "enough"))
    assert talk.next().code == 4000
    assert server.ended.wait(60)
    assert server.heard == ["hello", b"\x00\x01", 4000]
    headers = {bytes(name): bytes(value) for name, value in server.asked[0].extra_headers}
    assert b"sec-websocket-extensions" not in headers
    (finished,) = http.until_recorded(EventKind.OPERATION_FINISHED)
    assert (finished.header["code"], finished.header["status"]) == ("101", "ok")
    assert b"hello\n" in finished.payload["shown"]
    (decided,) = http.until_recorded(EventKind.OPERATION_DECIDED)
    assert (decided.header["action"], decided.header["unseen"]) == ("forward", ["frames"])


def test_without_a_rule_that_forwards_there_is_no_socket(live):
    http, server, client = live(policy=POLICY)
    refused = client().next()
    assert (type(refused), refused.status_code) == (RejectConnection, 403)
    assert server.asked == []
    assert bytes(http.recorder.sent) == b""


def test_what_a_socket_says_is_masked(live):
    said = json.dumps({"email": "ada@example.com", "n": 1})
    _, _, client = live(policy=POLICY + LIVE + MASKS, greeting=(said,))
    talk = client()
    talk.next()
    shown = talk.next().data
    assert "ada@example.com" not in shown
    assert json.loads(shown)["n"] == 1
    talk.say(BytesMessage(b"ada@example.com"))
    ended = talk.next()
    assert (type(ended), ended.code) == (CloseConnection, 1008)


def test_a_text_in_which_no_path_can_be_found_ends_the_socket(live):
    _, _, client = live(policy=POLICY + LIVE + MASKS, greeting=("email: ada@example.com",))
    talk = client()
    talk.next()
    assert talk.next().code == 1008


def test_a_socket_ends_with_the_gateway(live):
    http, _, client = live()
    talk = client()
    talk.next()
    http.process.terminate()
    assert talk.next().code == 1001
