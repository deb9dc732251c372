"""What is masked on one exchange: the request on its way to the target, and the answer on its way back.

What it is: the masks of one decision, as a change of headers and bodies (docs/http-masks.md).
What it will not do: decide which masks are owed, or read a body of a kind that it does not know: that is `Withheld`.

Invariant: pure; where a mask is owed, nothing leaves that was not masked.
"""

from collections import Counter
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from doorward_core.errors import GatewayError, UnreadableBody
from doorward_core.http.messages import Head, Headers, ResponseHead
from doorward_core.http.recode import Recoder
from doorward_core.model import Decision, Mask, MaskInput, Obligation
from doorward_http.bodies import Masked, Unmaskable, plan, plan_request
from doorward_http.forms import Form
from doorward_http.header_masks import mask_headers, prepare_request_headers, without_computed
from doorward_http.headers import trailers_for_client
from doorward_http.owed import Owed
from doorward_http.percent import mask_value

_QUERY_SAFE: Final = "!$&'()*+,/:;=?@[]~%"  # it was canonical before it was masked
MAX_KEPT: Final = 256  # sets of masks that are compiled: one for each group of principals that differ in them


class Withheld(GatewayError):
    """A mask is owed and cannot be applied; the message says why, and repeats nothing of the body."""


class Owing:
    """What is owed, compiled once for each set of masks. A key makes the tokens of `hash`."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[tuple[Mask, ...], Owed] = {}
        # By the obligations' identity: the gate gives the same decision again, and each entry keeps them alive.
        self._decided: dict[int, tuple[tuple[Obligation, ...], Owed, Owed]] = {}

    def of(self, decision: Decision) -> "Masking":
        """The masks of one decision."""
        owed = decision.obligations
        known = self._decided.get(id(owed))
        if known is None:
            out = self._compiled(tuple(item for item in owed if isinstance(item, Mask)))
            into = self._compiled(tuple(item.mask for item in owed if isinstance(item, MaskInput)))
            if len(self._decided) >= MAX_KEPT:
                self._decided.clear()
            known = self._decided[id(owed)] = owed, out, into
        return Masking(known[1], known[2])

    def going_up(self, inputs: tuple[MaskInput, ...]) -> "Masking | None":
        """The masks of what is sent alone; None where there are none."""
        return Masking(self._compiled(()), self._compiled(tuple(item.mask for item in inputs))) if inputs else None

    def _compiled(self, masks: tuple[Mask, ...]) -> Owed:
        found = self._known.get(masks)
        if found is None:
            if len(self._known) >= MAX_KEPT:
                self._known.clear()
            found = self._known[masks] = Owed(masks, self._key)
        return found


class Masking:
    """The masks of one exchange. As a `Change`, it is what becomes of the answer's body."""

    def __init__(self, out: Owed, into: Owed) -> None:
        self._out = out
        self._in = into
        self._up: Recoder | None = None
        self._down: Recoder | None = None
        self._counted: Counter[str] = Counter()
        self._trailing: dict[str, int] = {}

    def __bool__(self) -> bool:
        """Whether any mask is owed on the answer, its headers included."""
        return bool(self._out.masks)

    @property
    def masked(self) -> dict[str, int]:
        """How much was masked so far, by label, both ways."""
        if not self._counted and not self._trailing and self._up is None and self._down is None:
            return {}
        found = self._counted + Counter(self._trailing)
        for recoder in (self._up, self._down):
            if recoder is not None:
                found += Counter(recoder.masked)
        return dict(found)

    # --- towards the target ------------------------------------------------------------------------------------------

    def request(self, head: Head, headers: Headers) -> Headers:
        """The headers to ask with. Raises Withheld."""
        asked = prepare_request_headers(headers, head.method, owes_mask=bool(self._out))
        if not self._in.masks:
            return asked
        planned = plan_request(replace(head, headers=asked), self._in)
        if isinstance(planned, Unmaskable):
            raise Withheld(planned.why)
        self._counted.update(planned.masked)
        if isinstance(planned, Masked):
            self._up = planned.body
        return planned.headers

    def target(self, target: bytes) -> bytes:
        """Path and query to ask with: a query is masked as a form is. Raises Withheld for what is found in a path."""
        if not self._in:
            return target
        path, mark, query = target.partition(b"?")
        detectors = self._in.detectors
        if detectors is not None and mask_value(path, detectors, b"", {}, marks=b"/") != path:
            raise Withheld("the path holds something that is to be masked, and would be another path without it")
        form = Form(self._in)
        try:
            shown = form.feed(query) + form.end()
        except UnreadableBody as error:
            raise Withheld(str(error)) from None
        self._counted.update(form.masked)
        return path + mark + quote(shown, safe=_QUERY_SAFE).encode()

    @property
    def changes_request(self) -> bool:
        """Whether the request's body goes through `up`, so that its length is not what the client said."""
        return self._up is not None

    def up(self, piece: bytes, *, last: bool = False) -> bytes:
        """A piece of the request's body, as it may go on. Raises Withheld."""
        if self._up is None:
            return piece
        try:
            return (self._up.feed(piece) if piece else b"") + (self._up.end() if last else b"")
        except UnreadableBody as error:
            raise Withheld(str(error)) from None

    @property
    def both(self) -> tuple[Owed, Owed]:
        """What is owed on messages to the client, and on messages to the target."""
        return self._out, self._in

    def count(self, masked: dict[str, int]) -> None:
        """Count what was masked elsewhere."""
        self._counted.update(masked)

    # --- towards the client ------------------------------------------------------------------------------------------

    def answer(self, head: ResponseHead, method: str) -> ResponseHead:
        """The head of the answer as it may leave. Raises Withheld."""
        planned = plan(head, self._out, method)
        if isinstance(planned, Unmaskable):
            raise Withheld(planned.why)
        self._counted.update(planned.masked)
        if isinstance(planned, Masked):
            self._down = planned.body
        return ResponseHead(head.status, planned.headers, head.reason)

    @property
    def changes_answer(self) -> bool:
        """Whether the answer's body is masked."""
        return self._down is not None

    def feed(self, chunk: bytes) -> bytes:
        """See `Change`. Raises Withheld."""
        if self._down is None:
            return chunk
        try:
            return self._down.feed(chunk)
        except UnreadableBody as error:
            raise Withheld(str(error)) from None

    def end(self) -> bytes:
        """See `Change`. Raises Withheld."""
        if self._down is None:
            return b""
        try:
            return self._down.end()
        except UnreadableBody as error:
            raise Withheld(str(error)) from None

    @property
    def flush_after_s(self) -> float | None:
        """See `Holding`."""
        return None if self._down is None else self._down.flush_after_s

    def flush(self) -> bytes:
        """See `Holding`. Raises Withheld."""
        try:
            return b"" if self._down is None else self._down.flush()
        except UnreadableBody as error:
            raise Withheld(str(error)) from None

    @property
    def coverage(self) -> tuple[str, ...]:
        """What the masks could not promise on this exchange."""
        return tuple(words for recoder in (self._up, self._down) if recoder is not None for words in recoder.coverage)

    def trailers(self, trailers: Headers) -> Headers:
        """See `Change`. What may not leave in a head may not leave after the body either."""
        kept = trailers_for_client(trailers)
        if not kept or not self._out.masks:
            return kept
        return mask_headers(without_computed(kept) if self._out else kept, self._out, self._trailing)
