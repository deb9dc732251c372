"""An UPDATE that is held until a human approves it goes on on the same connection, whatever the driver."""

import asyncio
import ssl
import threading
import time
from urllib.parse import quote

import asyncpg
import pg8000.dbapi
import psycopg2
import pytest
import sqlalchemy as sa

from doorward_core.event import EventKind
from doorward_core.record.reader import LogReader

pytestmark = pytest.mark.need_embedded_postgres
UPDATE = "update customer set newsletter = not newsletter where id = 11"


@pytest.fixture
def at(gateway):
    """Key values of an agent whose changes need a human."""
    return {
        "host": "localhost",
        "port": gateway.port,
        "user": "app",
        "password": gateway.token(subject="crew-9"),
        "database": "shop",
    }


@pytest.fixture
def authority(gateway):
    return str(gateway.state / "tls/ca.crt")


def by_psycopg2(at, authority):
    client = psycopg2.connect(**at, sslmode="verify-full", sslrootcert=authority)
    try:
        with client, client.cursor() as cursor:
            cursor.execute("select count(*) from customer")
            cursor.execute(UPDATE)
            return cursor.rowcount
    finally:
        client.close()


def by_pg8000(at, authority):
    client = pg8000.dbapi.connect(**at, ssl_context=ssl.create_default_context(cafile=authority))
    try:
        cursor = client.cursor()
        cursor.execute(UPDATE)
        client.commit()
        return cursor.rowcount
    finally:
        client.close()


def by_asyncpg(at, authority):
    async def program():
        client = await asyncpg.connect(**at, ssl=ssl.create_default_context(cafile=authority))
        try:
            async with client.transaction():
                return int((await client.execute(UPDATE)).split()[-1])
        finally:
            await client.close()

    return asyncio.run(program())


def by_sqlalchemy(at, authority):
    url = f"postgresql+psycopg://app:{quote(at['password'])}@localhost:{at['port']}/shop"
    engine = sa.create_engine(f"{url}?sslmode=verify-full&sslrootcert={quote(authority)}")
    with engine.begin() as connection:
        done = connection.execute(sa.text(UPDATE)).rowcount
    engine.dispose()
    return done


@pytest.mark.parametrize("client", [by_psycopg2, by_pg8000, by_asyncpg, by_sqlalchemy])
def test_a_held_update_goes_on_once_it_is_approved(client, gateway, at, authority):
    done = []
    thread = threading.Thread(target=lambda: done.append(client(at, authority)))
    thread.start()
    (request,) = gateway.waiting()
    assert b"newsletter = not" not in bytes(gateway.recorder.sent)
    assert gateway.vote(request["id"])[1]["state"] == "granted"
    thread.join(120)
    assert done == [1]


def test_a_drivers_own_timeout_withdraws_what_is_held(gateway, at, authority):
    async def program(timeout_s):
        client = await asyncpg.connect(**at, ssl=ssl.create_default_context(cafile=authority))
        try:
            with pytest.raises(asyncio.TimeoutError):
                await client.execute(UPDATE, timeout=timeout_s)
            return await client.fetchval("select 1")
        finally:
            await client.close()

    before = LogReader(gateway.log).size
    for timeout_s in (1, 2, 4, 8, 16, 32):  # the shortest within which it is held, however busy the machine
        assert asyncio.run(program(timeout_s)) == 1
        if _held(gateway, before):
            break
    (request,) = _held(gateway, before)
    while gateway.call("GET", f"/v1/approvals/{request}", gateway.approver())[1]["state"] != "withdrawn":
        time.sleep(0.02)
    assert b"newsletter = not" not in bytes(gateway.recorder.sent)


def _held(gateway, after):
    entries = LogReader(gateway.log).entries(after)
    return [entry.header["request"] for entry in entries if entry.kind == EventKind.OPERATION_HELD]
