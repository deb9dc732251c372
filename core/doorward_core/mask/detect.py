"""Content detectors: is there anything in these bytes, and exactly where.

`scan_hit` and `areas` run over a whole batch, length words and all, and may alarm falsely; `spans` runs over the text
of one field, or of many joined by NUL, and is what decides.
It frames nothing: who calls it knows which bytes are a field.
Implements ARCHITECTURE.md, "Masking"; the patterns are in `patterns`, the check digits in `checksums`.

Invariants:
- Linear time: RE2 only, and a bound on false alarms in one text. Past the bound the rest of that text is hidden.
- `scan_hit(data)` is True, and some area of `areas(data)` overlaps the field, for every field with a span in it.
- Spans are sorted and do not overlap; where two detectors overlap, their union is hidden whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any, Final, NamedTuple, TypeAlias

import re2

from doorward_core.mask.many import partials, tokens
from doorward_core.mask.patterns import DETECTORS, Detector, expand
from doorward_core.mask.transforms import redacted
from doorward_core.model import Mask, Transform

Data: TypeAlias = bytes | bytearray | memoryview
Hits: TypeAlias = tuple[int, ...]

# A false alarm costs some microseconds. A megabyte of base64 gives 2,000 of them; only an attack gives many more.
_MAX_FALSE_ALARMS: Final = 20_000
# The strictest wins where two masks name one detector.
STRICTEST: Final = (Transform.NULL, Transform.REDACT, Transform.HASH, Transform.PARTIAL)


class Span(NamedTuple):
    """Bytes `start` to `end` (exclusive) of what was searched; `label` is the detector's name."""

    start: int
    end: int
    label: str


def _options() -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.never_capture = True
    options.log_errors = False
    return options


class Detectors:
    """Some detectors, compiled together. Make it once per policy and detector set; it is immutable and shared.

    `transforms` says what becomes of what each detector finds; `partial` where it does not.
    Raise ValueError for a name that is no detector's.
    """

    __slots__ = ("_exact", "_prefilters", "_set", "names", "transforms")

    def __init__(self, names: Iterable[str], transforms: Mapping[str, Transform] | None = None) -> None:
        options = _options()
        self.names = expand(names)
        self.transforms = {name: (transforms or {}).get(name, Transform.PARTIAL) for name in self.names}
        self._prefilters = [
            DETECTORS[name].near or re2.compile(DETECTORS[name].prefilter, options) for name in self.names
        ]
        self._exact: list[tuple[Detector, Any]] = [
            (DETECTORS[name], re2.compile(DETECTORS[name].exact, options)) for name in self.names
        ]
        self._set = re2.Set.SearchSet(options)
        for name in self.names:
            self._set.Add(DETECTORS[name].prefilter)
        self._set.Compile()

    def __bool__(self) -> bool:
        return bool(self.names)

    def hits(self, chunk: Data) -> Hits:
        """Which detectors find a closer look at this worth it: one pass over the chunk, however many they are."""
        return tuple(self._set.Match(chunk) or ()) if self.names else ()

    def scan_hit(self, chunk: Data) -> bool:
        """Whether anything here is worth a closer look."""
        return bool(self.hits(chunk))

    def areas(self, chunk: Data, hits: Hits | None = None) -> list[tuple[int, int]]:
        """Where in a raw chunk a closer look is worth it, sorted. What overlaps no area holds no span.

        `hits` is what `hits` gave for this chunk, where that is known.
        """
        found: list[tuple[int, int]] = []
        for index in self.hits(chunk) if hits is None else hits:
            found += [match.span() for match in self._prefilters[index].finditer(chunk)]
        found.sort()
        return found

    def crowded(self, chunk: Data, hits: Hits, least: int) -> bool:
        """Whether one detector alone finds `least` areas here or more."""
        return any(
            next(islice(self._prefilters[index].finditer(chunk), least - 1, None), None) is not None for index in hits
        )

    def spans(self, text: Data, hits: Hits | None = None) -> list[Span]:
        """Exactly what is to be hidden in a field, or in fields joined by NUL bytes.

        `hits` is what `hits` gave for this text, or for one that it is a part of.
        """
        data = bytes(text)
        each = [_search(*self._exact[index], data) for index in (self.hits(data) if hits is None else hits)]
        found = [spans for spans in each if spans]
        if len(found) <= 1:  # one detector's own do not overlap, and come in order
            return found[0] if found else []
        return merged([span for spans in found for span in spans])

    def replacement(self, found: bytes, label: str, *, key: bytes) -> bytes:
        """What stands in place of the text that detector `label` found."""
        return self.replacements((found,), label, key=key)[0]

    def replacements(self, found: Sequence[bytes], label: str, *, key: bytes) -> Sequence[bytes]:
        """What stands in place of each of the texts that detector `label` found."""
        transform = self.transforms.get(label, Transform.REDACT)
        if transform is Transform.PARTIAL:
            return partials(found, label)
        if transform is Transform.HASH:
            return tokens(found, key=key, label=label)
        return [redacted(label).encode()] * len(found)

    def replaced(self, text: bytes, spans: Sequence[Span], *, key: bytes) -> bytes:
        """The text with each of these spans replaced."""
        found = [text[start:end] for start, end, _ in spans]
        labels = {span.label for span in spans}
        if len(labels) == 1:
            new = self.replacements(found, labels.pop(), key=key)
        else:
            new = [self.replacement(one, span.label, key=key) for one, span in zip(found, spans, strict=True)]
        edges = [(0, 0, ""), *spans, (len(text), 0, "")]
        pieces = [b""] * (2 * len(spans) + 1)
        pieces[::2] = [text[before[1] : after[0]] for before, after in pairwise(edges)]
        pieces[1::2] = new
        return b"".join(pieces)

    def mask(self, text: bytes, *, key: bytes) -> tuple[bytes, tuple[str, ...]]:
        """A text with every span replaced, and the label of each: (the same bytes, ()) where there is none."""
        spans = self.spans(text)
        if not spans:
            return text, ()
        return self.replaced(text, spans, key=key), tuple(span.label for span in spans)


def detectors_for(masks: Iterable[Mask]) -> Detectors | None:
    """The detectors that these masks ask for, each with its strictest transform; None where they ask for none."""
    transforms: dict[str, Transform] = {}
    for mask in masks:
        for name in expand(mask.detect):
            transforms[name] = min(transforms.get(name, Transform.PARTIAL), mask.transform, key=STRICTEST.index)
    return Detectors(transforms, transforms) if transforms else None


def _search(detector: Detector, pattern: Any, data: bytes) -> list[Span]:
    """Every span of one detector."""
    found = detector.find(data) if detector.find is not None else None
    if found is not None:
        make, name = tuple.__new__, detector.name  # a third of the time that Span(...) takes
        return [make(Span, (start, end, name)) for start, end in found]
    if detector.again:
        return _search_again(detector, pattern, data)
    name, check = detector.name, detector.check
    return [
        Span(first, last, name)
        for match in pattern.finditer(data)
        for first, last in check(data, match.start(), match.end())
    ]


def _search_again(detector: Detector, pattern: Any, data: bytes) -> list[Span]:
    """The same where a match may hide another. After too many false alarms the rest of that field counts as one."""
    found: list[Span] = []
    position, alarms = 0, 0
    while (match := pattern.search(data, position)) is not None:
        start, end = match.span()
        spans = detector.check(data, start, end)
        if spans:
            found.extend(Span(first, last, detector.name) for first, last in spans)
            position = spans[-1][1]
            continue
        position = start + 1
        alarms += 1
        if alarms > _MAX_FALSE_ALARMS:
            stop = data.find(b"\0", start)
            position = len(data) if stop < 0 else stop
            found.append(Span(start, position, detector.name))
            alarms = 0
    return found


def merged(found: list[Span]) -> list[Span]:
    """Sorted, without overlaps. A union of two kinds is labelled by both, and no transform knows such a label."""
    found.sort()
    merged: list[Span] = []
    for span in found:
        last = merged[-1] if merged else None
        if last is None or span.start >= last.end:
            merged.append(span)
        elif last.label == span.label:
            merged[-1] = Span(last.start, max(last.end, span.end), last.label)
        else:
            labels = dict.fromkeys([*last.label.split("+"), *span.label.split("+")])
            merged[-1] = Span(last.start, max(last.end, span.end), "+".join(labels))
    return merged
