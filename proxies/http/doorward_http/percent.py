"""Detectors over text that is percent-encoded: forms, query strings, Location and cookies.

It knows no headers and no forms, only one value at a time, and no path.
Implements RFC 3986 section 2.1, the `+` of the WHATWG URL Standard's forms, and text that was encoded more than once.

Invariants:

- What a detector finds in the value as it is, decoded, or decoded again is replaced, and nothing else is touched.
"""

import re
from typing import Final
from urllib.parse import quote

from doorward_core.mask.detect import Detectors
from doorward_http.owed import count

_ROUNDS: Final = 3  # nobody encodes more often than that by mistake
_ENCODED: Final = re.compile(rb"%[0-9A-Fa-f]{2}")
_SAFE: Final = "*@[]:"  # of masks; they are kept readable


def mask_value(value: bytes, detectors: Detectors, key: bytes, masked: dict[str, int], *, marks: bytes = b"") -> bytes:
    """The value with everything replaced that a detector finds in it, however it is spelt.

    `marks` are the bytes that part one value from the next where they are not encoded: an address may hold `=` and `/`,
    but in `/people?mail=jane@example.com` it does not begin with them.
    """
    spans: list[tuple[int, int, str, bytes]] = []
    for text, places in _spellings(value.translate(bytes.maketrans(marks, bytes(len(marks))))):
        for start, end, label in detectors.spans(text):
            spans.append((places[start], places[end], label, text[start:end]))
    pieces, position = [], 0
    for start, end, label, found in sorted(spans):
        if start < position:
            # Two spellings found two things that overlap: the rest of the second goes too.
            position = max(position, end)
            continue
        shown = detectors.replacement(found, label, key=key)
        pieces += [value[position:start], quote(shown, safe=_SAFE).encode() if b"%" in value else shown]
        position = end
        count(masked, label)
    return b"".join([*pieces, value[position:]])


def _spellings(value: bytes) -> list[tuple[bytes, list[int] | range]]:
    """The value and what it decodes to, each with the place in the value of each of its bytes, and of its end."""
    found: list[tuple[bytes, list[int] | range]] = [(value, range(len(value) + 1))]
    if b"%" in value or b"+" in value:
        for plus in (False, True):
            text = value
            places: list[int] | range = range(len(value) + 1)
            for _ in range(_ROUNDS):
                decoded, places = _decoded(text, places, plus=plus)
                if decoded == text:
                    break
                text = decoded
                found.append((text, places))
    return found


def _decoded(text: bytes, places: list[int] | range, *, plus: bool) -> tuple[bytes, list[int] | range]:
    out, position = bytearray(), 0
    kept: list[int] = []
    for match in _ENCODED.finditer(text):
        out += _spaced(text[position : match.start()], plus=plus)
        kept += places[position : match.start() + 1]
        out.append(int(match[0][1:], 16))
        position = match.end()
    out += _spaced(text[position:], plus=plus)
    kept += places[position:]
    return bytes(out), kept


def _spaced(text: bytes, *, plus: bool) -> bytes:
    return text.replace(b"+", b" ") if plus else text
