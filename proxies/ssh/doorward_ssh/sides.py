"""One side of two channels that are joined: read for as long as nothing speaks against it.

What it is: the reasons why a channel is not read, by which what waits for somebody slow stays bounded.
What it will not do: look at what is read, or know the other side.

Source: RFC 4254 section 5.2: who is not read is given no window, and sends no more.

Invariants: it is read again only when the last reason has gone, in whatever order they came.
"""

from typing import Any

from asyncssh.channel import SSHChannel


class Side:
    """One of the two channels. Called by asyncio."""

    def __init__(self) -> None:
        self._channel: SSHChannel[Any] | None = None
        self._reasons: set[str] = set()

    def attach(self, channel: SSHChannel[Any] | None) -> None:
        """The channel is open; None: it is gone."""
        self._channel = channel

    def stop(self, reason: str) -> None:
        """Do not read it."""
        self._reasons.add(reason)
        if self._channel is not None:
            self._channel.pause_reading()

    def go(self, reason: str) -> None:
        """Read it again, if that was the last reason."""
        if reason in self._reasons:
            self._reasons.discard(reason)
            if not self._reasons and self._channel is not None:
                self._channel.resume_reading()

    @property
    def stopped(self) -> bool:
        """Whether it is not read."""
        return bool(self._reasons)
