"""The relay of commands and shells: bytes both ways, the output through the masks.

What it is: the `Relay` that `channels.choose` gives whatever has no relay of its own.
What it will not do: look at what is typed, or know a protocol inside the streams.

Invariants: a file transfer's bytes pass untouched, and the coverage statement says so; nothing that is held back by a
mask outlives its stream: it leaves with the next line, by the timer, or at the end.
"""

import asyncio
from collections.abc import Mapping

from doorward_core.terminal import BINARY, Screen
from doorward_ssh.ends import Ends


class StreamRelay:
    """Bytes between the two ends of one channel. `screen` is None for bytes that are no text."""

    def __init__(self, ends: Ends, screen: Screen | None) -> None:
        self._ends = ends
        self._screen = screen
        self._timer: asyncio.TimerHandle | None = None

    def hide(self, secrets: tuple[bytes, ...]) -> None:
        """Never show these. Before the first byte."""
        if self._screen is not None:
            self._screen.hide(secrets)

    def from_client(self, data: bytes) -> None:
        """Input passes."""
        self._ends.to_target(data)

    def from_target(self, data: bytes, *, stderr: bool) -> None:
        """Output passes through the masks."""
        if self._screen is None:
            self._ends.to_client(data, stderr=stderr)
            return
        self._ends.to_client(self._screen.feed(data, stderr=stderr), stderr=stderr)
        after_s = self._screen.flush_after_s
        if after_s is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(after_s, self._flush)

    def client_ended(self) -> None:
        """No more input."""
        self._ends.end_target()

    def target_ended(self) -> None:
        """No more output: what was held back leaves, and then the end."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._screen is not None:
            self._send(self._screen.end())
        self._ends.end_client()

    @property
    def masked(self) -> Mapping[str, int]:
        """How many values were hidden, by label."""
        return self._screen.masked if self._screen is not None else {}

    @property
    def coverage(self) -> tuple[str, ...]:
        """What was not seen here, or not masked."""
        return self._screen.coverage if self._screen is not None else (BINARY,)

    def _flush(self) -> None:
        self._timer = None
        if self._screen is not None:
            self._send(self._screen.flush())

    def _send(self, held: tuple[bytes, bytes]) -> None:
        self._ends.to_client(held[0])
        self._ends.to_client(held[1], stderr=True)
