"""A cancel at any moment: counts the steps that the tasks of one connection take, and cancels it after the n-th.

A step is what a task does from one await to the next, so that the steps of a short session are all the moments at which
it can be cut. `in_order` has trio take tasks that are ready in the same order each time; what threads give comes when it
comes, and what must hold after a cut holds whatever the order is.
"""

import random

import trio
import trio._core._run
import trio.lowlevel

GIVE_UP_S = 60
"""What is not over by then is left over."""


class Cut(trio.abc.Instrument):
    """Cancels what runs `inside` after so many steps; `taken` counts them, 0 never cuts."""

    def __init__(self, at):
        self.at = at
        self.taken = 0
        self._scope = trio.CancelScope()
        self._root = None

    async def inside(self, work, *arguments):
        """Run something, until it ends or is cut."""
        self._root = trio.lowlevel.current_task()
        trio.lowlevel.add_instrument(self)
        try:
            with self._scope:
                await work(*arguments)
        finally:
            trio.lowlevel.remove_instrument(self)

    @property
    def reached(self):
        """Whether it lasted as long as that."""
        return self._scope.cancel_called

    def after_task_step(self, task):
        """See `trio.abc.Instrument`."""
        if self._within(task):
            self.taken += 1
            if self.taken == self.at:
                self._scope.cancel()

    def _within(self, task):
        """What its tasks do, and what the one task does that hands chunks over by a call."""
        if task.name.startswith("doorward_core.net.pump"):
            return True
        while task is not None and task is not self._root:
            task = task.parent_nursery and task.parent_nursery.parent_task
        return task is not None


async def until(true):
    """Wait for what comes by itself."""
    with trio.fail_after(GIVE_UP_S):
        while not true():
            await trio.lowlevel.checkpoint()


def in_order(monkeypatch):
    """Take away trio's dice: it shuffles what is ready so that nobody relies on an order."""
    monkeypatch.setattr(trio._core._run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
    monkeypatch.setattr(trio._core._run, "_r", random.Random(0))
