"""Facts: what `when: {"query.limit": ["10", "20"]}` looks at beside the target.

What it is: patterns over the facts of an operation: named values that belong to the whole of it, whatever the protocol
(`query.limit`, `header.x-tenant`, `body.$.status`).
What it will not do: find them. An enforcement point is told which ones policy asks for, and says what it found.

Invariants: pure. A fact that is missing from what was found is not known; a fact without values is known to be absent.
In an allow every value of every key must match, and there must be one; in a hold or a block one value of each key is
enough, and what is not known counts as a match. So a doubt never loosens.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from doorward_core.policy.glob import Names, compile_names

Facts: TypeAlias = Mapping[str, tuple[str, ...]]

_KEY = re.compile(r"[a-z][a-z0-9_-]{0,31}(?:\.[^\s.][^\n]{0,199})?\Z")


@dataclass(frozen=True, slots=True)
class When:
    """A compiled `when`."""

    keys: tuple[tuple[str, Names], ...]

    def match(self, facts: Facts, *, allows: bool) -> bool:
        """Whether a rule with this condition speaks of an operation with these facts."""
        if allows:
            return all(_all(names, facts.get(key, ())) for key, names in self.keys)
        return all(key not in facts or names.any(facts[key]) for key, names in self.keys)


def _all(names: Names, values: tuple[str, ...]) -> bool:
    return bool(values) and all(names.match(value) for value in values)


def is_fact(key: str) -> bool:
    """Whether a key has the form of a fact's name: a family, and mostly a dot and a name within it."""
    return _KEY.match(key) is not None and key.isprintable()


def compile_when(when: Mapping[str, tuple[str, ...]]) -> When:
    """Compile a condition that `rules` has checked."""
    return When(tuple((key, compile_names(patterns)) for key, patterns in sorted(when.items())))
