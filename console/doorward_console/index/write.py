"""What a log says, put into the index: rows of a batch, within the transaction of whoever calls.

It is the shell behind `collect`: it gives numbers, keeps what has not ended, and tells the search what it may find.

Invariants: a row is written again when its operation goes on, and the search forgets what it was told of it before;
what the search was told of an operation that has ended never changes again.
"""

import json
import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from doorward_console.index.states import Asked, Batch, Opened, Place, Principal, Requested, words_of
from doorward_console.index.words import facet

_NS_IN_US: Final = 1_000
_MAX_ID: Final = (1 << 62) - 1
CHANGES: Final = frozenset({"write", "define", "transfer", "admin", "execute"})
"""What may change something; `execute` because nobody knows what a function does."""


class Writer:
    """Writes the rows of one log into an index."""

    def __init__(self, connection: sqlite3.Connection, origin: int, name: str) -> None:
        self._db = connection
        self._origin = origin
        self._from = facet("origin", name)
        self._principals: dict[Principal, int] = {}
        self._places: dict[Place, int] = {}
        self._numbers: dict[bytes, int] = {}
        self._abouts: dict[bytes, str] = {}
        self._last = {"operations": 0, "sessions": 0}

    def open_sessions(self) -> list[Opened]:
        """Those that had not ended when this log was read last."""
        rows = self._db.execute(
            "SELECT s.id, s.session, s.at, s.opened_ns, s.state, p.subject, p.issuer, p.kind, p.sponsor, l.resource,"
            " l.protocol, l.account, s.closed_ns, s.permitted, s.denied, s.held, s.rows, s.masked, w.about"
            " FROM sessions s JOIN principals p ON p.id = s.who JOIN places l ON l.id = s.place"
            " JOIN session_words w ON w.id = s.id WHERE s.state = 'open' AND s.origin = ?",
            (self._origin,),
        )
        found = []
        for row in rows:
            values: list[Any] = [*row[1:5], tuple(row[5:9]), tuple(row[9:12]), *row[12:18]]
            values += [json.loads(row[18]), row[0]]
            found.append(Opened(*values))
        for session in found:
            self._remember(session)
        return found

    def unfinished(self) -> list[Asked]:
        """The operations that had not."""
        rows = self._db.execute("SELECT state FROM unfinished WHERE origin = ?", (self._origin,))
        return [Asked.again(state) for (state,) in rows]

    def write(self, batch: Batch) -> None:
        """Put a batch into its tables."""
        self._sessions(batch.sessions.values())
        for asked in batch.asked.values():
            self._operation(asked, over=asked.operation in batch.ended)
        for request in batch.requests.values():
            self._request(request)
        self._db.executemany(
            "INSERT OR REPLACE INTO votes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (self._origin, one.at, one.request, _bound(one.cast_ns), one.approver, one.issuer, one.verdict,
                 one.proof, one.counted, one.why, one.said)
                for one in batch.votes
            ),
        )  # fmt: skip
        self._db.executemany(
            "INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?)",
            (
                (self._origin, one.at, _bound(one.at_ns), one.kind, one.session, json.dumps(one.about))
                for one in batch.told
            ),
        )

    # --- rows ---------------------------------------------------------------------------------------------------------

    def _sessions(self, sessions: Iterable[Opened]) -> None:
        rows, words = [], []
        for one in sessions:
            one.number = one.number or self._number("sessions", one.opened_ns)
            self._remember(one)
            rows.append(
                (one.number, self._origin, one.session or None, one.at, _bound(one.opened_ns), _bound(one.closed_ns),
                 one.state, self._principal(one.who), self._place(one.place), one.permitted, one.denied, one.held,
                 _bound(one.rows), _bound(one.masked))
            )  # fmt: skip
            words.append((one.number, words_of(one)))
        self._db.executemany("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._db.executemany("INSERT OR REPLACE INTO session_words VALUES (?, ?)", words)

    def _remember(self, session: Opened) -> None:
        """What its operations are found by besides their own words."""
        if session.session:
            self._numbers[session.session] = session.number
            self._abouts[session.session] = " ".join(
                (*session.who[::3], session.place[0], session.place[2], *session.about["attributes"].values())
            )

    def _operation(self, asked: Asked, *, over: bool) -> None:
        asked.number = asked.number or self._number("operations", asked.at_ns)
        if asked.given:
            self._db.execute(
                "INSERT INTO search (search, rowid, text, parameters, about, facets) VALUES ('delete', ?, ?, ?, ?, ?)",
                (asked.number, *asked.given),
            )
        asked.given = self._given(asked)
        self._db.execute(
            "INSERT INTO search (rowid, text, parameters, about, facets) VALUES (?, ?, ?, ?, ?)",
            (asked.number, *asked.given),
        )
        self._db.execute(
            "INSERT OR REPLACE INTO operations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (asked.number, self._numbers.get(asked.session, 0), self._origin, asked.operation, asked.at,
             _bound(asked.at_ns), asked.seq, self._principal(asked.who), self._place(asked.place), asked.action,
             asked.verb, asked.verdict, asked.request, asked.status, asked.code, asked.rows,
             _bound(sum(asked.masked.values())), asked.duration_ns),
        )  # fmt: skip
        about: dict[str, Any] = {"reason": asked.reason, "content": asked.content, "bytes": asked.bytes_down}
        for name in ("observed", "cut", "typed", "masked", "held"):
            if value := getattr(asked, name):
                about[name] = value
        self._db.execute(
            "INSERT OR REPLACE INTO words VALUES (?, ?, ?, ?, ?, ?)",
            (asked.number, asked.text, json.dumps(asked.parameters), json.dumps(asked.rules),
             json.dumps(asked.touched), json.dumps(about)),
        )  # fmt: skip
        if over:
            self._db.execute("DELETE FROM unfinished WHERE operation = ?", (asked.operation,))
        else:
            self._db.execute(
                "INSERT OR REPLACE INTO unfinished VALUES (?, ?, ?)", (asked.operation, self._origin, asked.kept())
            )

    def _given(self, asked: Asked) -> list[str]:
        """What the search is told: texts, values, who and where, and the facets."""
        about = self._abouts.get(asked.session) or " ".join((*asked.who[::3], asked.place[0], asked.place[2]))
        names = " ".join(dict.fromkeys(name for _, _, name in asked.touched))
        values = " ".join((*(value for value in asked.parameters if value), *asked.typed))
        return [asked.text or "", values, f"{about} {names}", " ".join(self._facets(asked))]

    def _facets(self, asked: Asked) -> Iterable[str]:
        yield self._from
        yield facet("who", self._principal(asked.who))
        yield facet("place", self._place(asked.place))
        yield facet("verdict", asked.verdict)
        if asked.held:
            yield facet("verdict", "held")
        if asked.code:
            yield facet("code", asked.code)
        for rule in asked.rules:
            yield facet("rule", rule)
        for approver in asked.approvers:
            yield facet("approver", approver)
        actions = {asked.action, *(action for action, _, _ in asked.touched)}
        for action in actions:
            yield facet("action", action)
        if actions & CHANGES:
            yield facet("action", "change")
        told: dict[str, None] = {}
        for action, _, name in asked.touched:
            for spelt in {name, name.rpartition(".")[2], name.rpartition("/")[2]}:
                told[facet("touched", spelt)] = None
                told[facet(f"touched {action}", spelt)] = None
                if action in CHANGES:
                    told[facet("touched change", spelt)] = None
        yield from told

    def _request(self, request: Requested) -> None:
        if not request.number:
            # The partial index is used only where the question itself says that the id is not empty.
            row = self._db.execute(
                "SELECT min(id) FROM operations WHERE request = ? AND request <> '' AND origin = ?",
                (request.request, self._origin),
            ).fetchone()
            request.number = row[0] or 0
        self._db.execute(
            "INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET state = excluded.state, ended_ns = excluded.ended_ns, why = excluded.why",
            (request.request, self._origin, request.number, request.session, _bound(request.asked_ns),
             _bound(request.expires_ns), json.dumps(request.needs), request.state, _bound(request.ended_ns),
             request.why),
        )  # fmt: skip

    # --- numbers ------------------------------------------------------------------------------------------------------

    def _number(self, table: str, at_ns: int) -> int:
        """The time in microseconds, or the next that is free."""
        number = min(max(at_ns // _NS_IN_US, self._last[table] + 1), _MAX_ID)
        taken = f"SELECT 1 FROM {table} WHERE id = ?"  # noqa: S608 - one of two names of ours
        while self._db.execute(taken, (number,)).fetchone():
            number += 1
        self._last[table] = number
        return number

    def _principal(self, who: Principal) -> int:
        if who not in self._principals:
            self._db.execute(
                "INSERT OR IGNORE INTO principals (subject, issuer, kind, sponsor) VALUES (?, ?, ?, ?)", who
            )
            row = self._db.execute(
                "SELECT id FROM principals WHERE subject = ? AND issuer = ? AND kind = ? AND sponsor = ?", who
            )
            self._principals[who] = row.fetchone()[0]
        return self._principals[who]

    def _place(self, place: Place) -> int:
        if place not in self._places:
            self._db.execute("INSERT OR IGNORE INTO places (resource, protocol, account) VALUES (?, ?, ?)", place)
            row = self._db.execute("SELECT id FROM places WHERE resource = ? AND protocol = ? AND account = ?", place)
            self._places[place] = row.fetchone()[0]
        return self._places[place]


def _bound(value: int) -> int:
    """A number as SQLite can keep it."""
    return min(value, (1 << 63) - 1)
