"""How often something may be said that a stranger can bring about as often as he likes.

It is pure. Invariant: never more than once in `every_ns`, and what was left out is counted and said the next time.
"""

from typing import Final

EVERY_NS: Final = 1_000_000_000  # a line a second fills no disk, and hides no attack from who watches the log


class Seldom:
    """Whether to say it this time."""

    __slots__ = ("_again_unix_ns", "_every_ns", "_left_out")

    def __init__(self, every_ns: int = EVERY_NS) -> None:
        self._every_ns = every_ns
        self._again_unix_ns = 0
        self._left_out = 0

    def left_out(self, now_unix_ns: int) -> int | None:
        """How often it was not said since it was last; None: leave it out this time, too."""
        if self._again_unix_ns - self._every_ns <= now_unix_ns < self._again_unix_ns:
            self._left_out += 1
            return None
        self._again_unix_ns = now_unix_ns + self._every_ns
        left_out, self._left_out = self._left_out, 0
        return left_out


class Kinds:
    """The same for each kind of thing: what strangers bring about in one way keeps nothing else from being said."""

    __slots__ = ("_kinds",)

    def __init__(self) -> None:
        self._kinds: dict[str, Seldom] = {}

    def left_out(self, kind: str, now_unix_ns: int) -> int | None:
        """See `Seldom`. Each kind is remembered, so there must be few of them, whatever strangers do."""
        return self._kinds.setdefault(kind, Seldom()).left_out(now_unix_ns)
