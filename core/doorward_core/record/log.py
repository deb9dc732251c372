"""What the gate needs of a log: the interface that `record.writer.Log` and `record.memory.MemoryLog` both have."""

from collections.abc import Callable
from typing import Protocol

from doorward_core.event import Event
from doorward_core.record.limits import Limits


class EventLog(Protocol):
    """An open log.

    Only ever used from the gateway's own thread.
    `limits` stops traffic though the log is well; readiness looks at it.
    """

    limits: Limits

    @property
    def failed(self) -> str | None:
        """Why the log cannot be written any more, or None; readiness looks at it."""

    @property
    def generation(self) -> int:
        """How often the log was opened: an index from before the last time may be lost, and given out again."""

    @property
    def durable_size(self) -> int:
        """Entries with an index below this are on stable storage."""

    @property
    def waiting_s(self) -> float:
        """Since when somebody waits for stable storage and it has confirmed nothing; 0 where nobody does."""

    def append(self, event: Event, now_unix_ns: int) -> int:
        """Put `event` in the log and give its index; raises RecordError, TrafficStopped where `limits` refuse it."""

    def soon(self, index: int) -> None:
        """Begin to make the event at `index` durable, without waiting."""

    async def durable(self, index: int) -> None:
        """Wait until the event at `index` is on stable storage; raises RecordError."""

    def when_durable(self, index: int, call: Callable[[], None]) -> None:
        """Call once the event at `index` is on stable storage, or the log has failed: at once where it is so already.

        The caller looks which of the two it is (`durable_size`, `failed`).
        """

    async def room(self) -> None:
        """Wait until the queue is short enough to append at ease; raises RecordError."""

    async def aclose(self) -> None:
        """Record the closing, sign it, and let go."""
