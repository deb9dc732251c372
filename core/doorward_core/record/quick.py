"""What `strict` reads, read at speed: entries that look like those before them, and everything else by `strict` itself.

Implements docs/spec/event-log.md sections 2 and 3 for `record.verify`, with the standard library alone.
Most of an entry is what the entry before it said: the same keys in the same places, most values too.
Runs of bytes that `strict` has read once are compared, not read again; what differs is read by `strict`.
It shares nothing with the writer, refuses nothing, and opens nothing: what it does not recognise it hands on.

Invariants:
- `entry(data)` is `strict.entry(data)` for every input: the same value, or the same refusal.
  A value in canonical form is told from its bytes alone, so that equal runs of bytes, from the start of one pair to
  the start of another, are equal pairs in equal order.
- What is remembered is bounded, and does not grow with the log.
"""

import re
from contextlib import suppress
from typing import Final

from doorward_core.record import strict
from doorward_core.record.strict import Strict, StrictError

# Shapes are made by the log, which may be hostile: few are kept, and what fits none is read as if there were none.
_SHAPES_EACH: Final = 8
_SHAPES: Final = 128
_HINT_BYTES: Final = 6  # the tag of a map, and the first letters of its first key
_MAX_PAIRS: Final = 64
_MAX_SHAPE_BYTES: Final = 8_192

_UINT: Final = rb"([\x00-\x7f]|\xcc[\x80-\xff]|\xcd[\x01-\xff].|\xce(?!\x00\x00).{4}|\xcf(?!\x00{4}).{8})"
_START: Final = re.compile(rb"\x8c\xa2at" + _UINT + rb"\xa6commit\xc4(?:\x00|\x20(.{32}))\xa4head", re.DOTALL)
_MIDDLE: Final = re.compile(
    rb"\xa5index" + _UINT
    + rb"\xa3key\xc4(?:\x00|\x10(.{16}))\xa4kind([\xa0-\xbf])([a-z.-]*)\xa2op\xc4(?:\x00|\x10(.{16}))"
    + rb"\xa6origin([\xa0-\xbf])([\x20-\x7e]*)\xa4part\x92" + _UINT + _UINT
    + rb"\xa7payload(?:\xc4(.)|\xc5([\x01-\xff].))",
    re.DOTALL,
)  # fmt: skip
_END: Final = re.compile(rb"\xa7session\xc4(?:\x00|\x10(.{16}))\xa1v\x01", re.DOTALL)


class _Shape:
    """Maps with the same keys: what was the same in all of them, and where the others stand.

    `first` goes from the map's tag to the first value that varies.
    `steps` are, for each of those, its key and the bytes from its end to the next one, or to the map's.
    """

    __slots__ = ("constant", "first", "pairs", "steps")

    def __init__(self, head: bytes, pairs: list[tuple[str, bytes, bytes, object]], varies: frozenset[str]) -> None:
        self.pairs = {key: spelled for key, _, spelled, _ in pairs}
        self.constant = {key: value for key, _, _, value in pairs if key not in varies}
        runs, keys = [head], []
        for key, name, spelled, _ in pairs:
            runs[-1] += name
            if key in varies:
                keys.append(key)
                runs.append(b"")
            else:
                runs[-1] += spelled
        self.first = runs[0]
        self.steps = list(zip(keys, runs[1:], strict=True))

    def read(self, data: bytes, at: int, depth: int) -> tuple[dict[str, object], int] | None:
        """The map at `at` and its end, if it has this shape."""
        if not data.startswith(self.first, at):
            return None
        at += len(self.first)
        found = self.constant.copy()
        for key, run in self.steps:
            tag = data[at]
            if tag < 0x80:  # noqa: PLR2004 - positive fixint
                found[key] = tag
                at += 1
            else:
                found[key], at = strict.read_value(data, at, depth)
            if not data.startswith(run, at):
                return None
            at += len(run)
        return found, at


class Maps:
    """Reads maps that stand at one depth, and remembers their shapes."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._shapes: dict[bytes, list[_Shape]] = {}
        self._count = 0

    def read(self, data: bytes, at: int) -> tuple[dict[str, object], int]:
        """The map at `at` and its end; StrictError for what is no canonical map, or IndexError where the data ends."""
        for shape in self._shapes.get(data[at : at + _HINT_BYTES], ()):
            known = shape.read(data, at, self._depth - 1)
            if known is not None:
                return known
        found, end = strict.read_map(data, at, self._depth)
        if 0 < len(found) <= _MAX_PAIRS and end - at <= _MAX_SHAPE_BYTES:
            self._learn(data, at, found)
        return found, end

    def _learn(self, data: bytes, at: int, found: dict[str, object]) -> None:
        """A map that `strict` has read: the pairs that it shares with an earlier one of the same keys are its shape."""
        hint = data[at : at + _HINT_BYTES]
        known = self._shapes.get(hint, [])
        place = next((place for place, shape in enumerate(known) if shape.pairs.keys() == found.keys()), len(known))
        if place == len(known) and (place == _SHAPES_EACH or self._count == _SHAPES):
            return
        begin = at
        at += 1 if data[at] < 0x90 else 3  # noqa: PLR2004 - fixmap; one of 16 bits, for at most `_MAX_PAIRS`
        head, pairs = data[begin:at], []
        for key, value in found.items():
            _, value_at = strict.read_value(data, at, 1)
            _, end = strict.read_value(data, value_at, self._depth - 1)
            pairs.append((key, data[at:value_at], data[value_at:end], value))
            at = end
        if place < len(known):
            shape = known[place]
            varies = {key for key, _, spelled, _ in pairs if key not in shape.constant or shape.pairs[key] != spelled}
            known[place] = _Shape(head, pairs, frozenset(varies))
        else:
            self._count += 1
            self._shapes.setdefault(hint, []).append(_Shape(head, pairs, frozenset()))


# A header stands in its entry's map, a payload's map for itself.
_headers: Final = Maps(strict.MAX_DEPTH - 1)
_bodies: Final = Maps(strict.MAX_DEPTH)


def entry(data: bytes) -> Strict:
    """`strict.entry`: read one entry; raises StrictError with the first rule it breaks."""
    return (len(data) <= strict.MAX_ENTRY and _known(data)) or strict.entry(data)


def is_map(data: bytes) -> bool:
    """Whether this is one canonical map; raises StrictError for what `strict.decode` refuses."""
    with suppress(StrictError, IndexError):
        if data and (0x80 <= data[0] < 0x90 or data[0] == 0xDE) and _bodies.read(data, 0)[1] == len(data):  # noqa: PLR2004 - fixmap, map of 16 bits
            return True
    return isinstance(strict.decode(data), dict)


def _known(data: bytes) -> Strict | None:
    """The entry, if it is written as most are; None leaves it to `strict`, which also says what may be wrong."""
    start = _START.match(data)
    if start is None:
        return None
    head_at = start.end()
    try:
        if not (0x80 <= data[head_at] < 0x90 or data[head_at] == 0xDE):  # noqa: PLR2004 - fixmap, map of 16 bits
            return None
        head, end = _headers.read(data, head_at)
    except (StrictError, IndexError):
        return None
    middle = _MIDDLE.match(data, end)
    if middle is None:
        return None
    index, key, kind_tag, kind, op, origin_tag, origin, part, parts, short, long = middle.groups()
    payload_at = middle.end()
    payload_end = payload_at + int.from_bytes(short if long is None else long, "big")
    last = _END.fullmatch(data, payload_end)
    if last is None or kind_tag[0] != 0xA0 + len(kind) or origin_tag[0] != 0xA0 + len(origin):
        return None
    at, commit = start.groups()
    found = Strict(
        int.from_bytes(index[1:] or index, "big"),
        int.from_bytes(at[1:] or at, "big"),
        kind.decode(),
        last[1] or b"",
        op or b"",
        origin.decode(),
        head,
        commit or b"",
        key or b"",
        int.from_bytes(part[1:] or part, "big"),
        int.from_bytes(parts[1:] or parts, "big"),
        data[payload_at:payload_end],
    )
    return strict.checked(found, end - head_at)
