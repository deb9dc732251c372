"""What stands in place of one masked JSON value: another of the same type, or null.

It finds nothing: `json_stream` and `json_fields` do.
Implements docs/http-masks.md, "What becomes of a value"; JSON is RFC 8259.

Invariants:
- The replacement is valid JSON of the value's own type, or null where the mask says so; null stays null.
- Numbers and booleans are never shown in part: `partial` hides them whole.
- A hash is of the value and not of its spelling: `"\u0041"` and `"A"` give one token.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Final

from doorward_core.errors import UnreadableBody
from doorward_core.mask.many import everyday
from doorward_core.mask.transforms import apply, digest, redacted
from doorward_core.model import Mask, Transform

# Tokens that stand for numbers stay below 2^53, so that JavaScript keeps them apart.
_NUMBER_LIMIT: Final = 2**53
_LABELS: Final = 256  # labels come from the policy: there are few
_QUOTE: Final = 0x22
_NULL: Final = b"null"
_BOOLEANS: Final = (b"true", b"false")


def text_of(raw: bytes) -> str:
    """The text of a JSON string, quotes included in `raw`. Raise UnreadableBody where its escapes are none."""
    if b"\\" not in raw:
        return raw[1:-1].decode("utf-8", "surrogateescape")
    try:
        return str(json.loads(raw.decode("utf-8", "surrogateescape"), strict=False))
    except ValueError as error:
        raise UnreadableBody("a JSON string has an escape that is none") from error


def string_of(text: str) -> bytes:
    """A text as a JSON string, in ASCII."""
    return encode_basestring_ascii(text).encode("ascii")


@lru_cache(maxsize=_LABELS)
def _redacted(label: str) -> bytes:
    return string_of(redacted(label))


def leaf(raw: bytes, mask: Mask, *, key: bytes) -> bytes:
    """What stands in place of the scalar `raw`, as it was spelt."""
    if raw == _NULL or mask.transform is Transform.NULL:
        return _NULL
    if raw[0] == _QUOTE:
        if mask.transform is Transform.REDACT:
            return _redacted(mask.label)
        shown = apply(mask.transform, text_of(raw), key=key, label=mask.label)
        return _NULL if shown is None else string_of(shown)
    if raw in _BOOLEANS:
        return b"false"
    return number(raw, mask.transform, mask.label, key=key)


def leaves(raws: Sequence[bytes], mask: Mask, *, key: bytes) -> list[bytes]:
    """`leaf` of each of these."""
    if mask.transform is not Transform.PARTIAL:
        return [leaf(raw, mask, key=key) for raw in raws]
    # What is escaped, and what is no string, is looked at by itself.
    texts = [raw[1:-1] if raw[0] == _QUOTE and b"\\" not in raw else b"" for raw in raws]
    shown = everyday(texts, mask.label)
    return [b'"%b"' % new if new else leaf(raw, mask, key=key) for new, raw in zip(shown, raws, strict=True)]


def number(raw: bytes, transform: Transform, label: str, *, key: bytes) -> bytes:
    """What stands in place of a number: 0, or a token that one can join on."""
    if transform is Transform.NULL:
        return _NULL
    if transform is not Transform.HASH:
        return b"0"
    return b"%d" % (int.from_bytes(digest(raw, key=key, label=label)[:8], "big") % _NUMBER_LIMIT)
