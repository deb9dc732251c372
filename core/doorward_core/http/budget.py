"""What the bodies of requests may take of memory, over all connections: each waits in memory until it is decided on.

What it is: `Budget`, a number of bytes of which each request takes a `Share` as its body comes in.
What it will not do: hold a byte, or wait for room: whoever finds none is told to come back.

Invariants: pure; no more is given out than there is, nobody has more than a quarter of it, and a share that was given
back is whole again. So one principal that sends more than it is allowed leaves room for all others.
"""

from types import TracebackType
from typing import Final, Self

FAIR: Final = 4  # of the whole; four that send all they may still leave nobody with less than they would have alone
Who = tuple[str, str]


class NoRoom(Exception):
    """A body cannot be taken now."""


class Budget:
    """Bytes for bodies, in all and for each principal."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken: dict[Who, int] = {}
        self._all = 0

    def share(self, who: Who) -> "Share":
        """The share of one request; nothing is taken yet."""
        return Share(self, who)

    def take(self, who: Who, size: int) -> None:
        """Raises NoRoom."""
        taken = self._taken.get(who, 0) + size
        if self._all + size > self._size or taken > self._size // FAIR:
            raise NoRoom
        self._all += size
        self._taken[who] = taken

    def give(self, who: Who, size: int) -> None:
        """What `take` gave."""
        left = self._taken[who] - size
        self._all -= size
        if left:
            self._taken[who] = left
        else:
            del self._taken[who]


class Share:
    """What one request has taken."""

    __slots__ = ("_budget", "_size", "_who")

    def __init__(self, budget: Budget, who: Who) -> None:
        self._budget = budget
        self._who = who
        self._size = 0

    def hold(self, size: int) -> None:
        """Have at least so much in all. Raises NoRoom, and has what it had."""
        if size > self._size:
            self._budget.take(self._who, size - self._size)
            self._size = size

    def __enter__(self) -> Self:
        """It is given back at the end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See `__enter__`."""
        self.release()

    def release(self) -> None:
        """Give everything back."""
        if self._size:
            self._budget.give(self._who, self._size)
            self._size = 0
