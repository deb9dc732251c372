"""What is masked on one exchange: the request on its way to the cluster, and the answer on its way back.

What it is: the masks of one decision, as a change of headers and bodies (docs/k8s-masks.md); and what people and the
record are shown of a body that is written.
What it will not do: decide which masks are owed, or let out what owes one and cannot be masked: that is `Withheld`.

Invariant: pure; where a mask is owed, nothing leaves that was not masked; what a Secret or a token holds is never shown
to people or kept, whatever the policy says.
"""

import json
from collections import Counter
from typing import Final

from doorward_core.errors import GatewayError, UnreadableBody
from doorward_core.http.messages import Headers, ResponseHead
from doorward_core.model import Decision, Mask, Transform
from doorward_k8s.accept import Asked
from doorward_k8s.calls import Call, Kind
from doorward_k8s.documents import JSON_PATCH
from doorward_k8s.object_paths import ELSEWHERE, Resource
from doorward_k8s.objects import Masked, ObjectMasks, Owed, Unmaskable
from doorward_k8s.operations import Request, Show
from doorward_k8s.patches import takes_hidden

MAX_KEPT: Final = 64  # sets of masks that are compiled: one for each group of principals that differ in them
HIDDEN: Final = "(hidden)"
ALWAYS: Final = Mask("doorward", ("secrets", "tokens"), (), Transform.REDACT, "secret")


class Withheld(GatewayError):
    """A mask is owed and cannot be applied; the message says why, and repeats nothing of the body."""


class Owing:
    """What is owed, compiled once for each set of masks. A key makes the tokens of `hash`."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[tuple[Mask, ...], ObjectMasks] = {}

    def of(self, decision: Decision, resource: Resource) -> "Masking":
        """The masks of one decision, on the answers of one resource."""
        return Masking(
            self._compiled(tuple(item for item in decision.obligations if isinstance(item, Mask))).of(resource)
        )

    def show(self, masks: tuple[Mask, ...], resource: Resource) -> Show:
        """What shows the bodies that are written to a resource."""
        owed = self._compiled((ALWAYS, *masks)).of(resource)

        def shown(body: bytes, media: str) -> bytes:
            if not owed:
                return body
            # A JSON Patch says where each value goes, and masks do not read that: all of its values are hidden.
            return owed.masked_object(_without_values(body) if media == JSON_PATCH and owed.paths.owed else body)

        return shown

    def taken(self, request: Request, masks: tuple[Mask, ...]) -> bool:
        """Whether a write takes something from where it is hidden: from clients by `masks`, from the record always."""
        if request.media != JSON_PATCH:
            return False
        owed = self._compiled((ALWAYS, *masks)).of(resource_of(request.call))
        return takes_hidden(request.body, request.media, owed.paths)

    def _compiled(self, masks: tuple[Mask, ...]) -> ObjectMasks:
        found = self._known.get(masks)
        if found is None:
            if len(self._known) >= MAX_KEPT:
                self._known.clear()
            found = self._known[masks] = ObjectMasks(masks, self._key)
        return found


def resource_of(call: Call) -> Resource:
    """What a call is about, as masks know it."""
    return Resource(subresource=ELSEWHERE) if call.kind is Kind.URL else Resource(call.group, call.resource, call.sub)


def _without_values(body: bytes) -> bytes:
    """A JSON Patch without what it writes. Raises UnreadableBody for what is none."""
    try:
        patch = json.loads(body)
    except (ValueError, RecursionError):
        patch = None
    if not isinstance(patch, list) or not all(isinstance(item, dict) for item in patch):
        raise UnreadableBody("this is no JSON Patch")
    return json.dumps([item | {"value": HIDDEN} if "value" in item else item for item in patch]).encode("ascii")


class Masking:
    """The masks of one exchange. As a `Change`, it is what becomes of the answer's body."""

    def __init__(self, owed: Owed) -> None:
        self.owed = owed
        self._asked: Asked | None = None
        self._plan: Masked | None = None
        self._counted: Counter[str] = Counter()

    @property
    def masked(self) -> dict[str, int]:
        """How much was masked so far, by label."""
        found = self._counted + Counter(self._plan.body.masked if self._plan is not None else {})
        return dict(found)

    def count(self, masked: dict[str, int]) -> None:
        """Count what was masked elsewhere."""
        self._counted.update(masked)

    def request(self, headers: Headers, method: str) -> Headers:
        """The headers to ask with. Raises NotAcceptable."""
        self._asked = self.owed.ask(headers, method)
        return self._asked.headers

    def answer(self, head: ResponseHead, method: str) -> ResponseHead:
        """The head of the answer as it may leave. Raises Withheld."""
        planned = self.owed.plan(head, method, self._asked)
        if isinstance(planned, Unmaskable):
            raise Withheld(planned.why)
        self._counted.update(planned.masked)
        if isinstance(planned, Masked):
            self._plan = planned
        return ResponseHead(head.status, planned.headers, head.reason)

    @property
    def changes_answer(self) -> bool:
        """Whether the answer's body is masked."""
        return self._plan is not None

    def feed(self, chunk: bytes) -> bytes:
        """See `Change`. Raises Withheld."""
        if self._plan is None:
            return chunk
        try:
            return self._plan.body.feed(chunk)
        except UnreadableBody as error:
            raise Withheld(str(error)) from None

    def end(self) -> bytes:
        """See `Change`. Raises Withheld."""
        if self._plan is None:
            return b""
        try:
            return self._plan.body.end()
        except UnreadableBody as error:
            raise Withheld(str(error)) from None

    @property
    def flush_after_s(self) -> float | None:
        """See `Holding`."""
        return None if self._plan is None else self._plan.body.flush_after_s

    def flush(self) -> bytes:
        """See `Holding`. Raises Withheld."""
        try:
            return b"" if self._plan is None else self._plan.body.flush()
        except UnreadableBody as error:
            raise Withheld(str(error)) from None

    @property
    def coverage(self) -> tuple[str, ...]:
        """What the masks could not promise on this exchange."""
        return () if self._plan is None else self._plan.body.coverage

    def trailers(self, trailers: Headers) -> Headers:  # noqa: ARG002 - the API has none
        """See `Change`."""
        return ()
