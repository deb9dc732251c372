"""That something changed on the desk, for those who wait to hear of it: one number, and a way to wait for the next.

What it is: the version of everything that the desk shows; opening, voting on, using and ending a request make another.
What it will not do: say what changed, or to whom it matters; whoever was woken reads the list again.

Invariants: it only rises; it survives no restart, and another process begins with another; whoever waits for one that
is not the present one is answered at once, and reads afresh.

Cancellation: waiting leaves nothing behind.
"""

from typing import Final

import trio

NS_PER_MS: Final = 1_000_000
MAX_WAITING: Final = 64
"""Who may wait at once: half of the control port's connections stay for those who vote."""


class Changes:
    """The version. It starts at the time in milliseconds: no process changes things a thousand times each second."""

    def __init__(self, now_unix_ns: int) -> None:
        self.version = now_unix_ns // NS_PER_MS
        self.waiting = 0
        self._next = trio.Event()

    def made(self) -> None:
        """Something changed: everyone who waits is woken."""
        self.version += 1
        self._next.set()
        self._next = trio.Event()

    async def after(self, version: int, wait_s: float) -> bool:
        """Wait until the version is another one than this, at most so long; False if it is still the same."""
        if version == self.version:
            self.waiting += 1
            try:
                with trio.move_on_after(wait_s):
                    await self._next.wait()
            finally:
                self.waiting -= 1
        return version != self.version
