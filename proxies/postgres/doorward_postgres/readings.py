"""What messages say, read once: for the session that sent them, and for others whose messages say the same.

What it is: `Reading`, the analysis of one text with what was decided about it, and a table of them bounded in bytes.
What it will not do: read, decide, or know what a reading depends on: whoever keeps one gives a key that says all of it.

Invariant: what was decided for one session is never another's.
"""

import copy
import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from doorward_core.model import Action, Atom, Decision
from doorward_core.sql.analysis import StatementAnalysis

MAX_MEMORY_BYTES: Final = 4 * 1024 * 1024  # of statement text remembered for one session, or shared for one resource
ENTRY_BYTES: Final = 2_000  # what an analysis weighs besides its text, roughly


@dataclass(slots=True)
class Reading:
    """One message, read: the statements in it and, for each policy, what was decided about them before."""

    verb: str
    action: Action
    atoms: tuple[Atom, ...]
    analyses: tuple[StatementAnalysis, ...]
    complete: bool
    problem: str = ""
    absent: str = ""
    repeatable: bool = False  # remembered: it depends on its text, the search_path, the role and the view alone
    memo: dict[bytes, Decision] = field(default_factory=dict)
    # The part of the digest that is the same each time: text and session, by what of the session may change.
    digests: dict[tuple[object, ...], "hashlib._Hash"] = field(default_factory=dict)
    pure: bool = field(init=False)
    unseen: tuple[str, ...] = field(init=False)
    # What EXECUTE and FETCH run is not in their own text: `prepared p: PREPARE p AS ...`, a line for each name.
    stands_for: str = field(init=False)

    def __post_init__(self) -> None:
        named = dict.fromkeys(name for one in self.analyses for name in one.stands_for)
        self.stands_for = "\n".join(f"{kind} {name}: {text}" for kind, name, text in named)
        self.pure = self.complete and all(one.pure for one in self.analyses)
        copies_in = any(one.copy is not None and one.copy.end == "stdin" for one in self.analyses)
        self.unseen = ("copy-data",) if copies_in else ()

    def own(self) -> "Reading":
        """The same for another session: what was decided about it there is nothing to this one."""
        made = copy.copy(self)
        made.memo, made.digests = {}, {}
        return made


class Readings:
    """Readings by all that they depend on, bounded in bytes; the least recently used go first."""

    __slots__ = ("_bytes", "_known", "_limit")

    def __init__(self, limit: int = MAX_MEMORY_BYTES) -> None:
        self._limit = limit
        self._bytes = 0
        self._known: OrderedDict[tuple[object, ...], tuple[int, Reading]] = OrderedDict()

    def get(self, key: tuple[object, ...]) -> Reading | None:
        """What is known by this key."""
        found = self._known.get(key)
        if found is None:
            return None
        self._known.move_to_end(key)
        return found[1]

    def keep(self, key: tuple[object, ...], text: str, reading: Reading) -> None:
        """Remember it; `text` is what was read."""
        old = self._known.pop(key, None)
        size = len(text) + ENTRY_BYTES
        self._known[key] = (size, reading)
        self._bytes += size - (old[0] if old is not None else 0)
        while self._bytes > self._limit:
            self._bytes -= self._known.popitem(last=False)[1][0]
