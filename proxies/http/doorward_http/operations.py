"""From a request to what is being asked: the operation that policy decides on, people read, and the log keeps.

What it is: `Reader`, which knows one resource's classes of requests, and makes an `Operation` of each request on it.
What it will not do: read a byte from the wire, or decide.

Invariants: pure. The atom names what is sent: method and canonical path below the resource's place. The digest covers
everything that gives the request its meaning at the target: where it goes, method, path, query in its order, account,
body, and every header but those that differ from one try of the same request to the next (threat model H-12).
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from doorward_core.http.messages import Head, Headers, get
from doorward_core.http.paths import CanonicalTarget
from doorward_core.http.routes import Destination, Found
from doorward_core.model import Action, Atom, Operation, Target
from doorward_core.policy.requests import REQUEST, Requests, compile_requests
from doorward_core.redaction import without_secrets
from doorward_http.facts import Body, facts, readable
from doorward_http.settings import Actions

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110 section 9.2.1, but for TRACE, which is refused
CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
GRPC: Final = "application/grpc"
WEBSOCKET: Final = "websocket"
BODY_SHOWN_BYTES: Final = 16 * 1024  # of a request's body to the people who are asked, and in the record
# Headers that people and the record are shown: they say what is meant, and carry no credential.
SHOWN_HEADERS: Final = frozenset(
    {b"accept", b"content-encoding", b"content-length", b"content-type", b"idempotency-key", b"origin", b"prefer",
     b"user-agent", b"x-request-id"}
)  # fmt: skip
# What differs between two tries of one request, and what is replaced on the way.
VOLATILE: Final = frozenset(
    {b"accept-encoding", b"authorization", b"baggage", b"content-length", b"date", b"host", b"priority",
     b"traceparent", b"tracestate", b"user-agent", b"x-amzn-trace-id", b"x-correlation-id", b"x-request-id",
     b"x-stainless-retry-count"}
)  # fmt: skip
# Requests whose class is kept: what one API has, unless its paths are full of numbers. Then all is begun anew.
_MAX_CLASSED: Final = 1024
_MAX_NAME_CHARS: Final = 512
_STRICTEST_FIRST: Final = (Action.ADMIN, Action.EXECUTE, Action.WRITE, Action.READ)


@dataclass(frozen=True, slots=True)
class Request:
    """One request, routed: its head, its target, what it goes on with, and its body as far as it was looked at.

    `headers` are those that would be forwarded, before the target's credential is added.
    """

    head: Head
    target: CanonicalTarget
    found: Found
    headers: Headers
    body: Body

    @property
    def method(self) -> str:
        """The method, as it was sent."""
        return self.head.method

    @property
    def name(self) -> str:
        """What policy calls it."""
        return f"{self.head.method} {self.found.path}"

    @property
    def upgrades(self) -> bool:
        """Whether it asks for a WebSocket; what else one can upgrade to is not offered, and so not asked."""
        return self.head.upgrade == WEBSOCKET


def media_type(headers: Headers) -> str:
    """The media type of a message, in lower case and without parameters; empty where there is none, or several."""
    return (get(headers, b"content-type") or b"").partition(b";")[0].strip().lower().decode("latin-1")


class Reader:
    """Reads the requests on one resource. `known` are all that its description has; None without a description."""

    def __init__(self, destination: Destination, actions: Actions, known: Requests | None = None) -> None:
        self._destination = destination
        self._known = known
        listed: Mapping[Action, tuple[str, ...]] = {
            Action.ADMIN: actions.admin,
            Action.EXECUTE: actions.execute,
            Action.WRITE: actions.write,
            Action.READ: actions.read,
        }
        self._classes = tuple(
            (action, compile_requests(listed[action])) for action in _STRICTEST_FIRST if listed[action]
        )
        self._classed: dict[tuple[str, bool], tuple[Action, str, tuple[Atom, ...]]] = {}

    def read(
        self,
        request: Request,
        *,
        identifier: bytes,
        seq: int,
        account: str,
        wanted: Iterable[str],
        told: Request | None = None,
    ) -> Operation:
        """The operation that a request is. `told` is how people and the record are shown it, where that differs."""
        action, problem, atoms = self._class(request)
        found = facts(wanted, request.target.query, request.headers, request.body)
        text, truncated = shown(request if told is None else told)
        seen = found if told is None else facts(wanted, told.target.query, told.headers, told.body)
        where = {"authority": request.head.authority, "place": request.found.place}
        attributes = {**readable(seen), **where, "target": self._destination.authority}
        return Operation(
            id=identifier,
            seq=seq,
            action=action,
            verb=request.method,
            atoms=atoms,
            text=text,
            digest=self.digest(request, account),
            pure=action is Action.READ and request.method in SAFE and request.body.content == b"",
            text_truncated=truncated,
            unseen=_unseen(request),
            attributes={**attributes, "problem": problem} if problem else attributes,
            facts=found,
            retry=True,
        )

    def digest(self, request: Request, account: str) -> bytes:
        """What a grant is bound to. Fields are length-prefixed, so that no two different requests read the same."""
        hashed = hashlib.sha256(b"doorward-http/1\0")
        fields = [
            self._destination.scheme,
            self._destination.authority,
            request.method,
            self._destination.target(request.found, request.target).decode("ascii"),
            account,
            request.head.upgrade if request.upgrades else "",
        ]
        lines = [line for line in request.headers if line[0] not in VOLATILE]
        lines.sort(key=lambda line: line[0])  # stable: the order within a name means something, that of names nothing
        seen = request.body.content
        parts = [field.encode() for field in fields]
        parts += [part for line in lines for part in line]
        parts.append(b"unseen" if seen is None else b"body" + hashlib.sha256(seen).digest())
        for part in parts:
            hashed.update(len(part).to_bytes(8, "big") + part)
        return hashed.digest()

    def _class(self, request: Request) -> tuple[Action, str, tuple[Atom, ...]]:
        """What it does, and its atoms: the very same for requests of one name."""
        name = request.name
        known = self._classed.get((name, request.upgrades))
        if known is None:
            action, problem = self._action(request)
            known = action, problem, (Atom(action, Target(REQUEST, name)),)
            if len(name) <= _MAX_NAME_CHARS:
                if len(self._classed) >= _MAX_CLASSED:
                    self._classed.clear()
                self._classed[name, request.upgrades] = known
        return known

    def _action(self, request: Request) -> tuple[Action, str]:
        """What it does, and what keeps that from being known."""
        if self._known is not None and not self._known.match(request.name, allows=True):
            return Action.UNKNOWN, "the description of this API has no such request"
        if request.upgrades:
            return Action.FORWARD, ""
        for action, requests in self._classes:
            # To read what a method would not let one is said exactly; to be strict, broadly.
            if requests.match(request.name, allows=action is Action.READ):
                return action, ""
        if request.method in SAFE:
            return Action.READ, ""
        if request.method in CHANGING:
            return Action.WRITE, ""
        return Action.UNKNOWN, "nothing says what this method does"


def again(operation: Operation, identifier: bytes, seq: int) -> Operation:
    """The same operation once more."""
    return Operation(
        identifier,
        seq,
        operation.action,
        operation.verb,
        operation.atoms,
        operation.text,
        operation.digest,
        operation.complete,
        operation.pure,
        operation.text_truncated,
        operation.parameters,
        operation.unseen,
        operation.in_transaction,
        operation.attributes,
        operation.facts,
        operation.retry,
    )


def _unseen(request: Request) -> tuple[str, ...]:
    if request.upgrades:
        return ("frames",)
    return ("body",) if request.body.content is None else ()


def shown(request: Request) -> tuple[str, bool]:
    """A request as people read it, and whether there was more."""
    query = without_secrets(request.target.raw_query)
    lines = [f"{request.name}?{query}" if query else request.name]
    lines += [
        f"{name.decode('latin-1')}: {value.decode('latin-1')}"
        for name, value in request.headers
        if name in SHOWN_HEADERS
    ]
    body = request.body
    if body.content is None:
        return "\n".join([*lines, "", "(the body streams in afterwards, and was not looked at)"]), False
    if not body.content:
        return "\n".join(lines), False
    piece, truncated = body.content[:BODY_SHOWN_BYTES], len(body.content) > BODY_SHOWN_BYTES
    try:
        text = "" if body.coded else piece.decode("utf-8", "strict" if not truncated else "ignore")
    except UnicodeDecodeError:
        text = ""
    if not text or "\0" in text:
        digest = hashlib.sha256(body.content).hexdigest()
        text = f"({len(body.content)} bytes of {body.media_type or 'no type'}, SHA-256 {digest})"
    return "\n".join([*lines, "", text]), truncated
