"""HTTP/1.1 on the wire: heads read by a strict grammar and by llhttp, which must agree; bodies by what frames them.

What it will not do: wait, repair, or pass on a byte of anybody's framing.
Implements: RFC 9112 (HTTP/1.1), RFC 9110 section 5.5 (field values).

Invariants:

- A head is accepted only if it matches the whole grammar: CRLF, single spaces, no folded lines, no bare CR or LF.
  llhttp then splits it, and finds the same target and as many fields, or the head is refused.
- Nothing of a message is read before its head was accepted, and nothing after a refusal.
- However the bytes are cut, the same heads, bodies and trailers come out, or a refusal.
"""

import re
from typing import Final, NamedTuple

import httptools

from doorward_core.errors import LocalProtocolError, UpstreamProtocolError
from doorward_core.http.authority import one_authority
from doorward_core.http.fields import Fault, Framing, request_framing, response_framing
from doorward_core.http.h1_chunks import ChunkReader
from doorward_core.http.limits import HttpLimits, UpstreamLimits
from doorward_core.http.messages import (
    NO_HEADERS,
    BadRequest,
    Head,
    Header,
    Headers,
    ResponseHead,
    Version,
)

_FIELDS: Final = rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n"
_REQUEST: Final = re.compile(rb"([A-Z][A-Z-]{0,23}) ([\x21-\x7e]+) HTTP/1\.([01])\r\n" + _FIELDS)
_RESPONSE: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?\r\n" + _FIELDS)
_ANY_VERSION: Final = re.compile(rb"[^\r\n]* HTTP/[0-9.]+\r\n")
_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
_ABSOLUTE: Final = re.compile(rb"(https?)://([^/?#]*)([/?].*)?", re.IGNORECASE)
_END: Final = b"\r\n\r\n"
# A head that is kept to be compared with the next: most are a quarter of this, and thousands of connections lie idle.
_KEPT_BYTES: Final = 4096
# A tab around a value is a blank to some and part of the value to others: these fields may not have one at all.
_TABBED: Final = re.compile(
    rb"(?:^|\n)(?:transfer-encoding|content-length|host|connection|upgrade|expect|te)[^\r\n]*\t", re.IGNORECASE
)


class _Split:
    """What llhttp makes of one head."""

    __slots__ = ("complete", "headers", "status", "url")

    def __init__(self) -> None:
        self.headers: list[Header] = []
        self.url = b""
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.complete = True


class _Reader:
    """Bytes that were received, and the body that they are in. A subclass reads heads."""

    __slots__ = ("_at", "_body", "_chunks", "_data", "_ended", "_fault", "_left", "_max_head", "_scanned", "_trailers")

    def __init__(self, fault: Fault, max_head_bytes: int) -> None:
        self._fault = fault
        self._max_head = max_head_bytes
        self._data = b""
        self._at = 0
        self._scanned = 0
        self._ended = False
        self._body = "none"
        self._left = 0
        self._chunks: ChunkReader | None = None
        self._trailers: Headers = NO_HEADERS

    def receive(self, data: bytes) -> None:
        """Take what was received; b"" is the end."""
        if not data:
            self._ended = True
        elif self._at == len(self._data):
            self._data, self._at, self._scanned = data, 0, 0
        else:
            self._scanned = max(self._scanned - self._at, 0)
            self._data, self._at = self._data[self._at :] + data, 0

    @property
    def waiting_bytes(self) -> int:
        """How much was received and not read yet."""
        return len(self._data) - self._at

    @property
    def ended(self) -> bool:
        """Whether the peer has ended its side."""
        return self._ended

    @property
    def body_done(self) -> bool:
        """Whether the current body was read to its end."""
        return self._body == "none"

    @property
    def trailers(self) -> Headers:
        """The trailers of the last chunked body that was read to its end."""
        return self._trailers

    def take_rest(self) -> bytes:
        """Everything that was received and not read: the first bytes of what HTTP was left for."""
        rest, self._data, self._at = self._data[self._at :], b"", 0
        return rest

    def next_data(self) -> bytes | None:
        """A piece of the current body; b"" at its end; None if more is needed."""
        body = self._body
        if body == "none":
            return b""
        if body == "chunked":
            return self._next_chunked()
        data = self._data
        if self._at == len(data):
            return self._nothing_more()
        if body == "length" and len(data) - self._at > self._left:
            piece = data[self._at : self._at + self._left]
        else:
            # The very bytes received, where the body is all there is of them.
            piece = data[self._at :] if self._at else data
        self._at += len(piece)
        if body == "length":
            self._left -= len(piece)
            if not self._left:
                self._body = "none"
        return piece

    def _nothing_more(self) -> bytes | None:
        if not self._ended:
            return None
        if self._body == "stream":
            self._body = "none"
            return b""
        raise self._fault("the connection ended within a body")

    def _next_chunked(self) -> bytes | None:
        chunks = self._chunks
        assert chunks is not None
        piece, self._at = chunks.read(self._data, self._at)
        if chunks.ended:
            self._trailers = chunks.trailers
            self._body = "none"
            self._chunks = None
            return piece
        return piece or self._nothing_more()

    def _begin(self, framing: Framing, max_trailer_bytes: int, *, lenient: bool) -> None:
        self._body = framing.body
        self._left = framing.length
        self._trailers = NO_HEADERS
        if framing.body == "chunked":
            self._chunks = ChunkReader(self._fault, max_trailer_bytes, lenient=lenient)

    def _take_head(self) -> bytes | None:
        """The bytes of the next head, its empty line included; None if they are not all here."""
        data, at = self._data, self._at
        end = data.find(_END, max(at, self._scanned - 3))
        size = (end + 4 if end >= 0 else len(data)) - at
        if size > self._max_head:
            raise self._too_long()
        if end >= 0:
            self._at = end + 4
            return data[at : self._at] if at or self._at < len(data) else data
        if size and _BARE_LF.search(data, at) is not None:
            raise self._fault("a line must end with CR and LF")
        self._scanned = len(data)
        if self._ended and size:
            raise self._fault("the connection ended within a head")
        return None

    def _too_long(self) -> Exception:
        return self._fault("the head is too long")

    def _split(
        self, split: _Split, parser: httptools.HttpRequestParser | httptools.HttpResponseParser, raw: bytes
    ) -> None:
        """Have llhttp read the head; it must see one whole head, and as many fields as the grammar."""
        try:
            parser.feed_data(raw)
        except httptools.HttpParserUpgrade:
            pass  # it says so after the head, and the head is all that it is given
        except httptools.HttpParserInvalidMethodError:
            raise BadRequest("this method is not known here", 501) from None
        except httptools.HttpParserError:
            raise self._fault("the head cannot be read beyond doubt") from None
        if not split.complete or len(split.headers) != raw.count(b"\r\n") - 2:
            raise self._fault("the head cannot be read beyond doubt")


class _Known(NamedTuple):
    """A head as it was read: the same bytes mean the same, and are the same object."""

    raw: bytes
    start: tuple[bytes, bytes]
    fields: bytes
    head: Head
    framing: Framing


class RequestReader(_Reader):
    """Requests, one after the other, from one client. A head that equals the one before is the very same `Head`."""

    __slots__ = ("_known", "_limits", "_scheme", "close")

    def __init__(self, limits: HttpLimits, scheme: str) -> None:
        super().__init__(BadRequest, limits.head_bytes)
        self._limits = limits
        self._scheme = scheme
        self._known: _Known | None = None
        self.close = False  # what the last head asked of its connection

    def next_head(self) -> Head | None:
        """The next request's head; None if more is needed. Call it when the body before it is done."""
        raw = self._take_head()
        if raw is None:
            return None
        known = self._known
        if known is None or raw != known.raw:
            known = self._read(raw)
            self._known = known if len(raw) <= _KEPT_BYTES else None
        self.close = known.framing.close
        self._begin(known.framing, self._limits.trailer_bytes, lenient=False)
        return known.head

    def _read(self, raw: bytes) -> _Known:
        match = _REQUEST.fullmatch(raw)
        if match is None:
            raise _why_not(raw)
        method, target, minor, fields = match.groups()
        if len(target) > self._limits.target_bytes:
            raise BadRequest("the target is too long", 414)
        version: Version = "1.1" if minor == b"1" else "1.0"
        before = self._known
        if before is not None and before.fields == fields and before.start == (method, minor):
            # The fields were read with the head before this one: of equal bytes the same would come out.
            self._split_request(raw[: -len(fields) - 2] + b"\r\n", target)
            headers, framing = before.head.headers, before.framing
        else:
            if b"\t" in fields and _TABBED.search(fields) is not None:
                raise BadRequest("a field that controls the connection may not have a tab")
            headers = self._split_request(raw, target)
            framing = request_framing(headers, version)
        if framing.length > self._limits.body_bytes:
            raise BadRequest("the body is too large", 413)
        origin, authority = _one_target(target, headers, self._scheme)
        head = Head(
            method.decode("ascii"),
            origin,
            authority,
            self._scheme,
            headers,
            version,
            framing.body,
            framing.length,
            framing.expect_continue,
            framing.upgrade,
        )
        return _Known(raw, (method, minor), fields, head, framing)

    def _split_request(self, raw: bytes, target: bytes) -> Headers:
        """The fields of a head as llhttp reads them, and it must see the same target."""
        split = _Split()
        self._split(split, httptools.HttpRequestParser(split), raw)
        if split.url != target:
            raise BadRequest("the target cannot be read beyond doubt")
        if len(split.headers) > self._limits.header_count:
            raise BadRequest("there are too many fields", 431)
        return tuple(split.headers)

    def _too_long(self) -> Exception:
        return BadRequest("the head is too long", 431)


class ResponseReader(_Reader):
    """The responses of one target. A head that equals the one before is the very same `ResponseHead`."""

    __slots__ = ("_known", "_limits", "close", "framing")

    def __init__(self, limits: UpstreamLimits) -> None:
        super().__init__(UpstreamProtocolError, limits.head_bytes)
        self._limits = limits
        self._known: tuple[bytes, str, ResponseHead, Framing] | None = None
        self.close = False
        self.framing: Framing | None = None

    def next_head(self, method: str) -> ResponseHead | None:
        """The next head that answers `method`, informational ones included; None if more is needed."""
        raw = self._take_head()
        if raw is None:
            return None
        known = self._known
        if known is None or raw != known[0] or method != known[1]:
            known = (raw, method, *self._read(raw, method))
            self._known = known if len(raw) <= _KEPT_BYTES else None
        _, _, head, framing = known
        self.close = framing.close
        self.framing = framing
        self._begin(framing, self._limits.trailer_bytes, lenient=True)
        return head

    def _read(self, raw: bytes, method: str) -> tuple[ResponseHead, Framing]:
        match = _RESPONSE.fullmatch(raw)
        if match is None:
            raise UpstreamProtocolError("the target's response has a head that cannot be read")
        minor, status, reason, _ = match.groups()
        split = _Split()
        self._split(split, httptools.HttpResponseParser(split), raw)
        if len(split.headers) > self._limits.header_count:
            raise UpstreamProtocolError("the target's response has too many fields")
        headers = tuple(split.headers)
        code = int(status)
        framing = response_framing(headers, code, method, "1.1" if minor == b"1" else "1.0", UpstreamProtocolError)
        return ResponseHead(code, headers, reason or b""), framing


def _one_target(target: bytes, headers: Headers, scheme: str) -> tuple[bytes, str]:
    """The target in origin form, and the one authority. Raises BadRequest for the other forms and for two hosts."""
    hosts = tuple([value for name, value in headers if name == b"host"])
    if target.startswith(b"/"):
        return target, one_authority(hosts, None, scheme)
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise BadRequest("the target must be a path")
    given, authority, rest = match.groups()
    if given.lower().decode("ascii") != scheme:
        raise BadRequest("the target's scheme is not that of the connection")
    rest = rest or b"/"
    return (rest if rest.startswith(b"/") else b"/" + rest), one_authority(hosts, authority, scheme)


def _why_not(raw: bytes) -> BadRequest:
    """Words for a head that the grammar refuses: the client's author is to find the reason."""
    line = raw[: raw.index(b"\r\n") + 2]
    if _REQUEST.fullmatch(line + b"\r\n") is None:
        if _ANY_VERSION.fullmatch(line) is not None and not line.endswith((b" HTTP/1.1\r\n", b" HTTP/1.0\r\n")):
            return BadRequest("this version of HTTP is not spoken here", 505)
        return BadRequest("the request line must be a method, a target and a version, with one space between them")
    return BadRequest("a field must be a name, a colon and a value of printable characters, on one line")


# --- writing ----------------------------------------------------------------------------------------------------------


def encode_request(method: str, target: bytes, headers: Headers) -> bytes:
    """The head of a request. Raises LocalProtocolError for what would not be read as it is meant."""
    parts = [b"%b %b HTTP/1.1\r\n" % (method.encode("ascii"), target)]
    parts += [b"%b: %b\r\n" % header for header in headers]
    parts.append(b"\r\n")
    return _checked(b"".join(parts), len(headers), _REQUEST)


def encode_response(status: int, reason: bytes, headers: Headers) -> bytes:
    """The head of a response. Raises LocalProtocolError for what would not be read as it is meant."""
    parts = [b"HTTP/1.1 %d %b\r\n" % (status, reason)]
    parts += [b"%b: %b\r\n" % header for header in headers]
    parts.append(b"\r\n")
    return _checked(b"".join(parts), len(headers), _RESPONSE)


def _checked(head: bytes, fields: int, grammar: re.Pattern[bytes]) -> bytes:
    """What we send matches the grammar that we demand: an injected line break is ours to stop."""
    if grammar.fullmatch(head) is None or head.count(b"\r\n") != fields + 2:
        raise LocalProtocolError("a head with a line break or another control character in it")
    return head
