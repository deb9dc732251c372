"""One epoll set under all busy connections: many that are ready cost one wake-up of the event loop, and no task.

What it is: a trio task of its own that waits for an epoll set, and calls whoever is ready, one after the other.
Sockets stay in the set as long as they live (edge-triggered): no message costs a system call to wait for the next one.
What it will not do: read, or let an exception of one connection reach another: whom it calls must not raise.

Implements: section "The hot path" of ARCHITECTURE.md.

Invariants: a go of several turns is bounded, and behind it every other task of the loop has its own; what is asked for
at its end is done once, before anybody waits again.
"""

import select
import socket
from collections.abc import Callable
from typing import Final, Protocol

import trio

# Turns in a row before the rest of the loop has its own. One calls whoever is ready, for one chunk each.
MAX_TURNS: Final = 8
_READY: Final = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
ENDED: Final = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


class Listener(Protocol):
    """Who is called."""

    def heard(self, events: int) -> None:
        """There may be something to read; never raises."""


class Pump:
    """The set. One for each run of the event loop: use `current`."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._listeners: dict[int, Listener] = {}
        self._again: list[Listener] = []
        self._last: list[Callable[[], None]] = []
        self._turning = False
        self._resting: trio.lowlevel.Task | None = None

    def join(self, connected: socket.socket, listener: Listener) -> None:
        """Call `listener` whenever something arrives, and once now."""
        self._listeners[connected.fileno()] = listener
        self._epoll.register(connected, _READY)

    def leave(self, connected: socket.socket) -> None:
        """Call no more; before the socket is closed."""
        if self._listeners.pop(connected.fileno(), None) is not None and not self._epoll.closed:
            self._epoll.unregister(connected)

    def again(self, listener: Listener) -> None:
        """Call once more in the next turn: there was more than one chunk. Only while being called."""
        self._again.append(listener)

    def at_end(self, call: Callable[[], None]) -> None:
        """Do this once nobody is ready any more, or after `MAX_TURNS`: once for all that is done until then.

        Outside of turns it is done once for all tasks that are about to run: before the loop waits again.
        """
        if call not in self._last:
            self._last.append(call)
        task = self._resting
        if task is not None and not self._turning:
            self._resting = None
            trio.lowlevel.reschedule(task)

    async def finish(self) -> None:
        """Do what tasks asked for, outside of turns, until cancelled."""

        def abort(_: object) -> trio.lowlevel.Abort:
            self._resting = None
            return trio.lowlevel.Abort.SUCCEEDED

        while True:
            while self._last:
                self._last.pop()()
            self._resting = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(abort)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                self._turns()
                while self._again:
                    await trio.lowlevel.checkpoint()
                    self._turns()
        finally:
            self._epoll.close()

    def _turns(self) -> None:
        self._turning = True
        listeners = self._listeners
        for _ in range(MAX_TURNS):
            ready = self._epoll.poll(0)
            again, self._again = self._again, []
            if not ready and not again:
                break
            for descriptor, events in ready:
                listener = listeners.get(descriptor)
                if listener is not None:  # it may have left in this very turn
                    listener.heard(events)
            for listener in again:
                listener.heard(0)
        self._turning = False
        while self._last:
            self._last.pop()()


_PUMP: Final[trio.lowlevel.RunVar[Pump]] = trio.lowlevel.RunVar("doorward pump")


def current() -> Pump:
    """The pump of this run of the event loop; it begins to work when it is first asked for."""
    try:
        return _PUMP.get()
    except LookupError:
        pump = Pump()
        _PUMP.set(pump)
        trio.lowlevel.spawn_system_task(pump.run, name="pump")
        trio.lowlevel.spawn_system_task(pump.finish, name="pump's end of turns")
        return pump
