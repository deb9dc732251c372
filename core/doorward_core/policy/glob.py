"""Name patterns: what `tables: ["public.*", "!public.salary"]` matches.

What it is: patterns with `*` (any run of characters, dots included) and `?` (one character); everything else stands for
itself. A pattern that begins with `!` takes away again what the others match.

What it will not do: fold case, resolve names or read character classes. Names come canonical from whoever analysed the
operation; a part that holds a dot comes quoted (`"odd.schema".table`), so that `public.*` cannot be met by a schema
that is called `public.x`.

Invariants: pure; linear in the length of the name for hostile names (atomic groups, no backtracking across stars).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_WILD = re.compile(r"[*?]")


def _regex(pattern: str) -> str:
    """The regular expression of one wild pattern.

    Each run between stars is matched at its first place and never again (`(?>.*?run)`): leftmost is always right for
    all runs but the last, which is anchored at the end.
    """
    runs = ["".join("." if c == "?" else re.escape(c) for c in run) for run in re.sub(r"\*+", "*", pattern).split("*")]
    if len(runs) == 1:
        return runs[0]
    middle = "".join(f"(?>.*?{run})" for run in runs[1:-1] if run)
    return f"{runs[0]}{middle}.*{runs[-1]}"


@dataclass(frozen=True, slots=True)
class Names:
    """A compiled list of patterns. `everything` is true where any name at all matches."""

    exact: frozenset[str]
    wild: re.Pattern[str] | None
    without_exact: frozenset[str]
    without_wild: re.Pattern[str] | None
    everything: bool
    positive: tuple[str, ...]

    def match(self, name: str) -> bool:
        """Whether this name is meant."""
        if self.everything:
            return True
        if name not in self.exact and (self.wild is None or self.wild.fullmatch(name) is None):
            return False
        return name not in self.without_exact and (
            self.without_wild is None or self.without_wild.fullmatch(name) is None
        )

    def any(self, names: Iterable[str]) -> bool:
        """Whether one of these names is meant."""
        return any(self.match(name) for name in names)

    def below(self, prefix: str) -> bool:
        """Whether some name that begins with `prefix.` could be meant; exceptions are not looked at."""
        return self.everything or any(_reaches(pattern, prefix + ".") for pattern in self.positive)


def _reaches(pattern: str, prefix: str) -> bool:
    """Whether a pattern can match some text that begins with `prefix` and goes on.

    The places in the pattern that reading the prefix can lead to are followed side by side; whatever is left of the
    pattern then can be met by some text.
    """
    places = _past_stars(pattern, {0})
    for char in prefix:
        places = _past_stars(
            pattern,
            {place if pattern[place] == "*" else place + 1 for place in places if _takes(pattern, place, char)},
        )
    return any(place < len(pattern) for place in places)


def _takes(pattern: str, place: int, char: str) -> bool:
    return place < len(pattern) and pattern[place] in {"*", "?", char}


def _past_stars(pattern: str, places: set[int]) -> set[int]:
    """A star may also stand for nothing."""
    found = set(places)
    for place in places:
        after = place
        while after < len(pattern) and pattern[after] == "*":
            after += 1
            found.add(after)
    return found


def compile_names(patterns: Iterable[str]) -> Names:
    """Compile a list of patterns; without a positive one, nothing matches."""
    listed = list(patterns)
    positive = [item for item in listed if not item.startswith("!")]
    negative = [item[1:] for item in listed if item.startswith("!")]
    return Names(
        frozenset(item for item in positive if not _WILD.search(item)),
        _wild(positive),
        frozenset(item for item in negative if not _WILD.search(item)),
        _wild(negative),
        "*" in positive and not negative,
        tuple(positive),
    )


def _wild(patterns: list[str]) -> re.Pattern[str] | None:
    parts = [_regex(item) for item in patterns if _WILD.search(item)]
    return re.compile("|".join(f"(?:{part})" for part in parts), re.DOTALL) if parts else None
