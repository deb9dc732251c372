"""When a connection is idle: it carries nothing, and has carried nothing for so long.

What it is: one wait, in trio.
What it will not do: look at what passes. A shell in which nobody types is something that is carried; what is held for
people is too. A connection that only keeps itself alive is not.

Invariants: it returns no earlier than the whole time after the last look at which something was carried.
"""

from collections.abc import Callable
from typing import Final

import trio

LOOKS: Final = 8  # within the time: what begins and ends between two of them counts for nothing
LEAST_S: Final = 0.05


async def until_idle(busy: Callable[[], bool], idle_s: float) -> None:
    """Return once nothing has been carried for `idle_s`."""
    since = trio.current_time()
    while trio.current_time() - since < idle_s:
        await trio.sleep(max(LEAST_S, idle_s / LOOKS))
        if busy():
            since = trio.current_time()
