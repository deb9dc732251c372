"""Heads as HTTP/2 carries them, to and from the nouns that both versions share.

What it will not do: frames, streams or HPACK, which are the h2 library's; or wait.
Implements: RFC 9113 sections 8.2 (fields) and 8.3 (pseudo-header fields); h2's own checks are not relied on.

Invariants:

- What HTTP/1.1 would not carry is refused here too: no value with a line break in it becomes a second header later.
- `:authority` and Host name one host; `transfer-encoding` and its kin have no place.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from doorward_core.errors import LocalProtocolError, UpstreamProtocolError
from doorward_core.http.authority import one_authority
from doorward_core.http.fields import FRAMING, HOP_BY_HOP, Fault, check_trailers, end_to_end, request_framing
from doorward_core.http.limits import HttpLimits
from doorward_core.http.messages import BadRequest, BodyKind, Head, Header, Headers, ResponseHead

_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_VALUE: Final = re.compile(rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")
_METHOD: Final = re.compile(rb"[A-Z][A-Z-]{0,23}")
_TARGET: Final = re.compile(rb"/[\x21-\x7e]*")
_STATUS: Final = re.compile(rb"[1-5][0-9]{2}")
_REQUEST_PSEUDO: Final = frozenset({b":method", b":scheme", b":path", b":authority"})
_REQUIRED: Final = (b":method", b":scheme", b":path")
# RFC 9113 section 8.2.2; `te` may say `trailers`.
_FORBIDDEN: Final = (HOP_BY_HOP - {b"te", b"trailer"}) | {b"transfer-encoding"}


def request_head(received: Iterable[tuple[bytes, bytes]], scheme: str, limits: HttpLimits, *, ended: bool) -> Head:
    """The head of a request. `ended` says that no body follows. Raises BadRequest."""
    pseudo, headers = _split(received, BadRequest, limits.header_count)
    if not _REQUEST_PSEUDO.issuperset(pseudo) or any(name not in pseudo for name in _REQUIRED):
        raise BadRequest("the pseudo-header fields must be method, scheme, path and authority")
    method, target = pseudo[b":method"], pseudo[b":path"]
    if _METHOD.fullmatch(method) is None or method == b"CONNECT":
        raise BadRequest("this method is not known here", 501)
    if len(target) > limits.target_bytes:
        raise BadRequest("the target is too long", 414)
    if _TARGET.fullmatch(target) is None:
        raise BadRequest("the target must be a path")
    if pseudo[b":scheme"] != scheme.encode("ascii"):
        raise BadRequest("the scheme is not that of the connection")
    framing = request_framing(headers, "2")
    if framing.length > limits.body_bytes:
        raise BadRequest("the body is too large", 413)
    hosts = tuple([value for name, value in headers if name == b"host"])
    authority = one_authority(hosts, pseudo.get(b":authority"), scheme)
    body: BodyKind = "none" if ended else "length" if framing.length >= 0 else "stream"
    if ended and framing.length > 0:
        raise BadRequest("the body is shorter than was said")
    return Head(
        method.decode("ascii"),
        target,
        authority,
        scheme,
        _one_cookie(headers),
        "2",
        body,
        0 if ended else framing.length,
        framing.expect_continue or (not ended and (b"expect", b"100-continue") in headers),
    )


def response_head(received: Iterable[tuple[bytes, bytes]], max_headers: int) -> ResponseHead:
    """The head of a target's response. Raises UpstreamProtocolError."""
    pseudo, headers = _split(received, UpstreamProtocolError, max_headers)
    status = pseudo.get(b":status", b"")
    if len(pseudo) != 1 or _STATUS.fullmatch(status) is None:
        raise UpstreamProtocolError("the target's response has no status, or more pseudo-header fields than that")
    return ResponseHead(int(status), headers)


def trailers(received: Iterable[tuple[bytes, bytes]], fault: Fault, max_headers: int) -> Headers:
    """Trailers, checked. Raises what `fault` makes."""
    pseudo, headers = _split(received, fault, max_headers)
    if pseudo:
        raise fault("a trailer may not be a pseudo-header field")
    check_trailers(headers, fault)
    return headers


def _split(
    received: Iterable[tuple[bytes, bytes]], fault: Fault, max_headers: int
) -> tuple[dict[bytes, bytes], Headers]:
    pseudo: dict[bytes, bytes] = {}
    headers: list[Header] = []
    for name, value in received:
        if _VALUE.fullmatch(value) is None:
            raise fault("a field's value must be printable, without blanks around it")
        if name.startswith(b":"):
            if headers or name in pseudo:
                raise fault("a pseudo-header field comes late, or twice")
            pseudo[bytes(name)] = bytes(value)
        elif _NAME.fullmatch(name) is None or name in _FORBIDDEN:
            raise fault("a field's name must be a lower-case token, and not one of the connection's")
        elif name == b"te" and value.lower() != b"trailers":
            raise fault("te can only ask for trailers")
        else:
            headers.append((bytes(name), bytes(value)))
        if len(headers) > max_headers:
            raise fault("there are too many fields")
    return pseudo, tuple(headers)


def _one_cookie(headers: Headers) -> Headers:
    """Join cookies that were split for compression (RFC 9113 section 8.2.3)."""
    crumbs = [value for name, value in headers if name == b"cookie"]
    if len(crumbs) < 2:  # noqa: PLR2004 - nothing to join
        return headers
    return (*(header for header in headers if header[0] != b"cookie"), (b"cookie", b"; ".join(crumbs)))


# --- writing ----------------------------------------------------------------------------------------------------------


def encode_request(head: Head, length: int, scheme: str) -> list[Header]:
    """The fields of a request towards a target; `length` of its body, or -1 where it ends with its stream.

    The scheme is that of the connection to the target, whatever the client's was.
    """
    fields = [
        (b":method", head.method.encode("ascii")),
        (b":scheme", scheme.encode("ascii")),
        (b":path", head.target),
        (b":authority", head.authority.encode("ascii")),
    ]
    dropped = FRAMING | {b"host", b"expect"}
    fields += [header for header in end_to_end(head.headers) if header[0] not in dropped]
    if (b"te", b"trailers") in head.headers:
        fields.append((b"te", b"trailers"))
    if length > 0:
        fields.append((b"content-length", b"%d" % length))
    return _checked(fields)


def encode_response(head: ResponseHead) -> list[Header]:
    """The fields of a response towards a client."""
    fields = [(b":status", b"%d" % head.status)]
    fields += [header for header in head.headers if header[0] not in HOP_BY_HOP]
    return _checked(fields)


def encode_trailers(headers: Headers) -> list[Header]:
    """Trailers towards a client."""
    return _checked([header for header in headers if header[0] not in HOP_BY_HOP])


def _checked(fields: Sequence[Header]) -> list[Header]:
    for name, value in fields:
        if _NAME.fullmatch(name.removeprefix(b":")) is None or _VALUE.fullmatch(value.strip(b" \t")) is None:
            raise LocalProtocolError("a field with a line break or another control character in it")
    return [(name, value.strip(b" \t")) for name, value in fields]
