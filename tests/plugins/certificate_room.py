"""The room that gives SSH certificates for tokens, over a real gate; the log is in memory, the clock stands still.

`ControlThread` serves it on a Unix socket, in a thread of its own, for commands that are plain and synchronous.
"""

import base64
import json
import threading

import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_core.approvals.desk import Desk
from doorward_core.approvals.store import SqliteStore
from doorward_core.errors import AuthenticationError
from doorward_core.gate import Gate
from doorward_core.identity.authenticate import Authenticator
from doorward_core.identity.ssh_certificate import verify
from doorward_core.identity.ssh_keys import Authorities, public_line
from doorward_core.model import Approve, AuthMethod, Identity, Peer, PrincipalKind, RecordLevel, Resource
from doorward_core.net.control import Call, ControlServer
from doorward_core.net.listen import open_unix
from doorward_core.policy.load import parse_policy
from doorward_core.record.memory import MemoryLog
from doorward_core.terms import Setting
from doorward_ssh.certificates import Certificates

S = 1_000_000_000
NOW = 1_800_000_000 * S
POLICY = """
version: 1
rules:
  - {id: ops, effect: allow, who: {groups: [ops]}, resource: "web*", do: [execute], commands: ["uptime"]}
  - {id: dba, effect: allow, who: {groups: [ops, dba]}, resource: db1, do: [execute], commands: ["uptime"]}
"""
PEER = Peer("10.0.0.1", 5000)
LINE = public_line(Ed25519PrivateKey.generate().public_key())


def person(*groups, method=AuthMethod.JWT, now=NOW):
    return Identity(
        "maria", "https://id.example", PrincipalKind.HUMAN, frozenset(groups), method, "jti-1", now, now + 3600 * S
    )


class Room:
    def __init__(self, folder, resources, clock=lambda: NOW):
        self.log = MemoryLog()
        self.store = SqliteStore(folder / "approvals.sqlite", bytes(32))
        self.keys = Authorities(*(Ed25519PrivateKey.generate() for _ in range(3)))
        self.gate = Gate(
            origin="ssh.example",
            policy=parse_policy(POLICY, "policy.yaml"),
            resources={
                name: Setting(Resource(name, "ssh"), frozenset(accounts), accounts[0])
                for name, accounts in resources.items()
            },
            authenticator=Authenticator((), clock=lambda: NOW),
            log=self.log,
            desk=Desk(self.store, clock=lambda: NOW, record=self._record),
            binding_key=bytes(32),
            discharges=frozenset({Approve}),
            level=RecordLevel.SHAPE,
            clock=lambda: NOW,
        )
        self.desk = Certificates(self.gate, self.keys, ("ssh.example", "10.0.0.9"), clock)

    async def _record(self, event):
        await self.log.durable(self.log.append(event, NOW))

    async def ask(self, method, path, who=None, body=None):
        (route,) = (route for route in self.desk.routes() if (route.method, route.path) == (method, path))
        assert route.public == (who is None)
        reply = await route.handler(Call(method, path, {}, json.dumps(body).encode(), PEER, {}, who))
        return json.loads(reply.body) if reply.content_type == b"application/json" else reply.body.decode()

    async def certificate(self, who, **body):
        return await self.ask("POST", "/v1/ssh/certificate", who, {"public_key": LINE, **body})

    def verify(self, answer, principal, address="10.0.0.1"):
        given = base64.b64decode(answer["certificate"].split()[1])
        return verify(given, [self.keys.login.public_key()], principal=principal, address=address, now_unix_ns=NOW)


RESOURCES = {"web1": ("deploy", "root"), "web2": ("deploy",), "db1": ("postgres",)}


class ControlThread:
    """The room's routes on `url`. A token is the name of a group: who shows it is maria, and in that group."""

    def __init__(self, folder, clock):
        self.room = Room(folder, RESOURCES, clock)
        self._clock = clock
        self._path = folder / "control"
        self.url = f"unix:{self._path}"
        self._ready = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._main,))

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(120)
        return self

    def __exit__(self, *_):
        self._token.run_sync_soon(self._scope.cancel)
        self._thread.join()
        self.room.store.close()

    async def _authenticate(self, token, _peer):
        await trio.lowlevel.checkpoint()
        if token.reveal() not in {"ops", "dba", "strangers"}:
            raise AuthenticationError("unknown")
        return person(token.reveal(), now=self._clock())

    async def _main(self):
        failures = []
        server = ControlServer(self.room.desk.routes(), self._authenticate).server(
            [open_unix(self._path)], lambda error, _: failures.append(error)
        )
        self._token = trio.lowlevel.current_trio_token()
        with trio.CancelScope() as self._scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve)
                self._ready.set()
        assert failures == []
