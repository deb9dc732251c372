"""The catalogue as real servers have it, and what is proved with it held against what those servers answer."""

import collections

import psycopg
import pytest
from pg8000.native import Connection
from sql_generator import MASKED, SCHEMA, Generator, rows
from sql_stand import VECTORS, atoms, catalog, context, masked, outputs

from doorward_core.model import Action
from doorward_core.sql.analysis import Context
from doorward_core.sql.analyze import analyze
from doorward_core.sql.catalog_load import load_catalog
from doorward_core.sql.parse import parse
from doorward_demo import postgres

QUERIES = 500
# Standing in for the gateway's own bounds: a random query may run for ever.
QUERY_MS = 2_000
READ_ONLY_VIOLATED = "25006"
CANCELLED = "57014"


class Stand:
    """One server: databases by name, a driver's connection and the loader's."""

    def __init__(self, host: str, port: int, password: str | None) -> None:
        self._where = {"host": host, "port": port, "user": "postgres", "password": password}

    def open(self, database: str, **options: object) -> psycopg.Connection:
        return psycopg.connect(**self._where, dbname=database, autocommit=True, **options)

    def database(self, name: str, sql: str) -> str:
        with self.open("postgres") as connection:
            connection.execute(f'drop database if exists "{name}" with (force)')
            connection.execute(f'create database "{name}"')
        with self.open(name) as connection:
            connection.execute(sql)
        return name

    def load(self, database: str):
        where = dict(self._where)
        if where["host"].startswith("/"):
            where["unix_sock"] = f"{where.pop('host')}/.s.PGSQL.{where.pop('port')}"
        return load_catalog(lambda: Connection(database=database, **where))


@pytest.fixture(scope="module")
def newest():
    with postgres.running() as server:
        yield Stand("127.0.0.1", server.port, server.passwords[postgres.SUPERUSER])


@pytest.fixture(scope="module", params=[
    pytest.param("system", marks=pytest.mark.need_postgres),
    pytest.param("embedded", marks=pytest.mark.need_embedded_postgres),
])  # fmt: skip
def stand(request):
    if request.param == "embedded":
        return request.getfixturevalue("newest")
    server = request.getfixturevalue("tls_server")
    return Stand(server.sockets, server.port, None)


@pytest.fixture(scope="module")
def app(stand):
    return stand.database("app", (VECTORS / "sql_schema.sql").read_text(encoding="utf-8"))


def test_the_version_stays_until_something_is_defined(stand, app) -> None:
    first = stand.load(app)
    assert stand.load(app).version == first.version
    with stand.open(app) as connection:
        connection.execute("create table newcomer (id int)")
        changed = stand.load(app)
        connection.execute("drop table newcomer")
    assert changed.version != first.version
    assert changed.relation("public", "newcomer") is not None
    assert first.relation("public", "newcomer") is None


def test_the_capture_is_what_a_server_answers(stand, app) -> None:
    known = stand.load(app)
    major = known.server_version // 10_000
    if major not in {15, 18}:
        pytest.skip("no capture of this server's version")
    captured = catalog(major)
    for one, other in ((known, captured), (captured, known)):
        for relation in one.relations:
            found = other.relation(relation.schema, relation.name)
            assert found is not None, relation.qualified
            assert [column.name for column in found.columns] == [column.name for column in relation.columns]


def test_a_database_that_shadows_the_system_is_read_all_the_same(stand) -> None:
    name = stand.database(
        "shadowed",
        """create schema evil;
           create function evil.json_agg(json) returns json language sql as 'select null::json';
           create function evil.json_build_array(variadic text[]) returns json language sql as 'select null::json';
           create table evil.pg_class (relname text);
           create table public.customer (id int);
           alter database shadowed set search_path = evil, pg_catalog""",
    )
    known = stand.load(name)
    assert known.relation("public", "customer") is not None
    assert known.resolve(("pg_class",), ("evil", "pg_catalog")) is known.relation("evil", "pg_class")


def test_definitions_come_back_qualified_and_are_followed(stand, app) -> None:
    known = stand.load(app)
    session = Context(known, (), masked(known))
    found = analyze(parse("select c2, id from public.view2"), session)[0]
    assert outputs(found) == ["c2 masked", "id clear"]


def test_temporary_relations_are_in_no_snapshot(stand, app) -> None:
    with stand.open(app) as connection:
        connection.execute("create temp table customer (id int)")
        connection.execute("create temp table passing (id int)")
        known = stand.load(app)
    assert not any(relation.schema.startswith("pg_temp") for relation in known.relations)
    assert known.resolve(("passing",), ("public",)) is None


def test_types_operators_and_casts_of_ones_own_are_seen(stand) -> None:
    name = stand.database(
        "own",
        """create domain short as text check (length(value) < 9);
           create function probe(text) returns bool language plpgsql as 'begin return true; end';
           create domain sly as text check (probe(value));
           create type mood as enum ('a');
           create table t (id int, m mood);
           create function same(mood, text) returns bool language sql as 'select true';
           create operator = (leftarg = mood, rightarg = text, function = same);
           create function to_int(mood) returns int language sql as 'select 1';
           create cast (mood as int) with function to_int(mood)""",
    )
    session = Context(stand.load(name), ("public",))
    assert analyze(parse("select 'x'::short, 'a'::text"), session)[0].pure
    assert "execute type public.sly" in atoms(analyze(parse("select 'x'::sly"), session)[0])
    assert "execute function public.same" in atoms(analyze(parse("select id from t where id = 1"), session)[0])
    assert "execute function public.to_int" in atoms(analyze(parse("select 'a'::mood"), session)[0])


def test_well_known_extensions_keep_reads_pure(stand) -> None:
    with stand.open("postgres") as connection:
        found = connection.execute("select 1 from pg_available_extensions where name = 'citext'").fetchone()
    if found is None:
        pytest.skip("needs the contrib extensions: apt-get install postgresql")
    name = stand.database(
        "extended", "create extension citext; create extension hstore; create table t (id int, c citext)"
    )
    session = Context(stand.load(name), ("public",))
    for sql in ("select id from t where id = 1", "select c from t where c = 'x'", "select 'a=>1'::hstore -> 'a'"):
        found = analyze(parse(sql), session)[0]
        assert found.complete, found.problem
        assert found.pure, (sql, atoms(found))


# --- non-interference -------------------------------------------------------------------------------------------------


def _fill(connection: psycopg.Connection, seed: int) -> None:
    insert = connection.cursor()
    insert.executemany("insert into customer values (%s, %s, %s, %s, %s, %s, %s, %s)", rows(seed))
    insert.executemany("insert into orders values (%s, %s, %s, %s)", [(i, i % 5, f"o{i}", i * 10) for i in range(8)])
    insert.executemany(
        "insert into part values (%s, %s, %s)", [(i, row[2], i * 30) for i, row in enumerate(rows(seed + 9))]
    )
    connection.execute("refresh materialized view m1")


@pytest.fixture(scope="module")
def twins(newest):
    """Two databases that differ in masked values alone, and the session that reads them."""
    opened = []
    for name, seed in (("twin_a", 1), ("twin_b", 2)):
        newest.database(name, SCHEMA)
        with newest.open(name) as connection:
            _fill(connection, seed)
        options = f"-c default_transaction_read_only=on -c statement_timeout={QUERY_MS}"
        opened.append(newest.open(name, options=options))
    known = newest.load("twin_a")
    yield *opened, context(catalog=known, masked=masked(known, MASKED))
    for connection in opened:
        connection.close()


def _run(connection: psycopg.Connection, sql: str):
    """What a query gives: its SQLSTATE, its columns' names, its rows."""
    try:
        cursor = connection.execute(sql, prepare=False)
    except psycopg.Error as error:
        return error.sqlstate, [], []
    return "", [column.name for column in cursor.description or ()], cursor.fetchall()


@pytest.mark.need_embedded_postgres
def test_what_is_clear_does_not_depend_on_masked_values(twins) -> None:
    """Where no probe is written down, nothing that is said to be clear may differ: values, rows, errors."""
    first, second, session = twins
    counts = collections.Counter()
    for seed in range(QUERIES):
        sql = Generator(seed).text()
        found = analyze(parse(sql), session)[0]
        here, there = _run(first, sql), _run(second, sql)
        assert READ_ONLY_VIOLATED not in {here[0], there[0]}, sql
        if CANCELLED in {here[0], there[0]}:
            continue
        if not here[0]:
            assert found.complete, (found.problem, sql)
            assert found.pure, sql
            assert [column.name for column in found.outputs or ()] == here[1], sql
        if any(atom.action is Action.PROBE for atom in found.atoms):
            counts["probes"] += 1
            continue
        assert here[0] == there[0], sql
        assert len(here[2]) == len(there[2]), sql
        for place, column in enumerate(found.outputs or ()):
            same = [row[place] for row in here[2]] == [row[place] for row in there[2]]
            assert same or not column.clear, (column, sql)
            counts["clear" if column.clear else "equal" if same else "masked"] += 1
    # The test is worth something only if there was plenty of each.
    assert min(counts[kind] for kind in ("probes", "clear", "masked")) > QUERIES // 50, counts
