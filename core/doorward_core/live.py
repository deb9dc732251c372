"""A session while it lasts, for those outside of it: what its client is sent can be watched, and it can be ended.

What it is: `Live`, which a session's door has; proxies tell it what a terminal shows and wait for `ending`, and the
control port (`doorward_core.operators`) reads the one and sets the other.
What it will not do: decide who may, record that somebody did, or hold up the session: what a watcher is too slow for is
dropped, and counted.

Invariants: nothing is kept while nobody watches; what is kept is bounded in bytes and ends `WATCHED_S` after the last
question; a session is ended once, and the first reason stays.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

import trio

KEPT_BYTES: Final = 256 * 1024  # some screens full: a watcher asks again within a second
WATCHED_S: Final = 30  # after its last question a watcher is taken to have left; a question waits for 10 at most
PIECE_BYTES: Final = 64  # what a piece takes besides its data
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Shown:
    """Something that the client of a session was sent. `number` counts them; a gap says that some were dropped."""

    number: int
    unix_ns: int
    operation: bytes
    stream: str
    data: bytes


class Live:
    """One session, seen from outside. `ended` says why, once somebody has ended it."""

    def __init__(self) -> None:
        self.ended = ""
        self.ending = trio.Event()
        self.gone = trio.Event()
        self._until_unix_ns = 0
        self._kept: deque[Shown] = deque()
        self._bytes = 0
        self._number = 0
        self._news = trio.Event()

    def end(self, words: str) -> None:
        """End it: the proxy says these words to its client, and closes the connection."""
        self.ended = self.ended or words
        self.ending.set()
        self._news.set()

    def close(self) -> None:
        """It is over."""
        self.gone.set()
        self._news.set()

    async def over(self, left_ns: int) -> str:
        """Wait until it is ended, and give the words, or until its credential is, after so long, and give none."""
        with trio.move_on_after(max(0, left_ns) / _NS):
            await self.ending.wait()
        return self.ended

    def watched(self, now_unix_ns: int) -> bool:
        """Tell whether anybody watches."""
        return now_unix_ns < self._until_unix_ns

    def show(self, operation: bytes, stream: str, data: bytes, now_unix_ns: int) -> None:
        """For proxies: the client was sent this, after masking. Cheap while nobody watches."""
        if not self.watched(now_unix_ns):
            self._forget()
            return
        self._number += 1
        self._kept.append(Shown(self._number, now_unix_ns, operation, stream, data))
        self._bytes += len(data) + PIECE_BYTES
        while self._bytes > KEPT_BYTES:
            self._bytes -= len(self._kept.popleft().data) + PIECE_BYTES
        self._news.set()

    async def after(self, number: int, now_unix_ns: int, within_s: float) -> list[Shown]:
        """What came after that piece; waits for some, so long. Less than 0 begins to watch, from now on."""
        if not self.watched(now_unix_ns):
            self._forget()
        self._until_unix_ns = now_unix_ns + WATCHED_S * _NS
        number = self._number if number < 0 else number
        with trio.move_on_after(within_s):
            while not self.ended and not self.gone.is_set() and not (self._kept and self._kept[-1].number > number):
                self._news = trio.Event()
                await self._news.wait()
        return [one for one in self._kept if one.number > number]

    def _forget(self) -> None:
        self._kept.clear()
        self._bytes = 0

    @property
    def number(self) -> int:
        """Of the newest piece."""
        return self._number
