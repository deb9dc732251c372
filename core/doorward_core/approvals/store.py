"""Where requests and votes lie between the asking and the answer: one SQLite file.

It is a synchronous shell: the desk calls it from worker threads, one call at a time.
It neither judges votes (`votes`) nor waits (`desk`), and it is not the record: the event log is.

Who can write this file can approve nothing.
Every row carries an HMAC-SHA256 under a key of the gateway that is not in the file, over its content *and* its state;
a row that was altered is not believed, is counted in `altered`, and what it held stays held.
Putting back an older copy of the whole file is what the HMAC cannot see: the desk remembers what it has seen used, and
the bound is the life of a grant.

Durability: WAL with synchronous=FULL, so that a commit is on stable storage before a call returns.
What a crash leaves is said at each step; in all cases a grant that may have been used is used.
"""

import hashlib
import hmac
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from doorward_core.approvals.codec import decode_request, decode_vote, encode_request, encode_vote
from doorward_core.approvals.request import NS_PER_S, ApprovalRequest, Case, RequestState, Vote
from doorward_core.approvals.votes import counting, retriable, satisfied
from doorward_core.errors import StoreError
from doorward_core.people import fold

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE request (
  id TEXT PRIMARY KEY,
  binding BLOB NOT NULL,
  principal TEXT NOT NULL,
  state TEXT NOT NULL,
  opened INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  changed INTEGER NOT NULL,
  granted_until INTEGER NOT NULL,
  body BLOB NOT NULL,
  mac BLOB NOT NULL
) STRICT;
CREATE INDEX request_by_state ON request (state, opened);
CREATE INDEX request_by_binding ON request (binding, state);
CREATE TABLE vote (
  request TEXT NOT NULL REFERENCES request (id) ON DELETE CASCADE,
  person TEXT NOT NULL,
  cast_at INTEGER NOT NULL,
  body BLOB NOT NULL,
  mac BLOB NOT NULL,
  PRIMARY KEY (request, person)
) STRICT;
"""

BUSY_TIMEOUT_S = 5.0
"""Another process that reads the file (a backup) is waited for this long; then the operation stays held."""
MAX_BODY_BYTES = 4 * 1024 * 1024
"""A request carries one statement's text, which the proxies bound well below this."""
MIN_KEY_BYTES = 32
MAX_KNOWN = 4096
MAX_KNOWN_BYTES = 16 * 1024
"""How many requests are kept decoded, and of what size: 64 MiB at the very most, a few in practice."""
_NO_LIMIT = -1
_LAST = 2**63 - 1  # SQLite's largest integer: later than any request

_Row = tuple[str, bytes, str, str, int, int, int, int, bytes, bytes]
_COLUMNS = "id, binding, principal, state, opened, expires, changed, granted_until, body, mac"


class RequestRefused(StoreError):
    """The store works and does not take this request; the message is for the requester to read."""


@dataclass(frozen=True, slots=True)
class Quota:
    """How many requests may wait at once, and be made by one principal each hour.

    More would tire the people who read them (threat model AP-06).
    """

    per_principal: int = 20
    total: int = 500
    hourly: int = 240


class SqliteStore:
    """The approvals store in one file, which is created with mode 0600.

    `key` is at least 32 bytes and lies elsewhere. Every method raises StoreError if the file cannot be used.
    """

    def __init__(self, path: Path, key: bytes, quota: Quota | None = None) -> None:
        if len(key) < MIN_KEY_BYTES:
            raise StoreError("the key of the approvals store must have at least 32 bytes")
        self._key = hmac.digest(key, b"doorward-approvals-store/1", "sha256")
        self._quota = quota or Quota()
        self._lock = threading.Lock()
        self._known: dict[str, tuple[bytes, ApprovalRequest]] = {}
        self.altered = 0
        """How many rows were met that someone else had altered since the start."""
        try:
            self._database = _connect(path)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"the approvals store {path} cannot be opened: {error}") from error

    def close(self) -> None:
        """Close the file; nothing is lost, for every call has committed."""
        with self._lock:
            self._database.close()

    def open(self, request: ApprovalRequest) -> None:
        """Keep a new request, PENDING. RequestRefused if one too many waits, or it is too long to be shown.

        A crash before the commit leaves no request, and one after it a request whose requester is gone.
        """
        body = encode_request(request)
        if len(body) > MAX_BODY_BYTES:
            raise RequestRefused("the statement is too long to be shown to an approver")
        principal = _principal(request.issuer, request.subject)
        with self._transaction() as database:
            waiting = RequestState.PENDING.value
            mine = _count(
                database, "SELECT count(*) FROM request WHERE state = ? AND principal = ?", (waiting, principal)
            )
            everyone = _count(database, "SELECT count(*) FROM request WHERE state = ?", (waiting,))
            if mine >= self._quota.per_principal:
                raise RequestRefused(f"you already have {mine} requests waiting for approval; wait for those first")
            since = request.opened_unix_ns - 3600 * NS_PER_S
            lately = _count(
                database, "SELECT count(*) FROM request WHERE principal = ? AND opened > ?", (principal, since)
            )
            if lately >= self._quota.hourly:
                raise RequestRefused(
                    f"you have asked for approval {lately} times within the hour; ask for less at a time, or wait"
                )
            if everyone >= self._quota.total:
                raise RequestRefused("too many requests are waiting for approval; try again later")
            case = Case(request, RequestState.PENDING, request.opened_unix_ns)
            database.execute(
                f"INSERT INTO request ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
                (
                    request.id,
                    request.digest,
                    principal,
                    waiting,
                    request.opened_unix_ns,
                    request.expires_unix_ns,
                    case.changed_unix_ns,
                    0,
                    body,
                    self._seal(body, case),
                ),
            )

    def get(self, request_id: str) -> Case | None:
        """One request with its votes; None if there is none. StoreError if its row was altered."""
        with self._transaction() as database:
            row = _one(database, request_id)
            if row is None:
                return None
            case = self._case(database, row)
        if case is None:
            raise StoreError(f"the approvals store was altered: {request_id} cannot be believed")
        return case

    def list(
        self, state: RequestState | None = None, limit: int = _NO_LIMIT, before: tuple[int, str] | None = None
    ) -> tuple[Case, ...]:
        """All requests, or those in one state, newest first; altered rows are left out and counted.

        `before` is the time at which one was opened, and its id: only what comes behind it.
        """
        opened, name = before or (_LAST, "")
        query = f"SELECT {_COLUMNS} FROM request WHERE opened <= ? AND (opened < ? OR id > ?)"  # noqa: S608 - a constant
        values: tuple[object, ...] = (opened, opened, name)
        if state is not None:
            query, values = f"{query} AND state = ?", (*values, state.value)
        with self._transaction() as database:
            rows = database.execute(f"{query} ORDER BY opened DESC, id LIMIT ?", (*values, limit)).fetchall()
            cases = [self._case(database, row) for row in rows]
        return tuple(case for case in cases if case is not None)

    def add_vote(self, vote: Vote) -> bool:
        """Keep a vote on a PENDING request; False if it is no longer pending or this person has voted.

        The desk has recorded the vote durably before: a crash here leaves a vote in the log that never counted.
        """
        body = encode_vote(vote)
        with self._transaction() as database:
            row = _one(database, vote.request_id)
            case = self._case(database, row) if row else None
            if case is None or case.state is not RequestState.PENDING:
                return False
            cursor = database.execute(
                "INSERT OR IGNORE INTO vote (request, person, cast_at, body, mac) VALUES (?, ?, ?, ?, ?)",
                (vote.request_id, fold(vote.approver_subject), vote.cast_unix_ns, body, self._mac(b"vote", body)),
            )
            return cursor.rowcount == 1

    def transition(self, request_id: str, old: RequestState, new: RequestState, now_unix_ns: int) -> bool:
        """Compare and set the state; False if it was not `old`. A grant's life starts with the change to GRANTED.

        GRANTED and USED are given only where the kept votes bear it out, and USED only within the grant's life.
        A crash before the commit leaves `old`, and one after it `new`.
        """
        with self._transaction() as database:
            row = _one(database, request_id)
            case = self._case(database, row) if row else None
            return case is not None and self._change(database, case, old, new, now_unix_ns)

    def use_grant(
        self, digest: bytes, subject: str, issuer: str, now_unix_ns: int, attended: frozenset[str] = frozenset()
    ) -> ApprovalRequest | None:
        """Use the grant of an identical request whose requester is gone, once; None if there is none.

        The digest is the binding: resource, account and meaning are within it.
        `attended` names requests whose requester still waits: their grant is theirs alone.
        Those whose rule or approvers allow no retry are passed over.
        A crash after the commit leaves the grant used, whether or not the operation ran.
        """
        with self._transaction() as database:
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM request WHERE binding = ? AND state = ? ORDER BY opened",  # noqa: S608 - a constant
                (digest, RequestState.GRANTED.value),
            ).fetchall()
            for row in rows:
                case = self._case(database, row)
                if case is None or case.request.id in attended or not retriable(case.request, case.votes):
                    continue
                request = case.request
                same = (request.subject, request.issuer) == (subject, issuer)
                if same and self._change(database, case, RequestState.GRANTED, RequestState.USED, now_unix_ns):
                    return request
        return None

    def overdue(self, now_unix_ns: int) -> tuple[Case, ...]:
        """What has waited too long, and grants that were not used in time."""
        with self._transaction() as database:
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM request "  # noqa: S608 - a constant
                "WHERE (state = ? AND expires <= ?) OR (state = ? AND granted_until <= ?)",
                (RequestState.PENDING.value, now_unix_ns, RequestState.GRANTED.value, now_unix_ns),
            ).fetchall()
            cases = [self._case(database, row) for row in rows]
        return tuple(case for case in cases if case is not None)

    def purge(self, before_unix_ns: int) -> int:
        """Delete what was closed before a time; the event log keeps its history. Gives how many."""
        live = (RequestState.PENDING.value, RequestState.GRANTED.value)
        with self._transaction() as database:
            cursor = database.execute(
                "DELETE FROM request WHERE state NOT IN (?, ?) AND changed < ?", (*live, before_unix_ns)
            )
            return cursor.rowcount

    def _change(
        self, database: sqlite3.Connection, case: Case, old: RequestState, new: RequestState, now_unix_ns: int
    ) -> bool:
        if case.state is not old:
            return False
        if new in (RequestState.GRANTED, RequestState.USED) and not satisfied(case.request, case.votes):
            return False
        if new is RequestState.USED and (case.request.standing or not now_unix_ns < case.granted_until_unix_ns):
            return False  # what stands is not used up, and no operation's grant
        until = _until(case, now_unix_ns) if new is RequestState.GRANTED else 0
        after = Case(case.request, new, now_unix_ns, until)
        cursor = database.execute(
            "UPDATE request SET state = ?, changed = ?, granted_until = ?, mac = ? WHERE id = ? AND state = ?",
            (
                new.value,
                now_unix_ns,
                until,
                self._seal(encode_request(case.request), after),
                case.request.id,
                old.value,
            ),
        )
        return cursor.rowcount == 1

    def _case(self, database: sqlite3.Connection, row: _Row) -> Case | None:
        """Read one row and its votes, and believe neither unless its HMAC fits."""
        (identifier, digest, _, state, _, expires, changed, granted_until, body, mac) = row
        try:
            request = self._decoded(identifier, body)
            case = Case(request, RequestState(state), changed, granted_until)
        except ValueError:
            self.altered += 1
            return None
        columns = (identifier, digest, expires) == (request.id, request.digest, request.expires_unix_ns)
        if not columns or not hmac.compare_digest(mac, self._seal(body, case)):
            self.altered += 1
            return None
        votes = []
        for raw, vote_mac in database.execute(
            "SELECT body, mac FROM vote WHERE request = ? ORDER BY cast_at, person", (identifier,)
        ):
            if hmac.compare_digest(vote_mac, self._mac(b"vote", raw)):
                votes.append(decode_vote(raw))
            else:
                self.altered += 1
        return Case(request, case.state, changed, granted_until, tuple(votes))

    def _decoded(self, identifier: str, body: bytes) -> ApprovalRequest:
        """A request never changes: what waits is read again and again, and decoded once."""
        known = self._known.get(identifier)
        if known is not None and known[0] == body:
            return known[1]
        request = decode_request(body)
        if len(body) <= MAX_KNOWN_BYTES:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[identifier] = body, request
        return request

    def _seal(self, body: bytes, case: Case) -> bytes:
        state = f"{case.state.value} {case.changed_unix_ns} {case.granted_until_unix_ns}".encode("ascii")
        return self._mac(b"request", hashlib.sha256(body).digest() + state)

    def _mac(self, purpose: bytes, content: bytes) -> bytes:
        return hmac.digest(self._key, purpose + b"\0" + content, "sha256")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction that has the write lock from its first statement; an error rolls it back."""
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                try:
                    yield self._database
                except BaseException:
                    self._database.execute("ROLLBACK")
                    raise
                self._database.execute("COMMIT")
            except sqlite3.Error as error:
                raise StoreError(f"the approvals store failed: {error}") from error


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600, exist_ok=True)
    database = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA foreign_keys = ON")
    database.execute("PRAGMA trusted_schema = OFF")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version == 0:
        database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    elif version != SCHEMA_VERSION:
        database.close()
        raise StoreError(f"the approvals store {path} has version {version}; this gateway knows {SCHEMA_VERSION}")
    database.execute("CREATE INDEX IF NOT EXISTS request_by_principal ON request (principal, opened)")
    return database


def _until(case: Case, now_unix_ns: int) -> int:
    """When a grant that is given now ends. Standing access begins with the last vote, however late it is counted."""
    request = case.request
    began_unix_ns = now_unix_ns
    if request.standing:
        began_unix_ns = min(now_unix_ns, max(vote.cast_unix_ns for vote in counting(request, case.votes)))
    return began_unix_ns + request.grant_s * NS_PER_S


def _principal(issuer: str, subject: str) -> str:
    return f"{len(issuer)}:{issuer}{subject}"


def _count(database: sqlite3.Connection, query: str, values: tuple[str | int, ...]) -> int:
    (number,) = database.execute(query, values).fetchone()
    return int(number)


def _one(database: sqlite3.Connection, request_id: str) -> _Row | None:
    row: _Row | None = database.execute(
        f"SELECT {_COLUMNS} FROM request WHERE id = ?",  # noqa: S608 - a constant
        (request_id,),
    ).fetchone()
    return row
