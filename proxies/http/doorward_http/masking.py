"""What is masked on one exchange: the request on its way to the target, and the answer on its way back.

What it is: the masks of one decision, as a change of bodies and headers.
What it will not do: decide which masks are owed, or read a body of a kind that it does not know: that is Unmaskable.

Invariant: pure; where a mask is owed, nothing leaves that was not masked.
"""

from collections.abc import Mapping

from doorward_core.errors import GatewayError
from doorward_core.http.messages import Headers, ResponseHead
from doorward_core.model import Decision, Mask, MaskInput
from doorward_http.facts import Body
from doorward_http.operations import Request


class Unmaskable(GatewayError):
    """A mask is owed and cannot be applied; the message says why, for the client to read."""


class Masking:
    """The masks of one decision, on one exchange."""

    def __init__(self, decision: Decision, key: bytes) -> None:
        self._key = key
        self._out = tuple(item for item in decision.obligations if isinstance(item, Mask))
        self._in = tuple(item.mask for item in decision.obligations if isinstance(item, MaskInput))
        self.masked: Mapping[str, int] = {}

    def request(self, headers: Headers, body: Body) -> tuple[Headers, bytes | None]:
        """The request as it may go on; None for a body that streams. Raises Unmaskable."""
        if self._in:
            raise Unmaskable("requests are not masked")
        return headers, body.content

    def answer(self, head: ResponseHead, request: Request) -> ResponseHead:  # noqa: ARG002 - as above
        """The head of the answer as it may leave. Raises Unmaskable."""
        if self._out:
            raise Unmaskable("answers are not masked")
        return head

    def feed(self, chunk: bytes) -> bytes:
        """See `Change`."""
        return chunk

    def end(self) -> bytes:
        """See `Change`."""
        return b""

    def trailers(self, trailers: Headers) -> Headers:
        """See `Change`."""
        return trailers
