"""The two channels of one forwarded connection, joined: bytes both ways, counted and not looked at.

What it is: `Leg`, asyncssh's callbacks for a channel without a request of its own (RFC 4254 section 7), and `Pair`.
What it will not do: wait, decide, or hide anything: what passes here is somebody else's protocol.

Invariants: a leg is read only while the other takes; the end of one direction goes after the last of its bytes, and the
other direction stays open; when one leg is gone the other is closed.
"""

from collections.abc import Callable

import asyncssh

from doorward_ssh.sides import Side

FULL = "the other leg is full"


class Leg(asyncssh.SSHTCPSession[bytes], asyncssh.SSHUNIXSession[bytes]):
    """One of the two channels."""

    def __init__(self, pair: "Pair") -> None:
        self._pair = pair
        self._channel: asyncssh.SSHTCPChannel[bytes] | asyncssh.SSHUNIXChannel[bytes] | None = None
        self.side = Side()
        self._early: list[bytes] = []  # until the other leg is open; its window bounds it
        self._early_end = False
        self.ended = False
        self.received = 0
        self.other: Leg

    # --- callbacks of asyncssh ---------------------------------------------------------------------------------------

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes] | asyncssh.SSHUNIXChannel[bytes]) -> None:
        """The channel is open; the other may have come and gone by now."""
        self._channel = chan
        self.side.attach(chan)
        self.other.catch_up()
        if self.other.ended:
            chan.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is gone."""
        self._channel = None
        self.side.attach(None)
        self.ended = True
        self._pair.lost(self)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Pass on."""
        self.received += len(data)
        if self.other.is_open:
            self.other.write(data)
        else:
            self._early.append(data)

    def eof_received(self) -> bool:
        """Pass on; the other direction stays open."""
        if self.other.is_open:
            self.other.write_eof()
        else:
            self._early_end = True
        return True

    def pause_writing(self) -> None:
        """Nobody takes what goes here: the other leg is not read."""
        self.other.side.stop(FULL)

    def resume_writing(self) -> None:
        """There is room again."""
        self.other.side.go(FULL)

    # --- for the other leg and its owner -----------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether bytes can go here."""
        return self._channel is not None

    def write(self, data: bytes) -> None:
        """Send."""
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(data)

    def write_eof(self) -> None:
        """Send no more."""
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write_eof()

    def catch_up(self) -> None:
        """The other leg is open now: what came early goes there."""
        early, self._early = self._early, []
        for data in early:
            self.other.write(data)
        if self._early_end:
            self._early_end = False
            self.other.write_eof()

    def close(self) -> None:
        """End it."""
        if self._channel is not None:
            self._channel.close()


class Pair:
    """Both legs. `on_gone` is called once, when neither is left."""

    def __init__(self, on_gone: Callable[[], None]) -> None:
        self.client, self.target = Leg(self), Leg(self)
        self.client.other, self.target.other = self.target, self.client
        self._on_gone: Callable[[], None] | None = on_gone

    def lost(self, leg: Leg) -> None:
        """One of them is gone."""
        if leg.other.is_open:
            leg.other.close()
        elif leg.other.ended and self._on_gone is not None:
            on_gone, self._on_gone = self._on_gone, None
            on_gone()

    def close(self) -> None:
        """End both."""
        self.client.close()
        self.target.close()

    def throttle(self, leg: Leg, reason: str, *, stop: bool) -> None:
        """Do not read a leg, or read it again."""
        leg.side.stop(reason) if stop else leg.side.go(reason)
