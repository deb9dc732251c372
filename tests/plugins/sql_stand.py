"""The SQL room on a stand: real catalogues, captured from PostgreSQL 15 and 18, and short ways to ask.

The captures are what the loader's questions were answered by servers with `tests/vectors/sql_schema.sql`;
`tests/integration/test_sql_catalog.py` compares them with what a server of today answers.
"""

import functools
import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from doorward_core.model import Action
from doorward_core.sql.analysis import Context, StatementAnalysis
from doorward_core.sql.analyze import analyze
from doorward_core.sql.catalog import Catalog
from doorward_core.sql.catalog_load import Answers, build_catalog
from doorward_core.sql.lineage import MaskTable
from doorward_core.sql.parse import parse
from doorward_core.sql.scope import Item, Scope
from doorward_core.sql.views import READERS
from doorward_core.sql.work import Lens, Shape, Work

VECTORS = Path(__file__).parents[1] / "vectors"
MASKED = {"customer": ("email", "card", "iban"), "part": ("email",)}


@functools.cache
def answers(version: int = 15) -> Answers:
    """What a server of this version answered."""
    data = gzip.decompress((VECTORS / f"sql_catalog_{version}.json.gz").read_bytes())
    database, server_version, rows = json.loads(data)
    return Answers(database, server_version, tuple(rows))


@functools.cache
def catalog(version: int = 15) -> Catalog:
    """The catalogue of that server."""
    return build_catalog(answers(version))


def rebuilt(which: str, change: Callable[[list[Any]], list[Any]], version: int = 15) -> Catalog:
    """The same catalogue with one of its answers changed (rows as the loader gets them)."""
    known = answers(version)
    place = ("relations", "functions", "operators", "casts", "types", "schemas").index(which)
    rows = (*known.rows[:place], change(known.rows[place]), *known.rows[place + 1 :])
    return build_catalog(replace(known, rows=rows))


def with_functions(*rows: list[object], version: int = 15) -> Catalog:
    """The same catalogue with more functions in it."""
    return rebuilt("functions", lambda known: [*known, *rows], version)


def masked(known: Catalog, columns: dict[str, tuple[str, ...]] | None = None) -> dict[int, frozenset[int]]:
    """Masks by relation OID and attribute number."""
    found = {}
    for name, masked_names in (MASKED if columns is None else columns).items():
        relation = known.relation("public", name)
        assert relation is not None
        found[relation.oid] = frozenset(item.attnum for item in relation.columns if item.name in masked_names)
    return found


def context(version: int = 15, **changes: object) -> Context:
    """A session on that server, with `customer.email`, `card`, `iban` and `part.email` masked."""
    known = changes.pop("catalog", catalog(version))
    assert isinstance(known, Catalog)
    made = Context(known, ("public",), masked(known))
    return replace(made, **changes)  # type: ignore[arg-type]  # tests name fields


def looks(sql: str, version: int = 15, **changes: object) -> tuple[StatementAnalysis, ...]:
    """Analyse every statement of a message."""
    return analyze(parse(sql), context(version, **changes))


def look(sql: str, version: int = 15, **changes: object) -> StatementAnalysis:
    """Analyse a message of one statement."""
    (found,) = looks(sql, version, **changes)
    return found


def atoms(found: StatementAnalysis) -> set[str]:
    """Atoms as short texts: `read public.customer(id,email)`, `probe public.customer(email)/other`."""
    texts = set()
    for atom in found.atoms:
        target = atom.target
        columns = f"({','.join(target.columns)})" if target.columns else ""
        detail = f"/{target.detail}" if target.detail else ""
        kind = "" if target.kind == "relation" else f"{target.kind} "
        texts.add(f"{atom.action} {kind}{target.name}{columns}{detail}")
    return texts


def actions(found: StatementAnalysis) -> set[Action]:
    """The actions among the atoms."""
    return {atom.action for atom in found.atoms}


def outputs(found: StatementAnalysis) -> list[str]:
    """Output columns as short texts: `id clear`, `email masked`, `x unproved`."""
    assert found.outputs is not None
    return [
        f"{column.name} {'clear' if column.clear else 'masked' if column.tainted else 'unproved'}"
        for column in found.outputs
    ]


def lens(version: int = 15, path: tuple[str, ...] = ("public",)) -> Lens:
    """A bare view of the database."""
    return Lens(catalog(version), path, MaskTable(masked(catalog(version))), READERS)


def work(version: int = 15) -> Work:
    """An empty notebook."""
    return Work(lens(version))


def customer_scope(notes: Work) -> Scope:
    """A scope with `customer c` in it."""
    relation = notes.lens.resolve(("customer",))
    assert relation is not None
    columns = notes.lens.columns(relation)
    scope = Scope()
    scope.items.append(Item("c", Shape(tuple(columns.values())), relation=relation, index=columns))
    scope.star = list(columns.values())
    return scope
