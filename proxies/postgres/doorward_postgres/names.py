"""Prepared statements and portals, tracked as the server tracks them.

What it is: one table of names for each kind, in which every change is provisional until the server has acknowledged it.
What it will not do: decide anything, or hold a decision longer than the portal it was made for.

Source: PostgreSQL protocol, "Extended Query"; the attack that shaped it is DESIGN 14.2 (names across Sync):
`Parse ""=delete; Sync; [failing batch, Parse ""=select]; Sync; Bind ""; Execute` runs the delete on a server whose
second Parse was skipped.

Invariants:
- A name that the server has not acknowledged is trusted only within the batch that made it.
  `settled` is False otherwise, and the machine waits until the line has drained.
- A change that the server skipped or refused is undone, newest first.
- A portal keeps its own snapshot of its statement: replacing the statement does not change the portal.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from doorward_core.model import Permit
from doorward_postgres.plan import Plan
from doorward_postgres.wire_decode import Field

MAX_NAMES = 10_000  # statement caches of ORMs hold hundreds; a client that wants more is refused, not remembered
MAX_NAMES_BYTES = 64 * 1024 * 1024  # of statement text held for one connection


@dataclass(slots=True)
class Prepared:
    """A statement that Parse (or PREPARE, `by_sql`) made.

    `described` says that the server has answered Describe for it; with `fields` None it then returns no rows.
    """

    text: str
    parameter_oids: tuple[int, ...] = ()
    fields: tuple[Field, ...] | None = None
    described: bool = False
    by_sql: bool = False


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


T = TypeVar("T")


@dataclass(slots=True)
class Change(Generic[T]):
    """One provisional change of one name: what it became, what it was, and in which batch."""

    name: str
    new: T | None
    old: T | None
    batch: int
    settled: bool = False


@dataclass(slots=True)
class NameTable(Generic[T]):
    """Names to things, each change provisional until `settle` or `undo`."""

    entries: dict[str, T] = field(default_factory=dict)
    _pending: dict[int, Change[T]] = field(default_factory=dict)  # by identity, oldest first
    _by_name: dict[str, list[Change[T]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def get(self, name: str) -> T | None:
        """The thing of that name as far as we know, provisional changes included."""
        return self.entries.get(name)

    def trusted(self, name: str, batch: int) -> bool:
        """Tell whether what `get` says can be relied on by a message in `batch`."""
        return all(change.batch == batch for change in self._by_name.get(name, ()))

    def unsettled(self, batch: int) -> bool:
        """Tell whether a name changed before `batch` without the server having acknowledged it."""
        oldest = next(iter(self._pending.values()), None)
        return oldest is not None and oldest.batch != batch

    def change(self, name: str, new: T | None, batch: int) -> Change[T]:
        """Set the name (None removes it), provisionally."""
        record = Change(name, new, self.entries.get(name), batch)
        self._put(name, new)
        self._pending[id(record)] = record
        self._by_name.setdefault(name, []).append(record)
        return record

    def settle(self, change: Change[T]) -> None:
        """The server acknowledged this change."""
        change.settled = True
        self._drop(change)

    def undo(self, change: Change[T]) -> None:
        """The server skipped or refused this change; call newest first."""
        self._drop(change)
        if self.entries.get(change.name) is change.new:
            self._put(change.name, change.old)

    def assign(self, name: str, new: T | None) -> None:
        """Set a name that the server has acknowledged by other means (SQL-level PREPARE, DECLARE)."""
        self._put(name, new)

    def keep_only(self, keep: set[str]) -> None:
        """Forget every name but these."""
        self.entries = {name: thing for name, thing in self.entries.items() if name in keep}

    def pending_names(self) -> set[str]:
        """The names with a change that the server has not acknowledged."""
        return set(self._by_name)

    def _drop(self, change: Change[T]) -> None:
        if self._pending.pop(id(change), None) is None:
            return
        left = [other for other in self._by_name[change.name] if other is not change]
        if left:
            self._by_name[change.name] = left
        else:
            del self._by_name[change.name]

    def _put(self, name: str, thing: T | None) -> None:
        if thing is None:
            self.entries.pop(name, None)
        else:
            self.entries[name] = thing
