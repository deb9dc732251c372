"""Those who wait for stable storage, in the order of what they wait for.

What it is: a heap of calls by index, and since when nothing was confirmed for any of them.
What it will not do: read a clock, or know a flush: the time comes in (seconds of a clock that does not go back).

Invariant: each call is made once, when its index is confirmed, or when all are told that nothing will be.
"""

import heapq
from collections.abc import Callable


class Waiters:
    """The calls that are to be made, each once the entry at its index is confirmed."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0  # so that calls of one index are made in their order, and never compared
        self._since_s = 0.0

    def add(self, index: int, call: Callable[[], None], now_s: float) -> None:
        """Have this called."""
        if not self._heap:
            self._since_s = now_s
        self._count += 1
        heapq.heappush(self._heap, (index, self._count, call))

    def wake(self, size: int | None, now_s: float) -> None:
        """Call those who wait for an index below `size`, or everybody; calls may add others."""
        self._since_s = now_s
        heap = self._heap
        while heap and (size is None or heap[0][0] < size):
            heapq.heappop(heap)[2]()

    def waiting_s(self, now_s: float) -> float:
        """Since when somebody waits and nothing was confirmed; 0 where nobody does."""
        return now_s - self._since_s if self._heap else 0.0
