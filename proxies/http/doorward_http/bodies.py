"""What becomes of a body: untouched, masked as it streams, or refused; decided from the head in front of it.

It relays nothing and answers nobody: `proxy` does, and says 502 for a body that cannot be masked.
Implements: docs/http-masks.md; RFC 9110 as far as it says which messages have bodies, and what their headers say.

Invariants:

- Closed world: where a mask is owed, a body leaves masked or not at all.
- The headers given are those to send: masked, and without what was computed from the body as it was.
"""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from doorward_core.errors import UnreadableBody
from doorward_core.http.charsets import Charset
from doorward_core.http.codings import read_codings
from doorward_core.http.messages import BODILESS, Head, Headers, ResponseHead, get_all
from doorward_core.http.recode import Recoder
from doorward_http.contents import content_for
from doorward_http.header_masks import mask_headers, without_computed
from doorward_http.media import Kind, media_of
from doorward_http.owed import Owed

_PARTIAL: Final = 206
_FINAL: Final = 200
_EMPTY: Final = (b"content-length", b"0")


@dataclass(frozen=True, slots=True)
class Untouched:
    """The body leaves as it is, or there is none. `masked` counts what was masked in headers."""

    headers: Headers
    masked: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Masked:
    """The body leaves through `body`, piece by piece, framed anew. `masked` counts what was masked in headers."""

    body: Recoder
    headers: Headers
    masked: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unmaskable:
    """The body may not leave. `why` is for the client and the log: it repeats nothing of the body."""

    why: str


Plan: TypeAlias = Untouched | Masked | Unmaskable


def plan(head: ResponseHead, owed: Owed, method: str) -> Plan:
    """What becomes of the body of this response to a request of `method`."""
    counts: dict[str, int] = {}
    headers = mask_headers(head.headers, owed, counts)
    if not owed:
        return Untouched(headers, counts)
    headers = without_computed(headers)
    if method == "HEAD" or head.status in BODILESS or head.status < _FINAL:
        return Untouched(headers, counts)
    if head.status == _PARTIAL or get_all(head.headers, b"content-range"):
        return Unmaskable("a part of a body was sent, where a mask is owed on the whole")
    return _plan(head.headers, headers, owed, counts)


def plan_request(head: Head, owed: Owed) -> Plan:
    """What becomes of the body of this request: what an agent sends may owe a mask too."""
    counts: dict[str, int] = {}
    headers = mask_headers(head.headers, owed, counts)
    if not owed or head.body == "none":
        return Untouched(headers, counts)
    if get_all(head.headers, b"content-range"):
        return Unmaskable("a part of a body was sent, where a mask is owed on the whole")
    return _plan(head.headers, without_computed(headers), owed, counts)


def _plan(received: Headers, headers: Headers, owed: Owed, counts: dict[str, int]) -> Plan:
    if get_all(received, b"content-length") == (b"0",):
        return Untouched((*headers, _EMPTY), counts)
    try:
        codings = read_codings(get_all(received, b"content-encoding"))
        media = media_of(received)
        charset = Charset(media.charset, json=media.kind is Kind.JSON)
        content = content_for(media, owed)
    except UnreadableBody as error:
        return Unmaskable(str(error))
    return Masked(Recoder(codings, charset, content, owed.limits.coding), headers, counts)
