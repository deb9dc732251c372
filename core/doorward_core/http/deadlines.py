"""Deadlines of connections that cost nothing while they are kept: one sweep looks after them all.

What it will not do: be exact; a deadline is noticed within `SWEEP_S` of its time.
Implements: section "The hot path" of ARCHITECTURE.md: no cancel scope for each message, limits by one sweep task.

Invariants:

- A link whose deadline has passed is closed, and whoever waits on it is woken: nobody holds a connection by silence.
- The sweep runs while there is something to watch, in the trio run of its watches, and ends with the last of them.
"""

import math
from typing import Final

import trio

from doorward_core.net.link import Link

SWEEP_S: Final = 0.5


class Watch:
    """The deadlines of one link, on trio's clock: for what it is to receive, and for what it is to send.

    `idle` says that nothing is under way, so that the link may be closed as soon as `draining` is set.
    `expired` says that the sweep has closed it.
    """

    __slots__ = ("_draining", "_link", "expired", "idle", "receiving", "sending")

    def __init__(self, link: Link, draining: trio.Event | None = None) -> None:
        self._link = link
        self._draining = draining
        self.receiving = math.inf
        self.sending = math.inf
        self.idle = False
        self.expired = False
        _sweep().add(self)

    def receive_within(self, seconds: float | None) -> None:
        """Something is to be received within so many seconds; None lifts the deadline."""
        self.receiving = math.inf if seconds is None else trio.current_time() + seconds

    def send_within(self, seconds: float | None) -> None:
        """What is being sent is to have left within so many seconds; None lifts the deadline."""
        self.sending = math.inf if seconds is None else trio.current_time() + seconds

    def due(self, now: float) -> bool:
        """Whether the link's time is over."""
        if self.receiving <= now or self.sending <= now:
            return True
        return self.idle and self._draining is not None and self._draining.is_set()

    def expire(self) -> None:
        """Close the link."""
        self.expired = True
        self.receiving = self.sending = math.inf
        self.idle = False
        self._link.close()

    def forget(self) -> None:
        """Watch no longer."""
        _sweep().discard(self)


class _Sweep:
    """All the watches of one trio run."""

    def __init__(self) -> None:
        self._watches: set[Watch] = set()
        self._running = False

    def add(self, watch: Watch) -> None:
        self._watches.add(watch)
        if not self._running:
            self._running = True
            trio.lowlevel.spawn_system_task(self._run)

    def discard(self, watch: Watch) -> None:
        self._watches.discard(watch)

    async def _run(self) -> None:
        try:
            while self._watches:
                now = trio.current_time()
                for watch in [watch for watch in self._watches if watch.due(now)]:
                    watch.expire()
                await trio.sleep(SWEEP_S)
        finally:
            self._running = False


_RUN: Final[trio.lowlevel.RunVar[_Sweep]] = trio.lowlevel.RunVar("doorward_core.http.deadlines")


def _sweep() -> _Sweep:
    try:
        return _RUN.get()
    except LookupError:
        sweep = _Sweep()
        _RUN.set(sweep)
        return sweep
