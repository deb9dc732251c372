"""ATTACKS by going away at the worst moment: a session that is cancelled after each of its steps leaves nothing behind.

The gate, its desk and store, the listener and the proxy are the real ones; the log is in memory and takes a step to be
durable, and the target is a server of its own in the same loop, so that all that it was ever sent is known.
"""

import contextlib
import re
from functools import partial
from types import MappingProxyType, SimpleNamespace

import pytest
import sql_stand
import trio
from cut_short import Cut, in_order, until

from doorward_core.approvals.desk import Desk
from doorward_core.approvals.request import RequestState, Verdict
from doorward_core.approvals.store import SqliteStore
from doorward_core.config import Account, Limits
from doorward_core.event import EventKind
from doorward_core.gate import Gate
from doorward_core.identity.authenticate import Authenticator, BearerToken
from doorward_core.identity.jwks import KeyCache
from doorward_core.identity.token import IssuerSettings
from doorward_core.model import (
    Action,
    Atom,
    AuthMethod,
    Identity,
    Operation,
    Peer,
    PrincipalKind,
    RecordLevel,
    Resource,
    Secret,
    Target,
)
from doorward_core.net import listen
from doorward_core.policy.load import parse_policy
from doorward_core.record.memory import MemoryLog
from doorward_core.shares import Shares
from doorward_core.terms import Setting
from doorward_demo.issuer import DevelopmentIssuer
from doorward_http.proxy import DISCHARGES as HTTP_DISCHARGES
from doorward_http.proxy import HttpProxy
from doorward_http.settings import HttpTarget
from doorward_postgres import catalogue
from doorward_postgres import wire_encode as enc
from doorward_postgres.proxy import DISCHARGES, PostgresProxy
from doorward_postgres.settings import PostgresTarget, TargetTls
from doorward_postgres.wire import Backend, FrameReader, Frontend, Side
from doorward_postgres.wire_decode import Field, decode_query

NS = 1_000_000_000
START = 1_800_000_000 * NS
KEY = bytes(range(32))
MOST_STEPS = 2000
POLICY = """
version: 1
rules:
  - {id: reads, effect: allow, who: {groups: [crew]}, resource: shop, do: [read], tables: ["public.*"]}
  - id: writes
    effect: hold
    who: {groups: [crew]}
    resource: shop
    do: [write]
    tables: ["public.*"]
    approve: {by: {groups: [dba]}, within: 10m, grant: 5m, in_transaction: 60s}
"""


CUSTOMERS = Atom(Action.WRITE, Target("relation", "public.customer"))
UPDATE = Operation(b"o" * 16, 1, Action.WRITE, "UPDATE", (CUSTOMERS,), "update customer", b"d" * 32)


HTTP_POLICY = """
version: 1
rules:
  - {id: reads, effect: allow, who: {groups: [crew]}, resource: shop, do: [read], requests: ["GET /**"]}
  - id: writes
    effect: hold
    who: {groups: [crew]}
    resource: shop
    do: [write]
    requests: ["POST /**"]
    approve: {by: {groups: [dba]}, within: 10m, grant: 5m, retry: false}
"""


class StepwiseLog(MemoryLog):
    """Nothing is durable before whoever waits for it has waited. `held` is set once something is."""

    def __init__(self):
        super().__init__()
        self.held = trio.Event()

    def append(self, event, now_unix_ns):
        if event.kind is EventKind.OPERATION_HELD:
            self.held.set()
        return super().append(event, now_unix_ns)

    async def durable(self, index):
        await trio.lowlevel.checkpoint()
        await super().durable(index)


class Premises:
    """A gate with one resource, and everything real about it but its log."""

    def __init__(self, folder, issuer, discharges, policy=POLICY, protocol="postgres"):
        self.issuer = issuer
        self.log = StepwiseLog()
        self.store = SqliteStore(folder / "approvals.sqlite", KEY)
        self.desk = Desk(self.store, clock=lambda: START, record=self._record)
        settings = IssuerSettings(
            issuer.url, frozenset({"doorward"}), jwks_uri=f"{issuer.url}/jwks", max_age_s=4 * 3600
        )
        self.gate = Gate(
            origin="gw.example",
            policy=parse_policy(policy, "policy.yaml"),
            resources={"shop": Setting(Resource("shop", protocol, MappingProxyType({})), frozenset({"app"}), "app")},
            authenticator=Authenticator((settings,), clock=lambda: START, keys=KeyCache(fetch=self._keys)),
            log=self.log,
            desk=self.desk,
            binding_key=KEY,
            discharges=discharges,
            level=RecordLevel.SHAPE,
            clock=lambda: START,
            shares=Shares(1),
        )

    async def _keys(self, _url, _ca_file):
        await trio.lowlevel.checkpoint()
        return self.issuer.jwks()

    async def _record(self, event):
        await self.log.durable(self.log.append(event, START))

    def token(self):
        return self.issuer.issue("crew-7", "agent", ("crew",))

    async def approve(self):
        """Approve whatever waits, as somebody who may."""
        human = PrincipalKind.HUMAN
        dora = Identity("dora", self.issuer.url, human, frozenset({"dba"}), AuthMethod.JWT, "jti", START, 2**62)
        for case in await self.desk.list():
            await self.desk.vote(dora, case.request.id, Verdict.APPROVE, "")

    def events(self, kind):
        return [event for event in self.log.events if event.kind is kind]

    async def nothing_is_left(self, server):
        """No place, session, request or grant; and what was opened on record is closed there."""
        await until(lambda: server.connected == 0)
        assert len(server.waiting) == 0
        assert self.gate.sessions == {}
        assert self.gate.shares._open == {}
        assert self.desk._taken._held == {}
        assert self.desk._woken == {}
        assert {case.state.value for case in await self.desk.list()} <= {"used", "withdrawn"}
        opened, closed = (self.events(kind) for kind in (EventKind.SESSION_OPENED, EventKind.SESSION_CLOSED))
        assert [one.session_id for one in opened] == [one.session_id for one in closed]

    def granted(self):
        """Whether a decision to go on by somebody's approval is on record."""
        decided = self.events(EventKind.OPERATION_DECIDED)
        return any(one.header["verdict"] == "permit" and one.header.get("request") for one in decided)


@pytest.fixture(scope="module")
def issuer():
    made = DevelopmentIssuer(algorithm="ES256", clock=lambda: START)
    yield made
    made.close()


@pytest.fixture
async def premises(tmp_path, issuer):
    made = Premises(tmp_path, issuer, DISCHARGES)
    yield made
    made.store.close()


class Server:
    """A server that lets everybody in, gives a row to each SELECT, and keeps what it was sent."""

    def __init__(self):
        self.open = 0
        self.asked = []
        self.previews = 0

    async def serve(self, stream):
        self.open += 1
        reader = FrameReader(Side.CLIENT)
        try:
            async with stream:
                await stream.receive_some(65536)  # the start-up packet, which is short
                await stream.send_all(HELLO)
                async for data in stream:
                    reader.receive(data)
                    for kind, start, end in reader:
                        if kind == Frontend.Query:
                            self.asked.append(decode_query(bytes(reader.body(start, end))))
                            await stream.send_all(ROW if b"update" not in self.asked[-1] else CHANGED)
                        elif kind == Frontend.Sync:  # of a preview: everything else is asked in one Query
                            self.previews += 1
                            await stream.send_all(EXPLAINED)
                    reader.consume(reader.position)
        except trio.BrokenResourceError:
            return
        finally:
            self.open -= 1


READY = enc.encode_ready_for_query("I")
SAID = {
    "search_path": "public",
    "server_version": "18.0",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
}
HELLO = b"".join(
    (
        enc.AUTHENTICATION_OK,
        *(enc.encode_parameter_status(*one) for one in SAID.items()),
        enc.encode_backend_key_data(7, b"keys"),
        READY,
    )
)
ROW = (
    enc.encode_row_description((Field("n", 0, 0, 23, 4, -1, 0),))
    + enc.encode_data_row((b"1",))
    + enc.encode_command_complete("SELECT 1")
    + READY
)
PLAN = b'[{"Plan": {"Node Type": "Seq Scan", "Plan Rows": 1, "Total Cost": 1}}]'
EXPLAINED = b"".join(
    (
        enc.frame(Backend.ParseComplete),
        enc.frame(Backend.BindComplete),
        enc.encode_data_row((PLAN,)),
        enc.encode_command_complete("EXPLAIN"),
        READY,
    )
)
CHANGED = enc.encode_command_complete("UPDATE 1") + READY


class Client:
    """Logs in, reads, changes something once that is approved, and says goodbye; or is cut off somewhere before."""

    def __init__(self, path, premises, cut):
        self._path = path
        self._cut = cut
        self._premises = premises
        self._reader = FrameReader(Side.UPSTREAM)
        self.finished = False

    async def run(self):
        try:
            async with await trio.open_unix_socket(str(self._path)) as self._stream:
                await self._stream.send_all(enc.encode_startup({"user": "app", "database": "shop"}))
                await self._until(Backend.Authentication)
                await self._turn(enc.encode_password(self._premises.token()))
                await self._turn(enc.encode_query("select 1"))
                await self._turn(enc.encode_query("update customer set name = 'x' where id = 1"))
                await self._stream.send_all(enc.TERMINATE)
                self.finished = await self._stream.receive_some(65536) == b""
        except (trio.BrokenResourceError, EOFError):
            return

    async def _turn(self, frame):
        await self._stream.send_all(frame)
        await self._until(Backend.ReadyForQuery)

    async def _until(self, wanted):
        found = False
        while not found:
            data = await self._stream.receive_some(65536)
            if not data:
                raise EOFError
            self._reader.receive(data)
            for kind, _, _ in self._reader:
                found = found or kind == wanted
                if kind == Backend.NoticeResponse and not self._cut.reached:
                    await self._premises.approve()
            self._reader.consume(self._reader.position)


async def test_lim_a_postgres_session_that_is_cut_at_any_step_leaves_nothing_behind(
    premises, tmp_path, nursery, monkeypatch
):
    in_order(monkeypatch)
    monkeypatch.setattr(catalogue, "load_catalog", lambda *_: sql_stand.catalog())
    target, folder = Server(), tmp_path / "t"
    folder.mkdir()
    at = listen.open_unix(folder / ".s.PGSQL.5432")
    nursery.start_soon(
        trio.serve_listeners, target.serve, [trio.SocketListener(trio.socket.from_stdlib_socket(at.socket))]
    )
    account = SimpleNamespace(user="app", password=None)
    resource = SimpleNamespace(
        target=PostgresTarget(host=str(folder), database="shop", tls=TargetTls(mode="disable"), previews=True),
        accounts={"app": account},
        default_account="app",
        catalogue_account=None,
    )
    config = SimpleNamespace(resources={"shop": resource}, limits=Limits())
    proxy = PostgresProxy(SimpleNamespace(config=config, gate=premises.gate, mask_key=KEY, secrets=None))
    cut, errors = Cut(0), []

    async def handle(connection):
        await cut.inside(proxy.serve, connection, None)

    path = tmp_path / "g"
    server = listen.Server([listen.open_unix(path)], handle, on_error=lambda error, _: errors.append(error))
    await nursery.start(server.serve)
    for step in range(MOST_STEPS):
        cut = Cut(step)
        client = Client(path, premises, cut)
        target.asked.clear()
        await client.run()
        await premises.nothing_is_left(server)
        await until(lambda: target.open == 0)
        assert errors == []
        assert proxy._keys._sessions == {}
        written = [text for text in target.asked if b"update" in text]
        assert not written or premises.granted(), step
        if step == 0:
            assert (client.finished, len(written), target.previews) == (True, 1, 1)
        elif not cut.reached:
            assert client.finished
            break
        premises.log.events.clear()
    assert target.previews > 1
    nursery.cancel_scope.cancel()


class Site:
    """A server over HTTP that answers each request, and keeps the lines that they begin with."""

    def __init__(self):
        self.open = 0
        self.asked = []

    async def serve(self, stream):
        self.open += 1
        try:
            await self._serve(stream)
        finally:
            self.open -= 1

    async def _serve(self, stream):
        with contextlib.suppress(trio.BrokenResourceError):
            async with stream:
                got = b""
                async for data in stream:
                    got += data
                    while (end := got.find(b"\r\n\r\n")) >= 0 and len(got) >= end + 4 + (size := _length(got[:end])):
                        self.asked.append(got.partition(b"\r\n")[0])
                        got = got[end + 4 + size :]
                        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def _length(head):
    found = re.search(rb"(?i)content-length: (\d+)", head)
    return int(found[1]) if found else 0


class Browser:
    """Reads, changes something once that is approved, and leaves; or is cut off somewhere before."""

    def __init__(self, path, premises, cut):
        self._path = path
        self._premises = premises
        self._cut = cut
        self._token = premises.token()
        self.statuses = []

    async def run(self):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._approve)
            with contextlib.suppress(trio.BrokenResourceError, EOFError):
                async with await trio.open_unix_socket(str(self._path)) as stream:
                    await self._ask(stream, "GET /crm/customers", "")
                    await self._ask(stream, "POST /crm/orders", "x=1")
            nursery.cancel_scope.cancel()

    async def _ask(self, stream, line, body):
        head = f"{line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self._token}\r\n"
        await stream.send_all(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
        await stream.send_all(body.encode())
        got = b""
        while (end := got.find(b"\r\n\r\n")) < 0 or len(got) < end + 4 + _length(got[:end]):
            data = await stream.receive_some(65536)
            if not data:
                raise EOFError
            got += data
        self.statuses.append(int(got.split(b" ", 2)[1]))

    async def _approve(self):
        """Once something is held and its request is open, unless it was cut before."""
        log, desk = self._premises.log, self._premises.desk
        await log.held.wait()
        while not self._cut.reached and not await desk.list(RequestState.PENDING):
            await trio.lowlevel.checkpoint()
        if not self._cut.reached:
            await self._premises.approve()


async def test_lim_a_connection_over_http_that_is_cut_at_any_step_leaves_nothing_behind(
    tmp_path, issuer, nursery, monkeypatch
):
    in_order(monkeypatch)
    premises = Premises(tmp_path, issuer, HTTP_DISCHARGES, HTTP_POLICY, "http")
    site = Site()
    (at,) = await nursery.start(partial(trio.serve_tcp, site.serve, 0, host="127.0.0.1"))
    port = at.socket.getsockname()[1]
    target = HttpTarget(at=("/crm",), url=f"http://127.0.0.1:{port}", send="nothing")
    (tmp_path / "keys").mkdir()
    config = SimpleNamespace(
        origin="gw.example",
        approvals=SimpleNamespace(link=""),
        record=SimpleNamespace(keys=tmp_path / "keys"),
        limits=Limits(),
        resources={"shop": SimpleNamespace(target=target, accounts={"app": Account(user="app")})},
        nouns=lambda: {"shop": Resource("shop", "http")},
    )
    proxy = HttpProxy(SimpleNamespace(config=config, gate=premises.gate, mask_key=KEY, secrets=None))
    pool = proxy._served["shop"].pool
    cut, errors = Cut(0), []

    async def handle(connection):
        await cut.inside(proxy.serve, connection, None)

    path = tmp_path / "g"
    server = listen.Server([listen.open_unix(path)], handle, on_error=lambda error, _: errors.append(error))
    await nursery.start(server.serve)
    places = pool._places.value
    for step in range(MOST_STEPS):
        cut = Cut(step)
        browser, premises.log.held = Browser(path, premises, cut), trio.Event()
        site.asked.clear()
        await browser.run()
        await premises.nothing_is_left(server)
        assert errors == []
        assert pool._places.value == places
        await until(lambda: site.open == len(pool._idle))  # what was answered whole may serve the next
        assert proxy._means.bodies._all == 0
        written = [line for line in site.asked if line.startswith(b"POST")]
        assert not written or premises.granted(), step
        if step == 0:
            assert (browser.statuses, len(written)) == ([200, 200], 1)
        elif not cut.reached:
            assert browser.statuses == [200, 200]
            break
        premises.log.events.clear()
    pool.close()
    premises.store.close()
    nursery.cancel_scope.cancel()


class Gone:
    """A client that has hung up when it is to be told that it waits."""

    async def prepare(self):
        await trio.lowlevel.checkpoint()
        return ""

    async def notify(self, request_id, advice, within_s):
        await trio.lowlevel.checkpoint()
        raise trio.BrokenResourceError


async def test_lim_whoever_is_cut_while_coming_back_to_a_request_leaves_it_to_the_next(tmp_path, issuer, monkeypatch):
    """A request that an identical retry may come back for is nobody's once its requester is gone, and stays the one."""
    in_order(monkeypatch)
    premises = Premises(tmp_path, issuer, DISCHARGES, POLICY.replace("within: 10m,", "within: 10m, retry: true,"))

    async def asks():
        door = await premises.gate.admit(BearerToken(Secret(premises.token())), "shop", "app", Peer("10.0.0.7"))
        try:
            return await door.decide(UPDATE, Gone(), {})
        finally:
            door.close("gone")

    for step in range(MOST_STEPS):
        cut = Cut(step)
        with contextlib.suppress(trio.BrokenResourceError):
            await cut.inside(asks)
        assert premises.desk._taken._held == {}, step
        assert premises.gate.shares._open == {}
        assert [case.state.value for case in await premises.desk.list()] == ["pending"]
        if step and not cut.reached:
            break
    assert step > 1
    premises.store.close()
