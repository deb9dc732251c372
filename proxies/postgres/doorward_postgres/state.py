"""What a session has set that changes the meaning of its statements.

What it is: the search_path and the role as the server holds them, with the semantics of transactions and savepoints;
the names of temporary relations made here; SQL-level cursors; and whether the open transaction has written.
What it will not do: parse (it is handed the effects that `doorward_core.sql` read off a statement), or guess.

Source: PostgreSQL documentation, SET ("if SET is issued within a transaction that is later aborted, the effects of the
SET command disappear when the transaction is rolled back"), SAVEPOINT, DECLARE; protocol, "Multiple Statements in a
Simple Query" and "Pipelining": statements between two ReadyForQuery share one implicit transaction, which a BEGIN among
them takes over, a COMMIT ends, and a ROLLBACK or an error undoes.
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
    """A cursor that DECLARE made: the text of that, what it was read under, and whether COMMIT keeps it."""

    name: str
    text: str
    meaning: tuple[str, str]
    hold: bool


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its value for the session, and that of a SET LOCAL, which ends with the transaction."""

    session: str
    local: str | None = None

    @property
    def now(self) -> str:
        """The value in force."""
        return self.session if self.local is None else self.local

    def put(self, value: str, *, local: bool) -> "Setting":
        """SET or SET LOCAL."""
        return Setting(self.session, value) if local else Setting(value)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a rollback restores."""

    search_path: Setting
    role: Setting = Setting("")
    authorization: Setting = Setting("")
    cursors: tuple[Cursor, ...] = ()

    def without(self, cursor: str) -> "Snapshot":
        """The same, less one cursor."""
        return replace(self, cursors=tuple(one for one in self.cursors if one.name != cursor))

    def ended(self) -> "Snapshot":
        """What is left of it once its transaction has ended: the very same where nothing in it ends then."""
        local = (
            self.search_path.local is not None or self.role.local is not None or self.authorization.local is not None
        )
        if not local and all(one.hold for one in self.cursors):
            return self
        return Snapshot(
            Setting(self.search_path.session),
            Setting(self.role.session),
            Setting(self.authorization.session),
            tuple(one for one in self.cursors if one.hold),
        )


@dataclass(slots=True)
class SessionState:
    """The tracked state of one connection.

    `default_path` is the search_path that RESET returns to; `user` is what "$user" in it stands for, until SET ROLE.
    `wrote` says that the open transaction (or unsynced batch) may have changed something at the target.
    `uncertain` says that the catalogue may be behind what this session has done.
    """

    default_path: str
    user: str
    status: str = IDLE
    current: Snapshot = field(init=False)
    wrote: bool = False
    uncertain: bool = False
    temp_names: set[str] = field(default_factory=set)
    _base: Snapshot = field(init=False)  # what a rollback of the transaction under way, implicit or not, returns to
    _explicit: bool = False  # a transaction block is open
    _savepoints: list[tuple[str, Snapshot]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.current = self._base = Snapshot(Setting(self.default_path))

    @property
    def search_path(self) -> str:
        """The search_path in force, as the text of the setting."""
        return self.current.search_path.now

    @property
    def role(self) -> str:
        """The role in force: of SET SESSION AUTHORIZATION and of SET ROLE; "" where neither was used."""
        return "/".join(part for part in (self.current.authorization.now, self.current.role.now) if part)

    @property
    def meaning(self) -> tuple[str, str]:
        """What names are read under: the search_path, and the role, for which "$user" in it may stand."""
        return self.search_path, self.role

    @property
    def settled(self) -> bool:
        """Tell whether neither COMMIT nor ROLLBACK would change the search_path."""
        path = self.current.search_path
        return path.local is None and path.session == self._base.search_path.session

    @property
    def provisional(self) -> bool:
        """Tell whether the end of an implicit transaction, or an error in it, would change what names mean.

        In a transaction block it takes a COMMIT or ROLLBACK, whose effects are waited for; after an error there,
        nothing else runs.
        """
        return not self._explicit and self.current != self._base

    @property
    def cursors(self) -> dict[str, str]:
        """SQL-level cursors that are open, with the text of their DECLARE.

        A cursor keeps the meaning that it was opened with: under another search_path its text would not say it.
        """
        meaning = self.meaning
        return {one.name: one.text for one in self.current.cursors if one.meaning == meaning}

    @property
    def kept_cursors(self) -> int:
        """How many cursors are open."""
        return len(self.current.cursors)

    @property
    def kept_bytes(self) -> int:
        """What they weigh."""
        return sum(len(one.text) for one in self.current.cursors)

    def forget_cursor(self, name: str) -> None:
        """Bind or Close has taken this name, which cursors share with portals."""
        if any(one.name == name for one in self.current.cursors):
            self.current = self.current.without(name)

    def path_elements(self) -> tuple[str, ...]:
        """The schemas of the search_path, "$user" resolved: it is the role in force, not who logged in."""
        current = self.current
        return path_elements(self.search_path, current.role.now or current.authorization.now or self.user)

    def apply(self, effect: sql.SessionEffect, tag: str) -> None:
        """Apply what a completed statement did; `tag` is the server's command tag.

        A COMMIT of a failed transaction completes with the tag ROLLBACK, and is one.
        """
        match effect:
            case sql.Begin() | sql.Commit() | sql.Rollback() | sql.Savepoint() | sql.Release() | sql.RollbackTo():
                self._transaction(effect, tag)
            case sql.SetSetting(name="search_path", value=value, local=local):
                self._set_path(value, local=local)
            case sql.SetSetting(name="role", value=value, local=local):
                chosen = "" if value is None or value == "none" else value
                self.current = replace(self.current, role=self.current.role.put(chosen, local=local))
            case sql.SetSetting(name="session_authorization", value=value, local=local):
                authorization = self.current.authorization.put(value or "", local=local)
                # It takes the place of a role that was set before (SetSessionAuthorization in miscinit.c).
                role = self.current.role.put("", local=local)
                self.current = replace(self.current, authorization=authorization, role=role)
            case sql.ResetAll():
                self._set_path(None, local=False)
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
            self._set_path(value, local=self._explicit)
            if not self._explicit:
                # Said at the end of a message, or when an administrator changed it: no rollback takes it back.
                self._base = replace(self._base, search_path=self.current.search_path)

    def message_failed(self) -> None:
        """A message failed: what its transaction did is undone, but for what ROLLBACK TO may bring back."""
        self.current = self._base

    def ready(self, status: str) -> None:
        """ReadyForQuery: the server's own word on the transaction."""
        if status == IDLE and self._explicit:
            # The block ended without an effect that we read (a fatal error, a procedure): nothing it set holds.
            self._end(keep=False)
        self._explicit = status != IDLE
        if status == IDLE:
            self.current = self._base = self.current.ended()
            self.wrote = False
        self.status = status

    def _cursor(self, effect: sql.Declare | sql.CloseCursor) -> None:
        match effect:
            case sql.Declare(cursor=name, text=text, hold=hold):
                made = Cursor(name, text, self.meaning, hold)
                self.current = replace(self.current, cursors=(*self.current.without(name).cursors, made))
            case sql.CloseCursor(name=None):
                self.current = replace(self.current, cursors=())
            case sql.CloseCursor(name=str() as gone):
                self.current = self.current.without(gone)

    def _transaction(self, effect: sql.SessionEffect, tag: str) -> None:
        match effect:
            case sql.Begin():
                self._explicit = True
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
        self.current = self._base = (self.current if keep else self._base).ended()
        self._explicit = chain
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
        path = self.current.search_path.put(self.default_path if value is None else value, local=local)
        self.current = replace(self.current, search_path=path)

    def _discard(self, what: str) -> None:
        if what in {"ALL", "TEMP"}:
            self.temp_names.clear()
        if what == "ALL":
            # It cannot run inside a transaction, and commits by itself.
            self.current = self._base = Snapshot(Setting(self.default_path))


def path_elements(search_path: str, user: str) -> tuple[str, ...]:
    """The schemas that a search_path names, as the server reads it; none where it cannot be read."""
    return tuple(user if part == "$user" else part for part in split_path(search_path) or ())
