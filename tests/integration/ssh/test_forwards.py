"""Connections through the target, by the real ssh: decided by address, on record with their bytes, else refused."""

import contextlib
import os
import re
import socket
import tempfile
import threading
import time

import pytest
import ssh_stack

from doorward_core.event import EventKind
from doorward_core.record.reader import LogReader

pytestmark = pytest.mark.need_sshd


class Echo:
    """A service at the target: it greets, and sends back in capitals what it is sent, to the end."""

    def __init__(self, path=None):
        self._socket = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self._socket.bind(path or ("127.0.0.1", 0))
        self._socket.listen(16)
        self.port = 0 if path else self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    @staticmethod
    def _serve(connection):
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"hello\n")
            while data := connection.recv(65536):
                connection.sendall(data.upper())

    def close(self):
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture(scope="module")
def echo():
    service = Echo()
    yield service
    service.close()


@pytest.fixture(scope="module")
def _gateway(tmp_path_factory, echo):
    folder = tmp_path_factory.mktemp("sockets")
    policy = f"""\
version: 1
rules:
  - id: one-service
    effect: allow
    who: {{groups: [forwarders]}}
    resource: web1
    do: [forward]
    targets:
      address: ["127.0.0.1:{echo.port}", "127.0.0.1:1"]
      local-address: ["127.0.0.1:{echo.port}", "127.0.0.1:1"]
      socket: ["{folder}/*"]
  - id: everywhere-else
    effect: allow
    who: {{groups: [wide]}}
    resource: web1
    do: [forward]
    targets: {{address: ["*"]}}
  - {{id: stays, effect: allow, who: {{groups: [wide]}}, resource: web1, do: [execute], commands: ["echo *", cat]}}
  - id: ask-first
    effect: hold
    who: {{groups: [askers]}}
    resource: web1
    do: [forward]
    targets: {{address: ["127.0.0.1:{echo.port}"], local-address: ["127.0.0.1:{echo.port}"]}}
    approve: {{by: {{groups: [dba]}}, quorum: 1, within: 10m, grant: 5m}}
"""
    with ssh_stack.started(tmp_path_factory.mktemp("ssh-forwards"), policy=policy) as gateway:
        gateway.folder = folder
        yield gateway


@pytest.fixture
def gateway(_gateway):
    """What one test leaves open or held is over before the next one looks."""
    _gateway.recorder.settle()
    yield _gateway
    while _gateway.clients:
        _gateway.clients.pop().close()
    _gateway.nothing_waits()


def _stdio(gateway, where, data=b"", groups=("forwarders",)):
    """`ssh -W`: one connection over standard input and output."""
    return gateway.ssh(options=("-W", where), stdin=data, groups=groups)


def _finished(gateway, text, wanted, within_s=60):
    end = time.monotonic() + within_s
    while True:
        entries = list(LogReader(gateway.log).entries())
        asked = {e.operation_id for e in entries if e.kind == "operation.decided" and e.payload["text"] == text}
        ended = [e for e in entries if e.kind == "operation.finished" and e.operation_id in asked]
        found = [(e.header["bytes_up"], e.header["bytes_down"]) for e in ended]
        if wanted in found or time.monotonic() > end:
            return found
        time.sleep(0.05)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]"])
def test_an_allowed_address_is_reached_however_it_is_spelt(gateway, echo, host):
    done = _stdio(gateway, f"{host}:{echo.port}", b"abc\n")
    assert (done.returncode, done.stdout) == (0, b"hello\nABC\n"), done.stderr


def test_what_passed_is_on_record_in_bytes(gateway, echo):
    payload = os.urandom(3_000_000).replace(b"\n", b".")
    done = _stdio(gateway, f"127.0.0.1:{echo.port}", payload)
    assert done.stdout == b"hello\n" + payload.upper()
    passed = (len(payload), len(payload) + len(b"hello\n"))
    assert passed in _finished(gateway, f"direct-tcpip 127.0.0.1 port {echo.port}", passed)


def test_a_refused_address_says_why(gateway, echo):
    done = _stdio(gateway, f"127.0.0.1:{echo.port + 1}")
    assert done.returncode != 0
    assert done.stdout == b""
    assert gateway.recorder.sent == b""
    noisy = gateway.ssh(options=("-v", "-W", "10.0.0.1:22"), groups=("forwarders",))
    assert b"doorward: refused" in noisy.stderr


def test_a_wide_rule_does_not_mean_the_target_itself(gateway, echo):
    assert _stdio(gateway, f"127.0.0.1:{echo.port}", groups=("wide",)).returncode != 0
    assert _stdio(gateway, f"0:{echo.port}", groups=("wide",)).returncode != 0


def test_a_service_that_is_not_there_is_an_error_at_once(gateway):
    done = gateway.ssh(options=("-v", "-W", "127.0.0.1:1"), groups=("forwarders",))
    assert done.returncode != 0
    assert b"the target could not connect to it" in done.stderr


def test_a_held_connection_waits_for_people(gateway, echo):
    options = ("-W", f"127.0.0.1:{echo.port}", "-v")
    client = gateway.popen(options=options, groups=("askers",))
    request = gateway.waiting()[0]
    assert request["verb"] == "direct-tcpip"
    assert gateway.vote(request["id"])[0] == 200
    out, said = client.communicate(b"abc\n", timeout=90)
    assert out == b"hello\nABC\n"
    assert re.search(rf"waiting at most \d+ s \[{request['id']}\]", said.decode())


def test_a_held_connection_is_told_in_the_command_beside_it(gateway, echo, near):
    forward = ("-L", f"{near}:127.0.0.1:{echo.port}")
    client = gateway.popen("echo up; cat", options=forward, groups=("askers", "wide"))
    assert client.stdout.readline() == b"up\n"  # ssh listens before that, with no command to tell it in
    with _connected(near):
        request = gateway.waiting()[0]
        assert f"[{request['id']}]".encode() in client.stderr.readline()


@pytest.fixture
def near(gateway):
    """Where ssh listens for a test: a path in a folder of its own, short enough for a socket."""
    with tempfile.TemporaryDirectory(dir=gateway.sockets) as folder:
        yield f"{folder}/near"


def _connected(path):
    """A connection to the socket on which ssh listens, once it does."""
    end = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError), contextlib.ExitStack() as opened:
            client = opened.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(path)
            opened.pop_all()
            return client
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_unix_socket_is_reached_where_a_rule_names_it(gateway, near):
    service = Echo(f"{gateway.folder}/service")
    gateway.popen(options=("-N", "-L", f"{near}:{gateway.folder}/service"), groups=("forwarders",))
    with _connected(near) as connection:
        connection.sendall(b"abc")
        connection.shutdown(socket.SHUT_WR)
        found = b""
        while data := connection.recv(100):
            found += data
    assert found == b"hello\nABC"
    service.close()


@pytest.mark.parametrize(
    "options",
    [("-R", "0:127.0.0.1:1"), ("-R", "/tmp/doorward-remote:127.0.0.1:1")],
    ids=["remote", "remote socket"],
)
def test_a_target_does_not_listen_and_that_it_was_asked_is_on_record(gateway, options):
    known = len(refused(gateway))
    done = gateway.ssh(options=("-N", "-o", "ExitOnForwardFailure=yes", *options), groups=("wide", "forwarders"))
    assert done.returncode != 0
    (entry,) = refused(gateway)[known:]
    assert (entry.payload["atoms"][0]["action"], entry.payload["atoms"][0]["kind"]) == ("forward", "listener")
    assert "does not listen" in entry.payload["advice"]


def test_no_tunnel_is_made(gateway):
    done = gateway.ssh(options=("-N", "-o", "ExitOnForwardFailure=yes", "-w", "any"), groups=("wide", "forwarders"))
    assert done.returncode != 0


def refused(gateway):
    """The entries of what was refused, so far."""
    return [item for item in gateway.entries(EventKind.OPERATION_DECIDED) if item.header["verdict"] == "deny"]


def test_neither_an_agent_nor_x11_is_forwarded(own_ssh_gateway):
    gateway = own_ssh_gateway()
    done = gateway.ssh("echo [$SSH_AUTH_SOCK] [$DISPLAY]", options=("-A", "-X"), groups=("anything",))
    assert done.stdout == b"[] []\n", done
    assert done.returncode == 0


def test_many_connections_of_one_login_do_not_mix(gateway, echo, near):
    gateway.popen(options=("-N", "-L", f"{near}:127.0.0.1:{echo.port}"), groups=("forwarders",))
    connections = [_connected(near) for _ in range(30)]
    for number, connection in enumerate(connections):
        connection.sendall(b"n%d." % number)
        connection.shutdown(socket.SHUT_WR)
    for number, connection in enumerate(connections):
        found = b""
        while data := connection.recv(100):
            found += data
        assert found == b"hello\nN%d." % number
        connection.close()
