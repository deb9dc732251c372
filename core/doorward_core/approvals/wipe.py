"""Taking the requests of erased sessions out of the approvals store, so that no card outlives its session's content.

A shell over the store's SQLite file, with a connection of its own; synchronous, for worker threads.
It will not touch the event log, whose cards are sealed with their session's key.

Durability: one transaction; what was deleted is overwritten in the file, and the write-ahead log is emptied.
Crash before the commit: all of them are there, and the erasure, which is owed, comes again.
"""

import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from doorward_core.approvals.codec import decode_request
from doorward_core.errors import StoreError

TIMEOUT_S = 10.0


def wipe(path: Path, sessions: Collection[bytes]) -> int:
    """Delete every request of these sessions, with its votes; give how many. Raises StoreError."""
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(path, timeout=TIMEOUT_S, isolation_level=None)) as database:
            database.execute("PRAGMA secure_delete = ON")
            database.execute("PRAGMA foreign_keys = ON")
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute("BEGIN IMMEDIATE")
            found = [row[0] for row in database.execute("SELECT id, body FROM request") if _of(row[1], sessions)]
            database.executemany("DELETE FROM vote WHERE request = ?", [(name,) for name in found])
            database.executemany("DELETE FROM request WHERE id = ?", [(name,) for name in found])
            database.execute("COMMIT")
            if found:
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error as error:
        raise StoreError(f"the approvals store could not be wiped: {error}") from error
    return len(found)


def _of(body: bytes, sessions: Collection[bytes]) -> bool:
    try:
        return decode_request(body).session_id in sessions
    except ValueError:
        return False  # altered: it is believed by nobody, and named by the store
