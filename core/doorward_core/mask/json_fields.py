"""What detectors find in a piece of JSON text: in strings, names included, as a reader will see them, and in numbers.

It knows no paths and no structure; a piece begins and ends between two tokens (`json_stream` sees to that).
A prefilter over the whole piece says where a closer look is worth it, and only those strings are cut out and decoded.
Implements docs/http-masks.md, "Detectors"; JSON is RFC 8259.

Invariants:
- Every string in which a detector finds something, after its escapes are undone, is replaced; so is a number.
- What is found where JSON has no value refuses the piece: it is not the JSON that it says it is.
"""

import re
from typing import Final

from doorward_core.errors import UnreadableBody
from doorward_core.mask.detect import Detectors, Hits, Span
from doorward_core.mask.json_leaves import number, string_of, text_of
from doorward_core.mask.json_scan import STRING
from doorward_core.model import Transform

Replacement = tuple[int, int, bytes]
Found = tuple[tuple[int, int], bytes, list[Span]]  # a field, its text, and what was found in it

# Escapes behind which a prefilter, which sees the text as it is spelt, may miss something: of ASCII characters, of a
# slash, and of the letter after an `@`. Every other escape stands for what no prefilter asks for.
_ESCAPES: Final = re.compile(rb"\\(?:u00[0-7]|/)|@\\u")
_OUTSIDE: Final = re.compile(rb'(?:[^"]++|' + STRING + rb")*+", re.DOTALL)
_STRING: Final = re.compile(STRING, re.DOTALL)
_NUMBER: Final = re.compile(rb"-?[0-9][0-9.+\-eE]*+")
# What stands before a number between two strings, and the number.
_LOOSE: Final = re.compile(rb'[^"0-9-]*+(-?[^" \t\r\n\x1e,:{}\[\]]*+)')
# A number of less than twelve digits before its point identifies nobody; measurements have many digits after it.
_FRACTION: Final = re.compile(rb"[0-9]{1,11}[.][0-9]++(?=[ \t\r\n,}\]])")
_BEFORE_NUMBER: Final = frozenset(b" \t\r\n,:[-")
_RUN: Final = re.compile(rb'[^"]*+')
_FOLLOWS: Final = re.compile(rb"[ \t]*+(?:[,:}\]\r\n\x1e]|\Z)")
_QUOTE: Final = 0x22


def found_in(
    piece: bytes, detectors: Detectors, *, key: bytes, hidden: frozenset[int], masked: dict[str, int]
) -> list[Replacement]:
    """What is to be replaced, sorted, counted into `masked`; values that begin in `hidden` are gone already."""
    hits: Hits | None = detectors.hits(piece)
    looks = [start for start, _ in detectors.areas(piece, hits)] if hits else []
    if (b"\\u" in piece or b"\\/" in piece) and (escapes := [one.start() for one in _ESCAPES.finditer(piece)]):
        hits = None  # what is escaped, the prefilters could not see
        looks = sorted(looks + escapes)
    if not looks:
        return []
    fields = [field for field in _fields(piece, looks) if field[0] not in hidden]
    texts = [_decoded(piece[start:end]) for start, end in fields]
    found = [
        (field, text, spans)
        for field, text, spans in zip(fields, texts, _spans(texts, detectors, hits), strict=True)
        if spans
    ]
    strings = [one for one in found if piece[one[0][0]] == _QUOTE]
    replaced = _strings(piece, strings, detectors, key)
    labels = [span.label for _, _, spans in strings for span in spans]
    for (start, _), _, spans in found:
        if piece[start] == _QUOTE:
            continue
        for begin, (raw, label) in _numbers(piece, start, spans).items():
            if begin not in hidden:
                replaced.append((begin, begin + len(raw), _hidden(raw, label, detectors, key)))
                labels.append(label)
    for label in labels:
        masked[label] = masked.get(label, 0) + 1
    return sorted(replaced)


def _fields(piece: bytes, looks: list[int]) -> list[tuple[int, int]]:
    """The strings, and the stretches between strings, in which the places to look at lie."""
    fields: list[tuple[int, int]] = []
    position = 0
    for look in looks:
        if look < position:
            continue
        start = _string_around(piece, position, look)
        if start == look and piece[look] != _QUOTE:
            fraction = _FRACTION.match(piece, look)
            if fraction is not None and (look == position or piece[look - 1] in _BEFORE_NUMBER):
                position = fraction.end()
                continue
            start = max(piece.rfind(b'"', position, look) + 1, position)
            position = _RUN.match(piece, look).end()  # type: ignore[union-attr]  # it matches the empty text
            fields.append((start, position))
            if position < len(piece):
                continue
            break
        string = _STRING.match(piece, start)
        if string is None or not _FOLLOWS.match(piece, string.end()):
            raise UnreadableBody("the body is not the JSON that it says it is")
        position = string.end()
        fields.append((start, position))
    return fields


def _string_around(piece: bytes, position: int, look: int) -> int:
    """Where the string begins that goes on at `look`, or `look` where none does; `position` is outside of strings."""
    if piece.find(b"\\", position, look) < 0:
        within = piece.count(b'"', position, look) % 2
        return piece.rfind(b'"', position, look) if within else look
    return _OUTSIDE.match(piece, position, look).end()  # type: ignore[union-attr]  # it matches the empty text


def _decoded(field: bytes) -> bytes:
    if field[0] != _QUOTE:
        return field
    return text_of(field).encode("utf-8", "surrogatepass") if b"\\" in field else field[1:-1]


def _spans(texts: list[bytes], detectors: Detectors, hits: Hits | None) -> list[list[Span]]:
    """The spans of each text, from one search through all of them: NUL stands between two, and ends every match."""
    found: list[list[Span]] = [[] for _ in texts]
    place, begin = 0, 0
    for span in detectors.spans(b"\0".join(texts), hits):
        while span.start > begin + len(texts[place]):
            begin += len(texts[place]) + 1
            place += 1
        found[place].append(Span(span.start - begin, min(span.end - begin, len(texts[place])), span.label))
    return found


def _strings(piece: bytes, strings: list[Found], detectors: Detectors, key: bytes) -> list[Replacement]:
    """Each string with what was found in it replaced; all that one detector found is replaced at once."""
    by_label: dict[str, list[bytes]] = {}
    for _, text, spans in strings:
        for start, end, label in spans:
            by_label.setdefault(label, []).append(text[start:end])
    shown = {label: iter(detectors.replacements(texts, label, key=key)) for label, texts in by_label.items()}
    replaced: list[Replacement] = []
    for (first, last), text, spans in strings:
        pieces, position = [], 0
        for start, end, label in spans:
            pieces += [text[position:start], next(shown[label])]
            position = end
        new = b"".join([*pieces, text[position:]])
        if piece.find(b"\\", first, last) < 0:
            replaced.append((first, last, b'"' + new + b'"'))
        else:
            replaced.append((first, last, string_of(new.decode("utf-8", "surrogatepass"))))
    return replaced


def _numbers(piece: bytes, start: int, spans: list[Span]) -> dict[int, tuple[bytes, str]]:
    """The numbers in which something was found, by where they begin. What is found and no number refuses the piece."""
    numbers: dict[int, tuple[bytes, str]] = {}
    loose = _LOOSE.match(piece, start)
    for span in spans:
        while loose is not None and loose.end() < start + span.end:
            loose = _LOOSE.match(piece, loose.end())
        number = _NUMBER.match(piece, loose.start(1)) if loose is not None else None
        if number is None or number.end() < start + span.end or number.start() > start + span.start:
            raise UnreadableBody("the body is not the JSON that it says it is")
        numbers.setdefault(number.start(), (number[0], span.label))
    return numbers


def _hidden(raw: bytes, label: str, detectors: Detectors, key: bytes) -> bytes:
    return number(raw, detectors.transforms.get(label, Transform.REDACT), label, key=key)
