"""A log in memory, for the tests of everything that writes events.

It has the interface of `record.writer.Log` and the same checks on events; nothing is encoded for good, signed or kept.
It will not stand in for a log in a running gateway.
"""

from collections.abc import Callable

import trio
import trio.lowlevel

from doorward_core.errors import RecordError
from doorward_core.event import Event
from doorward_core.record.entry import EntryError, pack_parts, parts_of
from doorward_core.record.limits import Limits


class MemoryLog:
    """Keeps events in `events`; durable at once, unless `hold_durability` is set."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.times: list[int] = []
        self.closed = False
        self.limits = Limits()
        self._generation = 1
        self._failed: str | None = None
        self._hold = False
        self._size = 0
        self._durable = 0
        self._changed = trio.Event()
        self._calls: list[tuple[int, Callable[[], None]]] = []
        self._waiting_s = 0.0

    @property
    def failed(self) -> str | None:
        """Why it failed, or None."""
        return self._failed

    @property
    def generation(self) -> int:
        """How often it was opened."""
        return self._generation

    @property
    def durable_size(self) -> int:
        """Entries with an index below this count as being on stable storage."""
        return self._durable

    @property
    def waiting_s(self) -> float:
        """What it was set to, and 0 at first: nothing here waits by a clock."""
        return self._waiting_s

    @waiting_s.setter
    def waiting_s(self, seconds: float) -> None:
        self._waiting_s = seconds

    @property
    def hold_durability(self) -> bool:
        """While true, nothing new becomes durable; setting it to False makes everything so."""
        return self._hold

    @hold_durability.setter
    def hold_durability(self, hold: bool) -> None:
        self._hold = hold
        if not hold and self._failed is None:
            self._durable = self._size
        self._wake()

    def fail(self, reason: str) -> None:
        """Fail as a log with a broken disk does: for good, waking whoever waits."""
        self._failed = reason
        self._wake()

    def recover(self) -> None:
        """Come back as a log does whose disk takes writes again: without what was not durable."""
        del self.events[self._durable :], self.times[self._durable :]
        self._size = self._durable
        self._failed = None
        self._generation += 1

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
        due = [call for index, call in self._calls if self._is_due(index)]
        self._calls = [(index, call) for index, call in self._calls if not self._is_due(index)]
        for call in due:
            call()

    def _is_due(self, index: int) -> bool:
        return index < self._durable or self._failed is not None

    def append(self, event: Event, now_unix_ns: int) -> int:
        """Keep `event` and give its index."""
        if self._failed is not None or self.closed:
            raise RecordError(self._failed or "the log is closed")
        self.limits.check(event.kind)
        try:
            _, body = pack_parts(event.header, event.payload)
        except EntryError as error:
            raise RecordError(f"{event.kind}: {error}") from error
        index = self._size
        self._size += parts_of(len(body), sealed=False)
        self.events.append(event)
        self.times.append(max(now_unix_ns, self.times[-1] if self.times else 0))
        if not self._hold:
            self._durable = self._size
        return index

    def soon(self, index: int) -> None:
        """Nothing to do: what is durable, is so at once or when a test says so."""

    async def durable(self, index: int) -> None:
        """Return when `index` counts as durable."""
        while index >= self._durable:
            if self._failed is not None:
                raise RecordError(self._failed)
            await self._changed.wait()

    def when_durable(self, index: int, call: Callable[[], None]) -> None:
        """Call when `index` counts as durable, or the log has failed."""
        self._calls.append((index, call))
        if self._is_due(index):
            self._wake()

    async def room(self) -> None:
        """There is always room."""
        if self._failed is not None:
            raise RecordError(self._failed)

    async def aclose(self) -> None:
        """Refuse further events."""
        self.closed = True
