"""The sessions of one connection over HTTP: one for each credential, on each resource; and how its requests wait.

What it is: the shell that has the gate admit a credential once, keeps what it gave until the connection ends, and waits
for a decision as long as a request may.
What it will not do: decide on a request, or look at one.

Invariants: a credential that changes on the same connection is another session; one that has run out is no session any
more, and takes nobody's place; every session that was opened is closed, once; nothing that a session began goes on
after its end, or after that of its credential. Cancelled while it asks the gate, it leaves nothing open.
"""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final, Generic, Protocol, TypeVar

import structlog
import trio

from doorward_core.errors import AdmissionRefused, RecordError
from doorward_core.gate import Gate
from doorward_core.identity.authenticate import BearerToken
from doorward_core.model import Denial, Operation, Peer, Permit, Secret
from doorward_core.session_gate import Memo, SessionGate

MAX_SESSIONS: Final = 64  # of one connection: whoever shares one among more people opens another
NS_PER_S: Final = 1_000_000_000

log = structlog.get_logger()


class Client(Protocol):
    """Whoever waits for an answer; an exchange of `doorward_core.http` is one."""

    async def wait_disconnected(self) -> None:
        """Wait until the client has gone, or has taken its request back."""


class Held:
    """How a held request waits: its connection stays open, and its client is told when it is over."""

    def __init__(self, until_unix_ns: int) -> None:
        self._until = until_unix_ns

    async def prepare(self) -> str:
        """See `Waiter`: nothing else is under way on this exchange."""
        await trio.lowlevel.checkpoint()
        return ""

    async def notify(self, request_id: str, advice: str, within_s: int) -> int | None:  # noqa: ARG002 - HTTP has no way to say something before its answer
        """See `Waiter`: give up before the client does, so that it learns how to come back."""
        await trio.lowlevel.checkpoint()
        return self._until

    async def progress(self, request_id: str, words: str, within_s: int) -> None:
        """See `Waiter`: nothing, for the same reason; whoever wants to know asks the control port."""


class Door:
    """One session, with what is counted and kept for it."""

    def __init__(self, gate: SessionGate, clock: Callable[[], int]) -> None:
        self.gate = gate
        self._clock = clock
        self._asked = 0
        self._under_way: set[trio.CancelScope] = set()
        self._over = False

    def number(self) -> int:
        """The place of the next operation in this session."""
        self._asked += 1
        return self._asked - 1

    async def watch(self) -> None:
        """Wait until somebody ends the session from outside, or its credential ends, and end what is under way."""
        expires_unix_ns = self.gate.session.identity.expires_unix_ns
        while not await self.gate.live.over(expires_unix_ns - self._clock()):
            if self._clock() >= expires_unix_ns:
                break
        self._over = True
        for scope in tuple(self._under_way):
            scope.cancel()

    async def decide(
        self, operation: Operation, memo: Memo, client: Client, until_unix_ns: int, draining: trio.Event
    ) -> Permit | Denial | None:
        """The gate's verdict; where people are asked, None if the gateway goes down or the session is ended meanwhile.

        A client that goes away ends the wait.
        """
        if not self.gate.holds(operation, memo):
            return await self.gate.decide(operation, Held(until_unix_ns), memo)
        verdict: Permit | Denial | None = None
        async with trio.open_nursery() as nursery:
            scope = nursery.cancel_scope
            nursery.start_soon(_then_cancel, client.wait_disconnected, scope)
            nursery.start_soon(_then_cancel, draining.wait, scope)
            self._under_way.add(scope)
            try:
                verdict = await self.gate.decide(operation, Held(until_unix_ns), memo)
                scope.cancel()
            finally:
                self._under_way.discard(scope)
        return verdict

    @property
    def over(self) -> bool:
        """Whether its session was ended, or its credential was."""
        return self.gate.expired() or bool(self.gate.live.ended)

    @property
    def busy(self) -> bool:
        """Whether something that it began goes on."""
        return bool(self._under_way)

    def life(self) -> "Life":
        """Nothing that was begun goes on for longer than its credential, or than its session: `with door.life()`."""
        return Life(self._under_way, over=self._over)


class Life:
    """A scope that ends with its session; most are short, so that they share the session's one deadline."""

    __slots__ = ("_scope", "_under_way")

    def __init__(self, under_way: set[trio.CancelScope], *, over: bool) -> None:
        self._under_way = under_way
        self._scope = trio.CancelScope()
        if over:
            self._scope.cancel()

    def __enter__(self) -> trio.CancelScope:
        self._under_way.add(self._scope)
        return self._scope.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._under_way.discard(self._scope)
        return self._scope.__exit__(kind, error, trace)


async def _then_cancel(wait: Callable[[], Awaitable[object]], scope: trio.CancelScope) -> None:
    await wait()
    scope.cancel()


SomeDoor = TypeVar("SomeDoor", bound=Door)


class Doors(Generic[SomeDoor]):
    """The sessions of one connection; `make` makes the door of one."""

    def __init__(
        self, gate: Gate, watching: trio.Nursery, make: Callable[[SessionGate, Callable[[], int]], SomeDoor]
    ) -> None:
        self._gate = gate
        self._watching = watching
        self._make = make
        self._open: dict[tuple[bytes, str], SomeDoor] = {}
        self._turn = trio.Lock()

    async def enter(self, token: Secret, resource: str, peer: Peer) -> SomeDoor:
        """The session of this credential on this resource. Raises as `Gate.admit` does."""
        key = (hashlib.sha256(token.reveal().encode("utf-8", "surrogatepass")).digest(), resource)
        door = self._open.get(key)
        if door is not None and not door.over:
            return door
        async with self._turn:  # over h2 several requests may come at once, and are one session all the same
            door = self._open.get(key)
            if door is not None and door.over:
                self._end(key)
                door = None
            if door is None:
                self._tidy()
                if len(self._open) >= MAX_SESSIONS:
                    raise AdmissionRefused("one connection carries too many identities; open another")
                admitted = await self._gate.admit(BearerToken(token), resource, "", peer)
                door = self._open[key] = self._make(admitted, self._gate.clock)
                self._watching.start_soon(door.watch)
        return door

    def _tidy(self) -> None:
        """Close what is over: a client that renews its token keeps its connection, and each token is a session."""
        for key in [key for key, door in self._open.items() if door.over and not door.busy]:
            self._end(key)

    def _end(self, key: tuple[bytes, str]) -> None:
        door = self._open.pop(key)
        _close(door, door.gate.live.ended or "its credential expired")

    def close(self, reason: str) -> None:
        """Close them all: the connection has ended."""
        while self._open:
            _, door = self._open.popitem()
            _close(door, reason)


@asynccontextmanager
async def open_doors(
    gate: Gate, make: Callable[[SessionGate, Callable[[], int]], SomeDoor]
) -> AsyncIterator[Doors[SomeDoor]]:
    """The sessions of one connection, for as long as the block that serves it runs; all are closed behind it."""
    reason = "failed"
    async with trio.open_nursery() as watching:
        doors = Doors(gate, watching, make)
        try:
            yield doors
            reason = "the connection ended"
        finally:
            doors.close(reason)
            watching.cancel_scope.cancel()


def _close(door: Door, reason: str) -> None:
    try:
        door.gate.close(reason)
    except RecordError as error:
        # Its client has been told already; that the end is not on record is the operator's to know.
        log.warning("session.end_unrecorded", problem=str(error))
