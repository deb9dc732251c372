"""How a target is asked for an answer whose body will be changed: for all of it, in codings that can be undone.

What it is: the request's headers without what asks for a part, for a digest of the body, or for nothing where a copy
that the client has is still good: that copy is of another body.
What it will not do: look at a body, or at what media types a client takes.
Implements: RFC 9110 sections 12.5.3 (Accept-Encoding), 13.1 (conditions) and 14.2 (ranges), RFC 3229 (A-IM), RFC 9530
(Want-Content-Digest, Want-Repr-Digest).

Invariants: pure; no coding is asked for that `codings` cannot undo; the conditions of a request that changes something
are kept, for they are the target's to judge.
"""

import re
from typing import Final

from doorward_core.http.codings import DECODED
from doorward_core.http.messages import Headers, get_all, without

_ENCODINGS: Final = b"accept-encoding"
_PARTS: Final = frozenset({
    b"range", b"if-range", b"a-im", b"want-digest", b"want-content-digest", b"want-repr-digest", _ENCODINGS,
})  # fmt: skip
_CONDITIONS: Final = frozenset({b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"})
_READING: Final = frozenset({"GET", "HEAD"})
_WEIGHT: Final = re.compile(rb"[ \t]*([A-Za-z0-9-]+)[ \t]*(?:;[ \t]*q=([01](?:\.[0-9]{0,3})?))?[ \t]*")


def ask_for_all(headers: Headers, method: str) -> Headers:
    """The headers of a request, such that its answer is a whole body in codings that can be undone."""
    kept = without(headers, _PARTS | _CONDITIONS if method in _READING else _PARTS)
    return (*kept, (_ENCODINGS, acceptable_codings(get_all(headers, _ENCODINGS))))


def acceptable_codings(values: tuple[bytes, ...]) -> bytes:
    """What the client accepts (values of Accept-Encoding) of what can be undone; `identity` where that is nothing."""
    kept = []
    for item in b",".join(values).split(b","):
        found = _WEIGHT.fullmatch(item)
        if found and found[1].lower().decode() in (*DECODED, "identity"):
            kept.append(found[1].lower() + (b";q=" + found[2] if found[2] else b""))
    return b", ".join(kept) or b"identity"
