"""pg8000 through the gateway: DB-API and native, COPY, transactions, types, errors."""

import io
import ssl

import pg8000.dbapi
import pg8000.native
import pytest

pytestmark = pytest.mark.need_embedded_postgres


@pytest.fixture
def connecting(login):
    def arguments(who="readers"):
        at = login(who)
        context = ssl.create_default_context(cafile=at.pop("authority"))
        return {**at, "ssl_context": context}

    return arguments


def test_connecting_needs_safe_catalog_alone(connecting, heard):
    with heard("pg8000"):
        client = pg8000.native.Connection(**connecting("lookers"))
        client.run("select typname from pg_catalog.pg_type where oid = :oid", oid=23)
        client.close()


def test_rows_are_masked(connecting):
    with pg8000.native.Connection(**connecting()) as client:
        rows = client.run("select id, email from customer where id <= :last order by id", last=5)
        statement = client.prepare("select email from customer where id = :id")
        rows += [[number, statement.run(id=number)[0][0]] for number in range(6, 10)]
        statement.close()
    assert [number for number, _ in rows] == list(range(1, 10))
    assert all("***" in email for _, email in rows)


def test_the_dbapi_writes_in_transactions(connecting):
    client = pg8000.dbapi.connect(**connecting("writers"))
    try:
        cursor = client.cursor()
        cursor.execute("select total from orders where id = %s", (1,))
        (total,) = cursor.fetchone()
        cursor.executemany("update orders set total = %s where id = %s", [(total + 1, 1), (total + 2, 1)])
        cursor.execute("select total from orders where id = 1")
        assert cursor.fetchone()[0] == total + 2
        client.rollback()
        cursor.execute("select total from orders where id = 1")
        assert cursor.fetchone()[0] == total
        client.rollback()
    finally:
        client.close()


def test_copy_both_ways(connecting):
    out = io.BytesIO()
    with pg8000.native.Connection(**connecting("writers")) as client:
        client.run("copy (select id, email from customer) to stdout (format csv)", stream=out)
        client.run("begin")
        client.run("copy order_item from stdin (format csv)", stream=io.BytesIO(b"1,90,lamp,1,2\n1,91,lamp,1,3\n"))
        assert client.row_count == 2
        client.run("rollback")
    lines = out.getvalue().decode().splitlines()
    assert len(lines) == 300
    assert all("***" in line for line in lines)


def test_errors_carry_their_code_and_the_session_goes_on(connecting):
    with pg8000.native.Connection(**connecting()) as client:
        for text, code in (
            ("drop table orders", "42501"),
            ("select * from nosuch", "42P01"),
            ("select nocol from orders", "42703"),
            ("select nofn(1)", "42883"),
        ):
            with pytest.raises(pg8000.native.DatabaseError) as refused:
                client.run(text)
            assert refused.value.args[0]["C"] == code
        assert client.run("select 1") == [[1]]
