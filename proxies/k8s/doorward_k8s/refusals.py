"""What a client is told when the gateway itself refuses: a `Status`, which kubectl prints.

What it is: responses in the API's own form for everything that is not let through.
What it will not do: quote a value, a credential, or a body.

Implements: "Response Status Kind" of the Kubernetes API conventions.
Invariant: each refusal says what was refused, by whom, whether asking again helps, and under which id it is recorded.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from doorward_core.errors import RecordError, TrafficStopped
from doorward_core.http.messages import Headers, ResponseHead
from doorward_core.http.problem import reason
from doorward_core.model import Denial, Operation, ReasonCode

STATUSES: Final = {ReasonCode.EXPIRED: 401, ReasonCode.UNAVAILABLE: 503, ReasonCode.LIMIT: 429}
REASONS: Final = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed",
    406: "NotAcceptable", 413: "RequestEntityTooLarge", 429: "TooManyRequests", 502: "InternalError",
    503: "ServiceUnavailable", 504: "Timeout",
}  # fmt: skip
NO_TOKEN: Final = "an access token is needed; `doorward kubeconfig` writes a kubeconfig that has one"  # noqa: S105 - words
BAD_TOKEN: Final = "the access token was not accepted; get a new one"  # noqa: S105 - words
NOTHING_HERE: Final = "no cluster is offered at this address"
NO_ROOM: Final = "the gateway keeps as many bodies of requests as it may; send it again"
GOING_DOWN: Final = "the gateway is going down; send it again"
NO_RECORD: Final = "the gateway cannot write its record, and lets nothing pass without one"
NO_IMPERSONATION: Final = "who asks is the gateway's to say: leave out --as, --as-group, --as-uid and their headers"
HIDDEN: Final = "it would write a masked value over the real one: leave out what you were shown masked"
TAKEN: Final = (
    "a JSON Patch may not copy, move or test what is masked, or what a Secret holds: write new values, or use another"
    " kind of patch"
)
UNREAD: Final = (
    "the rules of the API do not name what this asks for, so nobody knows which masks are owed on its answer: ask for"
    " it as kubectl does, without a slash at the end"
)
SPDY: Final = (
    "streams come over WebSocket here: use kubectl 1.31 or newer; in 1.29 and 1.30 set"
    " KUBECTL_REMOTE_COMMAND_WEBSOCKETS=true (from 1.30 on KUBECTL_PORT_FORWARD_WEBSOCKETS=true for port-forward)"
)
NO_STREAM: Final = "WebSockets are for exec, attach and portforward here; watch over plain HTTP"
CHANNELS: Final = "this stream's protocol is not spoken here; it must be one of "
HELD_PORT: Final = "a port cannot wait for people within a tunnel: what is held is the port-forward as a whole"
STRICT_TTY: Final = "a terminal cannot be masked as strictly as policy demands; run it without --tty"
REMEMBERED_S: Final = 60  # kubectl asks again at once
MAX_REMEMBERED: Final = 1024


def is_clients(status: int) -> bool:
    """Whether a status says that the request was at fault."""
    return 400 <= status < 500  # noqa: PLR2004 - RFC 9110 section 15.5


def no_record(error: RecordError) -> str:
    """The record cannot be written, or takes nothing that begins; then it says why."""
    return str(error) if isinstance(error, TrafficStopped) else NO_RECORD


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response of the gateway's own."""

    status: int
    message: str
    details: Mapping[str, object] = field(default_factory=dict)
    headers: Headers = ()

    def answer(self, *, plain: bool = False) -> tuple[ResponseHead, bytes]:
        """Its head and its body; `plain`, the words alone."""
        document = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": REASONS.get(self.status, "InternalError"),
            "details": dict(self.details),
            "code": self.status,
        }
        body = (self.message if plain else json.dumps(document)).encode() + b"\n"
        lines = (
            (b"content-type", b"text/plain; charset=utf-8" if plain else b"application/json"),
            (b"content-length", str(len(body)).encode("ascii")),
            (b"cache-control", b"no-cache, private"),
            *self.headers,
        )
        return ResponseHead(self.status, lines, reason(self.status)), body


def refusal(status: int, words: str, operation: Operation | None = None, *, headers: Headers = ()) -> Refusal:
    """A refusal in our own words."""
    known = f" (request {request_id(operation)})" if operation is not None else ""
    return Refusal(status, f"doorward: {words}{known}", headers=headers)


def unauthenticated(*, given: bool) -> Refusal:
    """Nobody knows who asks. What was wrong with a token is our own log's to know."""
    challenge = b'Bearer realm="doorward"' + (b', error="invalid_token"' if given else b"")
    return refusal(401, BAD_TOKEN if given else NO_TOKEN, headers=((b"www-authenticate", challenge),))


def request_id(operation: Operation) -> str:
    """The id under which an operation is in the record, and in the cluster's own audit log."""
    return str(uuid.UUID(bytes=operation.id))


def denied(denial: Denial, link: str = "") -> Refusal:
    """An operation was refused: whoever asked can read what, why, and what would help."""
    if denial.reason is ReasonCode.EXPIRED:
        return unauthenticated(given=True)
    operation = denial.operation
    words = [denial.advice or "policy refuses this"]
    causes = [{"reason": f"doorward:{denial.reason}", "message": denial.advice}]
    if denial.request_id:
        words.append(f"approval {denial.request_id}")
        where = link.replace("{id}", denial.request_id) if link else f"doorward approvals show {denial.request_id}"
        causes.append({"reason": "doorward:approval", "message": where})
    if denial.retry:
        words.append("asking again may help")
    message = f"doorward refused to {operation.verb}: {'; '.join(words)} (request {request_id(operation)})"
    details = {"uid": request_id(operation), "causes": causes}
    return Refusal(STATUSES.get(denial.reason, 403), message, details)


class Refused:
    """What streams were refused with just now: they are asked for again, in another way, by the same client."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[int, Refusal]] = {}

    def keep(self, key: bytes, refused: Refusal, now_unix_ns: int) -> None:
        """Remember one."""
        if len(self._known) >= MAX_REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[key] = (now_unix_ns + REMEMBERED_S * 1_000_000_000, refused)

    def earlier(self, key: bytes, now_unix_ns: int) -> Refusal | None:
        """What the same stream was refused with; told once."""
        until, refused = self._known.pop(key, (0, None))
        return refused if now_unix_ns < until else None
