"""Which calls write an object, and what is asked about one beforehand: how it is, and what would become of it.

What it is: pure requests made of requests, and `Copied`, which keeps an answer as it came while it is masked.
What it will not do: send anything (`looks` does), or decide that anything may be asked.

Implements: "Dry-run" and "API concepts" of the Kubernetes documentation.
Invariants: pure; what is made here can only look: a GET without a body, or the same write with `dryRun=All`, said where
the API server reads it.
"""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from doorward_core.http.messages import Headers, without
from doorward_core.http.paths import canonical
from doorward_core.model import Operation
from doorward_k8s.accept import JSON, NotAcceptable, prepare_accept
from doorward_k8s.calls import Call, Kind, read_call
from doorward_k8s.documents import Unreadable, read_document
from doorward_k8s.facts import DRY
from doorward_k8s.operations import Request

if TYPE_CHECKING:  # a shell's words, and none of its doings
    from doorward_core.http.relay import Change

MAX_COMPARED_BYTES: Final = 1024 * 1024  # etcd keeps no object of more than 1.5 MiB by default; most have a few KiB
_CHANGING: Final = frozenset({"update", "patch", "delete"})
_PARTS: Final = frozenset({"", "status", "scale", "ephemeralcontainers"})  # what can be had as it is written
_ASKING: Final = frozenset({b"accept", b"accept-encoding"})
_BODY: Final = frozenset({b"content-type", b"if-match", b"if-none-match"})
_DRY: Final = "dryRun=All"


def writes(call: Call) -> bool:
    """Whether it makes, changes or removes an object, or many."""
    if call.kind is not Kind.OBJECT or call.connects:
        return False
    return (call.verb == "create" and not call.sub) or call.verb == "deletecollection" or changes_one(call)


def changes_one(call: Call) -> bool:
    """Whether there is one object to look at beforehand."""
    return call.kind is Kind.OBJECT and call.verb in _CHANGING and bool(call.name) and call.sub in _PARTS


def is_rehearsal(operation: Operation) -> bool:
    """Whether the client asks for a dry run itself."""
    return operation.facts.get("dry-run") == DRY


def look_of(request: Request) -> Request:
    """What asks how the object of a write is now."""
    target = canonical(request.target.path.encode("ascii"))
    lines = without(request.head.headers, _ASKING | _BODY)
    head = replace(request.head, method="GET", headers=(*lines, (b"accept", JSON)), body="none", length=-1)
    return Request(head, target, read_call("GET", target.path, ()))


def rehearsal_of(request: Request) -> Request:
    """The same write as a dry run. Raises Unreadable for a body that it cannot be said in."""
    query = f"{request.target.raw_query}&{_DRY}" if request.target.raw_query else _DRY
    target = canonical(f"{request.target.path}?{query}".encode("ascii"))
    body = request.body
    if request.head.method == "DELETE" and body:  # of which the API server reads nothing but the body
        options = read_document(body, request.media)
        if not isinstance(options, dict):
            raise Unreadable("its options are no object")
        body = json.dumps({**options, "dryRun": ["All"]}).encode("utf-8")
    head = replace(request.head, headers=in_json(request.head.headers, request.head.method), length=len(body))
    return Request(head, target, request.call, body, request.media)


def in_json(headers: Headers, method: str) -> Headers:
    """The same headers, asking for plain JSON; as they are, where the client takes none."""
    try:
        asked = prepare_accept(headers, method, tables=False)
    except NotAcceptable:
        return headers
    if asked.yaml:
        return headers
    return (*without(asked.headers, frozenset({b"accept-encoding"})), (b"accept-encoding", b"identity"))


class Copied:
    """Keeps what another change is given, as far as there is room for it."""

    def __init__(self, change: "Change", room: int = MAX_COMPARED_BYTES) -> None:
        self._change = change
        self._room = room
        self._kept: bytearray | None = bytearray()

    @property
    def body(self) -> bytes | None:
        """All of it; None where there was more than there is room for."""
        return bytes(self._kept) if self._kept is not None else None

    def feed(self, chunk: bytes) -> bytes:
        """See `Change`."""
        if self._kept is not None:
            self._kept += chunk
            if len(self._kept) > self._room:
                self._kept = None
        return self._change.feed(chunk)

    def end(self) -> bytes:
        """See `Change`."""
        return self._change.end()

    def trailers(self, trailers: Headers) -> Headers:
        """See `Change`."""
        return self._change.trailers(trailers)
