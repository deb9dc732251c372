"""A sample of a database's values, and what the mask detectors find in it: shares, never values.

What it is: one bounded, read-only look at each table, over a connection of its own.
What it will not do: keep, print, log or hand on a value: they live in one function's variables, and only counts leave
it. It runs no view and reads no foreign table, since both can do more than read; partitions are read through their
parent, and what a view shows is masked where it comes from.

Invariants: at most `SAMPLE_ROWS` rows of `VALUE_CHARS` characters a column, `MAX_TABLES` tables and `BUDGET_S` seconds;
each table in a read-only transaction with a time limit; what was not looked at is named, with the reason.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from doorward_console.catalogue import TargetFault, Trouble, ask
from doorward_console.init_names import family
from doorward_console.init_words import Family
from doorward_core.mask.detect import Detectors

if TYPE_CHECKING:
    from doorward_core.sql.catalog import Catalog, Column, Relation
    from doorward_core.sql.catalog_load import Connection

SAMPLE_ROWS = 200
VALUE_CHARS = 256
MAX_TABLES = 500
MAX_COLUMNS = 100
BUDGET_S = 120.0
SMALL_PAGES = 64
"""A table of up to half a megabyte is read from its beginning; of a larger one, about so many pages from all over."""

NAMES = ("email", "card", "iban", "phone", "ipv4", "national-id", "secrets")
"""The detectors: every one there is."""
WHOLE = 0.8
"""A value is of a kind if so much of it was found to be; less is found within it, as an address in a letter."""

_BEGIN = "START TRANSACTION READ ONLY; SET LOCAL statement_timeout = '5s'; SET LOCAL search_path = ''"
_ABOUT = """
SELECT c.oid::int8, c.relpages, pg_catalog.has_any_column_privilege(c.oid, 'SELECT')
FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p') AND c.oid >= 16384
"""
_SUPERUSER = "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user"
_SAMPLED = frozenset({Family.TEXT, Family.NUMBER})
_TABLES = frozenset({"r", "p"})
_MASKABLE = frozenset({"r", "p", "f"})
_LEFT_OUT = {"42501": "no right to read it", "57014": "it took too long", "55P03": "it was locked"}


@dataclass(slots=True)
class Share:
    """Of one column: how many values were seen, how many are of a kind as a whole, and how many hold one within."""

    values: int = 0
    whole: dict[str, int] = field(default_factory=dict)
    within: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Look:
    """What was seen. `shares` by relation OID and attribute number; `missed` says of a table why it was not sampled."""

    shares: dict[tuple[int, int], Share] = field(default_factory=dict)
    missed: dict[str, str] = field(default_factory=dict)
    tables: int = 0
    superuser: bool = False


def tables(catalog: "Catalog", kinds: frozenset[str] = _MASKABLE) -> "list[Relation]":
    """The tables that are the database's own, by name; a partition stands behind its parent."""
    own = (one for one in catalog.relations if not one.builtin and one.kind in kinds and not one.is_partition)
    kept = (one for one in own if one.schema not in ("pg_catalog", "information_schema"))
    return sorted(kept, key=lambda one: (one.schema, one.name))


def holds(catalog: "Catalog", column: "Column") -> Family:
    """The family of a column's type: of a domain's base, of an array's element."""
    found = catalog.type_by_oid(column.type_oid)
    for _ in range(8):  # a domain over a domain over ...: deeper ones are not guessed at
        if found is None or not found.related:
            break
        found = catalog.type_by_oid(found.related)
    return family(found.name) if found is not None else Family.OTHER


def look(
    connection: "Connection",
    catalog: "Catalog",
    progress: Callable[[int, int], None] = lambda _done, _whole: None,
    clock: Callable[[], float] = time.monotonic,
) -> Look:
    """Look at every table. Raises TargetFault if the connection itself fails."""
    result = Look()
    detectors = Detectors(NAMES)
    about = {row[0]: (int(row[1]), bool(row[2])) for row in ask(connection, _ABOUT)}
    result.superuser = bool((ask(connection, _SUPERUSER) or [[False]])[0][0])
    listed = tables(catalog, _TABLES)
    end = clock() + BUDGET_S
    for number, table in enumerate(listed):
        progress(number, len(listed))
        pages, readable = about.get(table.oid, (0, True))
        if number >= MAX_TABLES or clock() > end:
            result.missed[table.qualified] = "there are too many tables" if number >= MAX_TABLES else "no time was left"
        elif not readable:
            result.missed[table.qualified] = _LEFT_OUT["42501"]
        else:
            _look_at(connection, catalog, table, pages, detectors, result)
    progress(len(listed), len(listed))
    return result


def _look_at(  # noqa: PLR0917 - what one table needs, handed on
    connection: "Connection", catalog: "Catalog", table: "Relation", pages: int, detectors: Detectors, result: Look
) -> None:
    columns = [column for column in table.columns if holds(catalog, column) in _SAMPLED][:MAX_COLUMNS]
    result.tables += 1
    if not columns:
        return
    try:
        rows = _rows(connection, table, columns, pages)
    except TargetFault as fault:
        if fault.trouble is not Trouble.REFUSED:
            raise
        result.missed[table.qualified] = _LEFT_OUT.get(fault.sqlstate, f"the server refused ({fault.sqlstate})")
        result.tables -= 1
        return
    for place, column in enumerate(columns):
        result.shares[table.oid, column.attnum] = count((row[place] for row in rows), detectors)


def _rows(
    connection: "Connection", table: "Relation", columns: "Sequence[Column]", pages: int
) -> list[list[str | None]]:
    """Some rows, as text, cut: from all over a large table, else (or if that gave none) from its beginning."""
    for how in _ways(table, pages):
        ask(connection, _BEGIN)
        try:
            rows = ask(connection, question(table, columns, how))
        finally:
            ask(connection, "ROLLBACK")
        if rows:
            return rows
    return []


def _ways(table: "Relation", pages: int) -> Iterator[str]:
    if table.kind == "r" and pages > SMALL_PAGES:
        yield f" TABLESAMPLE SYSTEM ({100 * SMALL_PAGES / pages:.6f})"
    yield ""


def question(table: "Relation", columns: "Sequence[Column]", how: str) -> str:
    """The one statement that is put to a table."""
    cells = ", ".join(f"pg_catalog.left({quoted(column.name)}::pg_catalog.text, {VALUE_CHARS})" for column in columns)
    return f"SELECT {cells} FROM {quoted(table.schema)}.{quoted(table.name)}{how} LIMIT {SAMPLE_ROWS}"  # noqa: S608 - quoted


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def count(values: Iterable[str | None], detectors: Detectors) -> Share:
    """What the detectors find in a column's values. The values themselves end here."""
    share = Share()
    for value in values:
        text = value.strip().encode() if value else b""
        if not text:
            continue
        share.values += 1
        spans = detectors.spans(text)
        whole = {span.label for span in spans if span.end - span.start >= WHOLE * len(text)}
        for label in whole:
            share.whole[label] = share.whole.get(label, 0) + 1
        for label in {span.label for span in spans} - whole:
            share.within[label] = share.within.get(label, 0) + 1
    return share
