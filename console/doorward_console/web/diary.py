"""The desk's own log: who logged in, who was refused, and what was read by whom.

What it is: the kinds of event that a desk writes (docs/spec/event-log.md, section 10), in a log like a gateway's.
What it will not do: keep what was shown. It names it; the gateways' logs have it.

Invariants: what `read` writes is on stable storage before it returns, and so before anything is shown; where the log
cannot be written, nothing is shown (`RecordError`).
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from doorward_console.review.report import Review
from doorward_console.web.people import Person
from doorward_core.entries import who
from doorward_core.event import Event, EventKind, Value


class Kept(Protocol):
    """The log, as far as it is needed: `record.writer.Log`."""

    @property
    def failed(self) -> str | None:
        """Why nothing can be written, or None."""

    def append(self, event: Event, now_unix_ns: int) -> int:
        """Put an event into the log, and give its index."""

    async def durable(self, index: int) -> None:
        """Wait until it is on stable storage."""


class Diary:
    """What happened at the desk, as it happens."""

    def __init__(self, log: Kept, clock: Callable[[], int]) -> None:
        self._log = log
        self._clock = clock

    @property
    def failed(self) -> str | None:
        """Why nothing can be written, or None."""
        return self._log.failed

    async def login(self, person: Person, peer: str, *, fresh: bool) -> None:
        """Somebody logged in; `fresh` where they had to prove who they are anew."""
        header: dict[str, Value] = {
            **who(person.identity),
            "credential": person.identity.credential_id,
            "roles": _texts(person.roles),
            "peer": peer,
            "fresh": fresh,
        }
        await self._keep(Event(EventKind.DESK_LOGIN, header))

    async def refused(self, reason: str, peer: str, person: Person | None = None) -> None:
        """Somebody was not let in, or was kept from a page; `reason` is one of a closed set of words."""
        named: dict[str, Value] = who(person.identity) if person is not None else {}
        await self._keep(Event(EventKind.DESK_REFUSED, {**named, "reason": reason, "peer": peer}))

    async def read(self, person: Person, what: str, name: str, peer: str, *, words: str = "") -> None:
        """Somebody is about to be shown something: `what` is its kind, `name` its id, `words` what was looked for."""
        header: dict[str, Value] = {**who(person.identity), "what": what, "name": name, "peer": peer}
        await self._keep(Event(EventKind.DESK_READ, header, {"words": words} if words else {}))

    async def signed(self, person: Person, found: Review, words: str, peer: str) -> None:
        """Somebody signed a review off: all of it, by its digest."""
        header: dict[str, Value] = {
            **who(person.identity),
            "log": found.origin,
            "digest": bytes.fromhex(found.digest),
            "since_unix_ns": found.since_unix_ns,
            "until_unix_ns": found.until_unix_ns,
            "first": found.first,
            "last": found.last,
            "policy": bytes.fromhex(found.policy),
            "findings": len(found.findings),
            "peer": peer,
        }
        await self._keep(Event(EventKind.REVIEW_SIGNED, header, {"words": words}))

    async def _keep(self, event: Event) -> None:
        await self._log.durable(self._log.append(event, self._clock()))


def _texts(names: Iterable[str]) -> list[Value]:
    return [str(name) for name in sorted(names)]
