"""Carry a response from a target to a client, in as few writes as its arrival allows.

What is there already leaves in one piece with its head, and the rest as it comes.
What it will not do: decide what becomes of the bytes; that is a `Change`, the caller's.
Implements: section "The hot path" of ARCHITECTURE.md: a head and its first bytes leave together, and so does an end.

Invariant: what is there already, and all of a short body that is masked, is changed before the head leaves, so that an
answer that turns out to be withheld can still be answered in another way.
"""

from typing import Final, Protocol

import trio

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


class Holding(Change, Protocol):
    """A change that holds back what it has not seen enough of, and lets it go when its reader cannot wait."""

    @property
    def flush_after_s(self) -> float | None:
        """When what is held back is to leave as it is; None where nothing is, or where it has to stay."""
        ...

    def flush(self) -> bytes:
        """What is held back."""
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
    response: UpstreamResponse,
    exchange: Exchange,
    head: ResponseHead,
    change: Change,
    *,
    masked: bool = False,
    holding: Holding | None = None,
) -> None:
    """Send `head` and the changed body of `response`, to the end of both.

    With `masked`, a short body is changed whole before its head leaves.
    `holding` is the change where it holds things back, so that a target that pauses does not silence what it has said.
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
        await _rest(response, exchange, change, piece, _Patience(response, exchange, holding))
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


class _Patience:
    """Waits for pieces, and lets what is held back leave when it was held for long enough."""

    def __init__(self, response: UpstreamResponse, exchange: Exchange, holding: Holding | None) -> None:
        self._response = response
        self._exchange = exchange
        self._holding = holding
        self._due: float | None = None

    def renew(self) -> None:
        """Something has left: what is held back now is new."""
        self._due = None

    async def read(self) -> bytes:
        """Wait for the next piece of the body; b"" at its end."""
        holding = self._holding
        after_s = None if holding is None else holding.flush_after_s
        if holding is None or after_s is None:
            self._due = None
            return await self._response.read()
        self._due = trio.current_time() + after_s if self._due is None else self._due
        with trio.move_on_at(self._due):
            return await self._response.read()
        self._due = None
        if out := holding.flush():
            await self._exchange.send_data(out)
        return await self._response.read()


async def _rest(
    response: UpstreamResponse, exchange: Exchange, change: Change, piece: bytes | None, patience: _Patience
) -> None:
    if piece is None:
        piece = await patience.read()
    while piece:
        out = change.feed(piece)
        piece = response.ready()
        if out:
            patience.renew()
            await exchange.send_data(out, more=piece == b"")
        if piece is None:
            piece = await patience.read()
    out = change.end()
    if out:
        await exchange.send_data(out, more=True)
