"""The register: revocations and openings come into force here, once they are on record.

It is the trio shell of this room: it sees that the log has it before it acts, acts, and keeps it over a restart.
It authenticates nobody and asks nobody whether they may: the control port does.

Invariants:

- What is revoked is durable in the event log before it acts, and acts before it is kept: a disk that takes the one and
  not the other leaves it in force for as long as this process runs, and says so.
- What loosens (a lifted revocation, broken glass) is kept before it acts.

Cancellation: what has begun is finished in a shield.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog
import trio

from doorward_core.access import events
from doorward_core.access.ledger import Ledger, Opening, Review, Revocation
from doorward_core.access.store import LedgerFile, body_of
from doorward_core.errors import StoreError
from doorward_core.event import Event
from doorward_core.model import Identity, Peer

MAX_REVOCATIONS = 10_000
"""More than this is an incident in which everything is revoked."""
MAX_OWED = 1_000
"""More unsigned reviews than this are read by nobody; the next opening waits until some were signed."""
REVIEWED_S = 30 * 24 * 3600
"""How long a reviewed opening is still listed; its history is in the event log."""
NS_PER_S = 1_000_000_000

log = structlog.get_logger()


class RegisterFull(StoreError):
    """The store works and takes no more; the message is for whoever asked to read."""


class Register:
    """One gateway's register. `clock` gives Unix nanoseconds; `record` returns when an event is durable."""

    def __init__(
        self, ledger: Ledger, file: LedgerFile, *, clock: Callable[[], int], record: Callable[[Event], Awaitable[None]]
    ) -> None:
        self.ledger = ledger
        self.listeners: list[Callable[[Event], None]] = []
        """Told of each event that is on record and in force; they must not raise, nor wait."""
        self._file = file
        self._clock = clock
        self._record = record
        self._turn = trio.Lock()

    async def revoke(
        self, one: Revocation, operator: Identity, peer: Peer, *, sessions: Callable[[], int], act: Callable[[], None]
    ) -> None:
        """Record it, put it in force, have `act` end what it ends, keep it. `sessions` counts what it will end.

        RecordError: nothing happened. StoreError: it is in force, and a restart would forget it.
        """
        async with self._turn:
            if len(self.ledger.revocations) >= MAX_REVOCATIONS:
                raise RegisterFull(f"there are {MAX_REVOCATIONS} revocations; lift some, or revoke everything")
            with trio.CancelScope(shield=True):
                event = events.revoked(one, operator, peer, sessions())
                await self._record(event)
                self.ledger.revocations[one.id] = one
                act()
                self._tell(event)
                await self._keep(self.ledger)

    async def lift(self, one: Revocation, operator: Identity, peer: Peer, reason: str) -> bool:
        """Lift a revocation; False if it is not in force any more."""
        async with self._turn:
            if one.id not in self.ledger.revocations:
                return False
            with trio.CancelScope(shield=True):
                event = events.restored(one, operator, peer, reason)
                await self._record(event)
                left = [other for other in self.ledger.revocations.values() if other.id != one.id]
                await self._keep(Ledger(left, self.ledger.openings.values()))
                del self.ledger.revocations[one.id]
                self._tell(event)
        return True

    async def open(self, one: Opening, identity: Identity, peer: Peer) -> None:
        """Break the glass: loudly, on record first. RecordError or StoreError: it stays whole."""
        async with self._turn:
            if len(self.ledger.owed()) >= MAX_OWED:
                raise RegisterFull(f"{MAX_OWED} reviews are owed; have some of them signed first")
            with trio.CancelScope(shield=True):
                event = events.opened(one, identity, peer)
                await self._record(event)
                await self._keep(Ledger(self.ledger.revocations.values(), [*self._recent(), one]))
                self.ledger.openings[one.id] = one
                log.warning(
                    "break_glass.opened",
                    request=one.id,
                    subject=one.subject,
                    resource=one.resource,
                    seconds=(one.until_unix_ns - one.opened_unix_ns) // NS_PER_S,
                )
                self._tell(event)

    async def review(self, one: Opening, review: Review, reviewer: Identity, peer: Peer) -> bool:
        """Sign what was done; False if it is signed already."""
        async with self._turn:
            if self.ledger.openings.get(one.id) != one or one.review is not None:
                return False
            with trio.CancelScope(shield=True):
                event = events.reviewed(one, review, reviewer, peer)
                await self._record(event)
                signed = replace(one, review=review)
                openings = [signed if other.id == one.id else other for other in self._recent()]
                await self._keep(Ledger(self.ledger.revocations.values(), openings))
                self.ledger.openings = {other.id: other for other in openings}
                self._tell(event)
        return True

    async def shut(self, openings: tuple[Opening, ...]) -> None:
        """End what is open before its time: its person was revoked, which is on record. The reviews stay owed."""
        async with self._turn:
            now = self._clock()
            for one in openings:
                self.ledger.openings[one.id] = replace(one, until_unix_ns=min(now, one.until_unix_ns))
            if openings:
                with trio.CancelScope(shield=True):
                    await self._keep(self.ledger)

    def _recent(self) -> tuple[Opening, ...]:
        """All but those that were reviewed long ago."""
        since = self._clock() - REVIEWED_S * NS_PER_S
        return tuple(
            one for one in self.ledger.openings.values() if one.review is None or one.review.signed_unix_ns > since
        )

    async def _keep(self, ledger: Ledger) -> None:
        await trio.to_thread.run_sync(self._file.save, body_of(ledger))

    def _tell(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)
