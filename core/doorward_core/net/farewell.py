"""How long a connection is kept for the peer to read our last words before it closes.

Closing with unread bytes makes the kernel reset the connection, and a peer that is still sending loses what we said:
so what it sends is read and dropped until it has heard, within bounds.
What it will not do: keep a word of what is dropped, or wait for ever.
Source: RFC 9112 section 9.6, "Tear-down"; nginx's lingering_close does the same with 30 s and 5 s.

Invariant: past `dropped_bytes` nothing is read any more, and the connection still stays until the time is over, so that
a peer that looks for an answer while it sends finds it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import trio

_READ_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Farewell:
    """The bounds of one goodbye: seconds for all of it, seconds without a byte, and bytes to read and drop."""

    whole_s: float
    silent_s: float
    dropped_bytes: int


# Nothing left to read for the peer but the end itself.
AT_ONCE: Final = Farewell(whole_s=0.0, silent_s=0.0, dropped_bytes=0)
# A peer that has nothing left to say reads at once.
SHORT: Final = Farewell(whole_s=1.0, silent_s=1.0, dropped_bytes=1 << 20)
# A peer in the middle of an upload: many clients read the answer only when all of it is sent.
UPLOADING: Final = Farewell(whole_s=30.0, silent_s=5.0, dropped_bytes=1 << 30)


async def drop_until_gone(
    bounds: Farewell, receive: Callable[[int], Awaitable[bytes]], hangup: Callable[[], Awaitable[None]]
) -> None:
    """Read and drop what `receive(max_bytes)` gives until its end; past the bound wait for `hangup` alone."""
    dropped = 0
    while dropped < bounds.dropped_bytes:
        with trio.move_on_after(bounds.silent_s) as silence:
            data = await receive(_READ_BYTES)
        if silence.cancelled_caught or not data:
            return
        dropped += len(data)
    await hangup()
