"""Which headers go on, in either direction: those that the API knows, and no other.

What it is: `for_cluster` and `for_client`; `token_of`, the one token that a client shows; `spoken`, the streams that
it speaks.
What it will not do: frame a message (`doorward_core.http` does), or add a credential.

Implements: the headers of the Kubernetes API and its client libraries; RFC 6455 section 1.9 for subprotocols.
Invariants: pure. A closed list: no header by which a server could be told who asks reaches it, in any spelling (K-01).
A token in a subprotocol is taken out before anything else sees the header, and is nobody's to log (K-04). No address
that a server names is followed or passed on (K-11).
"""

import base64
import binascii
from typing import Final

from doorward_core.http.fields import end_to_end
from doorward_core.http.messages import Headers, get, get_all
from doorward_core.http.websocket import subprotocols
from doorward_core.model import Secret

MAX_TOKEN_BYTES: Final = 16 * 1024
_REQUEST: Final = frozenset({
    b"accept", b"accept-encoding", b"content-type", b"user-agent", b"kubectl-command", b"kubectl-session",
    b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"traceparent", b"tracestate",
})  # fmt: skip
_RESPONSE: Final = frozenset({
    b"content-type", b"content-encoding", b"content-length", b"date", b"etag", b"last-modified", b"vary", b"warning",
    b"audit-id", b"retry-after", b"x-kubernetes-pf-flowschema-uid", b"x-kubernetes-pf-prioritylevel-uid",
})  # fmt: skip
_BEARER: Final = b"base64url.bearer.authorization.k8s.io."
PRIVATE: Final = (b"cache-control", b"no-cache, private")
V5: Final = b"v5.channel.k8s.io"
V4: Final = b"v4.channel.k8s.io"
TUNNEL: Final = b"SPDY/3.1+portforward.k8s.io"
STREAMS: Final = {"exec": (V5, V4), "attach": (V5, V4), "portforward": (TUNNEL, V4)}


def for_cluster(headers: Headers) -> Headers:
    """A client's headers as they may go on."""
    return tuple(line for line in end_to_end(headers) if line[0] in _REQUEST)


def for_client(headers: Headers, *, schema: bool) -> Headers:
    """An answer's headers as they may leave. What is `schema` alone may be kept, by its client, as the server says."""
    kept = [line for line in end_to_end(headers) if line[0] in _RESPONSE]
    said = get(headers, b"cache-control")
    if not schema or said is None:
        return (*kept, PRIVATE)
    words = [word.strip() for word in said.split(b",") if word.strip().lower() not in {b"public", b"private"}]
    return (*kept, (b"cache-control", b", ".join([b"private", *words])))


def looks_up(headers: Headers) -> bool:
    """Whether client-go is looking up what there is: of a refusal it shows words that are plain text, and no other."""
    return any(b"apidiscovery.k8s.io" in value for value in get_all(headers, b"accept"))


def without_token(headers: Headers) -> tuple[Headers, tuple[bytes, ...]]:
    """Headers without the tokens in their subprotocols; and those tokens. Raises BadRequest."""
    if not get_all(headers, b"sec-websocket-protocol"):
        return headers, ()
    listed = subprotocols(headers)
    tokens = tuple(name[len(_BEARER) :] for name in listed if name.lower().startswith(_BEARER))
    left = [name for name in listed if not name.lower().startswith(_BEARER)]
    kept = tuple(line for line in headers if line[0] != b"sec-websocket-protocol")
    return (*kept, (b"sec-websocket-protocol", b", ".join(left))) if left else kept, tokens


def token_of(headers: Headers, tokens: tuple[bytes, ...]) -> tuple[Secret | None, bool]:
    """The token that a client shows, and whether it showed anything: one, in one place."""
    values = get_all(headers, b"authorization")
    found = [value.partition(b" ")[2].strip() for value in values if value.partition(b" ")[0].lower() == b"bearer"]
    given = len(values) + len(tokens)
    for one in tokens:
        try:
            found.append(base64.urlsafe_b64decode(one + b"=" * (-len(one) % 4)))
        except (binascii.Error, ValueError):
            return None, True
    if given != 1 or len(found) != 1 or not 0 < len(found[0]) <= MAX_TOKEN_BYTES:
        return None, given > 0
    return Secret(found[0].decode("latin-1")), True


def spoken(headers: Headers, sub: str) -> tuple[bytes, ...]:
    """Of the subprotocols that a client offers for a stream, those that are spoken here. Raises BadRequest."""
    return tuple(name for name in subprotocols(headers) if name in STREAMS[sub])
