"""Chunks handed over as they arrive, by a call and not by waking a task.

What it is: the reading half of a busy `Link`. A task attends; the pump calls its `take` with each chunk, and the task
is woken only when `take` wants that: where it would have to wait.
What it will not do: send, or know what the chunks are.

Implements: section "The hot path" of ARCHITECTURE.md.

Invariants: one task attends; a chunk is handed over once, and in order; while held, nothing is read: back-pressure.
"""

import socket
from collections.abc import Callable
from enum import Enum
from typing import TypeAlias

import trio

from doorward_core.net import pump
from doorward_core.net.link import Link


class Heed(Enum):
    """What one who takes chunks wants next; also how a wait for them ended."""

    MORE = "the next chunk"
    WAKE = "its task, which goes on"
    HOLD = "nothing, until `resume`"
    ENDED = "nothing: the peer has ended its side"  # said here, never by a taker


Take: TypeAlias = Callable[[bytes], Heed]


class Attention:
    """The reading end of one link, from when it is first attended to its close."""

    __slots__ = ("_ended", "_error", "_held", "_link", "_pump", "_said", "_socket", "_take", "_task")

    def __init__(self, link: Link) -> None:
        self._link = link
        self._pump: pump.Pump | None = None
        self._socket: socket.socket | None = None
        self._take: Take | None = None
        self._task: trio.lowlevel.Task | None = None
        self._ended = self._held = False
        self._said = Heed.MORE  # to the task that was woken, unless there was an error
        self._error: Exception | None = None

    async def attend(self, take: Take) -> bool:
        """Hand over chunks until `take` asks for this task (True), or the peer has ended its side (False).

        What `take` raises is raised here, and BrokenResourceError or ClosedResourceError as by `Link.receive`.
        Cancelled, it loses nothing.
        """
        if self._pump is None:
            self._pump = pump.current()
            self._socket = self._link.watched(self._leave)
            self._pump.join(self._socket, self)
        self._take, self._held = take, False
        try:
            said = Heed.MORE
            while said is Heed.MORE:
                if self._ready:
                    await trio.lowlevel.checkpoint()  # bytes may be there without waiting: let others run
                    said = self._listen(take)
                    self._held = said is Heed.HOLD
                    said = Heed.MORE if self._held else said
                if self._held or (said is Heed.MORE and not self._ready):
                    said = await self._parked()
        finally:
            self._take = None
        return said is Heed.WAKE

    @property
    def _ready(self) -> bool:
        """Whether there may be something; if not, the pump will tell. An end stays until it is read."""
        return self._ended or self._link.more or self._link.unread

    async def _parked(self) -> Heed:
        """Wait until the pump, or who holds us, wants this task."""
        self._task = trio.lowlevel.current_task()

        def abort(_: object) -> trio.lowlevel.Abort:
            self._task = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._said

    def wake(self) -> None:
        """Have `attend` return, where it waits."""
        self._rouse(Heed.WAKE)

    def resume(self) -> None:
        """Go on reading what `take` had held."""
        self._held = False
        if self._ready:
            self._rouse(Heed.MORE)  # its task looks for itself

    def _rouse(self, said: Heed, error: Exception | None = None) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._said, self._error = said, error
            trio.lowlevel.reschedule(task)

    def heard(self, events: int) -> None:
        """There may be something to read: the pump's call. Never raises; its task does."""
        self._link.more = True
        if events & pump.ENDED:
            self._ended = True
        take = self._take
        if take is None or self._held or self._task is None:
            return  # nobody reads just now: back-pressure
        try:
            said = self._listen(take)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this connection's own: its task raises it
            self._rouse(Heed.WAKE, error)
            return
        if said is Heed.HOLD:
            self._held = True
        elif said is not Heed.MORE:
            self._rouse(said)
        elif self._ready and self._pump is not None:
            self._pump.again(self)

    def _listen(self, take: Take) -> Heed:
        """Read one chunk, if there is one, and hand it over."""
        data = self._link.read_ready()
        if data is None:
            return Heed.MORE
        return take(data) if data else Heed.ENDED

    def _leave(self) -> None:
        """The link is about to close."""
        if self._pump is not None and self._socket is not None:
            self._pump.leave(self._socket)
        self._rouse(Heed.WAKE, trio.ClosedResourceError("this link was closed"))
