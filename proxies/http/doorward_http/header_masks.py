"""Values on their way through in headers, trailers and status lines; and requests asked so that bodies can be masked.

What it will not do: know routes, identities or credentials; `proxy` strips and adds those.
Implements: RFC 9110 section 8 (representations), RFC 9530 and what it replaced (digests), as far as they let a value
walk past a mask.

Invariants:

- Where a body owes a mask, nothing that was computed from the unmasked body leaves: lengths, tags, digests, ranges.
- The target is asked for whole bodies, in codings that can be undone (`doorward_core.http.whole`).
"""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from doorward_core.errors import UnreadableBody
from doorward_core.http.messages import Header, Headers, without
from doorward_core.http.whole import ask_for_all
from doorward_core.mask.detect import Detectors
from doorward_core.mask.transforms import apply
from doorward_http.media import read_media
from doorward_http.owed import Owed, count
from doorward_http.percent import mask_value

# Computed from the body as the target has it: its length, tags and digests, and what offers parts of it.
_COMPUTED: Final = frozenset({
    b"content-length", b"etag", b"accept-ranges", b"content-range", b"content-md5", b"digest", b"content-digest",
    b"repr-digest", b"delta-base", b"im", b"x-content-length", b"x-uncompressed-content-length",
    b"x-decompressed-content-length", b"x-goog-hash", b"x-goog-stored-content-length",
    b"x-ms-blob-content-md5", b"x-ms-content-crc64", b"x-ms-content-md5", b"x-checksum-md5", b"x-checksum-sha1",
    b"x-checksum-sha256", b"x-checksum",
})  # fmt: skip
_COMPUTED_PREFIXES: Final = (b"x-amz-checksum-",)
# They say how a message is to be read: where they are well formed they hold no value of anybody.
_DAY: Final = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT"
_FRAMING: Final = {
    b"content-type": re.compile(rb"[a-z]+/[a-z.+-]+(?:; ?charset=[A-Za-z0-9-]+)?"),
    b"content-length": re.compile(rb"[0-9]+"),
    b"content-encoding": re.compile(rb"[A-Za-z, -]+"),
    b"date": re.compile(_DAY),
}
_KEPT_PARAMETERS: Final = ("charset", "boundary")  # what the body cannot be read without
# They hold URLs or pairs, in which a value ends where the syntax says so.
_URLS: Final = frozenset({
    b"location", b"content-location", b"link", b"refresh", b"set-cookie", b"cookie", b"referer", b"sourcemap",
})  # fmt: skip
_URL_MARKS: Final = b'/?&=;,<>" '


def prepare_request_headers(headers: Headers, method: str, *, owes_mask: bool) -> Headers:
    """What to ask the target with, so that the answer can be masked. Without a mask, the same headers."""
    return ask_for_all(headers, method) if owes_mask else headers


def without_computed(headers: Headers) -> Headers:
    """The headers but for what was computed from a body that will not be the same."""
    kept = without(headers, _COMPUTED)
    return tuple(header for header in kept if not header[0].startswith(_COMPUTED_PREFIXES))


def mask_headers(headers: Headers, owed: Owed, masked: dict[str, int]) -> Headers:
    """The headers or trailers, masked by name and by detector, counted into `masked`."""
    if not owed.names_headers and (owed.detectors is None or _clean(headers, owed.detectors)):
        return headers
    return tuple(header for name, value in headers if (header := _header(name, value, owed, masked)) is not None)


def _clean(headers: Headers, detectors: Detectors) -> bool:
    """Whether one look at all of them says that there is nothing to be found."""
    text = b"\0".join([part for name, value in headers if not _frames(name, value) for part in (name, value)])
    return b"%" not in text and b"+" not in text and not detectors.scan_hit(text)


def _frames(name: bytes, value: bytes) -> bool:
    form = _FRAMING.get(name)
    return form is not None and form.fullmatch(value) is not None


def _header(name: bytes, value: bytes, owed: Owed, masked: dict[str, int]) -> Header | None:
    """One header; None where the mask says that there is none."""
    if _frames(name, value):
        return name, value
    if owed.detectors is not None and owed.detectors.spans(name):
        return None
    if name == b"content-type":
        return _content_type(value, owed, masked)
    mask = owed.header(name)
    if mask is not None:
        count(masked, mask.label)
        shown = apply(mask.transform, value.decode("latin-1"), key=owed.key, label=mask.label)
        return None if shown is None else (name, shown.encode("ascii", "replace"))
    if owed.detectors is None:
        return name, value
    marks = _URL_MARKS if name in _URLS else b""
    return name, mask_value(value, owed.detectors, owed.key, masked, marks=marks)


def _content_type(value: bytes, owed: Owed, masked: dict[str, int]) -> Header | None:
    """A type with more than is usual: without the rest where something is found in it."""
    if owed.detectors is None or not owed.detectors.spans(unquote_to_bytes(value)):
        return b"content-type", value
    count(masked, "header")
    try:
        media = read_media(value)
    except UnreadableBody:
        return None
    kept = [f'{name}="{media.parameters[name]}"' for name in _KEPT_PARAMETERS if name in media.parameters]
    shown = "; ".join([media.name, *kept]).encode("latin-1")
    return None if owed.detectors.spans(unquote_to_bytes(shown)) else (b"content-type", shown)


def mask_reason(reason: bytes, owed: Owed) -> bytes:
    """The words of a status line: none, where a detector finds anything in them."""
    return b"" if owed.detectors is not None and owed.detectors.spans(reason) else reason
