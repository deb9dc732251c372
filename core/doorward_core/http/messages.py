"""The nouns of HTTP: what a message says, whatever version carried it.

What it will not do: parse or print; `h1_wire` and `h2_wire` do.
Implements: RFC 9110 (semantics), as far as a gateway must tell one message from another.

Invariants:

- A header's name is in lower case; its value has no blanks around it; their order is the order received.
- A `Head` was validated: it has one authority, a target in origin form, and a body whose end is beyond doubt.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from doorward_core.errors import ClientProtocolError, UpstreamUnavailable

Header: TypeAlias = tuple[bytes, bytes]
Headers: TypeAlias = tuple[Header, ...]
Version: TypeAlias = Literal["1.0", "1.1", "2"]
BodyKind: TypeAlias = Literal["none", "length", "chunked", "stream"]
"""How a body ends: there is none, after so many bytes, with a last chunk, with its h2 stream."""

NO_HEADERS: Final[Headers] = ()
# RFC 9110 section 9.2.2: to send one of these twice is to send it once.
IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
# RFC 9110 section 15: a response to these, or to HEAD, has no body, whatever its headers say.
BODILESS: Final = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Head:
    """The head of one request.

    `target` is path and query as received. `authority` is the one host, in lower case, with its port if it was said.
    `length` is the body's size where it was declared, else -1.
    `upgrade` is what the client wants to change to, in lower case; empty where it does not.
    """

    method: str
    target: bytes
    authority: str
    scheme: str
    headers: Headers
    version: Version = "1.1"
    body: BodyKind = "none"
    length: int = -1
    expect_continue: bool = False
    upgrade: str = ""


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """The head of one response. `reason` is empty where the version has none."""

    status: int
    headers: Headers = NO_HEADERS
    reason: bytes = b""


class BadRequest(ClientProtocolError):
    """A request that is answered with `status`, and with its connection's end (over h2, its stream's).

    The message is for the client: it names the rule, and repeats nothing that the client sent.
    """

    def __init__(self, detail: str, status: int = 400) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class UpstreamTimeout(UpstreamUnavailable):
    """The target said nothing for longer than it may (504)."""


def get(headers: Headers, name: bytes) -> bytes | None:
    """The value of the only header of this name; None if there is none or there are several."""
    found = None
    for key, value in headers:
        if key == name:
            if found is not None:
                return None
            found = value
    return found


def get_all(headers: Headers, name: bytes) -> tuple[bytes, ...]:
    """Every value of this name, in order."""
    return tuple(value for key, value in headers if key == name)


def without(headers: Headers, names: frozenset[bytes]) -> Headers:
    """The headers but for these."""
    return tuple(header for header in headers if header[0] not in names)
