"""The index, brought up to its logs, or made anew from them.

What it is: `update`, which goes on where each log was read last; `rebuild`, which begins from nothing; `status`.
What it will not do: prove a log (`doorward verify` does), or show what no checkpoint covers yet: such entries wait for
the next one, a second away.

Before it goes on, it looks whether the entry that it read last is still the same one (the hash of its leaf). Where it
is not, the log was replaced, cut or altered, and everything is built again, and that is said; so it is after an
erasure. What the log calls erased is left out of what is built, whether its key is gone by then or not.

Crash notes: an update is a row of transactions, each of which ends behind a whole event together with the mark where
to go on. A rebuild works beside the index and takes its place in one transaction.
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from doorward_console.index import schema
from doorward_console.index.collect import Collector
from doorward_console.index.schema import IndexProblem
from doorward_console.index.write import Writer
from doorward_core.errors import RecordError
from doorward_core.record.reader import LogReader

BATCH_EVENTS: Final = 5_000
"""Of a transaction: readers see what is new after a fraction of a second, and memory stays small."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Source:
    """A log to be read. `name` is what its owner calls it; `identities` open what is sealed.

    `archive` gives files of its archive, for entries that were freed here.
    """

    name: str
    folder: Path
    identities: tuple[object, ...] = ()
    keys_folder: Path | None = None
    archive: Callable[[str], bytes | None] | None = None

    def reader(self) -> LogReader:
        """Its reader; RecordError where there is no log."""
        return LogReader(self.folder, self.identities, keys_folder=self.keys_folder, archive=self.archive)

    def begins(self) -> int:
        """The first entry that can be read: freed ones can where the archive is named. RecordError."""
        return 0 if self.archive is not None else self.reader().freed


@dataclass(frozen=True, slots=True)
class LogStatus:
    """How far one log is in the index. `size` is what its checkpoint covers; `problem` why it could not be read.

    Of the first `absent` entries some, or all, are not in it: they were freed before it read them, and no archive of
    them is named.
    """

    name: str
    origin: str
    indexed: int
    size: int
    updated_unix_ns: int = 0
    newest_unix_ns: int = 0
    problem: str = ""
    absent: int = 0

    @property
    def words(self) -> str:
        """What is missing in it, for people; empty where nothing is."""
        archived = f"of {self.name}'s log the first {self.absent:,} entries are in its archive, and not in the index"
        return f"{archived}: name the archive to search them" if self.absent else ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an update did. `rebuilt` says why everything was built again, and is empty where it was not."""

    logs: tuple[LogStatus, ...]
    events: int
    seconds: float
    rebuilt: str = ""


class _Erased(Exception):
    """Content that was read turned out to be erased, further on in the log."""

    def __init__(self, sessions: set[bytes]) -> None:
        super().__init__("content was erased")
        self.sessions = sessions


class Inconsistent(Exception):
    """A log is not the one that was indexed, or content was erased: the index has to be built again."""


def update(path: Path, sources: Sequence[Source], progress: Progress | None = None) -> Outcome:
    """Bring the index up to the logs' checkpoints; RecordError where a log cannot be read."""
    with _alone(path):
        if not path.exists():
            return _rebuilt(path, sources, "", progress)
        try:
            connection = schema.open_to_write(path)
        except (IndexProblem, sqlite3.DatabaseError) as error:
            return _rebuilt(path, sources, str(error), progress)
        begun = time.monotonic()
        try:
            events = _read(connection, sources, progress, begun_with=_known(connection))
            return Outcome(_statuses(connection, sources), events, time.monotonic() - begun)
        except (Inconsistent, sqlite3.DatabaseError) as error:
            why = str(error)
        finally:
            connection.close()
        return _rebuilt(path, sources, why, progress)


def rebuild(path: Path, sources: Sequence[Source], progress: Progress | None = None) -> Outcome:
    """Throw the index away and make it anew."""
    with _alone(path):
        return _rebuilt(path, sources, "it was asked for", progress)


def status(path: Path, sources: Sequence[Source]) -> tuple[LogStatus, ...]:
    """How far the index is, log by log."""
    with schema.reading(path) as connection:
        return _statuses(connection, sources)


def _rebuilt(path: Path, sources: Sequence[Source], why: str, progress: Progress | None) -> Outcome:
    begun = time.monotonic()
    beside = path.with_name(f"{path.name}.new")
    forget: frozenset[bytes] = frozenset()
    while True:
        schema.remove(beside)
        made = schema.create(beside, throwaway=True)
        try:
            events = _read(made, sources, progress, begun_with={}, forget=forget)
            made.execute("INSERT INTO search (search) VALUES ('optimize')")
            _take_its_place(made, path)
            return Outcome(_statuses(made, sources), events, time.monotonic() - begun, why)
        except _Erased as erased:
            forget |= erased.sessions  # it is named behind what it is about: once more, without
        finally:
            made.close()
            schema.remove(beside)


def _take_its_place(made: sqlite3.Connection, path: Path) -> None:
    """Copy it over the one that is there: readers see the old one until all of the new one is there."""
    try:
        there = schema.open_to_write(path)
    except (IndexProblem, sqlite3.DatabaseError):
        schema.remove(path)  # it was no index that anybody could read
        there = schema.create(path)
    try:
        made.backup(there)
        there.execute("PRAGMA journal_mode = WAL")
        there.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        there.close()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One writer at a time, whoever it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_CREAT | os.O_RDWR, schema.OWNER_ONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise IndexProblem(f"somebody else is at work on the index at {path}; try again") from error
    try:
        yield
    finally:
        os.close(descriptor)


# --- reading logs -----------------------------------------------------------------------------------------------------

Known = dict[str, tuple[int, bytes]]  # origin -> the entry to go on with, the leaf before that


def _known(connection: sqlite3.Connection) -> Known:
    return {row[0]: row[1:] for row in connection.execute("SELECT origin, next, leaf FROM origins")}


def _read(
    connection: sqlite3.Connection,
    sources: Sequence[Source],
    progress: Progress | None,
    *,
    begun_with: Known,
    forget: frozenset[bytes] = frozenset(),
) -> int:
    """Read every log up to its checkpoint; the number of events that were new."""
    readers = [(source, source.reader()) for source in sources]
    marks = [(source, reader, reader.checkpoint()) for source, reader in readers]
    origins = [mark.origin for _, _, mark in marks if mark is not None]
    gone = set(begun_with) - set(origins)
    if gone:
        raise Inconsistent(f"the log of {', '.join(sorted(gone))} is not given any more")
    if len(set(origins)) != len(origins):
        raise IndexProblem("two of the logs have one origin: each gateway needs a name of its own")
    whole = sum(mark.size for _, _, mark in marks if mark is not None)
    done = sum(place for place, _ in begun_with.values())
    events = 0
    for source, reader, mark in marks:
        if mark is None:
            continue
        place, leaf = begun_with.get(mark.origin, (0, b""))
        if place > mark.size or (place and reader.leaf(place - 1) != leaf):
            raise Inconsistent(f"the log of {mark.origin} is not the one that was indexed: it was cut, or replaced")
        log = _Log(connection, source, reader, mark.origin, forget=forget)
        for count, at in log.read(mark.size, anew=not begun_with):
            events += count
            if progress is not None:
                progress(done + at - place, whole)
        if log.erased:
            raise _Erased(log.erased)
        done += mark.size - place
    return events


class _Log:
    """One log on its way into the index."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        source: Source,
        reader: LogReader,
        origin: str,
        *,
        forget: frozenset[bytes] = frozenset(),
    ) -> None:
        self._db = connection
        self._reader = reader
        row = connection.execute("SELECT id, next FROM origins WHERE origin = ?", (origin,)).fetchone()
        number: int
        self._place: int
        number, self._place = row or (0, 0)
        begins = source.begins()
        if 0 < self._place < begins:  # freed before they were read: nobody may say any more that all is here
            connection.execute("DELETE FROM events WHERE origin = ? AND at = 0", (number,))
        self._place = max(self._place, begins)
        if not number:
            made = connection.execute(
                "INSERT INTO origins (origin, folder, next, leaf, updated_ns, newest_ns) VALUES (?, ?, 0, x'', 0, 0)",
                (origin, str(source.folder)),
            )
            number = made.lastrowid or 0
        self._number = number
        self._writer = Writer(connection, number, origin)
        self._collector = Collector(self._writer.open_sessions(), self._writer.unfinished(), forget=forget)
        self.erased: set[bytes] = set()

    def read(self, size: int, *, anew: bool) -> Iterator[tuple[int, int]]:
        """Read to `size`, batch by batch: how many events each has, and where the next begins."""
        count, newest = 0, 0
        for entry in self._reader.entries(self._place) if self._place < size else ():
            if entry.index + entry.parts > size:
                break
            self._collector.feed(entry)
            count, newest, self._place = count + 1, entry.time_unix_ns, entry.index + entry.parts
            if count >= BATCH_EVENTS:
                self._commit(newest, anew=anew)
                yield count, self._place
                count = 0
        if count:
            self._commit(newest, anew=anew)
            yield count, self._place

    def _commit(self, newest_ns: int, *, anew: bool) -> None:
        batch = self._collector.take()
        if batch.erased and not anew:
            raise Inconsistent("content was erased: nothing of it may be left in the index")
        self.erased |= batch.erased & self._collector.readable
        leaf = self._reader.leaf(self._place - 1)
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._writer.write(batch)
            self._db.execute(
                "UPDATE origins SET next = ?, leaf = ?, updated_ns = ?, newest_ns = ? WHERE id = ?",
                (self._place, leaf, time.time_ns(), newest_ns, self._number),
            )
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _statuses(connection: sqlite3.Connection, sources: Sequence[Source]) -> tuple[LogStatus, ...]:
    rows = connection.execute("SELECT origin, next, updated_ns, newest_ns FROM origins")
    known = {row[0]: row[1:] for row in rows}
    whole = {row[0] for row in connection.execute(_FROM_THE_FIRST)}
    return tuple(_status(source, known, whole) for source in sources)


_FROM_THE_FIRST: Final = "SELECT o.origin FROM origins o JOIN events e ON e.origin = o.id WHERE e.at = 0"
"""Every log begins with an event of its own (`log.opened`): who has it has all that came then."""


def _status(source: Source, known: dict[str, tuple[int, int, int]], whole: set[str]) -> LogStatus:
    try:
        mark, begins = source.reader().checkpoint(), source.begins()
    except (RecordError, OSError) as error:
        return LogStatus(source.name, "", 0, 0, problem=str(error))
    if mark is None:
        return LogStatus(source.name, "", 0, 0, problem="it has no checkpoint yet")
    place, updated, newest = known.get(mark.origin, (0, 0, 0))
    absent = begins if place and mark.origin not in whole else 0
    return LogStatus(source.name, mark.origin, place, mark.size, updated, newest, absent=absent)
