"""A desk in this very process: a real issuer, a real control port, the whole application, and a log in memory."""

import html
import re
import time
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
import trio

from doorward_console.settings import load_settings
from doorward_console.web.app import application
from doorward_console.web.desk import made
from doorward_console.web.diary import Diary
from doorward_console.web.reach import usable
from doorward_core import entries
from doorward_core.approvals.api import approval_routes
from doorward_core.approvals.codec import content_digest
from doorward_core.approvals.desk import Desk as ApprovalsDesk
from doorward_core.approvals.request import HeldRule
from doorward_core.approvals.store import SqliteStore
from doorward_core.identity.authenticate import Authenticator, BearerToken
from doorward_core.identity.token import IssuerSettings
from doorward_core.model import (
    Action,
    Atom,
    AuthMethod,
    Identity,
    Operation,
    Peer,
    PrincipalKind,
    Resource,
    Session,
    Target,
)
from doorward_core.net.control import ControlServer, Problem, Route, json_reply, read_json
from doorward_core.net.listen import open_unix
from doorward_core.policy.load import parse_policy
from doorward_core.record.memory import MemoryLog
from doorward_demo.issuer import DevelopmentIssuer, Principal

SITE = "https://desk.test"
TOLD = (
    "/v1/access/{id}/revoke",
    "/v1/revocations",
    "/v1/revocations/{id}/lift",
    "/v1/break-glass",
    "/v1/sessions/{id}/end",
)
NS = 1_000_000_000
PEOPLE = (
    Principal("tom", "human", ("dba",), name="Tom"),
    Principal("tina", "human", ("dba",), name="Tina"),
    Principal("ana", "human", ("auditors",), name="Ana"),
    Principal("sid", "human", ("sales",), name="Sid"),
    Principal("olga", "human", ("ops", "fire"), name="Olga"),
    Principal("crew-7", "agent", ("dba",), sponsor="sam"),
)
SETTINGS = """\
version: 1
url: {site}
listen: {{unix: desk.sock}}
login: {{issuer: {issuer}, client_id: desk, idle: 1h, session: 8h}}
roles: {{approver: [dba], auditor: [auditors], operator: [ops]}}
gateways:
  pg: {{control: "unix:{control}"{policy}}}
{more}record: {{folder: log, keys: keys, origin: desk.test}}
"""


class Stand:
    """The desk, and what stands around it. `clock` is moved by tests: it adds to the real time."""

    def __init__(self, folder, issuer, make_request):
        self.folder, self.issuer, self._make = folder, issuer, make_request
        self.log = MemoryLog()
        self.ahead_ns = 0
        self.openings = []
        self.listed = {"access": [], "revocations": [], "sessions": []}
        self.told = []
        self.answers = {}
        self.store = SqliteStore(folder / "approvals.sqlite", b"k" * 32)
        self.app = None
        self.desk = None
        issuer.clock = self.clock

    def clock(self):
        return time.time_ns() + self.ahead_ns

    def settings(self, **how):
        (self.folder / "desk.yaml").write_text(
            SETTINGS.format(
                site=SITE,
                issuer=self.issuer.url,
                control=self.folder / "control",
                policy=how.get("policy", ""),
                more=how.get("more", ""),
            )
        )
        return load_settings(self.folder / "desk.yaml")

    def configure(self, **how):
        settings = self.settings(**how)
        self.desk = made(settings, Diary(self.log, self.clock), usable(settings.gateways), self.clock)
        self.app = application(self.desk)

    async def control(self, task_status):
        """The gateway's control port, as far as approvals go."""

        async def record(_event):
            await trio.lowlevel.checkpoint()

        self.approvals = ApprovalsDesk(self.store, clock=self.clock, record=record)
        checks = Authenticator(
            (IssuerSettings(self.issuer.url, frozenset({"doorward"}), attributes=("crew",)),), clock=self.clock
        )

        async def broken(_call):
            await trio.lowlevel.checkpoint()
            return json_reply({"openings": self.openings})

        async def reviewed(call):
            await trio.lowlevel.checkpoint()
            self.openings = [one for one in self.openings if one["id"] != call.parameters["id"]]
            return json_reply({})

        def facts(who):
            return {"operator": "ops" in who.groups, "break_glass": "fire" in who.groups}

        routes = (
            *approval_routes(self.approvals, facts),
            Route("GET", "/v1/break-glass", broken),
            Route("POST", "/v1/break-glass/{id}/review", reviewed),
            *(Route("GET", f"/v1/{what}", self._lister(what)) for what in self.listed),
            *(Route("POST", path, self._taker(path)) for path in TOLD),
        )
        server = ControlServer(routes, lambda token, peer: checks.authenticate(BearerToken(token), peer)).server(
            [open_unix(self.folder / "control")], lambda _error, _peer: None
        )
        await server.serve(task_status=task_status)

    def _lister(self, what):
        """A gateway's list of something, which tests fill; what is revoked, and who is there, is for operators."""

        async def answer(call):
            await trio.lowlevel.checkpoint()
            if what != "access" and "ops" not in call.who.groups:
                raise Problem(403, "only operators")
            return json_reply({what: self.listed[what]})

        return answer

    def _taker(self, path):
        """What a gateway is told, which tests look at; it answers what a test says, or refuses in its words."""

        async def answer(call):
            await trio.lowlevel.checkpoint()
            self.told.append((path.format(**call.parameters), call.who.subject, read_json(call)))
            said = self.answers.get(path, {})
            if isinstance(said, Problem):
                raise said
            return json_reply(said)

        return answer

    def hold(self, *, attended=True, **changes):
        now = self.clock()
        changes = {
            "issuer": self.issuer.url,
            "opened_unix_ns": now,
            "expires_unix_ns": now + 600 * NS,
            "rules": (HeldRule("writes", b"h" * 32, frozenset({"dba"}), 1),),
            **changes,
        }
        request = self._make(**changes)
        if attended:
            self.approvals._taken.hold(request)
        self.store.open(request)
        self.approvals.changes.made()
        return request

    def client(self):
        """A browser, as far as it has no scripts."""
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.app, raise_app_exceptions=True),
            base_url=SITE,
            headers={"Origin": SITE},
            follow_redirects=False,
        )

    async def choose(self, client, subject, *, back="/", fresh=False):
        """Begin a login, and be clicked on at the issuer: where the browser is sent then."""
        begun = await client.post("/login", data={"back": back, **({"fresh": "1"} if fresh else {})})
        assert begun.status_code == 200, begun.text
        url = html.unescape(re.search(r'content="0; url=([^"]*)"', begun.text)[1])
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        async with httpx2.AsyncClient(trust_env=False) as at_issuer:
            # The issuer leads back to loopback alone, and this desk has a name: it is told so, and only here.
            chosen = self.issuer.logins.choose
            query["redirect_uri"] = query["redirect_uri"].replace(SITE, "http://127.0.0.1")
            assert chosen is not None
            answer = await at_issuer.post(f"{self.issuer.url}/authorize", data={**query, "subject": subject})
        place = urlsplit(answer.headers["location"])
        code = parse_qs(place.query)["code"][0]
        held = self.issuer.logins._codes[code]
        self.issuer.logins._codes[code] = type(held)(
            held.granted, f"{SITE}/login/callback", held.challenge, held.made_unix_ns
        )
        return f"{SITE}/login/callback?{place.query}"

    async def login(self, subject="tom", **how):
        client = self.client()
        answer = await client.get(await self.choose(client, subject, **how))
        assert answer.status_code == 303, answer.text
        return client

    def kinds(self, kind):
        return [event for event in self.log.events if event.kind == kind]

    @staticmethod
    def csrf(text):
        return re.search(r'name="csrf" value="([^"]*)"', text)[1]

    @staticmethod
    def content(request):
        return content_digest(request).hex()


@asynccontextmanager
async def standing(folder, request_card):
    with DevelopmentIssuer(principals=PEOPLE) as issuer:
        stand = Stand(folder, issuer, request_card)
        async with trio.open_nursery() as nursery:
            await nursery.start(stand.control)
            stand.configure()
            yield stand
            for gateway in stand.desk.gateways.values():
                await gateway.aclose()
            nursery.cancel_scope.cancel()
        stand.store.close()


@pytest.fixture
async def stand(tmp_path, request_card):
    async with standing(tmp_path, request_card) as made_stand:
        yield made_stand


@pytest.fixture
def story_with_policy():
    """A gateway's record under a policy: it was loaded, and somebody read something, yesterday."""

    def story(text, name):
        policy = parse_policy(text, name)
        who = Identity("crew-7", "https://id", PrincipalKind.AGENT, frozenset({"analysts"}), AuthMethod.JWT, "j", 0, 0)
        place = Resource("shop", "postgres", account="app")
        at = time.time_ns() - 86_400 * NS
        session = Session(b"s" * 16, who, place, "app", Peer("10.0.0.7"), "gw", at, policy.digest)
        atom = Atom(Action.READ, Target("relation", "public.orders"))
        asked = Operation(b"o" * 16, 1, Action.READ, "SELECT", (atom,), "SELECT 1 <script>", b"")
        decision = policy.decide(who, place, asked, at, discharges=frozenset())
        yield entries.policy_loaded(policy.digest, policy.texts), at
        yield entries.session_opened(session, read_only=False, observe=False, facts={}), at + 1
        yield entries.decided(session, asked, decision), at + 2
        yield entries.session_closed(session, {}, [], "end"), at + 3

    return story
