"""Header fields: what frames a message, what ends at each hop, and what looks like something else.

What it will not do: read bytes from the wire, or know which headers a proxy injects.
Implements: RFC 9110 section 7.6.1 (Connection), RFC 9112 sections 6.1 to 6.3 (framing).

Invariants:

- A message whose end two readers could see in two places is refused, never repaired.
- What a client says about its own connection never reaches a target, nor the reverse.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from doorward_core.http.messages import BODILESS, BadRequest, BodyKind, Header, Headers, Version

HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    }
)
# A client's own framing and expectations are answered here; what goes on is framed from what was decided.
FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
# Fields that mean something to a gateway: a spelling that a target may take for one of them is refused.
_GUARDED: Final = FRAMING | {b"host", b"connection", b"upgrade", b"expect", b"te", b"trailer"}
# What a Connection header may not name: stripping these would change the message (RFC 9110 section 7.6.1).
_NEVER_PER_HOP: Final = frozenset(
    {b"content-length", b"transfer-encoding", b"host", b"authorization", b"cookie", b"expect"}
)
# RFC 9110 section 6.5.1: fields that frame, route, authenticate or control do not come late.
FORBIDDEN_TRAILERS: Final = (
    HOP_BY_HOP | FRAMING
    | {b"host", b"authorization", b"cookie", b"set-cookie", b"expect", b"content-encoding", b"content-type",
       b"content-range", b"range", b"cache-control", b"location", b"www-authenticate", b"te", b"if-match",
       b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"max-forwards"}
)  # fmt: skip
# 15 digits stay below 2**53, which every reader keeps exact; a leading zero is somebody's octal.
_LENGTH: Final = re.compile(rb"0|[1-9][0-9]{0,14}")
_TOKENS: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?")
_MAX_CONNECTION_OPTIONS: Final = 16

Fault = Callable[[str], Exception]


class Framing(NamedTuple):
    """How a message's body ends, and what its connection is asked to do."""

    body: BodyKind
    length: int
    expect_continue: bool
    upgrade: str
    close: bool


def request_framing(headers: Headers, version: Version) -> Framing:
    """Read the fields that frame a request. Raises BadRequest for whatever is not beyond doubt."""
    seen: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _GUARDED:
            if name in seen:
                raise BadRequest("a field that controls the connection occurs twice")
            seen[name] = value
        elif b"_" in name and name.replace(b"_", b"-") in _GUARDED:
            raise BadRequest("a field's name looks like that of one that controls the connection")
    body, length = _body(seen, version, BadRequest)
    options = connection_options(seen.get(b"connection", b""), BadRequest)
    if not _NEVER_PER_HOP.isdisjoint(options):
        raise BadRequest("the Connection header names a field that belongs to the message")
    upgrade = ""
    if b"upgrade" in options and version == "1.1":
        upgrade = seen.get(b"upgrade", b"").lower().decode("latin-1")
        if upgrade and body != "none":
            raise BadRequest("a request to upgrade may not have a body")
    expect = seen.get(b"expect")
    if expect is not None and expect.lower() != b"100-continue":
        raise BadRequest("the only expectation that can be met is 100-continue", 417)
    close = b"close" in options or (version == "1.0" and b"keep-alive" not in options)
    return Framing(body, length, expect is not None and body != "none" and version == "1.1", upgrade, close)


def response_framing(headers: Headers, status: int, method: str, version: str, fault: Fault) -> Framing:
    """Read the fields that frame a response to `method`; `stream` is a body that ends with its connection."""
    seen: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _GUARDED:
            if name in FRAMING and name in seen:
                raise fault("a field that frames the response occurs twice")
            seen[name] = seen[name] + b", " + value if name in seen else value
    options = connection_options(seen.get(b"connection", b""), fault)
    close = b"close" in options or (version == "1.0" and b"keep-alive" not in options)
    upgrade = seen.get(b"upgrade", b"").lower().decode("latin-1")
    body, length = _body(seen, version, fault)
    if method == "HEAD" or status in BODILESS or 100 <= status < 200:  # noqa: PLR2004 - 1xx, RFC 9110 section 15.2
        return Framing("none", length, False, upgrade, close)
    if body == "none" and b"content-length" not in seen:
        return Framing("stream", -1, False, upgrade, True)
    return Framing(body, length, False, upgrade, close)


def _body(seen: dict[bytes, bytes], version: str, fault: Fault) -> tuple[BodyKind, int]:
    coding = seen.get(b"transfer-encoding")
    length = seen.get(b"content-length")
    if coding is not None:
        if length is not None:
            raise fault("Content-Length and Transfer-Encoding exclude each other")
        if version == "1.0":
            raise fault("HTTP/1.0 has no Transfer-Encoding")
        if coding.lower() != b"chunked":
            raise fault("the only transfer coding is chunked")
        return "chunked", -1
    if length is None:
        return "none", -1
    if _LENGTH.fullmatch(length) is None:
        raise fault("Content-Length must be one decimal number")
    size = int(length)
    return ("length" if size else "none"), size


def declared_length(headers: Headers, fault: Fault) -> int | None:
    """The `content-length` that headers declare, if they do. Raises what `fault` makes for two, or a bad one."""
    found = [value for name, value in headers if name == b"content-length"]
    if not found:
        return None
    if len(found) > 1 or _LENGTH.fullmatch(found[0]) is None:
        raise fault("Content-Length must be one decimal number")
    return int(found[0])


def connection_options(value: bytes, fault: Fault) -> frozenset[bytes]:
    """The options of a Connection header, in lower case."""
    if not value:
        return frozenset()
    options = [option.strip(b" \t").lower() for option in value.split(b",")]
    if len(options) > _MAX_CONNECTION_OPTIONS or not all(map(_TOKENS.fullmatch, options)):
        raise fault("the Connection header must be a short list of names")
    return frozenset(options)


def end_to_end(headers: Headers) -> Headers:
    """The headers that go on to the next hop: without those of the connection, and those that it names."""
    drop = HOP_BY_HOP
    for name, value in headers:
        if name == b"connection":
            drop = drop | {option.strip(b" \t").lower() for option in value.split(b",")}
    return tuple([header for header in headers if header[0] not in drop])


def without_look_alikes(headers: Headers, names: Iterable[bytes]) -> Headers:
    """The headers without these, in any spelling that a target may take for them (`X_Identity`, `x-identity`)."""
    guarded = frozenset(look_alike(name) for name in names)
    return tuple([header for header in headers if look_alike(header[0]) not in guarded])


def look_alike(name: bytes) -> bytes:
    """One spelling for all that CGI, WSGI and their kin read as one name: `HTTP_X_IDENTITY`."""
    return name.lower().translate(_CGI)


_CGI: Final = bytes(c if chr(c).isalnum() and c < 128 else ord("-") for c in range(256))  # noqa: PLR2004 - ASCII


def check_trailers(trailers: Iterable[Header], fault: Fault) -> None:
    """Refuse trailers that would have meant something as headers."""
    for name, _ in trailers:
        if name in FORBIDDEN_TRAILERS or name.replace(b"_", b"-") in FORBIDDEN_TRAILERS:
            raise fault("a trailer may not control the message")
