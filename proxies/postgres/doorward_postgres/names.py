"""Prepared statements and portals, tracked as the server tracks them.

What it is: one table of names for each kind, in which every change is provisional until the server has acknowledged it.
What it will not do: decide anything, or hold a decision longer than the portal it was made for.

Source: PostgreSQL protocol, "Extended Query"; the attack that shaped it is names across Sync:
`Parse ""=delete; Sync; [failing batch, Parse ""=select]; Sync; Bind ""; Execute` runs the delete on a server whose
second Parse was skipped.

Invariants:
- A name that the server has not acknowledged is trusted only within the batch that made it.
  `settled` is False otherwise, and the machine waits until the line has drained.
- A change that the server skipped or refused is undone: the name then means what the server last acknowledged, or what
  was sent since.
- A portal keeps its own snapshot of its statement: replacing the statement does not change the portal.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

from doorward_core.model import Permit
from doorward_postgres.plan import Plan
from doorward_postgres.wire_decode import Field

MAX_NAMES = 10_000  # statement caches of ORMs hold hundreds; a client that wants more is refused, not remembered
MAX_NAMES_BYTES = 64 * 1024 * 1024  # of statement text and parameters held for one connection
ENTRY_BYTES: Final = 1_000  # what an entry weighs besides its text, roughly


@dataclass(slots=True)
class Prepared:
    """A statement that Parse (or PREPARE, `by_sql`) made.

    `described` says that the server has answered Describe for it; with `fields` None it then returns no rows.
    The server reads the text anew under another search_path or role, or once definitions have changed: a description
    holds for what it was made `under`, and says nothing of anything else.
    """

    text: str
    parameter_oids: tuple[int, ...] = ()
    fields: tuple[Field, ...] | None = None
    described: bool = False
    by_sql: bool = False
    under: tuple[object, ...] = ()

    @property
    def weight_bytes(self) -> int:
        """What keeping it costs."""
        return ENTRY_BYTES + len(self.text)


@dataclass(slots=True)
class Portal:
    """A statement bound to parameters, with the decision that was made for it."""

    prepared: Prepared
    permit: Permit
    result_formats: tuple[int, ...]
    plan: Plan
    batch: int
    fields: tuple[Field, ...] | None = None
    described: bool = False
    bytes_up: int = 0
    under: tuple[object, ...] = ()

    @property
    def weight_bytes(self) -> int:
        """What keeping it costs: its Bind, as it came and as it is shown to people."""
        return ENTRY_BYTES + 2 * self.bytes_up


class Weighed(Protocol):
    """What a name may stand for."""

    @property
    def weight_bytes(self) -> int:
        """What keeping it costs."""


T = TypeVar("T", bound=Weighed)


@dataclass(slots=True)
class Change(Generic[T]):
    """One provisional change of one name: what it became, and in which batch."""

    name: str
    new: T | None
    batch: int
    settled: bool = False


@dataclass(slots=True)
class NameTable(Generic[T]):
    """Names to things, each change provisional until `settle` or `undo`.

    What a name meant before is never copied into a change: a change that was itself undone must not come back with it.
    """

    entries: dict[str, T] = field(default_factory=dict)  # as far as we know, provisional changes included
    weight_bytes: int = 0  # of the entries
    _settled: dict[str, T] = field(default_factory=dict)  # what the server has acknowledged
    _pending: dict[int, Change[T]] = field(default_factory=dict)  # by identity, oldest first
    _by_name: dict[str, deque[Change[T]]] = field(default_factory=dict)  # oldest first

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def get(self, name: str) -> T | None:
        """The thing of that name as far as we know, provisional changes included."""
        return self.entries.get(name)

    def trusted(self, name: str, batch: int) -> bool:
        """Tell whether what `get` says can be relied on by a message in `batch`."""
        changes = self._by_name.get(name)
        return changes is None or changes[0].batch == batch  # the newest is of `batch` at most

    def unsettled(self, batch: int) -> bool:
        """Tell whether a name changed before `batch` without the server having acknowledged it."""
        oldest = next(iter(self._pending.values()), None)
        return oldest is not None and oldest.batch != batch

    def change(self, name: str, new: T | None, batch: int) -> Change[T]:
        """Set the name (None removes it), provisionally."""
        record = Change(name, new, batch)
        self._pending[id(record)] = record
        self._by_name.setdefault(name, deque()).append(record)
        self._put(name, new)
        return record

    def settle(self, change: Change[T]) -> None:
        """The server acknowledged this change."""
        change.settled = True
        self._drop(change)
        self.assign(change.name, change.new)

    def undo(self, change: Change[T]) -> None:
        """The server skipped or refused this change: the name means what it would mean without it."""
        self._drop(change)
        self._show(change.name)

    def assign(self, name: str, new: T | None) -> None:
        """Set a name that the server has acknowledged, by itself or by other means (SQL-level PREPARE, DECLARE)."""
        _put(self._settled, name, new)
        self._show(name)

    def keep_only(self, keep: set[str]) -> None:
        """Forget every name but these, and what those meant before changes that the server has not acknowledged."""
        kept = keep - self._by_name.keys()
        self._settled = {name: thing for name, thing in self._settled.items() if name in kept}
        for name in self.entries.keys() - keep:
            self._put(name, None)

    def pending_names(self) -> set[str]:
        """The names with a change that the server has not acknowledged."""
        return set(self._by_name)

    def _show(self, name: str) -> None:
        changes = self._by_name.get(name)
        self._put(name, changes[-1].new if changes else self._settled.get(name))

    def _put(self, name: str, thing: T | None) -> None:
        gone = self.entries.get(name)
        self.weight_bytes += (0 if thing is None else thing.weight_bytes) - (0 if gone is None else gone.weight_bytes)
        _put(self.entries, name, thing)

    def _drop(self, change: Change[T]) -> None:
        if self._pending.pop(id(change), None) is None:
            return
        changes = self._by_name[change.name]
        if changes[0] is change:
            changes.popleft()
        elif changes[-1] is change:
            changes.pop()
        else:
            self._by_name[change.name] = changes = deque(other for other in changes if other is not change)
        if not changes:
            del self._by_name[change.name]


def _put(names: dict[str, T], name: str, thing: T | None) -> None:
    if thing is None:
        names.pop(name, None)
    else:
        names[name] = thing
