"""Asking the index: the one module behind every page and every command that searches.

What it is: searches over operations and sessions, what belongs to a request, and who changed something, all newest
first, in pages that a number continues.
What it will not do: say what the log does not (`record.verify` proves that), or show a text: whoever shows one makes it
harmless.

Invariants: words of people become phrases and parameters, never SQL or syntax of the search; each question is bounded
in time, and one that takes too long ends with words rather than with a busy desk; a page that is asked for again, and
the one after it, are the same however much was added meanwhile.
"""

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self

from doorward_console.index import schema
from doorward_console.index.found import (
    Changes,
    EventRow,
    OperationRow,
    Page,
    RequestRow,
    Search,
    SessionRow,
    VoteRow,
)
from doorward_console.index.schema import IndexProblem
from doorward_console.index.words import MAX_ALTERNATIVES, all_of, any_facet, facet, words_expression

LIMIT: Final = 50
MAX_LIMIT: Final = 500
MAX_TEXT_SHOWN: Final = 4_000  # of a statement in a list; the whole of it is in its session
MAX_SCANNED: Final = 20_000
"""Operations that are looked at for a page of sessions, and counted for `others`: newest first, and it is said."""
TIME_S: Final = 3.0
_STEPS: Final = 10_000  # of SQLite's machine between two looks at the clock
_US: Final = 1_000
_END: Final = 1 << 62

_OPERATION: Final = (
    "SELECT o.id, g.origin, hex(s.session), hex(o.operation), o.at, o.at_ns, o.seq, p.subject, p.issuer, p.kind,"
    " p.sponsor, l.resource, l.protocol, l.account, o.action, o.verb, o.verdict, o.request, o.status, o.code, o.rows,"
    " o.duration_ns, w.text, w.parameters, w.rules, w.touched, w.about, o.origin"
    " FROM operations o JOIN words w ON w.id = o.id JOIN origins g ON g.id = o.origin"
    " JOIN principals p ON p.id = o.who JOIN places l ON l.id = o.place LEFT JOIN sessions s ON s.id = o.session"
)
_SESSION: Final = (
    "SELECT s.id, g.origin, hex(s.session), s.at, s.opened_ns, s.closed_ns, s.state, p.subject, p.issuer, p.kind,"
    " p.sponsor, l.resource, l.protocol, l.account, s.permitted, s.denied, s.held, s.rows, s.masked, w.about"
    " FROM sessions s JOIN session_words w ON w.id = s.id JOIN origins g ON g.id = s.origin"
    " JOIN principals p ON p.id = s.who JOIN places l ON l.id = s.place"
)


class TooLong(Exception):
    """A question that would have taken longer than anybody waits; the words say how to ask it better."""


class Index:
    """An index that is open to be asked; of one thread. Use it in a `with`."""

    def __init__(self, connection: sqlite3.Connection, within_s: float) -> None:
        self._db = connection
        self._within_s = within_s

    @classmethod
    @contextmanager
    def open(cls, path: Path, *, within_s: float = TIME_S) -> Iterator[Self]:
        """Open it; IndexProblem where there is none that can be read."""
        with schema.reading(path) as connection:
            yield cls(connection, within_s)

    def ask(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        """Every row, or TooLong."""
        end = time.monotonic() + self._within_s
        self._db.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        try:
            return self._db.execute(sql, [_bindable(value) for value in values]).fetchall()
        except sqlite3.OperationalError as error:
            if "interrupt" in str(error):
                raise TooLong("that took too long: name a shorter time, or one thing more") from error
            raise IndexProblem(f"the index cannot answer: {error}") from error
        finally:
            self._db.set_progress_handler(None, 0)


def _bindable(value: object) -> object:
    """A value that SQLite takes: what people type may have halves of characters, and numbers of any size."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int):
        return max(-_END, min(value, _END))
    return value


# --- operations -------------------------------------------------------------------------------------------------------


def operations(index: Index, search: Search, *, limit: int = LIMIT, before: int = 0) -> Page[OperationRow]:
    """Operations that the search is about."""
    limit = max(1, min(limit, MAX_LIMIT))
    numbers = _numbers(index, search, limit + 1, before)
    rows = _operations(index, numbers[:limit])
    return Page(tuple(rows), numbers[limit - 1] if len(numbers) > limit else 0)


def session_operations(index: Index, session: str, *, limit: int = MAX_LIMIT, after: int = 0) -> Page[OperationRow]:
    """The operations of one session, in their order; `next` is what to give as `after`."""
    limit = max(1, min(limit, MAX_LIMIT))
    found = index.ask(
        "SELECT o.id FROM operations o JOIN sessions s ON s.id = o.session WHERE s.session = ? AND o.id > ?"
        " ORDER BY o.id LIMIT ?",
        (_name(session), after, limit + 1),
    )
    numbers = [number for (number,) in found]
    rows = {row.number: row for row in _operations(index, numbers[:limit])}
    ordered = tuple(rows[number] for number in numbers[:limit] if number in rows)
    return Page(ordered, numbers[limit - 1] if len(numbers) > limit else 0)


def who_changed(
    index: Index, table: str, key: str = "", *, search: Search | None = None, limit: int = LIMIT, before: int = 0
) -> Changes:
    """Who changed what in `table`: statements with the words of `key` in their text or values, and their approvals.

    `search` may narrow it: by time, by who, by where. What was refused changed nothing, unless it is asked for.
    """
    asked = replace(search or Search(), table=table, action="change", text=key)
    asked = asked if asked.verdict else replace(asked, verdict="permit")
    page = operations(index, asked, limit=limit, before=before)
    if not key.strip():
        return Changes(page, 0, others_bounded=False)
    every = len(_numbers(index, replace(asked, text=""), MAX_SCANNED + 1, 0))
    named = len(_numbers(index, asked, MAX_SCANNED + 1, 0))
    return Changes(page, max(0, every - named), others_bounded=every > MAX_SCANNED)


def _numbers(index: Index, search: Search, limit: int, before: int) -> list[int]:
    first, last = _range(search, before)
    expression = _expression(index, search)
    if expression:
        found = index.ask(
            "SELECT rowid FROM search WHERE search MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rowid DESC LIMIT ?",
            (expression, first, last, limit),
        )
    else:
        found = index.ask(
            "SELECT id FROM operations WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?", (first, last, limit)
        )
    return [number for (number,) in found]


def _range(search: Search, before: int) -> tuple[int, int]:
    """The first and the last number that can be meant."""
    last = -(-search.until_unix_ns // _US) - 1 if search.until_unix_ns else _END
    return search.since_unix_ns // _US, min(last, before - 1 if before else _END)


def _expression(index: Index, search: Search) -> str:
    """The search as FTS5 has it; empty where every operation is meant."""
    told = [words_expression(search.text)] if search.text.strip() else []
    if told == [""]:
        return any_facet(())  # words without a letter or a digit are in nothing
    for column, wanted in (("subject", search.identity), ("sponsor", search.sponsor)):
        if wanted:
            told.append(any_facet(facet("who", number) for number in _principals(index, column, wanted)))
    if search.resource or search.protocol:
        told.append(any_facet(facet("place", number) for number in _places(index, search)))
    kinds = ("verdict", "code", "approver", "rule", "origin")
    told += [any_facet((facet(kind, getattr(search, kind)),)) for kind in kinds if getattr(search, kind)]
    if search.table:
        told.append(any_facet((facet(f"touched {search.action}".strip(), search.table),)))
    elif search.action:
        told.append(any_facet((facet("action", search.action),)))
    return all_of(told)


def _principals(index: Index, column: str, wanted: str) -> list[int]:
    """Whose name holds a word, whatever its case."""
    found = index.ask(
        f"SELECT id FROM principals WHERE instr(lower({column}), lower(?)) ORDER BY id DESC LIMIT ?",  # noqa: S608 - one of two names of ours
        (wanted, MAX_ALTERNATIVES + 1),
    )
    if len(found) > MAX_ALTERNATIVES:
        raise TooLong(f"more than {MAX_ALTERNATIVES} names hold that: give more of it")
    return [number for (number,) in found]


def _places(index: Index, search: Search) -> list[int]:
    found = index.ask(
        "SELECT id FROM places WHERE (? = '' OR resource = ? COLLATE NOCASE) AND (? = '' OR protocol = ?)"
        " ORDER BY id DESC LIMIT ?",
        (search.resource, search.resource, search.protocol, search.protocol, MAX_ALTERNATIVES + 1),
    )
    if len(found) > MAX_ALTERNATIVES:
        raise TooLong(f"more than {MAX_ALTERNATIVES} places are meant: name the resource")
    return [number for (number,) in found]


def _operations(index: Index, numbers: Sequence[int]) -> list[OperationRow]:
    """The rows of these numbers, newest first, with what people said to them."""
    if not numbers:
        return []
    found = index.ask(f"{_OPERATION} WHERE o.id IN ({', '.join('?' * len(numbers))}) ORDER BY o.id DESC", numbers)
    wanted = {(row[17], row[27]) for row in found if row[17]}
    approvals = {key: _approval(index, *key) for key in wanted}
    return [_operation(row, approvals.get((row[17], row[27]))) for row in found]


def _operation(row: Any, approval: RequestRow | None) -> OperationRow:
    about = json.loads(row[26])
    text = row[22]
    return OperationRow(
        number=row[0], origin=row[1], session=row[2].lower(), operation=row[3].lower(), index=row[4],
        at_unix_ns=row[5], seq=row[6], subject=row[7], issuer=row[8], principal=row[9], sponsor=row[10],
        resource=row[11], protocol=row[12], account=row[13], action=row[14], verb=row[15], verdict=row[16],
        request=row[17], status=row[18], code=row[19], rows=row[20], duration_ns=row[21],
        text=None if text is None else text[:MAX_TEXT_SHOWN],
        cut=bool(about.get("cut")) or len(text or "") > MAX_TEXT_SHOWN,
        parameters=tuple(json.loads(row[23])), rules=tuple(json.loads(row[24])),
        touched=tuple((str(action), str(kind), str(name)) for action, kind, name in json.loads(row[25])),
        reason=about["reason"], observed=about.get("observed", ""), bytes_down=about["bytes"],
        masked=about.get("masked", {}), typed=tuple(about.get("typed", ())), content=about["content"],
        approval=approval,
    )  # fmt: skip


# --- requests ---------------------------------------------------------------------------------------------------------


def request(index: Index, name: str) -> tuple[RequestRow, OperationRow | None] | None:
    """A request by its id, and what it was about; None where the index has none."""
    found = index.ask("SELECT origin, operation FROM requests WHERE request = ? ORDER BY asked_ns LIMIT 1", (name,))
    if not found:
        return None
    origin, number = found[0]
    told = _approval(index, name, origin)
    rows = _operations(index, (number,))
    return (told, rows[0] if rows else None) if told is not None else None


def _approval(index: Index, name: str, origin: int) -> RequestRow | None:
    found = index.ask(
        "SELECT r.request, g.origin, hex(r.session), r.asked_ns, r.expires_ns, r.state, r.ended_ns, r.why, r.needs"
        " FROM requests r JOIN origins g ON g.id = r.origin WHERE r.request = ? AND r.origin = ?",
        (name, origin),
    )
    if not found:
        return None
    row = found[0]
    votes = index.ask(
        "SELECT request, cast_ns, approver, issuer, verdict, proof, counted, why, said FROM votes"
        " WHERE request = ? AND origin = ? ORDER BY at",
        (name, origin),
    )
    told = tuple(_vote(vote) for vote in votes)
    values: list[Any] = [row[0], row[1], row[2].lower(), *row[3:8], tuple(json.loads(row[8])), told]
    return RequestRow(*values)


def _vote(row: Any) -> VoteRow:
    values: list[Any] = [*row]
    values[6] = bool(values[6])
    return VoteRow(*values)


# --- sessions ---------------------------------------------------------------------------------------------------------


def sessions(index: Index, search: Search, *, limit: int = LIMIT, before: int = 0) -> Page[SessionRow]:
    """Sessions of which the search holds; where it is about operations, of those that have one such operation.

    Of more than `MAX_SCANNED` such operations the newest are looked at, and the page says so.
    """
    limit = max(1, min(limit, MAX_LIMIT))
    narrow, values, note = _narrowed(index, search)
    first, last = (0, min(_END, before - 1)) if before else (0, _END)
    if not search.about_operations:
        first, last = _range(search, before)
    found = index.ask(
        f"{_SESSION} WHERE s.id BETWEEN ? AND ?{narrow} ORDER BY s.id DESC LIMIT ?", (first, last, *values, limit + 1)
    )
    rows = tuple(_session(row) for row in found[:limit])
    return Page(rows, rows[-1].number if len(found) > limit else 0, note)


def session(index: Index, name: str) -> SessionRow | None:
    """One session by its id, in hexadecimal; None where the index has none."""
    found = index.ask(f"{_SESSION} WHERE s.session = ?", (_name(name),))
    return _session(found[0]) if found else None


def _narrowed(index: Index, search: Search) -> tuple[str, list[object], str]:
    """Conditions on sessions, their values, and what has to be said about them."""
    told, values, note = "", list[object](), ""
    if search.live:
        told += " AND s.state = 'open'"
    if search.about_operations:
        numbers = _numbers(index, search, MAX_SCANNED + 1, 0)
        note = f"of the newest {MAX_SCANNED} that match" if len(numbers) > MAX_SCANNED else ""
        told += " AND s.id IN (SELECT DISTINCT session FROM operations WHERE id IN (SELECT value FROM json_each(?)))"
        return told, [json.dumps(numbers[:MAX_SCANNED])], note
    for column, wanted in (("subject", search.identity), ("sponsor", search.sponsor)):
        if wanted:
            told += " AND s.who IN (SELECT value FROM json_each(?))"
            values.append(json.dumps(_principals(index, column, wanted)))
    if search.resource or search.protocol:
        told += " AND s.place IN (SELECT value FROM json_each(?))"
        values.append(json.dumps(_places(index, search)))
    if search.origin:
        told += " AND g.origin = ?"
        values.append(search.origin)
    return told, values, note


def _session(row: Any) -> SessionRow:
    about = json.loads(row[19])
    values: list[Any] = [row[0], row[1], (row[2] or "").lower(), *row[3:19]]
    values += [about["attributes"], tuple(about["groups"]), about["peer"], about["display"], about["observe"]]
    values += [about["reason"], tuple(about["coverage"])]
    return SessionRow(*values)


def _name(session: str) -> bytes:
    try:
        return bytes.fromhex(session)
    except ValueError:
        return b"\0"


# --- what else there is -----------------------------------------------------------------------------------------------


def events(
    index: Index, *, kinds: Sequence[str] = (), since_unix_ns: int = 0, limit: int = LIMIT
) -> tuple[EventRow, ...]:
    """Events beside sessions and operations, newest first."""
    found = index.ask(
        "SELECT g.origin, e.at, e.at_ns, e.kind, hex(e.session), e.about FROM events e"
        " JOIN origins g ON g.id = e.origin WHERE e.at_ns >= ?"
        " AND (? = '[]' OR e.kind IN (SELECT value FROM json_each(?))) ORDER BY e.at_ns DESC, e.at DESC LIMIT ?",
        (since_unix_ns, json.dumps([*kinds]), json.dumps([*kinds]), max(1, min(limit, MAX_LIMIT))),
    )
    return tuple(EventRow(row[0], row[1], row[2], row[3], row[4].lower(), json.loads(row[5])) for row in found)


def is_touched(index: Index, name: str) -> bool:
    """Whether anything of that name, as policy has it, was ever touched."""
    expression = any_facet((facet("touched", name),))
    return bool(index.ask("SELECT rowid FROM search WHERE search MATCH ? LIMIT 1", (expression,)))


def names(index: Index) -> dict[str, tuple[str, ...]]:
    """What filters may offer: resources, protocols and origins that there are."""
    places = index.ask("SELECT DISTINCT resource, protocol FROM places ORDER BY resource LIMIT ?", (MAX_LIMIT,))
    origins = index.ask("SELECT origin FROM origins ORDER BY origin LIMIT ?", (MAX_LIMIT,))
    return {
        "resource": tuple(sorted({place for place, _ in places if place})),
        "protocol": tuple(sorted({protocol for _, protocol in places if protocol})),
        "origin": tuple(origin for (origin,) in origins),
    }
