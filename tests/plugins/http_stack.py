"""A whole HTTP gateway for tests: a CRM on loopback, a development issuer, the gateway as a process, a recorder between.

The recorder stands where the gateway dials its target, so that "nothing reached the target" is checked there.
Clients are the real ones; `curl` here runs it as a person would.
"""

import contextlib
import json
import os
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from gateway_stack import Gateway, Recorder, own

from doorward_demo.certificates import write_certificates
from doorward_demo.issuer import DevelopmentIssuer
from doorward_demo.postgres import free_port

CRM_TOKEN = "crm-" + os.urandom(12).hex()
CUSTOMERS = [
    {"id": 41, "name": "Ada", "email": "ada@example.com", "card": "4111111111111111"},
    {"id": 42, "name": "Grace", "email": "grace.hopper@example.com", "card": "5500005555555559"},
]

POLICY = """\
version: 1
rules:
  - id: sales-look
    effect: allow
    who: {groups: [crew-sales]}
    resource: crm
    do: [read]
    requests: ["GET,HEAD /**", "POST /search", "!GET /admin"]
  - id: no-exports
    effect: block
    resource: crm
    do: [read]
    requests: ["GET /customers"]
    when: {"query.export": ["*"]}
    reason: Exports are made by the data office.
  - id: small-discounts
    effect: allow
    who: {groups: [crew-sales]}
    resource: crm
    do: [write]
    requests: ["POST /discounts"]
    when: {"body.$.percent": ["?"]}
  - id: orders-need-a-human
    effect: hold
    who: {groups: [crew-sales]}
    resource: crm
    do: [write]
    requests: ["POST,PUT /orders/**"]
    approve: {by: {groups: [sales-leads]}}
  - id: uploads
    effect: allow
    who: {groups: [crew-sales]}
    resource: crm
    do: [write]
    requests: ["POST,PUT /files/**", "POST /login"]
"""

MASKS = """\
masks:
  - id: pii
    resource: crm
    columns: ["$..email"]
    detect: [email, card]
    with: partial
    except: {groups: [privacy-office]}
"""

CONFIG = """\
version: 1
origin: gateway.test
listen:
  - {{address: 127.0.0.1, port: {port}, tls: {{certificate: tls/server.crt, key: tls/server.key}}}}
  - {{unix: {sockets}/http.sock}}
admin: {{address: 127.0.0.1, port: {admin}}}
approvals:
  store: approvals.sqlite
  listen: {{unix: {sockets}/approvals.sock}}
  link: "https://desk.example/approvals/{{id}}"
identity:
  issuers:
    - issuer: {issuer}
      audience: [doorward]
      max_age: 1h
record: {{folder: log, keys: keys, level: {level}, checkpoint_interval: 1s}}
policy: policy.yaml
resources:
  crm:
    protocol: http
    target:
      at: [/crm, crm.localhost]
      url: http://127.0.0.1:{target}{base}
      send: {send}
      hold: {hold}
{more}
    accounts:
      app: {{user: doorward, password: {{env: CRM_TOKEN}}}}
"""


@dataclass
class Seen:
    """One request as the CRM read it."""

    method: str
    target: str
    headers: list
    body: bytes

    def header(self, name):
        return [value for key, value in self.headers if key.lower() == name]


class Answers(BaseHTTPRequestHandler):
    """The CRM's own answers; a test puts others into `server.scripts` by method and path."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _body(self):
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return body
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length)
        return body if len(body) == length else None

    def _serve(self):
        body = self._body()
        if body is None:  # what is not whole is no request, to any server
            self.close_connection = True
            return
        seen = Seen(self.command, self.path, list(self.headers.items()), body)
        self.server.seen.append(seen)
        script = self.server.scripts.get((self.command, urlsplit(self.path).path))
        (script or Answers.answer)(self, seen)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _serve  # noqa: N815 - its names

    def answer(self, seen):
        path = urlsplit(seen.target).path
        if seen.header("authorization") != [f"Bearer {CRM_TOKEN}"]:
            self.say(401, {"error": "who are you?"}, ("www-authenticate", 'Basic realm="crm"'))
        elif path == "/customers":
            limit = int(parse_qs(urlsplit(seen.target).query).get("limit", ["10"])[0])
            self.say(200, {"customers": CUSTOMERS[:limit]}, ("etag", '"v1"'))
        elif path.startswith("/customers/"):
            found = [one for one in CUSTOMERS if path.endswith(f"/{one['id']}")]
            self.say(200 if found else 404, found[0] if found else {"error": "no such customer"})
        elif path == "/orders" and seen.method == "POST":
            self.say(201, {"order": 7}, ("location", f"{self.server.base}/orders/7"))
        elif path == "/echo":
            self.say(200, {"headers": seen.headers, "target": seen.target})
        else:
            self.say(200, {"path": path, "received": len(seen.body)})

    def say(self, status, document, *headers):
        self.send(status, json.dumps(document).encode(), ("content-type", "application/json"), *headers)

    def send(self, status, body, *headers):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """One with room for a crowd before it: a connection that finds none is tried again after a second."""

    request_queue_size = 128
    daemon_threads = True


class Crm:
    """A small CRM on loopback: `seen` are the requests that reached it, `scripts` answers of a test's own."""

    def __init__(self):
        self._server = Server(("127.0.0.1", 0), Answers)
        self._server.seen = self.seen = []
        self._server.scripts = self.scripts = {}
        self._server.base = ""
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def at(self, base):
        self._server.base = base

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@dataclass
class Curled:
    """What curl showed."""

    status: int
    headers: dict
    body: bytes
    code: int
    said: str

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class HttpGateway(Gateway):
    """A running HTTP gateway, and how to reach it."""

    module: str = "doorward_http"
    crm: Crm = None
    running: list = field(default_factory=list)

    def token(self, subject="crew-1", groups=("crew-sales",), kind="agent", **how):
        return self.issuer.issue(subject, kind, tuple(groups), **how)

    def url(self, path):
        return f"https://localhost:{self.port}{path}"

    def command(self, path, *options, token=None, auth=True, **who):
        command = ["curl", "-s", "-S", "-i", "--http1.1", "--max-time", "300"]
        command += ["--cacert", str(self.state / "tls/ca.crt"), "--resolve", f"crm.localhost:{self.port}:127.0.0.1"]
        if auth:
            command += ["-H", f"Authorization: Bearer {token or self.token(**who)}"]
        return [*command, *options, path if "://" in path else self.url(path)]

    def curl(self, path, *options, stdin=None, **who):
        """Run curl as a person would."""
        done = subprocess.run(
            self.command(path, *options, **who), input=stdin, capture_output=True, timeout=310, check=False
        )
        return self._curled(done.returncode, done.stdout, done.stderr)

    def curling(self, path, *options, **who):
        """The same, not waited for; hand it to `finished`."""
        command = self.command(path, *options, **who)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.running.append(process)
        return process

    def finished(self, process):
        out, said = process.communicate(timeout=310)
        return self._curled(process.returncode, out, said)

    @staticmethod
    def _curled(code, out, said):
        head, _, body = out.partition(b"\r\n\r\n")
        while head.startswith((b"HTTP/1.1 1", b"HTTP/2 1")):
            head, _, body = body.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers.setdefault(name.lower(), []).append(value.strip())
        status = int(first.split()[1]) if first else 0
        return Curled(status, {name: ", ".join(values) for name, values in headers.items()}, body, code, said.decode())

    def approver(self, subject="tom", groups=("sales-leads",), kind="human"):
        return super().approver(subject, groups, kind)


@contextlib.contextmanager
def http_started(folder, *, policy=POLICY, level="shape", base="", send="bearer", hold="10m", more="", config=CONFIG):
    """Start a CRM and a gateway with a state folder of its own, and stop both at the end."""
    sockets = Path(tempfile.mkdtemp(prefix="dw-"))
    write_certificates(folder / "tls")
    crm = Crm()
    recorder = Recorder(crm.port)
    crm.at(f"http://127.0.0.1:{recorder.port}{base}")
    with DevelopmentIssuer() as issuer:
        gateway = HttpGateway(folder, sockets, free_port(), free_port(), issuer, None, recorder)
        gateway.crm = crm
        gateway.write(
            policy,
            config,
            target=recorder.port,
            level=level,
            base=base,
            send=send,
            hold=hold,
            more=more,
        )
        gateway.environment = {"CRM_TOKEN": CRM_TOKEN}
        try:
            gateway.start(gateway.environment)
            yield gateway
        finally:
            for process in gateway.running:
                process.kill()
                process.communicate()
            gateway.stop()
            recorder.close()
            crm.close()


@pytest.fixture(scope="session")
def _shared_http(tmp_path_factory):
    with http_started(tmp_path_factory.mktemp("http")) as gateway:
        yield gateway


@pytest.fixture
def http(_shared_http):
    """The gateway that tests share, with an empty recorder and a CRM that has forgotten everything."""
    _shared_http.begin()
    _shared_http.recorder.mark()
    _shared_http.crm.seen.clear()
    _shared_http.crm.scripts.clear()
    return _shared_http


@pytest.fixture
def own_http(tmp_path):
    """A maker of gateways of one's own: for policies, settings and faults."""
    with own(http_started, tmp_path, "http") as make:
        yield make
