"""Carry a response from a target to a client, in as few writes as its arrival allows.

What is there already leaves in one piece with its head, and the rest as it comes.
What it will not do: decide what becomes of the bytes; that is a `Change`, the caller's.
Implements: section "The hot path" of ARCHITECTURE.md: a head and its first bytes leave together, and so does an end.

Invariant: what is there already, and all of a short body that is masked, is changed before the head leaves, so that an
answer that turns out to be withheld can still be answered in another way.
"""

from typing import Final, Protocol

from doorward_core.http.exchange import Exchange
from doorward_core.http.messages import BODILESS, Headers, ResponseHead, get
from doorward_core.http.upstream import UpstreamResponse

EARLY_BYTES: Final = 256 * 1024  # changed and held before the head leaves; what is ready is seldom more than one read


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


async def relay(
    response: UpstreamResponse, exchange: Exchange, head: ResponseHead, change: Change, *, masked: bool = False
) -> None:
    """Send `head` and the changed body of `response`, to the end of both.

    With `masked`, a short body is changed whole before its head leaves.
    What reading, changing or sending raises is raised here; an exchange that is then begun and not finished is cut by
    its server, so that the client sees that the body is not whole.
    """
    short = masked and _length(response.head) <= EARLY_BYTES
    early, piece = bytearray(), response.ready()
    while len(early) < EARLY_BYTES:
        if piece is None and short:
            piece = await response.read()
        if not piece:
            break
        early += change.feed(piece)
        piece = response.ready()
    if piece == b"":
        early += change.end()
        trailers = change.trailers(response.trailers)
        if not trailers and exchange.head.method != "HEAD" and head.status not in BODILESS:
            await exchange.respond(head, bytes(early))
            return
    await exchange.send_head(head, more=bool(early) or piece is not None)
    if early:
        await exchange.send_data(bytes(early), more=piece is not None)
    if piece != b"":
        await _rest(response, exchange, change, piece)
        trailers = change.trailers(response.trailers)
    if trailers:
        await exchange.send_trailers(trailers)
    await exchange.finish()


async def tell(exchange: Exchange, head: ResponseHead, body: bytes, trailers: Headers = ()) -> None:
    """Answer in the target's place."""
    if not trailers:
        await exchange.respond(head, body)
        return
    await exchange.send_head(head, more=True)
    await exchange.send_trailers(trailers)
    await exchange.finish()


def _length(head: ResponseHead) -> int:
    """The length that the target declared; where there is none, more than is waited for."""
    declared = get(head.headers, b"content-length")
    return EARLY_BYTES + 1 if declared is None else int(declared)


async def _rest(response: UpstreamResponse, exchange: Exchange, change: Change, piece: bytes | None) -> None:
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
