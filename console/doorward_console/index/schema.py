"""The index's file: its tables, and how it is opened to be written or read.

What it is: SQLite (ADR 20) with everything that a search needs, made from event logs and from nothing else.
What it will not do: be evidence. The log is the truth; the index can be thrown away and built again at any time.

The number of an operation, and of a session, is its time in microseconds, moved on by one where that is taken: so that
rows lie in the order of time whatever log they came from, and newest first needs no sorting.

Invariants: the file is its owner's alone (it holds in the clear what a log may have sealed); a reader writes nothing;
a file of another version is never read, but built again.
"""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

VERSION: Final = 1
APPLICATION: Final = 0x44574958  # "DWIX", in the file's header
OWNER_ONLY: Final = stat.S_IRUSR | stat.S_IWUSR
MAP_BYTES: Final = 1 << 30  # of the file are read through the page cache, without a copy
CACHE_KIB: Final = 32 * 1024
BUSY_MS: Final = 5_000

TABLES: Final = """
CREATE TABLE origins (
  id INTEGER PRIMARY KEY, origin TEXT NOT NULL UNIQUE, folder TEXT NOT NULL, next INTEGER NOT NULL, leaf BLOB NOT NULL,
  updated_ns INTEGER NOT NULL, newest_ns INTEGER NOT NULL
);
CREATE TABLE principals (
  id INTEGER PRIMARY KEY, subject TEXT NOT NULL, issuer TEXT NOT NULL, kind TEXT NOT NULL, sponsor TEXT NOT NULL,
  UNIQUE (subject, issuer, kind, sponsor)
);
CREATE TABLE places (
  id INTEGER PRIMARY KEY, resource TEXT NOT NULL, protocol TEXT NOT NULL, account TEXT NOT NULL,
  UNIQUE (resource, protocol, account)
);
CREATE TABLE sessions (
  id INTEGER PRIMARY KEY, origin INTEGER NOT NULL, session BLOB, at INTEGER NOT NULL, opened_ns INTEGER NOT NULL,
  closed_ns INTEGER NOT NULL, state TEXT NOT NULL, who INTEGER NOT NULL, place INTEGER NOT NULL,
  permitted INTEGER NOT NULL, denied INTEGER NOT NULL, held INTEGER NOT NULL, rows INTEGER NOT NULL,
  masked INTEGER NOT NULL
);
CREATE UNIQUE INDEX sessions_by_name ON sessions (session) WHERE session IS NOT NULL;
CREATE INDEX sessions_open ON sessions (state, id) WHERE state = 'open';
CREATE TABLE session_words (id INTEGER PRIMARY KEY, about TEXT NOT NULL);
CREATE TABLE operations (
  id INTEGER PRIMARY KEY, session INTEGER NOT NULL, origin INTEGER NOT NULL, operation BLOB NOT NULL,
  at INTEGER NOT NULL, at_ns INTEGER NOT NULL, seq INTEGER NOT NULL, who INTEGER NOT NULL, place INTEGER NOT NULL,
  action TEXT NOT NULL, verb TEXT NOT NULL, verdict TEXT NOT NULL, request TEXT NOT NULL, status TEXT NOT NULL,
  code TEXT NOT NULL, rows INTEGER NOT NULL, masked INTEGER NOT NULL, duration_ns INTEGER NOT NULL
);
CREATE INDEX operations_of ON operations (session, id);
CREATE INDEX operations_held ON operations (request, id) WHERE request <> '';
CREATE TABLE words (
  id INTEGER PRIMARY KEY, text TEXT, parameters TEXT NOT NULL, rules TEXT NOT NULL, touched TEXT NOT NULL,
  about TEXT NOT NULL
);
CREATE VIRTUAL TABLE search USING fts5 (
  text, parameters, about, facets, content = '', tokenize = "unicode61 remove_diacritics 2", columnsize = 0
);
CREATE TABLE unfinished (operation BLOB PRIMARY KEY, origin INTEGER NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE requests (
  request TEXT NOT NULL, origin INTEGER NOT NULL, operation INTEGER NOT NULL, session BLOB NOT NULL,
  asked_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL, needs TEXT NOT NULL, state TEXT NOT NULL,
  ended_ns INTEGER NOT NULL, why TEXT NOT NULL, PRIMARY KEY (request, origin)
) WITHOUT ROWID;
CREATE TABLE votes (
  origin INTEGER NOT NULL, at INTEGER NOT NULL, request TEXT NOT NULL, cast_ns INTEGER NOT NULL,
  approver TEXT NOT NULL, issuer TEXT NOT NULL, verdict TEXT NOT NULL, proof TEXT NOT NULL, counted INTEGER NOT NULL,
  why TEXT NOT NULL, said TEXT, PRIMARY KEY (origin, at)
) WITHOUT ROWID;
CREATE INDEX votes_on ON votes (request, origin, at);
CREATE TABLE events (
  origin INTEGER NOT NULL, at INTEGER NOT NULL, at_ns INTEGER NOT NULL, kind TEXT NOT NULL, session BLOB,
  about TEXT NOT NULL, PRIMARY KEY (origin, at)
) WITHOUT ROWID;
CREATE INDEX events_by_time ON events (at_ns, origin, at);
"""


class IndexProblem(Exception):
    """There is no index, it is another version's, or it cannot be read; the words say what to do."""


def create(path: Path, *, throwaway: bool = False) -> sqlite3.Connection:
    """Make an empty index at `path`, where there is nothing; `throwaway` for one that a crash may lose."""
    _touch(path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
        if throwaway
        else "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
    )
    connection.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    _settle(connection)
    return connection


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open an index that is there; IndexProblem where it is none, or another version's."""
    if not path.is_file():
        raise IndexProblem(f"there is no index at {path}")
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
    try:
        check(connection, path)
        connection.execute("PRAGMA synchronous = NORMAL")
    except (sqlite3.Error, IndexProblem):
        connection.close()
        raise
    _settle(connection)
    return connection


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open it to be read; whatever is asked, nothing is written."""
    if not path.is_file():
        raise IndexProblem(f"there is no index at {path}: `doorward index update` makes one")
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_MS / 1000)
    try:
        check(connection, path)
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA mmap_size = {MAP_BYTES}")
        yield connection
    except sqlite3.DatabaseError as error:
        raise _told(error, path) from error
    finally:
        connection.close()


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise IndexProblem unless it is an index of this version."""
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
    except sqlite3.DatabaseError as error:
        raise _told(error, path) from error
    if application != APPLICATION:
        raise IndexProblem(f"{path} is no index of doorward's")
    if version != VERSION:
        raise IndexProblem(f"the index at {path} is another version's: `doorward index rebuild` makes it anew")


def remove(path: Path) -> None:
    """Delete an index, with what SQLite keeps beside it."""
    for name in (path, *(path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-shm", "-journal"))):
        name.unlink(missing_ok=True)


def _told(error: sqlite3.DatabaseError, path: Path) -> IndexProblem:
    return IndexProblem(f"the index at {path} cannot be read ({error}): `doorward index rebuild` makes it anew")


def _touch(path: Path) -> None:
    """Make the file before SQLite does, so that nobody else can ever open it; what SQLite adds has the same mode."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))


def _settle(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
