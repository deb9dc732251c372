"""The loader asks in one read-only snapshot and closes what it opened; a server is in the integration tests."""

import json

import pytest
from sql_stand import answers, catalog

from doorward_core.sql.catalog_load import build_catalog, load_catalog
from doorward_core.sql.catalog_queries import RELATIONS, VERSION


class Scripted:
    """A connection that gives what was captured."""

    def __init__(self, *, fails: bool = False, schema: str = "") -> None:
        self.asked: list[str] = []
        self.closed = False
        *rows, schemas = answers().rows
        self._rows = iter((*rows, [*schemas, schema] if schema else schemas))
        self._fails = fails

    def run(self, sql: str) -> object:
        self.asked.append(sql)
        if self._fails and sql == RELATIONS:
            raise OSError("gone")
        if sql == VERSION:
            return [[answers().database, str(answers().server_version)]]
        if sql.startswith(("START", "SET", "ROLLBACK")):
            return []
        rows = next(self._rows)
        return [[json.dumps(rows) if rows else None]]

    def close(self) -> None:
        self.closed = True


def test_it_asks_in_a_read_only_snapshot_under_an_empty_path() -> None:
    connection = Scripted()
    loaded = load_catalog(lambda: connection)
    assert connection.asked[0].endswith("READ ONLY")
    assert connection.asked[1] == "SET LOCAL search_path = ''"
    assert connection.asked[-1] == "ROLLBACK"
    assert connection.closed
    assert loaded.version == catalog().version


def test_the_very_same_answers_give_the_very_same_snapshot() -> None:
    first = load_catalog(Scripted)
    assert load_catalog(Scripted, first) is first
    assert load_catalog(lambda: Scripted(schema="made_since"), first) is not first
    assert load_catalog(Scripted, catalog()) is not catalog()


def test_a_failure_closes_the_connection_and_is_the_callers() -> None:
    connection = Scripted(fails=True)
    with pytest.raises(OSError, match="gone"):
        load_catalog(lambda: connection)
    assert connection.closed


def test_the_version_follows_the_contents() -> None:
    assert build_catalog(answers(15)).version == catalog(15).version
    assert catalog(15).version != catalog(18).version


def test_what_was_loaded_is_whole() -> None:
    known = catalog()
    customer = known.relation("public", "customer")
    assert customer is not None
    assert [column.name for column in customer.columns][:3] == ["id", "name", "email"]
    assert customer.columns[0].not_null
    assert customer.columns[-1].generated
    view = known.relation("public", "view2")
    assert view is not None
    assert "public.customer_view" in view.definition.lower() or "customer_view" in view.definition
    assert known.relation("public", "seq1") is not None
    assert {"public", "hr", "pg_catalog"} <= known.schemas
    assert not any(item.schema.startswith(("pg_temp", "pg_toast")) for item in known.relations)
    (evil,) = known.functions(("evil",), ("public",))
    assert (evil.language, evil.volatile, evil.builtin) == ("plpgsql", "v", False)
