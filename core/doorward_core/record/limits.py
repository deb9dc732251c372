"""What may stop traffic while the log itself is well: a limit that is passed, by whom, and what it refuses.

What it is: the one place where those who look after the log (its archive, its witnesses, its disk) say "no further",
and where the log asks before it takes what would begin something.
What it will not do: measure, wait, or know who they are.

A session, and each operation in it, begins with its record.
So a log that does not take that record stops what it would have begun, with words that the client reads, and all that
tells of an end or of a failure is taken as ever.

Pure: times come in.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from doorward_core.errors import TrafficStopped
from doorward_core.event import EventKind

_NS_PER_S: Final = 1_000_000_000


class Scope(IntEnum):
    """What a limit refuses; each refuses what those before it do."""

    NOTHING = 0  # readiness says it, and traffic goes on
    SESSIONS = 1
    TRAFFIC = 2
    RECORDS = 3  # even what is only told: who was refused, again and again, may be what fills a disk


_BEGINNINGS: Final = {
    EventKind.SESSION_OPENED: Scope.SESSIONS,
    EventKind.CREDENTIAL_ISSUED: Scope.SESSIONS,
    EventKind.OPERATION_DECIDED: Scope.TRAFFIC,
    EventKind.OPERATION_HELD: Scope.TRAFFIC,
    EventKind.SESSION_REFUSED: Scope.RECORDS,
}


@dataclass(frozen=True, slots=True)
class Stop:
    """Why, in words for clients and operators alike, and what is refused."""

    reason: str
    scope: Scope


class Limits:
    """The stops in force, one for each who may set one."""

    def __init__(self) -> None:
        self._stops: dict[str, Stop] = {}
        self._scope = 0

    def stop(self, who: str, reason: str, scope: Scope = Scope.TRAFFIC) -> bool:
        """Put a stop in force, or change it; give whether it is new, so that its beginning is recorded once."""
        new = who not in self._stops or self._stops[who].scope < scope
        self._stops[who] = Stop(reason, scope)
        self._scope = max(stop.scope for stop in self._stops.values())
        return new

    def lift(self, who: str) -> bool:
        """Take it back; give whether there was one."""
        there = self._stops.pop(who, None) is not None
        self._scope = max((stop.scope for stop in self._stops.values()), default=0)
        return there

    def refusal(self, kind: EventKind) -> str:
        """Why an event of this kind is not taken now; "" where it is."""
        least = _BEGINNINGS.get(kind)
        if least is None or self._scope < least:
            return ""
        return next(stop.reason for stop in self._stops.values() if stop.scope >= least)

    def check(self, kind: EventKind) -> None:
        """Raise TrafficStopped where an event of this kind is not taken now."""
        if self._scope and (refusal := self.refusal(kind)):
            raise TrafficStopped(refusal)

    @property
    def problem(self) -> str:
        """All that is in force, for readiness; "" where nothing is."""
        return "; ".join(stop.reason for stop in self._stops.values())


class Lag:
    """How far one who follows the log may be behind: the age of what it has not taken."""

    def __init__(self, limit_s: float, now_unix_ns: int) -> None:
        self._limit_ns = int(limit_s * _NS_PER_S)
        self._reached_ns = now_unix_ns

    def caught_up(self, as_of_unix_ns: int) -> None:
        """It has all that was there at this time."""
        self._reached_ns = max(self._reached_ns, as_of_unix_ns)

    def behind_s(self, now_unix_ns: int) -> float:
        """Seconds since it last had everything."""
        return max(0, now_unix_ns - self._reached_ns) / _NS_PER_S

    def over(self, now_unix_ns: int) -> bool:
        """Whether that is longer than it may be."""
        return now_unix_ns - self._reached_ns > self._limit_ns
