"""SSH-02 behind asyncssh: attempts to log in that come before the answer to the one before them."""

from types import SimpleNamespace

import trio
import trio.testing

from doorward_core.errors import AuthenticationError
from doorward_core.identity.authenticate import BearerToken
from doorward_core.model import Peer, Secret
from doorward_ssh.authentication import Authentication

TOKEN = BearerToken(Secret("a token"))


class SlowGate:
    """Lets everybody in, once it has been told to: `opened` are the sessions that it began."""

    def __init__(self):
        self.opened = []
        self.refused = []
        self.go = trio.Event()
        self.authenticator = self

    async def admit(self, *_):
        await self.go.wait()
        door = SimpleNamespace(observe=False)
        self.opened.append(door)
        return door

    async def authenticate(self, *_):
        await self.go.wait()
        raise AuthenticationError("token: expired")

    async def unknown(self, *about):
        self.refused.append(about)


def attempts(gate):
    """The logins of one connection; who was admitted is kept."""
    client = SimpleNamespace(get_extra_info=lambda *_: "ssh", send_auth_banner=lambda _: None)
    host = SimpleNamespace(bridge=None, client=client, seen=[])
    host.admitted = host.seen.append
    return Authentication(host, gate, Peer("192.0.2.1"), ""), host


async def test_ssh_02_two_attempts_at_once_open_one_session():
    """A second one would take the place of the first, which nobody would ever close."""
    gate, said = SlowGate(), []
    logins, host = attempts(gate)

    async def attempt():
        said.append(await logins._login(TOKEN, "deploy@web1"))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(attempt)
        await trio.testing.wait_all_tasks_blocked()
        gate.go.set()
    assert said == [True, False, False]
    assert gate.opened == host.seen == [logins.door]


async def test_ssh_02_whoever_is_refused_a_jump_is_on_record_as_at_any_other_door():
    gate = SlowGate()
    gate.go.set()
    logins, _ = attempts(gate)
    assert await logins._login(TOKEN, "jump") is False
    ((resource, peer, error),) = gate.refused
    assert (resource, peer.address, str(error)) == ("jump", "192.0.2.1", "token: expired")
