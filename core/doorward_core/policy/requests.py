"""Request patterns: what `requests: ["GET /customers/*", "POST,PUT /orders/**"]` matches.

What it is: patterns over a method and a path, segment by segment, for targets of kind `request`: their name is the
method, a blank and the canonical path.
What it will not do: look at a query, a header or a body; that is `when`.

Invariants: pure; at most proportional to the length of the path times that of the pattern. In an allow a pattern
speaks of what it writes out and of nothing else; in a hold or a block it speaks of the same, of everything that lies
below it, and of every spelling that a target may not tell apart: capitals and small letters, what Unicode holds to be
compatible, and a format that is asked for by name (`/admin.json` for `/admin`). So a doubt never loosens.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote

from doorward_core.policy.glob import Names, compile_names

REQUEST = "request"
ANY_DEPTH = "**"
_METHODS = re.compile(r"(?:\*|[A-Z][A-Z-]{0,31}(?:,[A-Z][A-Z-]{0,31})*)\Z")
_WRITTEN = "~!$&'()*+,;=:@?%-._"
"""What a canonical path has in the open, and what patterns mean something by; everything else is written encoded."""
_SHOWN = "such as `GET /customers/*` or `POST,PUT /orders/**`"


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One pattern: methods (None is any), and its segments, None for `**`; `folded` are the same without case."""

    methods: frozenset[str] | None
    segments: tuple[Names | None, ...]
    folded: tuple[Names | None, ...]

    def match(self, method: str, path: str, *, broadly: bool) -> bool:
        """Whether it speaks of this request."""
        if self.methods is not None and (method.upper() if broadly else method) not in self.methods:
            return False
        if broadly:
            # Whatever lies below is meant too; the empty segment of a trailing slash lies below.
            segments = [_folded(segment) for segment in path.split("/")[1:]]
            return _fits(segments, self.folded, below=True) or any(
                _fits(stem, self.folded, below=True) for stem in _without_formats(segments)
            )
        return _fits(path.split("/")[1:], self.segments, below=False)


@dataclass(frozen=True, slots=True)
class Requests:
    """A compiled list of request patterns; those that began with `!` take away again."""

    positive: tuple[_Pattern, ...]
    negative: tuple[_Pattern, ...]

    def match(self, name: str, *, allows: bool) -> bool:
        """Whether a rule with these patterns speaks of a request; `allows` tells an allow from a hold or a block."""
        method, _, path = name.partition(" ")
        return any(item.match(method, path, broadly=not allows) for item in self.positive) and not any(
            item.match(method, path, broadly=allows) for item in self.negative
        )


def split_request(pattern: str) -> tuple[str, str]:
    """The methods and the path of a pattern. Raises ValueError, for people."""
    methods, blank, path = pattern.removeprefix("!").partition(" ")
    if not blank or not _METHODS.match(methods):
        message = f"expected methods in capitals, a blank and a path, {_SHOWN}"
        raise ValueError(message)
    if not path.startswith("/"):
        message = f"a path begins with `/`, {_SHOWN}; every path is `/**`"
        raise ValueError(message)
    if any(mark in path for mark in "\\#[") or not path.isprintable():
        message = "a path has no `\\`, `#` or `[`; `*`, `?` and `**` are all that a pattern knows"
        raise ValueError(message)
    segments = path.split("/")[1:]
    if any(segment in {".", ".."} for segment in segments) or "" in segments[:-1]:
        message = "a path is canonical: without `//`, `.` and `..`"
        raise ValueError(message)
    if any(ANY_DEPTH in segment and segment != ANY_DEPTH for segment in segments):
        message = "`**` stands alone between slashes: any number of segments"
        raise ValueError(message)
    if any(segment.startswith("!") for segment in segments):
        message = "a segment cannot begin with `!` here; write `?` for any one character"
        raise ValueError(message)
    return methods, path


def compile_requests(patterns: Iterable[str]) -> Requests:
    """Compile a list of patterns that `rules` has checked."""
    listed = list(patterns)
    return Requests(
        tuple(_compile(item) for item in listed if not item.startswith("!")),
        tuple(_compile(item) for item in listed if item.startswith("!")),
    )


def _compile(pattern: str) -> _Pattern:
    methods, path = split_request(pattern)
    segments = path.split("/")[1:]
    return _Pattern(
        None if methods == "*" else frozenset(methods.split(",")),
        tuple(_names(quote(segment, safe=_WRITTEN)) for segment in segments),
        tuple(_names(_folded(segment)) for segment in segments),
    )


def _names(segment: str) -> Names | None:
    return None if segment == ANY_DEPTH else compile_names([segment])


def _folded(segment: str) -> str:
    """One spelling for all that some target takes for one name."""
    if segment.isascii() and "%" not in segment:
        return segment.casefold()
    return unicodedata.normalize("NFKC", unquote(segment)).casefold()


def _without_formats(segments: list[str]) -> list[list[str]]:
    """The path as frameworks read it that take what follows a dot, at its end, for a format."""
    *above, last = segments if segments[-1] or len(segments) == 1 else segments[:-1]
    return [[*above, last.rpartition(".")[0]], [*above, last.partition(".")[0]]] if "." in last else []


def _fits(path: list[str], pattern: tuple[Names | None, ...], *, below: bool) -> bool:
    """Whether a pattern covers a path; with `below`, whether it covers it or something above it.

    After a `**`, what follows is tried at each place in turn; only the last `**` needs to be gone back to, because
    whatever an earlier one could take, the later one can as well.
    """
    at = place = 0
    back: tuple[int, int] | None = None
    while True:
        if place == len(pattern):
            if at == len(path) or below:
                return True
        elif pattern[place] is None:
            back = (place, at)
            place += 1
            continue
        elif at < len(path) and _segment(pattern[place], path[at], below=below):
            at, place = at + 1, place + 1
            continue
        if back is None or back[1] >= len(path):
            return False
        back = (back[0], back[1] + 1)
        place, at = back[0] + 1, back[1]


def _segment(names: Names | None, segment: str, *, below: bool) -> bool:
    """One segment: in an allow `*` is something, and never the nothing of a trailing slash."""
    assert names is not None
    return names.match(segment) and (bool(segment) or below or not names.everything)
