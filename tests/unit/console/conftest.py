"""A gateway's control API on a Unix socket, in a thread of its own, for commands that are plain and synchronous."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Self

import pytest
import trio
from typer.testing import CliRunner, Result

from doorward_console.__main__ import app
from doorward_console.init_files import Wanted
from doorward_console.init_target import Place
from doorward_core import entries
from doorward_core.approvals import events
from doorward_core.approvals.api import approval_routes
from doorward_core.approvals.ballot import Trusted
from doorward_core.approvals.desk import Desk
from doorward_core.approvals.request import ApprovalRequest, HeldRule, RequestState, Verdict, Vote
from doorward_core.approvals.sshsig import parse_allowed_signers
from doorward_core.approvals.store import SqliteStore
from doorward_core.errors import AuthenticationError
from doorward_core.event import Event, Outcome, Status
from doorward_core.model import (
    Action,
    Approve,
    Atom,
    AuthMethod,
    Decision,
    Effect,
    Identity,
    Match,
    Operation,
    Peer,
    Permit,
    PrincipalKind,
    ReasonCode,
    RecordLevel,
    Resource,
    Session,
    Target,
)
from doorward_core.net.control import ControlServer
from doorward_core.net.listen import open_unix
from doorward_core.record.reader import Entry, LogReader
from doorward_core.record.writer import Log
from doorward_demo import postgres

NS = 1_000_000_000
NOW = 1_800_000_000 * NS


def person(subject: str, *groups: str) -> Identity:
    return Identity(
        subject,
        "https://id.example",
        PrincipalKind.HUMAN,
        frozenset(groups),
        AuthMethod.JWT,
        f"jti-{subject}",
        NOW,
        NOW + 10**6 * NS,
    )


PEOPLE = {"dora-token": person("dora", "dba"), "eve-token": person("eve", "dba"), "sid-token": person("sid", "sales")}


def a_request(**changes) -> ApprovalRequest:
    request = ApprovalRequest(
        id="ap-0123456789ab",
        origin="gw.example",
        digest=b"d" * 32,
        session_id=b"s" * 16,
        operation_id=b"o" * 16,
        subject="crew-7",
        issuer="https://id.example",
        sponsor="sam",
        kind=PrincipalKind.AGENT,
        display="Crew 7",
        attributes={"crew": "seven"},
        resource="app-db",
        account="app",
        verb="UPDATE",
        text="UPDATE customer SET name = $1 WHERE id = 42",
        text_truncated=False,
        parameters=("x", None),
        atoms=(Atom(Action.WRITE, Target("relation", "public.customer", ("name",))),),
        unseen=(),
        rules=(HeldRule("writes", b"h" * 32, frozenset({"dba"}), 1),),
        reason="Writes need a DBA.",
        opened_unix_ns=NOW,
        expires_unix_ns=NOW + 600 * NS,
        grant_s=300,
        context={"search_path": "public"},
    )
    return replace(request, **changes)


class ControlThread:
    """A desk and its control API. `hold` puts a request on the desk; `events` is what was recorded."""

    def __init__(self, folder: Path) -> None:
        self.events: list[Event] = []
        self.signers = folder / "signers"
        self.signers.touch()
        self.path = folder / "control"
        self.url = f"unix:{self.path}"
        self._store = SqliteStore(folder / "approvals.sqlite", b"k" * 32)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._main,))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(120)
        return self

    def __exit__(self, *_: object) -> None:
        self._token.run_sync_soon(self._scope.cancel)
        self._thread.join()
        self._store.close()

    def hold(self, *, attended: bool = True, **changes) -> ApprovalRequest:
        request = a_request(**changes)
        if attended:
            self.desk._taken.hold(request)
        self._store.open(request)
        return request

    def changed(self) -> None:
        """What the desk says to those who wait once something was put on it."""
        self._token.run_sync_soon(self.desk.changes.made)

    def withdraw(self, name: str) -> None:
        self._store.transition(name, RequestState.PENDING, RequestState.WITHDRAWN, NOW + NS)

    def state(self, name: str) -> str:
        return self._store.get(name).state.value

    async def _main(self) -> None:
        async def record(event: Event) -> None:
            self.events.append(event)

        async def authenticate(token, peer):
            await trio.lowlevel.checkpoint()
            if token.reveal() not in PEOPLE:
                raise AuthenticationError("unknown")
            return PEOPLE[token.reveal()]

        desk = Desk(self._store, clock=lambda: NOW + NS, record=record)
        self.desk = desk
        self.trust = lambda: setattr(desk, "trusted", Trusted(parse_allowed_signers(self.signers.read_bytes())))
        failures: list[Exception] = []
        server = ControlServer(approval_routes(desk), authenticate).server(
            [open_unix(self.path)], lambda error, _: failures.append(error)
        )
        self._token = trio.lowlevel.current_trio_token()
        with trio.CancelScope() as self._scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve)
                self._ready.set()
        assert failures == []


@pytest.fixture
def control(tmp_path):
    with ControlThread(tmp_path) as thread:
        yield thread


@pytest.fixture
def run() -> Callable[..., Result]:
    """Run the command; its output is what a program gets that reads it, however wide the terminal of the tests is."""
    runner = CliRunner(env={"COLUMNS": None})

    def call(*arguments: object, **options) -> Result:
        return runner.invoke(app, [str(argument) for argument in arguments], **options)

    return call


@pytest.fixture
def ssh_agent(tmp_path_factory) -> Iterator[str]:
    """An ssh-agent of the test's own, in the foreground: its socket."""
    path = tmp_path_factory.mktemp("agent") / "socket"
    with subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.PIPE) as agent:
        assert agent.stdout is not None
        agent.stdout.readline()  # it says where it listens once it does
        yield str(path)
        agent.terminate()


@pytest.fixture
def request_card() -> Callable[..., ApprovalRequest]:
    return a_request


# --- a record ---------------------------------------------------------------------------------------------------------

SESSION = Session(
    bytes.fromhex("0123456789abcdef0123456789abcdef"),
    replace(
        person("crew-7", "crew-analysts"),
        kind=PrincipalKind.AGENT,
        sponsor="sam",
        attributes={"crew": "seven", "task": "mail"},
    ),
    Resource("app-db", "postgres"),
    "app",
    Peer("10.0.0.7", 4711, "psql", encrypted=True),
    "gw.example",
    NOW,
    b"p" * 32,
)


def data_row(*cells: bytes | None) -> bytes:
    body = len(cells).to_bytes(2, "big")
    for cell in cells:
        body += b"\xff\xff\xff\xff" if cell is None else len(cell).to_bytes(4, "big") + cell
    return b"D" + (len(body) + 4).to_bytes(4, "big") + body


def story() -> list[Event]:
    """A session: a read with masked values, a refused DDL with a hostile text, a held write, the end."""
    request, rule = a_request(session_id=SESSION.id), Atom(Action.READ, Target("relation", "public.customer"))

    def asked(number: int, verb: str, text: str, *parameters: str | None) -> Operation:
        id_ = bytes([number]) * 16
        return Operation(id_, number, Action.READ, verb, (rule,), text, b"d" * 32, parameters=parameters)

    def decision(effect: Effect, advice: str = "", **changes) -> Decision:
        match = Match("analysts-read", b"h" * 32, effect, rule)
        return Decision(effect, ReasonCode.RULE, advice, b"p" * 32, matches=(match,), **changes)

    select = asked(1, "SELECT", "SELECT id, email FROM customer WHERE id > $1", "4")
    drop = asked(2, "DROP", "DROP TABLE orders -- \x1b]52;c;aGk=\x07\u202e\nsession closed: all good")
    update = asked(3, "UPDATE", "UPDATE customer SET name = $1", None)
    hold = Approve("writes", b"h" * 32, frozenset({"dba"}), 1, 600, 300, 60)
    vote = Vote(
        request.id, "dora", "https://id.example", frozenset({"dba"}), PrincipalKind.HUMAN, Verdict.APPROVE,
        "looks fine", NOW, "token", b"", b"",
    )  # fmt: skip
    seen = data_row(b"5", b"a***@example.com") + data_row(b"6", None) + data_row(b"\0\0\0\7", b"\x1b[2J\nx")
    answered = Outcome(
        Status.OK, rows=3, bytes_down=len(seen), columns=("id", "email"), masked={"email": 2}, duration_ns=1_500_000,
        shown=seen, shown_format="postgresql.datarow",
    )  # fmt: skip
    return [
        entries.session_opened(SESSION, read_only=False, observe=False, facts={}),
        entries.decided(SESSION, select, decision(Effect.PERMIT)),
        entries.finished(SESSION, Permit(select, decision(Effect.PERMIT), 2, NOW), answered, RecordLevel.SHAPE),
        entries.decided(SESSION, drop, decision(Effect.DENY, "Schema changes go through migrations.")),
        entries.held(
            SESSION,
            update,
            decision(Effect.HOLD, obligations=(hold,)),
            request_id=request.id,
            expires_unix_ns=NOW + 600 * NS,
            card=b"",
        ),
        replace(events.voted(request, vote), session_id=SESSION.id),
        replace(events.voted(request, replace(vote, approver_subject="sam"), "nobody decides"), session_id=SESSION.id),
        replace(events.ended(request, RequestState.GRANTED, (vote,)), session_id=SESSION.id),
        entries.decided(SESSION, update, decision(Effect.PERMIT), request_id=request.id),
        entries.session_closed(
            SESSION, {"permitted": 2, "denied": 1, "held": 1, "duration_ns": 90 * NS}, ["copy data was not read"], "end"
        ),
        entries.session_refused("app-db", Peer("10.0.0.8"), None, "bad token"),
    ]


@pytest.fixture(scope="session")
def log(tmp_path_factory) -> Path:
    """A log with that story, written by the real writer; its vkey is in `signer.vkey` beside it."""
    folder = tmp_path_factory.mktemp("record")

    async def write() -> None:
        async with trio.open_nursery() as nursery:
            written = await Log.open(folder / "log", origin="gw.example", signer=folder / "signer.pem", nursery=nursery)
            for second, event in enumerate(story()):
                written.append(event, NOW + second * NS)
            await written.aclose()

    trio.run(write)
    return folder / "log"


@pytest.fixture(scope="session")
def http_session() -> Session:
    """The same agent, on an API."""
    return replace(SESSION, resource=Resource("crm", "http"))


@pytest.fixture
def log_entries(log) -> list[Entry]:
    return list(LogReader(log).entries())


# --- a configuration and a policy -------------------------------------------------------------------------------------

POLICY = """\
version: 1
include: [safe-catalog]
rules:
  - {id: analysts-read, effect: allow, who: {groups: [crew-analysts]}, resource: shop, do: [read], tables: ["public.*"]}
  - id: changes-need-a-human
    effect: hold
    who: {groups: [crew-analysts]}
    resource: shop
    do: [write]
    tables: ["public.*"]
    approve: {by: {groups: [dba]}, quorum: 1, within: 10m, grant: 5m, in_transaction: 60s}
  - {id: no-ddl, effect: block, resource: shop, do: [define, admin, unknown], reason: Go through migrations.}
masks:
  - {id: pii, resource: shop, columns: ["public.customer.email"], with: partial}
"""

CONFIG = """\
version: 1
origin: gw.example
listen: [{{unix: pg.sock}}]
approvals: {{store: approvals.sqlite, listen: {{unix: control.sock}}, signers: signers}}
identity: {{issuers: [{{issuer: "https://id.example", audience: [doorward]}}]}}
record: {{folder: log, keys: keys}}
policy: policy.yaml
resources:
  shop:
    protocol: postgres
    target: {{host: 127.0.0.1, port: {port}, database: shop, tls: {{mode: disable}}}}
    accounts: {{app: {{user: app, password: {{file: password}}}}}}
"""


@pytest.fixture
def config(tmp_path) -> Path:
    """A configuration whose target nobody listens at."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "signers").touch()
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "config.yaml").write_text(CONFIG.format(port=1))
    return tmp_path / "config.yaml"


@pytest.fixture(scope="session")
def shop() -> Iterator[postgres.Server]:
    """A real PostgreSQL with the demonstration's shop."""
    with postgres.running() as server:
        postgres.load_shop(server, lambda _done, _whole: None, count=10)
        yield server


@pytest.fixture
def live_config(config, shop) -> Path:
    """The same configuration, with a target that is there."""
    (config.parent / "password").write_text(shop.passwords["app"])
    config.write_text(CONFIG.format(port=shop.port))
    return config


# --- what `doorward init` was asked for --------------------------------------------------------------------------------


@pytest.fixture
def wanted() -> Wanted:
    """An ordinary wish; its certificate lies beside the configuration."""
    return Wanted(
        place=Place("db.example", 5432, "shop", "app"),
        resource="shop",
        account="app",
        origin="gw.example",
        issuer="https://idp.example/realms/work",
        audiences=("doorward",),
        listen_at=("127.0.0.1", 6432),
        approvals_at=("::1", 9465),
        admin_at=("127.0.0.1", 9464),
        certificate="gateway.crt",
        key="gateway.key",
        self_signed="for localhost, until 2027-02-21",
        target_tls="verify-full",
        target_ca="",
        password={"env": "SHOP_PASSWORD"},
        readers="crew-analysts",
        approvers="dba",
        schemas=("public",),
        made_on=date(2026, 11, 23),
    )
