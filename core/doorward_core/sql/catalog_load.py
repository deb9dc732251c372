"""Reads a database's catalogue into a `Catalog`: a shell, plain and synchronous; its caller gives it a thread.

It opens one connection, asks five questions in one read-only snapshot, and closes it.
It never asks anything that a client of the gateway can influence: its own search_path is empty, so that every name
resolves to pg_catalog, and view definitions come back with every other name qualified.
It implements PostgreSQL's system catalogues, versions 13 to 18.

Cancellation leaves nothing behind but a connection that the server will close.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from doorward_core.sql.catalog import Cast, Catalog, Column, Contents, Function, Operator, Relation, Type
from doorward_core.sql.catalog_queries import CASTS, FUNCTIONS, OPERATORS, RELATIONS, SCHEMAS, TYPES, VERSION
from doorward_core.sql.views import base_lineage

# Extensions whose C code is as good as built in: they bring types and operators, and read no table by themselves.
TRUSTED_EXTENSIONS = frozenset(
    {"citext", "hstore", "pg_trgm", "btree_gin", "btree_gist", "intarray", "ltree", "cube", "isn", "seg",
     "unaccent", "fuzzystrmatch", "uuid-ossp", "vector", "pgcrypto"}
)  # fmt: skip
# Only a superuser can make a function in these: what they stand behind is the database owner's own choice.
_COMPILED = frozenset({"c", "internal"})


class Connection(Protocol):
    """What is used of `pg8000.native.Connection`."""

    def run(self, sql: str) -> Any:
        """Run one statement and give its rows."""

    def close(self) -> None:
        """Close it."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the server answered: rows of relations, functions, operators, casts, types and schemas, as JSON has them."""

    database: str
    server_version: int
    rows: tuple[list[Any], ...]


def load_catalog(connect: Callable[[], Connection], before: Catalog | None = None) -> Catalog:
    """Read everything through a new connection; whatever the driver raises is the caller's to handle.

    Where the server answers to the letter what made `before`, that is given again: nothing has to be made of it, and
    whatever was worked out of it still stands.
    """
    texts = _read(connect)
    source = hashlib.sha256(repr(texts).encode()).digest()
    if before is not None and before.source == source:
        return before
    database, server_version, *answers = texts
    rows = tuple(json.loads(text) if text else [] for text in answers)
    return build_catalog(Answers(database, int(server_version), rows), source)


def _read(connect: Callable[[], Connection]) -> tuple[str, ...]:
    """Ask the questions, in one snapshot: the database, its server's version, and the answers as they came."""
    connection = connect()
    try:
        connection.run("START TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.run("SET LOCAL search_path = ''")
        database, server_version = connection.run(VERSION)[0]
        questions = (RELATIONS, FUNCTIONS, OPERATORS, CASTS, TYPES, SCHEMAS)
        texts = tuple(_text(connection, question) for question in questions)
        connection.run("ROLLBACK")
    finally:
        connection.close()
    return (str(database), str(server_version), *texts)


def build_catalog(answers: Answers, source: bytes = b"") -> Catalog:
    """Make the snapshot of what was answered; it asks nobody. `source` is the digest of the answers as they came."""
    relations, functions, operators, casts, types, schemas = answers.rows
    contents = Contents(
        relations=tuple(_relation(row) for row in relations),
        functions=tuple(_function(row) for row in functions),
        operators=tuple(Operator(row[0], row[1], row[2], trusted=row[3] in _COMPILED) for row in operators),
        casts=tuple(Cast(row[0], row[1], row[2], row[3], trusted=row[4] in _COMPILED) for row in casts),
        types=tuple(_type(row) for row in types),
        schemas=frozenset(schemas),
    )
    digest = hashlib.sha256(json.dumps([answers.database, answers.server_version, answers.rows]).encode()).hexdigest()
    return Catalog(
        contents,
        database=answers.database,
        server_version=answers.server_version,
        version=digest[:32],
        lineage=base_lineage,
        source=source,
    )


def _text(connection: Connection, sql: str) -> str:
    """Run a query whose one value is a JSON array of rows: one value is quicker to carry than ten thousand."""
    return str(connection.run(sql)[0][0] or "")


def _trusted(extension: str | None) -> bool:
    return extension in TRUSTED_EXTENSIONS


def _relation(row: list[Any]) -> Relation:
    oid, schema, name, kind, columns, parents, children, is_partition, definition, flags = row
    return Relation(
        oid=oid,
        schema=schema,
        name=name,
        kind=kind,
        columns=tuple(Column(*column) for column in columns or ()),
        parents=tuple(parents or ()),
        children=tuple(children or ()),
        is_partition=is_partition,
        definition=definition or "",
        has_rules=flags[0],
        has_triggers=flags[1],
        row_security=flags[2],
    )


def _function(row: list[Any]) -> Function:
    oid, schema, name, language, volatile, kind, returns_set, result, count, defaults, variadic, outputs, owner = row
    return Function(
        oid=oid,
        schema=schema,
        name=name,
        language=language,
        volatile=volatile,
        kind=kind,
        returns_set=returns_set,
        result_type=result,
        fewest_args=max(0, count - defaults - (1 if variadic else 0)),
        most_args=None if variadic else count,
        outputs=tuple((item[0] or "", item[1]) for item in outputs or ()),
        trusted=_trusted(owner) and language in _COMPILED,
    )


def _type(row: list[Any]) -> Type:
    oid, schema, name, kind, related, relation, checks, owner = row
    return Type(oid, schema, name, kind, related, relation, tuple(checks or ()), trusted=_trusted(owner))
