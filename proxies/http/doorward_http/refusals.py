"""What a client is told when the gateway itself refuses: problem details that a program can act on.

What it is: responses of RFC 9457, and of gRPC where the client speaks that, for everything that is not let through.
What it will not do: quote a value, a credential, or a body.

Source: RFC 9457 (problem details), RFC 6750 section 3 (WWW-Authenticate), gRPC over HTTP/2 ("Responses").
Invariant: each refusal says what was refused, by whom, whether sending it again helps, and how to ask.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from doorward_core import entries
from doorward_core.approvals.request import RequestState
from doorward_core.errors import AdmissionRefused, RecordError, TooManySessions, TrafficStopped
from doorward_core.http.messages import Headers, ResponseHead, get
from doorward_core.http.problem import problem, reason
from doorward_core.model import Denial, ReasonCode
from doorward_core.policy.advise import readable
from doorward_http.operations import GRPC

FAILED: Final = 400
LAST_STATUS: Final = 599
CHALLENGES: Final = frozenset({401, 407})  # they ask for credentials, which are the gateway's to show
RETRY_AFTER_S: Final = 5  # people need longer, and a client that asks again waits on the same request for `hold`
STATUSES: Final = {ReasonCode.EXPIRED: 401, ReasonCode.UNAVAILABLE: 503, ReasonCode.LIMIT: 429}
# https://grpc.github.io/grpc/core/md_doc_statuscodes.html
GRPC_STATUSES: Final = {
    400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 408: 4, 413: 8, 421: 14, 429: 8, 500: 13, 502: 14, 503: 14, 504: 4,
}  # fmt: skip
BODY_TOO_LONG: Final = (
    "it waits for people, who decide on all of it, and its body is longer than the gateway keeps; send it in parts"
)
NO_TOKEN: Final = "an access token is needed: `Authorization: Bearer TOKEN`"  # noqa: S105 - words
BAD_TOKEN: Final = "the access token was not accepted; get a new one"  # noqa: S105 - words
NOTHING_HERE: Final = "nothing is offered at this address"
NO_ROOM: Final = "the gateway keeps as many bodies of requests as it may; send it again"
NO_CREDENTIAL: Final = "the gateway has no credential for it; its operators can see why"
GOING_DOWN: Final = "the gateway is going down; send it again"
NO_RECORD: Final = "the gateway cannot write its record, and lets nothing pass without one"


def no_record(error: RecordError) -> str:
    """The record cannot be written, or takes nothing that begins; then it says why."""
    return str(error) if isinstance(error, TrafficStopped) else NO_RECORD


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response of the gateway's own."""

    status: int
    code: str
    detail: str
    extra: Mapping[str, object]
    headers: Headers = ()

    def answer(self, asked_for: str = "") -> tuple[ResponseHead, bytes, Headers]:
        """The response, to a client whose request has this media type: its head, body and trailers."""
        if asked_for.startswith(GRPC):
            return self._grpc()
        head, body = problem(
            self.status,
            self.detail,
            kind=f"urn:doorward:{self.code}",
            title=_TITLES.get(self.code, "") or reason(self.status).decode(),
            extra=self.extra,
            headers=self.headers,
        )
        return head, body, ()

    def _grpc(self) -> tuple[ResponseHead, bytes, Headers]:
        message = quote(self.detail, safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~")
        trailers = (
            (b"grpc-status", str(GRPC_STATUSES.get(self.status, 2)).encode()),
            (b"grpc-message", message.encode("ascii")),
        )
        again = tuple(line for line in self.headers if line[0] == b"retry-after")
        return ResponseHead(200, ((b"content-type", GRPC.encode()), *again)), b"", trailers


_STATES: Final = {ReasonCode.HELD: RequestState.PENDING, ReasonCode.REJECTED: RequestState.REJECTED}

_TITLES: Final = {
    "refused": "Refused by policy",
    "held": "Waiting for approval",
    "rejected": "Rejected by an approver",
    "target": "The target could not be used",
}


def refusal(
    status: int, code: str, detail: str, *, headers: Headers = (), extra: Mapping[str, object] | None = None
) -> Refusal:
    """A refusal that is no decision on an operation."""
    return Refusal(status, code, detail, extra or {}, headers)


def unauthenticated(*, given: bool, detail: str = "") -> Refusal:
    """Nobody knows who asks. What was wrong with a token is our own log's to know."""
    challenge = b'Bearer realm="doorward"' + (b', error="invalid_token"' if given else b"")
    return refusal(
        401,
        "unauthenticated",
        detail or (BAD_TOKEN if given else NO_TOKEN),
        headers=((b"www-authenticate", challenge),),
        extra={"retry": False},
    )


def not_admitted(why: AdmissionRefused) -> Refusal:
    """Somebody who is known has no session here, in the operator's words."""
    if isinstance(why, TooManySessions):
        return refusal(429, "too-many-sessions", str(why), extra={"retry": True})
    return refusal(403, "refused", str(why), extra={"retry": False})


def denied(denial: Denial, *, method: str, link: str = "") -> Refusal:
    """An operation was refused: an agent can read what, why, and what would help."""
    if denial.reason is ReasonCode.EXPIRED:
        return unauthenticated(given=True, detail=f"{denial.advice}")
    detail = f"doorward refused {method}: {denial.advice}" if denial.advice else f"doorward refused {method}"
    extra: dict[str, object] = {"reason": str(denial.reason), "entry": denial.entry, "retry": denial.retry}
    what = entries.refused_content(denial)
    if what:
        extra["not_granted"] = readable(what)
    headers: Headers = ()
    if denial.retry:
        headers = ((b"retry-after", str(RETRY_AFTER_S).encode()),)
    if denial.request_id:
        extra["approval"] = approval(denial.request_id, link, _STATES.get(denial.reason))
    if denial.reason is ReasonCode.HELD:
        detail = (
            f"doorward held {method} for approval, request {denial.request_id}: nobody has decided yet."
            " Send the very same request again: it waits on, and passes once it is approved."
        )
        return Refusal(403, "held", detail, extra, headers)
    code = "rejected" if denial.reason is ReasonCode.REJECTED else "refused"
    return Refusal(STATUSES.get(denial.reason, 403), code, detail, extra, headers)


def unmaskable(why: str, answered: ResponseHead | None = None) -> Refusal:
    """A mask is owed and cannot be applied: nothing of what owes it goes on. A failure of the target stays one.

    What it failed with is a number that says nothing of a value, and whether to try again hangs on it.
    """
    status = 502 if answered is None else answered.status
    if answered is None or not FAILED <= status <= LAST_STATUS or status in CHALLENGES:
        return refusal(502, "unmaskable", f"a mask that is owed cannot be applied: {why}", extra={"retry": False})
    words = f"the target answered {status}; a mask is owed on its words that cannot be applied: {why}"
    later = get(answered.headers, b"retry-after")
    headers = ((b"retry-after", later),) if later is not None and later.isdigit() else ()
    return refusal(status, "unmaskable", words, headers=headers, extra={"retry": False})


def approval(request_id: str, link: str, state: RequestState | None) -> dict[str, object]:
    """What became of the request to approve it, where that is known, and where people decide while they still can."""
    told: dict[str, object] = {"id": request_id}
    if state is not None:
        told["state"] = str(state)
    if state is RequestState.PENDING:
        told["command"] = f"doorward approvals approve {request_id}"
    return {**told, "link": link.replace("{id}", request_id)} if link else told
