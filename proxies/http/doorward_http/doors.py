"""The sessions of one connection: one for each credential, on each resource.

What it is: the shell that has the gate admit a credential once, and keeps what it gave until the connection ends.
What it will not do: decide on a request, or look at one.

Invariants: a credential that changes on the same connection is another session; one that has run out is no session any
more; every session that was opened is closed, once. Cancelled while it asks the gate, it leaves nothing open.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
import trio

from doorward_core.errors import AdmissionRefused, RecordError
from doorward_core.gate import Gate, SessionGate
from doorward_core.identity.assertion import Assertion
from doorward_core.identity.authenticate import BearerToken
from doorward_core.model import Peer, Secret

MAX_SESSIONS: Final = 64  # of one connection: whoever shares one among more people opens another

log = structlog.get_logger()


@dataclass(slots=True)
class Door:
    """One session, with what is counted and kept for it."""

    gate: SessionGate
    asked: int = 0
    under_way: set[trio.CancelScope] = field(default_factory=set)
    _said: bytes = b""
    _again_unix_ns: int = field(default=0)

    def number(self) -> int:
        """The place of the next operation in this session."""
        self.asked += 1
        return self.asked - 1

    async def watch(self) -> None:
        """Wait until somebody ends the session from outside, and end with it what is under way."""
        await self.gate.live.ending.wait()
        for scope in tuple(self.under_way):
            scope.cancel()

    def assertion(self, signer: Assertion, audience: str, identifier: Callable[[], str], now_unix_ns: int) -> bytes:
        """Who asks, signed for a target; made anew halfway through its life."""
        if now_unix_ns >= self._again_unix_ns:
            self._said, self._again_unix_ns = signer.sign(self.gate.session, audience, identifier(), now_unix_ns)
        return self._said


class Doors:
    """The sessions of one connection."""

    def __init__(self, gate: Gate, watching: trio.Nursery) -> None:
        self._gate = gate
        self._watching = watching
        self._open: dict[tuple[bytes, str], Door] = {}
        self._turn = trio.Lock()

    async def enter(self, token: Secret, resource: str, peer: Peer) -> Door:
        """The session of this credential on this resource. Raises as `Gate.admit` does."""
        key = (hashlib.sha256(token.reveal().encode("utf-8", "surrogatepass")).digest(), resource)
        door = self._open.get(key)
        if door is not None and not door.gate.expired() and not door.gate.live.ended:
            return door
        async with self._turn:  # over h2 several requests may come at once, and are one session all the same
            door = self._open.get(key)
            if door is not None and (door.gate.expired() or door.gate.live.ended):
                del self._open[key]
                _close(door, door.gate.live.ended or "its credential expired")
                door = None
            if door is None:
                if len(self._open) >= MAX_SESSIONS:
                    raise AdmissionRefused("one connection carries too many identities; open another")
                door = self._open[key] = Door(await self._gate.admit(BearerToken(token), resource, "", peer))
                self._watching.start_soon(door.watch)
        return door

    def close(self, reason: str) -> None:
        """Close them all: the connection has ended."""
        while self._open:
            _, door = self._open.popitem()
            _close(door, reason)


def _close(door: Door, reason: str) -> None:
    try:
        door.gate.close(reason)
    except RecordError as error:
        # Its client has been told already; that the end is not on record is the operator's to know.
        log.warning("session.end_unrecorded", problem=str(error))
