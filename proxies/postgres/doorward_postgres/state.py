"""What a session has set that changes the meaning of its statements.

What it is: the search_path as the server holds it, with savepoint and rollback semantics; the names of temporary
relations made here; SQL-level cursors; and whether the open transaction has written.
What it will not do: parse (it is handed the effects that `doorward_core.sql` read off a statement), or guess.

Source: PostgreSQL documentation, SET ("if SET is issued within a transaction that is later aborted, the effects of the
SET command disappear when the transaction is rolled back"), SAVEPOINT, DECLARE.
Servers before 18 do not report search_path, so it is tracked here rather than asked for.

Invariant: an effect is applied only when the server has said that its statement completed.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from doorward_core.sql import session as sql
from doorward_core.sql.names import split_path

IDLE: Final = "I"
IN_TRANSACTION: Final = "T"
FAILED: Final = "E"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A cursor that DECLARE made: the text of that, the search_path it was read under, and whether COMMIT keeps it."""

    name: str
    text: str
    path: str
    hold: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a rollback restores. `local_path` is a SET LOCAL, which ends with the transaction."""

    search_path: str
    local_path: str | None = None
    cursors: tuple[Cursor, ...] = ()

    def without(self, cursor: str) -> "Snapshot":
        """The same, less one cursor."""
        return replace(self, cursors=tuple(one for one in self.cursors if one.name != cursor))

    def ended(self) -> "Snapshot":
        """What is left of it once its transaction has ended."""
        return replace(self, local_path=None, cursors=tuple(one for one in self.cursors if one.hold))


@dataclass(slots=True)
class SessionState:
    """The tracked state of one connection.

    `default_path` is the search_path that RESET returns to; `user` is what "$user" in it stands for.
    `role` is the SET ROLE in force. `wrote` says that the open transaction (or unsynced batch) may have changed
    something at the target. `uncertain` says that the catalogue may be behind what this session has done.
    """

    default_path: str
    user: str
    status: str = IDLE
    role: str = ""
    current: Snapshot = field(init=False)
    wrote: bool = False
    uncertain: bool = False
    temp_names: set[str] = field(default_factory=set)
    _begun: Snapshot | None = None
    _savepoints: list[tuple[str, Snapshot]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.current = Snapshot(self.default_path)

    @property
    def search_path(self) -> str:
        """The search_path in force, as the text of the setting."""
        local = self.current.local_path
        return self.current.search_path if local is None else local

    @property
    def settled(self) -> bool:
        """Tell whether neither COMMIT nor ROLLBACK would change the search_path."""
        if self.current.local_path is not None:
            return False
        return self._begun is None or self._begun.search_path == self.current.search_path

    @property
    def cursors(self) -> dict[str, str]:
        """SQL-level cursors that are open, with the text of their DECLARE.

        A cursor keeps the meaning that it was opened with: under another search_path its text would not say it.
        """
        path = self.search_path
        return {one.name: one.text for one in self.current.cursors if one.path == path}

    def forget_cursor(self, name: str) -> None:
        """Bind or Close has taken this name, which cursors share with portals."""
        if any(one.name == name for one in self.current.cursors):
            self.current = self.current.without(name)

    def path_elements(self) -> tuple[str, ...]:
        """The schemas of the search_path, "$user" resolved."""
        return path_elements(self.search_path, self.user)

    def apply(self, effect: sql.SessionEffect, tag: str) -> None:
        """Apply what a completed statement did; `tag` is the server's command tag.

        A COMMIT of a failed transaction completes with the tag ROLLBACK, and is one.
        """
        match effect:
            case sql.Begin() | sql.Commit() | sql.Rollback() | sql.Savepoint() | sql.Release() | sql.RollbackTo():
                self._transaction(effect, tag)
            case sql.SetSetting(name="search_path", value=value, local=local):
                self._set_path(value, local=local)
            case sql.SetSetting(name="role", value=value):
                self.role = value or ""
            case sql.ResetAll():
                self.current = replace(self.current, search_path=self.default_path, local_path=None)
            case sql.Discard(what=what):
                self._discard(what)
            case sql.Declare() | sql.CloseCursor():
                self._cursor(effect)
            case sql.MakeTemporary(name=name):
                self.temp_names.add(name)
                self.uncertain = True
            case sql.ChangeCatalog() | sql.Opaque():
                self.uncertain = True
            case _:
                pass  # names of prepared statements are the line's; channels change no meaning

    def reported_path(self, value: str) -> None:
        """ParameterStatus for search_path (servers from 18 on): the server's own word wins."""
        if value != self.search_path:
            self._set_path(value, local=self._begun is not None)

    def message_failed(self, before: Snapshot) -> None:
        """A message failed: outside an explicit transaction everything it did is undone."""
        if self._begun is None:
            self.current = before

    def ready(self, status: str) -> None:
        """ReadyForQuery: the server's own word on the transaction."""
        if status == IDLE and self._begun is not None:
            # The transaction ended without an effect that we read (a fatal error, a procedure): nothing it set holds.
            self._end(keep=False)
        if status != IDLE and self._begun is None:
            # Begun without a statement that we read as one: what holds now is what it began with.
            self._begun = self.current
        if status == IDLE:
            self.current = self.current.ended()
            self.wrote = False
        self.status = status

    def _cursor(self, effect: sql.Declare | sql.CloseCursor) -> None:
        match effect:
            case sql.Declare(cursor=name, text=text, hold=hold):
                made = Cursor(name, text, self.search_path, hold)
                self.current = replace(self.current, cursors=(*self.current.without(name).cursors, made))
            case sql.CloseCursor(name=None):
                self.current = replace(self.current, cursors=())
            case sql.CloseCursor(name=str() as gone):
                self.current = self.current.without(gone)

    def _transaction(self, effect: sql.SessionEffect, tag: str) -> None:
        match effect:
            case sql.Begin():
                self._begun = self._begun or self.current
            case sql.Commit(chain=chain):
                self._end(keep=tag != "ROLLBACK", chain=chain)
            case sql.Rollback(chain=chain):
                self._end(keep=False, chain=chain)
            case sql.Savepoint(name=name):
                self._savepoints.append((name, self.current))
            case sql.Release(name=name):
                self._release(name)
            case sql.RollbackTo(name=name):
                self._rollback_to(name)
            case _:
                pass

    def _end(self, *, keep: bool, chain: bool = False) -> None:
        if self._begun is not None and not keep:
            self.current = self._begun
        self.current = self.current.ended()
        self._begun = self.current if chain else None
        self._savepoints.clear()
        self.wrote = False

    def _release(self, name: str) -> None:
        for position in range(len(self._savepoints) - 1, -1, -1):
            if self._savepoints[position][0] == name:
                del self._savepoints[position:]
                return

    def _rollback_to(self, name: str) -> None:
        for position in range(len(self._savepoints) - 1, -1, -1):
            if self._savepoints[position][0] == name:
                self.current = self._savepoints[position][1]
                del self._savepoints[position + 1 :]
                return

    def _set_path(self, value: str | None, *, local: bool) -> None:
        path = self.default_path if value is None else value
        if local:
            self.current = replace(self.current, local_path=path)
        else:
            self.current = replace(self.current, search_path=path, local_path=None)

    def _discard(self, what: str) -> None:
        if what in {"ALL", "TEMP"}:
            self.temp_names.clear()
        if what == "ALL":
            self.role = ""
            self.current = Snapshot(self.default_path)


def path_elements(search_path: str, user: str) -> tuple[str, ...]:
    """The schemas that a search_path names, as the server reads it; none where it cannot be read."""
    return tuple(user if part == "$user" else part for part in split_path(search_path) or ())
