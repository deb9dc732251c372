"""What a request's target names: one canonical path, which is decided on and forwarded; or a refusal.

What it will not do: resolve dots, merge slashes, or guess; whoever means `/admin` can say so.
Implements: RFC 3986 sections 2 and 6.2.2 (percent-encoding and its normal form), WHATWG URL (form-encoded queries).

Invariants:

- `canonical(canonical(t).target) == canonical(t)`: the normal form is its own.
- Decoded once or twice, by a reader that knows parameters in segments or does not, that takes a backslash
  for a slash or does not, that normalises Unicode or does not: an accepted path has the same segments.
- A query is read as pairs separated by `&` alone; other separators are forwarded encoded, and so separate nothing.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from doorward_core.http.fields import look_alike
from doorward_core.http.messages import BadRequest, Headers

# Segments that mean the same to everybody: no dots at the front, no percent signs, nothing reserved.
_PLAIN_PATH: Final = re.compile(rb"/(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*/)*(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*)?")
_PATH: Final = re.compile(rb"/[A-Za-z0-9._~!$&'()*+,=:@/%-]*")
# What people write raw in queries although RFC 3986 would have it encoded: brackets and braces, pipes, quotes.
_QUERY: Final = re.compile(rb"[\x21\x22\x24-\x5b\x5d-\x7e]*")
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_NUL: Final = re.compile(rb"%00")
_ENCODED_SLASH: Final = re.compile(rb"%2[fF]")
_SEPARATORS: Final = frozenset("/\\;?#%")
_MAX_PAIRS: Final = 512
# Kept as they are in a segment: RFC 3986's pchar without the escapes and without `;`.
_SEGMENT_SAFE: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@")
_QUERY_SAFE: Final = _SEGMENT_SAFE | frozenset(b"/?%[]")
_ESCAPES: Final = tuple(f"%{byte:02X}" for byte in range(256))
_FIRST_PRINTABLE: Final = 0x20
_DELETE: Final = 0x7F

# Headers by which frameworks take another method or path than the request line's.
OVERRIDES: Final = frozenset(
    {
        b"x-http-method-override",
        b"x-http-method",
        b"x-method-override",
        b"x-original-url",
        b"x-original-uri",
        b"x-rewrite-url",
        b"x-override-url",
    }
)
_OVERRIDE_FIELD: Final = "_method"


@dataclass(frozen=True, slots=True)
class CanonicalTarget:
    """`path` in its normal form, as it is decided on and forwarded; its `segments` and the `query`'s pairs decoded.

    `raw_query` is the query as it is forwarded, without its `?`; empty where there is none.
    """

    path: str
    segments: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    raw_query: str

    @property
    def target(self) -> bytes:
        """What goes on the request line towards the target."""
        return (f"{self.path}?{self.raw_query}" if self.raw_query else self.path).encode("ascii")


@lru_cache(maxsize=512)
def canonical(target: bytes, *, encoded_slash: bool = False) -> CanonicalTarget:
    """Read a target in origin form. Raises BadRequest for whatever two readers could read in two ways.

    With `encoded_slash`, `%2F` is part of a segment, and stays encoded: for targets that name things so.
    """
    raw_path, _, raw_query = target.partition(b"?")
    query, forwarded = _query(raw_query) if raw_query else ((), "")
    if _PLAIN_PATH.fullmatch(raw_path) is not None:
        path = raw_path.decode("ascii")
        return CanonicalTarget(path, tuple(path[1:].split("/")), query, forwarded)
    if _PATH.fullmatch(raw_path) is None:
        raise BadRequest("the path has characters that must be encoded, or parameters in a segment")
    if _BAD_ESCAPE.search(raw_path) is not None:
        raise BadRequest("the path has an escape that is not one")
    raw_segments = raw_path[1:].split(b"/")
    if b"" in raw_segments[:-1]:
        raise BadRequest("the path has an empty segment")
    segments = tuple([_segment(raw, encoded_slash) for raw in raw_segments])
    path = "/" + "/".join([_encode(segment, encoded_slash) for segment in segments])
    return CanonicalTarget(path, segments, query, forwarded)


def _segment(raw: bytes, encoded_slash: bool) -> str:
    """Decode one segment, once. What would decode again, or split again, is refused."""
    if encoded_slash:
        # Out of sight of the rules for what a segment may hold; it comes back encoded.
        return "%2F".join(_segment(part, encoded_slash=False) for part in _ENCODED_SLASH.split(raw))
    decoded = unquote_to_bytes(raw)
    try:
        text = decoded.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("the path is not UTF-8") from None
    if any(ord(character) < _FIRST_PRINTABLE or ord(character) == _DELETE for character in text):
        raise BadRequest("the path has a control character")
    for reading in (text, unicodedata.normalize("NFKC", text)):
        if reading.strip(". ") == "" and reading:
            raise BadRequest("the path has a segment of dots")
        if not _SEPARATORS.isdisjoint(reading):
            raise BadRequest("the path has an encoded separator, or is encoded twice")
    return text


def _encode(segment: str, encoded_slash: bool) -> str:
    if encoded_slash and "%2F" in segment:
        return "%2F".join(_encode(part, encoded_slash=False) for part in segment.split("%2F"))
    return "".join([chr(byte) if byte in _SEGMENT_SAFE else _ESCAPES[byte] for byte in segment.encode("utf-8")])


def _query(raw: bytes) -> tuple[tuple[tuple[str, str], ...], str]:
    if _QUERY.fullmatch(raw) is None or _BAD_ESCAPE.search(raw) is not None:
        raise BadRequest("the query has characters that must be encoded, or an escape that is not one")
    if _NUL.search(raw) is not None:
        raise BadRequest("the query has a NUL")
    pieces = raw.split(b"&")
    if len(pieces) > _MAX_PAIRS:
        raise BadRequest("the query has too many fields")
    pairs = []
    for piece in pieces:
        if piece:
            name, _, value = piece.partition(b"=")
            pairs.append((_form_text(name), _form_text(value)))
    forwarded = "".join([chr(byte) if byte in _QUERY_SAFE else _ESCAPES[byte] for byte in raw])
    return tuple(pairs), forwarded


def _form_text(raw: bytes) -> str:
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("the query is not UTF-8") from None


def refuse_overrides(headers: Headers, target: CanonicalTarget) -> None:
    """Refuse what asks the target to take another method or path than those that are decided on."""
    for name, _ in headers:
        if look_alike(name) in OVERRIDES:
            raise BadRequest("a header would change the method or the path")
    if any(_field(name) == _OVERRIDE_FIELD for name, _ in target.query):
        raise BadRequest("the query would change the method")


def _field(name: str) -> str:
    """The name of a field as the loosest framework reads it: without blanks, brackets and case."""
    return name.strip().strip("[]").partition("[")[0].strip().lower()
