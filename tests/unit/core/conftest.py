"""A gate with everything real about it: issuer, policy, desk and store; the log is in memory, the clock stands still."""

import json
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import pytest
import trio

from doorward_core.access.register import Register
from doorward_core.access.store import LedgerFile
from doorward_core.approvals.desk import Desk
from doorward_core.approvals.request import Verdict
from doorward_core.approvals.store import Quota, SqliteStore
from doorward_core.errors import RecordError
from doorward_core.event import Event, EventKind
from doorward_core.gate import Gate
from doorward_core.identity.authenticate import Authenticator, BearerToken
from doorward_core.identity.jwks import KeyCache
from doorward_core.identity.token import IssuerSettings
from doorward_core.model import (
    Action,
    Approve,
    Atom,
    AuthMethod,
    Identity,
    Mask,
    Operation,
    Peer,
    PrincipalKind,
    Record,
    RecordLevel,
    Resource,
    Secret,
    Target,
)
from doorward_core.net.control import Call
from doorward_core.policy.load import parse_policy
from doorward_core.record.memory import MemoryLog
from doorward_core.session_gate import SessionGate
from doorward_core.terms import Setting
from doorward_demo.issuer import DevelopmentIssuer

NS = 1_000_000_000
START = 1_800_000_000 * NS
KEY = bytes(range(32))
GIVE_UP_S = 60
"""What waits longer than this waits for ever."""

POLICY = """
version: 1
rules:
  - id: readers-read
    effect: allow
    who: {groups: [readers, writers]}
    resource: app-db
    do: [read]
    tables: ["public.*"]
  - id: writes-wait
    effect: hold
    who: {groups: [writers]}
    resource: app-db
    do: [write]
    tables: ["public.*"]
    approve: {by: {groups: [dba]}, within: 10m, grant: 5m, in_transaction: 60s}
    reason: Writes need a DBA.
  - id: no-ddl
    effect: block
    who: {groups: [readers, writers]}
    resource: app-db
    do: [define]
    reason: Schema changes go through migrations.
"""
RETRIED = POLICY.replace("within: 10m,", "within: 10m, retry: true,")


@pytest.fixture(scope="session")
def es256():
    """An issuer that is not started: it signs, and its keys are handed over."""
    issuer = DevelopmentIssuer(algorithm="ES256", clock=lambda: START)
    yield issuer
    issuer.close()


def operation(action="read", name="public.orders", *, text="", columns=(), detail="", **more) -> Operation:
    """One operation with one atom; its text and so its digest follow from what is asked."""
    said = text or f"{action} {name}"
    atoms = (Atom(Action(action), Target("relation", name, tuple(columns), detail)),)
    digest = said.encode().ljust(32, b".")[:32]
    return Operation(b"o" * 16, 1, Action(action), more.pop("verb", "SQL"), atoms, said, digest, **more)


@dataclass
class Client:
    """How a test waits for people: `notified` is set once the client was told; what it is told is kept."""

    objection: str = ""
    told: list[tuple[str, str, int]] = field(default_factory=list)
    notified: trio.Event = field(default_factory=trio.Event)
    broken: bool = False
    steps: list[tuple[str, str, int]] = field(default_factory=list)

    async def prepare(self) -> str:
        await trio.lowlevel.checkpoint()
        return self.objection

    async def notify(self, request_id: str, advice: str, within_s: int) -> None:
        await trio.lowlevel.checkpoint()
        self.told.append((request_id, advice, within_s))
        self.notified.set()
        if self.broken:
            raise trio.BrokenResourceError

    async def progress(self, request_id: str, words: str, within_s: int) -> None:
        await trio.lowlevel.checkpoint()
        self.steps.append((request_id, words, within_s))


@dataclass
class Held:
    """An operation on its way through `decide`, in a task of its own."""

    scope: trio.CancelScope
    client: Client
    verdict: object = None
    error: BaseException | None = None
    done: trio.Event = field(default_factory=trio.Event)

    @property
    def request_id(self) -> str:
        return self.client.told[-1][0]


class Task:
    """Runs something beside the test and keeps how it ended."""

    def __init__(self, nursery, function, *arguments) -> None:
        self.result = None
        self.error = None
        self.done = False
        self.scope = trio.CancelScope()
        nursery.start_soon(self._run, function, arguments)

    async def _run(self, function, arguments) -> None:
        with self.scope:
            try:
                self.result = await function(*arguments)
            except RecordError as error:
                self.error = error
        self.done = True


class House:
    """The gate and its rooms. Time stands still until the test moves it."""

    def __init__(self, folder, issuer, policy=POLICY, *, quota: Quota | None = None, **more) -> None:
        self.issuer = issuer
        self.log = MemoryLog()
        self.store = SqliteStore(folder / "approvals.sqlite", KEY, quota)
        self.later_ns = 0
        self.desk = Desk(self.store, clock=self.clock, record=self._record)
        settings = IssuerSettings(
            issuer.url, frozenset({"doorward"}), jwks_uri=f"{issuer.url}/jwks", max_age_s=4 * 3600
        )
        resource = Resource("app-db", "postgres", MappingProxyType({"env": "prod"}))
        other = Resource("other-db", "postgres")
        self.gate = Gate(
            origin="gw.example",
            policy=parse_policy(policy, "policy.yaml"),
            resources={
                "app-db": Setting(resource, frozenset({"app", "batch", "reader"}), "app", "reader"),
                "other-db": Setting(other, frozenset({"app"}), "app"),
            },
            authenticator=Authenticator((settings,), clock=self.clock, keys=KeyCache(fetch=self._keys)),
            log=self.log,
            desk=self.desk,
            binding_key=KEY,
            discharges=frozenset({Mask, Approve, Record}),
            level=RecordLevel.SHAPE,
            clock=self.clock,
            **more,
        )

    def clock(self) -> int:
        return START + self.later_ns

    def later(self, seconds, mock_clock=None) -> None:
        """Let time pass; whoever sleeps on trio's clock notices only where the test has a mock clock."""
        self.later_ns += seconds * NS
        if mock_clock is not None:
            mock_clock.jump(seconds)

    async def _keys(self, _url, _ca_file) -> bytes:
        await trio.lowlevel.checkpoint()
        return self.issuer.jwks()

    async def _record(self, event: Event) -> None:
        await self.log.durable(self.log.append(event, self.clock()))

    def reload(self, text: str) -> None:
        self.gate.reload(parse_policy(text, "policy.yaml"), self.clock())

    async def admit(
        self, *groups, subject="crew-7", resource="app-db", account="app", early=False, **token
    ) -> SessionGate:
        credential = BearerToken(Secret(self.issuer.issue(subject, "agent", groups, **token)))
        peer = Peer("10.0.0.7", 5432, "psql", encrypted=True)
        return await self.gate.admit(credential, resource, account, peer, early=early)

    async def ask(self, door, asked, client=None, memo=None):
        with trio.fail_after(GIVE_UP_S):
            return await door.decide(asked, client or Client(), {} if memo is None else memo)

    async def hold(self, nursery, door, asked, client=None) -> Held:
        """Start `decide` and return once it waits for people."""
        held = Held(trio.CancelScope(), client or Client())

        async def run() -> None:
            with held.scope:
                try:
                    held.verdict = await door.decide(asked, held.client, {})
                except Exception as error:
                    held.error = error
            held.done.set()

        nursery.start_soon(run)
        with trio.fail_after(GIVE_UP_S):
            await held.client.notified.wait()
        await self.until(lambda: self._waited_for(held.request_id) or held.done.is_set())
        return held

    def _waited_for(self, request_id: str) -> bool:
        woken = self.desk._woken.get(request_id)
        return woken is not None and woken.statistics().tasks_waiting > 0

    @staticmethod
    async def until(true) -> None:
        with trio.fail_after(GIVE_UP_S):
            while not true():
                await trio.lowlevel.checkpoint()

    async def vote(self, request_id, verdict=Verdict.APPROVE, reason="", subject="dora", groups=("dba",), retry=None):  # noqa: PLR0917 - what a vote has
        person = Identity(
            subject, self.issuer.url, PrincipalKind.HUMAN, frozenset(groups), AuthMethod.JWT, "jti", START, 2**62
        )
        return await self.desk.vote(person, request_id, verdict, reason, retry=retry)

    async def states(self) -> list[str]:
        return [case.state.value for case in await self.desk.list()]

    def events(self, kind: EventKind) -> list[Event]:
        return [event for event in self.log.events if event.kind is kind]

    @property
    def verdicts(self) -> list[str]:
        """Verdict and reason of each decided operation, in the order of the log."""
        decided = self.events(EventKind.OPERATION_DECIDED)
        return [f"{event.header['verdict']} {event.header['reason']}" for event in decided]


@pytest.fixture
async def house(tmp_path, es256):
    made = House(tmp_path, es256)
    yield made
    made.store.close()


@pytest.fixture
async def houses(tmp_path, es256):
    """A maker of houses, for other policies and bounds."""
    made = []

    def make(policy=POLICY, **more) -> House:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(House(folder, es256, policy, **more))
        return made[-1]

    yield make
    for one in made:
        one.store.close()


@pytest.fixture
def op():
    return operation


@pytest.fixture
def client():
    return Client


@pytest.fixture
def beside(nursery):
    """Runs a function beside the test: `beside(function, *arguments)`."""
    return partial(Task, nursery)


@pytest.fixture
def policy_text():
    return POLICY


@pytest.fixture
def retried_policy():
    return RETRIED


# --- the control port ------------------------------------------------------------------------------------------------

STANDING = POLICY.replace("grant: 5m,", "grant: 5m, standing: 2h,")


@pytest.fixture
def standing_policy():
    return STANDING


@pytest.fixture
def someone():
    """Somebody at the control port, verified."""

    def make(subject="dora", groups=(), kind="human", **changes) -> Identity:
        return Identity(
            subject,
            changes.pop("issuer", "https://id.example"),
            PrincipalKind(kind),
            frozenset(groups),
            AuthMethod.JWT,
            f"jti-{subject}",
            START,
            2**62,
            **changes,
        )

    return make


@pytest.fixture
def calling():
    """Calls routes as a verified person does: `await call(who, "POST", "/v1/x", body, **parameters)`."""

    def make(*routes):
        known = {(route.method, route.path): route for route in routes}
        assert not any(route.public for route in routes)

        async def call(who, method, path, body=None, *, query=None, **parameters):
            data = b"" if body is None else json.dumps(body).encode()
            asked = Call(method, path, query or {}, data, Peer("::1"), parameters, who)
            with trio.fail_after(GIVE_UP_S):
                return json.loads((await known[method, path].handler(asked)).body)

        return call

    return make


@pytest.fixture
def register(house, tmp_path):
    """The register of that house's gate."""

    async def record(event) -> None:
        await house.log.durable(house.log.append(event, house.clock()))

    file = LedgerFile(tmp_path / "ledger", KEY)
    return Register(house.gate.ledger, file, clock=house.clock, record=record)
