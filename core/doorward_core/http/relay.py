"""Carry a response from a target to a client, in as few writes as its arrival allows.

What it will not do: decide anything. What becomes of the bytes is the caller's `change`.
Implements: section "The hot path" of ARCHITECTURE.md: a head and its first bytes leave together, and so does an end.
"""

from typing import Protocol

from doorward_core.http.exchange import Exchange
from doorward_core.http.messages import Headers, ResponseHead
from doorward_core.http.upstream import UpstreamResponse


class Change(Protocol):
    """What becomes of a body on its way."""

    def feed(self, chunk: bytes) -> bytes:
        """Take a piece; give what is ready to go on."""
        ...

    def end(self) -> bytes:
        """The body is over; give what is left."""
        ...

    def trailers(self, trailers: Headers) -> Headers:
        """What becomes of the trailers."""
        ...


class AsItIs:
    """No change at all."""

    def feed(self, chunk: bytes) -> bytes:
        """See `Change`."""
        return chunk

    def end(self) -> bytes:
        """See `Change`."""
        return b""

    def trailers(self, trailers: Headers) -> Headers:
        """See `Change`."""
        return trailers


async def relay(response: UpstreamResponse, exchange: Exchange, head: ResponseHead, change: Change) -> None:
    """Send `head` and the changed body of `response`, to the end of both.

    What reading, changing or sending raises is raised here; the exchange is then begun and not finished, and its
    server cuts it, so that the client sees that the body is not whole.
    """
    piece = response.ready()
    await exchange.send_head(head, more=piece is not None)
    if piece is None:
        piece = await response.read()
    while piece:
        out = change.feed(piece)
        piece = response.ready()
        if out:
            await exchange.send_data(out, more=piece == b"")
        if piece is None:
            piece = await response.read()
    out = change.end()
    if out:
        await exchange.send_data(out, more=True)
    trailers = change.trailers(response.trailers)
    if trailers:
        await exchange.send_trailers(trailers)
    await exchange.finish()
