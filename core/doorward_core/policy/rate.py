"""Counting what policy allows only so often: probes of masked columns.

What it is: `RateCounter`, a sliding window per key, exact to the event.
What it will not do: read a clock, or survive a restart: a gateway that starts anew counts anew; the log has the past.

Invariants: pure (`now` comes in); never more than `count` within any window of `per_s`; bounded in keys, and when it is
full it refuses new keys rather than forget old ones, so that a flood of identities frees nobody's budget.
"""

from collections import deque
from collections.abc import Hashable, Iterable

from doorward_core.policy.decide import ProbeRate

MAX_KEYS = 10_000
"""Identities times masks with a rate; each costs some forty bytes for each thing counted."""

_NS_PER_S = 1_000_000_000


class RateCounter:
    """Sliding windows by key."""

    __slots__ = ("_windows",)

    def __init__(self) -> None:
        self._windows: dict[tuple[Hashable, str], tuple[int, deque[int]]] = {}

    def take(self, who: Hashable, rates: Iterable[ProbeRate], now_unix_ns: int) -> int | None:
        """Count one operation of `who` against all these rates, or against none; each at its own cost.

        None means that it may go on; otherwise the number of nanoseconds after which trying again may help.
        `who` is the principal (issuer and subject), not the session: opening another session frees nothing.
        """
        asked = list(rates)
        waits = [wait for rate in asked if (wait := self._wait(who, rate, now_unix_ns)) > 0]
        if waits:
            return max(waits)
        for rate in asked:
            self._windows[who, rate.mask][1].extend([now_unix_ns] * rate.cost)
        return None

    def _wait(self, who: Hashable, rate: ProbeRate, now: int) -> int:
        """How long until this rate has room: 0 if it has now. Makes the window if there is none."""
        length = rate.per_s * _NS_PER_S
        found = self._windows.get((who, rate.mask))
        if found is None:
            if len(self._windows) >= MAX_KEYS and not self._drop_idle(now):
                return length
            found = (length, deque())
        elif found[0] != length:
            # The policy changed its period: what was counted still counts.
            found = (length, found[1])
        self._windows[who, rate.mask] = found
        times = found[1]
        while times and times[0] <= now - length:
            times.popleft()
        if rate.cost > rate.count:
            return length
        over = len(times) + rate.cost - rate.count
        return 0 if over <= 0 else times[over - 1] + length - now

    def _drop_idle(self, now: int) -> bool:
        """Forget windows in which nothing counts any more; whether there is room then."""
        idle = [key for key, (length, times) in self._windows.items() if not times or times[-1] <= now - length]
        for key in idle:
            del self._windows[key]
        return len(self._windows) < MAX_KEYS
