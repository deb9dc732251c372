"""Which members of a JSON document are masked: an operator's JSONPaths, compiled for a reader that never looks back.

It reads no JSON: a reader tells it which member or item it enters, and is told what is owed there.
Implements docs/http-masks.md, "Paths", a part of RFC 9535: the root, names, wildcards and descendants.
What hangs on position or value (indexes, slices, filters) is refused: a mask that another order of items would escape
is none.

    path     "$" 1*segment
    segment  "." name | ".." name | "[" selector "]" | "..[" selector "]"
    name     "*", or letters, digits, "_", "-" and anything beyond ASCII, in which "*" and "?" are a glob's
    selector "*" | a name in single or double quotes, where nothing but a backslash is special

Invariants:
- Names are compared without case, as columns are: a path in the wrong case hides too much rather than nothing.
- What lies below a masked member is masked; where several masks meet, the strictest transform is in force.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import re2

from doorward_core.mask.detect import STRICTEST
from doorward_core.mask.json_leaves import text_of
from doorward_core.model import Mask

MAX_SEGMENTS: Final = 32  # of one path; no document that a person designed is deeper
_MAX_SPELT, _MAX_SPELT_BYTES = 64, 64  # spellings of names kept in a state, and how long each may be
_MAX_REMEMBERED: Final = 4_096  # states and children kept: a document may be made to ask for ever new ones

_SEGMENT: Final = re.compile(
    r"""(?P<deep>\.\.)\[|\[|(?P<descend>\.\.)(?P<below>[\w*?-]+)|\.(?P<name>[\w*?-]+)""",
)
_SELECTOR: Final = re.compile(
    r"""\s*(?:(?P<any>\*)|'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)")\s*\]"""
)


class PathError(ValueError):
    """A pattern is no path that can be masked by; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One step. `name` is None for the wildcard; `glob` says that `*` and `?` in it stand for other characters."""

    name: str | None
    deep: bool = False
    glob: bool = False


def parse_path(text: str) -> tuple[Segment, ...]:
    """Read one path. Raise PathError where it is none, or asks for more than a mask can promise."""
    if not text.startswith("$"):
        raise PathError(f"{text!r}: a path begins with `$`")
    segments: list[Segment] = []
    position = 1
    while position < len(text):
        found = _SEGMENT.match(text, position)
        if found is None:
            raise PathError(f"{text!r}: cannot be read from {text[position : position + 20]!r} on")
        position = found.end()
        if found[0].endswith("["):
            segment, position = _bracketed(text, position, deep=bool(found["deep"]))
        else:
            segment = _bare(found["below"] or found["name"], deep=bool(found["descend"]))
        segments.append(segment)
    if not 0 < len(segments) <= MAX_SEGMENTS:
        raise PathError(f"{text!r}: a path has one to {MAX_SEGMENTS} segments")
    return tuple(segments)


def _bare(name: str, *, deep: bool) -> Segment:
    if name == "*":
        return Segment(None, deep)
    return Segment(name, deep, glob="*" in name or "?" in name)


def _bracketed(text: str, position: int, *, deep: bool) -> tuple[Segment, int]:
    found = _SELECTOR.match(text, position)
    if found is None:
        raise PathError(
            f"{text!r}: in brackets there is `*` or one name in quotes; masks know no position and no filter"
        )
    if found["any"]:
        return Segment(None, deep), found.end()
    quoted = found["single"] if found["single"] is not None else found["double"]
    return Segment(re.sub(r"\\(.)", r"\1", quoted), deep), found.end()


def is_path(pattern: str) -> bool:
    """Whether a pattern of a mask speaks of members of documents."""
    return pattern.startswith("$")


class State:
    """Where a reader stands: `mask` is owed on all that is here; `member` and `other` say where it stands below.

    `plain`: nothing below is masked until some member's name is one of `Paths.names`.
    `dead`: nothing below is masked whatever the names.
    """

    __slots__ = ("_children", "_other", "_paths", "_plain", "_spelt", "dead", "mask", "positions")

    def __init__(self, paths: "Paths", positions: frozenset[tuple[int, int]]) -> None:
        self._paths = paths
        self._children: dict[str, State] = {}
        self._spelt: dict[bytes, State] = {}
        self._plain: bool | None = None
        self._other: State | None = None
        self.positions = positions
        self.mask = paths.mask_at(positions)
        self.dead = not positions

    @property
    def other(self) -> "State":
        """Below, for an item of an array or a member of whose name no path speaks."""
        if self._other is None:
            self._other = self.child(None)
        return self._other

    @property
    def plain(self) -> bool:
        """Whether wildcards alone lead to no mask from here."""
        if self._plain is None:
            seen, state = {self.positions}, self
            while state.mask is None and (state := state.other).positions not in seen:
                seen.add(state.positions)
            self._plain = state.mask is None
        return self._plain

    def member(self, name: str) -> "State":
        """Below, for a member of this name."""
        return self.child(name.casefold()) if self._paths.speaks_of(name) else self.other

    def spelt(self, raw: bytes) -> "State":
        """The same for a name as it stands in the text, quotes and all."""
        found = self._spelt.get(raw)
        if found is None:
            found = self.member(text_of(raw))
            if len(self._spelt) < _MAX_SPELT and len(raw) <= _MAX_SPELT_BYTES:
                self._spelt[raw] = found
        return found

    def child(self, name: str | None) -> "State":
        """The same for a name in folded case; None is a name that no path has."""
        index = "\0" if name is None else f"={name}"
        found = self._children.get(index)
        if found is None:
            found = self._paths.state(frozenset(self._paths.step(self.positions, name)))
            if len(self._children) < _MAX_REMEMBERED:
                self._children[index] = found
        return found


class Paths:
    """The paths of some masks, compiled together. Immutable as far as a caller sees, and shared.

    `names` are the names the paths speak of, in folded case; `every_name` says that a glob makes every name count.
    Raise PathError for a pattern that begins with `$` and is no path.
    """

    def __init__(self, masks: Iterable[Mask]) -> None:
        self._rules = [(mask, parse_path(pattern)) for mask in masks for pattern in mask.columns if is_path(pattern)]
        segments = [segment for _, path in self._rules for segment in path]
        self._globs = {
            segment.name: _compiled(segment.name) for segment in segments if segment.glob and segment.name is not None
        }
        self.names = frozenset(
            segment.name.casefold() for segment in segments if segment.name is not None and not segment.glob
        )
        # Case beyond ASCII, and what a glob stands for, is not for a reader's byte patterns to know.
        self.every_name = bool(self._globs) or not all(name.isascii() for name in self.names)
        self._states: dict[frozenset[tuple[int, int]], State] = {}
        self.root = self.state(frozenset((rule, 0) for rule in range(len(self._rules))))

    def __bool__(self) -> bool:
        return bool(self._rules)

    def speaks_of(self, name: str) -> bool:
        """Whether some path might treat this name unlike one that nobody has heard of."""
        return bool(self._globs) or name.casefold() in self.names

    def state(self, positions: frozenset[tuple[int, int]]) -> State:
        """The state of these positions: (rule, segments already matched)."""
        found = self._states.get(positions)
        if found is None:
            found = State(self, positions)
            if len(self._states) < _MAX_REMEMBERED:
                self._states[positions] = found
        return found

    def step(self, positions: frozenset[tuple[int, int]], name: str | None) -> Iterator[tuple[int, int]]:
        """The positions below, through a member of this name. What is matched whole stays so."""
        for rule, done in positions:
            path = self._rules[rule][1]
            if done == len(path):
                yield rule, done
                continue
            segment = path[done]
            if segment.deep:
                yield rule, done
            if self._matches(segment, name):
                yield rule, done + 1

    def _matches(self, segment: Segment, name: str | None) -> bool:
        if segment.name is None:
            return True
        if name is None:
            return False
        if segment.glob:
            return self._globs[segment.name].fullmatch(name) is not None
        return segment.name.casefold() == name

    def mask_at(self, positions: frozenset[tuple[int, int]]) -> Mask | None:
        """What is owed there."""
        return self.in_force(
            [self._rules[rule][0] for rule, done in sorted(positions) if done == len(self._rules[rule][1])]
        )

    def in_force(self, masks: list[Mask]) -> Mask | None:
        """What is owed where these masks meet, in the order of the policy: the strictest transform."""
        if not masks:
            return None
        strictest = min(masks, key=lambda mask: STRICTEST.index(mask.transform))
        return replace(strictest, strict=any(mask.strict for mask in masks))


def _compiled(glob: str) -> "re2._Regexp[str]":
    options = re2.Options()
    options.case_sensitive = False
    options.dot_nl = True
    text = "".join({"*": ".*", "?": "."}.get(char) or re2.escape(char) for char in glob.casefold())
    return re2.compile(text, options)
