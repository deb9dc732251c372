"""What the tests of this room share: people, a ledger with a real file, and a register with a list for a log."""

from dataclasses import replace

import pytest
import trio

from doorward_core.access.ledger import Opening, Revocation, What
from doorward_core.access.register import Register
from doorward_core.access.store import LedgerFile
from doorward_core.errors import RecordError
from doorward_core.model import AuthMethod, Identity, Peer, PrincipalKind

NS = 1_000_000_000
START = 1_800_000_000 * NS
KEY = bytes(range(32))


class Room:
    """A register on a real file. Time stands still; `broken` is a log that cannot be written."""

    def __init__(self, folder) -> None:
        self.now = START
        self.events = []
        self.broken = False
        self.path = folder / "approvals.sqlite.access"
        self.restart()

    def restart(self) -> None:
        self.file = LedgerFile(self.path, KEY)
        self.register = Register(self.file.load(), self.file, clock=lambda: self.now, record=self._record)
        self.ledger = self.register.ledger

    async def _record(self, event) -> None:
        await trio.lowlevel.checkpoint()
        if self.broken:
            raise RecordError("the disk is full")
        self.events.append(event)

    @property
    def kinds(self) -> list[str]:
        return [event.kind.value for event in self.events]


@pytest.fixture
def room(tmp_path):
    return Room(tmp_path)


@pytest.fixture
def person():
    def make(subject="dora", **changes):
        human = Identity(
            subject, "https://id.example", PrincipalKind.HUMAN, frozenset(), AuthMethod.JWT, "jti-1", START, 2**62
        )
        return replace(human, **changes)

    return make


@pytest.fixture
def a_revocation():
    def make(what="subject", value="crew-7", name="rv-1", **changes):
        one = Revocation(name, What(what), value, "it runs wild", "dora", "https://id.example", START)
        return replace(one, **changes)

    return make


@pytest.fixture
def an_opening():
    def make(subject="dora", name="bg-1", seconds=900, **changes):
        one = Opening(name, subject, "https://id.example", "", "shop", "the shop is down", START, START + seconds * NS)
        return replace(one, **changes)

    return make


@pytest.fixture
def peer():
    return Peer("::1")
