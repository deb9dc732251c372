"""The body of an answer, read as far as a bound.

What it is: the one way in which what others answer is read whole, whichever library brings it.
What it will not do: judge that there was more, which is the caller's to say in its own words.
"""

from collections.abc import AsyncIterable

import trio


async def read_at_most(chunks: AsyncIterable[bytes], most_bytes: int) -> bytes:
    """Give the bytes of all chunks; where there are more than the bound, more than the bound, and not all of them."""
    read = bytearray()
    with trio.CancelScope() as too_long:
        # Cancelled from within, a library's nested generators end in order; left by a raise, they would linger.
        async for chunk in chunks:
            read += chunk
            if len(read) > most_bytes:
                too_long.cancel()
    return bytes(read)
