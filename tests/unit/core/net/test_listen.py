"""Listening: one bad connection never touches another; limits, deadlines, drain, and the Unix socket's file."""

import socket
import stat

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from doorward_core.errors import ConfigError
from doorward_core.net.link import Link
from doorward_core.net.listen import Limits, Server, open_tcp, open_unix


async def _dial(listener):
    if listener.local:
        client = socket.socket(socket.AF_UNIX)
        client.connect(listener.socket.getsockname())
    else:
        client = socket.create_connection(listener.socket.getsockname()[:2])
    return Link(client)


class _Told(list):
    def __call__(self, error, peer):
        self.append((error, peer))


@pytest.fixture
def told():
    return _Told()


@pytest.fixture(params=["tcp", "unix"])
def listener(request, tmp_path):
    return open_tcp("127.0.0.1", 0) if request.param == "tcp" else open_unix(tmp_path / "s")


async def _echo(connection):
    connection.established()
    while data := await connection.link.receive():
        if data == b"boom":
            raise RuntimeError(data)
        if data == b"boom twice":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_boom)
        await connection.link.send_all(data)


async def _boom():
    await trio.lowlevel.checkpoint()
    raise RuntimeError("within a nursery")


async def test_an_exception_ends_its_own_connection_only(listener, nursery, told):
    server = Server([listener], _echo, on_error=told)
    await nursery.start(server.serve)
    good, bad, worse = [await _dial(listener) for _ in range(3)]
    await bad.send_all(b"boom")
    assert await bad.receive() == b""
    await worse.send_all(b"boom twice")
    assert await worse.receive() == b""
    await good.send_all(b"still here")
    assert await good.receive() == b"still here"
    assert [type(error) for error, _ in told] == [RuntimeError, ExceptionGroup]
    for link in (good, bad, worse):
        link.close()
    await server.drain(5)
    assert server.connected == len(server.waiting) == 0


async def test_a_reset_ends_its_own_connection_only(nursery, told):
    listener = open_tcp("127.0.0.1", 0)
    server = Server([listener], _echo, on_error=told)
    await nursery.start(server.serve)
    rude = socket.create_connection(listener.socket.getsockname())
    await wait_all_tasks_blocked(0.01)
    rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    rude.close()
    polite = await _dial(listener)
    await polite.send_all(b"x")
    assert await polite.receive() == b"x"
    polite.close()
    await server.drain(5)
    assert [type(error) for error, _ in told] == [trio.BrokenResourceError]


async def test_a_peer_is_named(listener, nursery, told):
    peers = []

    async def handler(connection):
        peers.append(connection.peer)

    server = Server([listener], handler, on_error=told)
    await nursery.start(server.serve)
    client = await _dial(listener)
    assert await client.receive() == b""
    client.close()
    await server.drain(5)
    assert (server.connected, len(server.waiting)) == (0, 0)  # it ended before it was established
    assert peers[0].address.startswith("uid:" if listener.local else "127.0.0.1")
    assert told == []


async def test_who_comes_on_top_is_told_and_closed(nursery, told):
    listener = open_tcp("127.0.0.1", 0)
    server = Server([listener], _echo, on_error=told, limits=Limits(connections=1, busy_answer=b"busy"))
    await nursery.start(server.serve)
    first = await _dial(listener)
    await first.send_all(b"x")
    assert await first.receive() == b"x"
    second = await _dial(listener)
    assert await second.receive() == b"busy"
    assert await second.receive() == b""
    assert server.refused == 1
    first.close()
    second.close()
    await server.drain(5)


async def test_an_address_that_says_nothing_does_not_keep_another_out(nursery, told):
    listener = open_tcp("127.0.0.1", 0)
    here = listener.socket.getsockname()

    async def handler(connection):
        assert await connection.link.receive() == b"x"
        connection.established()
        await connection.link.send_all(b"in")
        await connection.link.receive()

    server = Server([listener], handler, on_error=told, limits=Limits(handshakes=3, busy_answer=b"busy"))
    await nursery.start(server.serve)
    silent = [Link(socket.create_connection(here, source_address=("127.0.0.7", 0))) for _ in range(3)]
    while len(server.waiting) < 3:
        await wait_all_tasks_blocked(0.01)
    another = await _dial(listener)
    await another.send_all(b"x")
    assert await another.receive() == b"in"
    assert await silent[0].receive() == b""  # the oldest of the crowd went
    too_many = Link(socket.create_connection(here, source_address=("127.0.0.7", 0)))
    fourth = Link(socket.create_connection(here, source_address=("127.0.0.7", 0)))
    assert await fourth.receive() == b"busy"  # among themselves they are refused
    for link in (*silent, another, too_many, fourth):
        link.close()
    await server.drain(5)
    assert str(told[0][0]) == "others needed its place"
    assert (server.connected, len(server.waiting)) == (0, 0)


async def test_handshakes_have_places_of_their_own(nursery, told):
    listener = open_tcp("127.0.0.1", 0)
    go = trio.Event()

    async def handler(connection):
        await go.wait()
        connection.established()
        connection.established()
        await connection.link.receive()

    server = Server([listener], handler, on_error=told, limits=Limits(handshakes=1, busy_answer=b"busy"))
    await nursery.start(server.serve)
    first = await _dial(listener)
    await wait_all_tasks_blocked(0.01)
    second = await _dial(listener)
    assert await second.receive() == b"busy"
    go.set()
    await wait_all_tasks_blocked(0.01)
    third = await _dial(listener)
    await wait_all_tasks_blocked(0.01)
    assert (server.connected, len(server.waiting), server.refused) == (2, 0, 1)
    for link in (first, second, third):
        link.close()
    await server.drain(5)


async def test_a_handshake_that_dawdles_is_cut(nursery, told, autojump_clock):
    listener = open_tcp("127.0.0.1", 0)

    async def handler(connection):
        await connection.link.receive()

    server = Server([listener], handler, on_error=told, limits=Limits(handshake_s=10))
    await nursery.start(server.serve)
    client = await _dial(listener)
    assert await client.receive() == b""
    assert [type(error) for error, _ in told] == [trio.TooSlowError]
    assert trio.current_time() >= 10
    client.close()
    await server.drain(5)


async def test_drain_waits_for_handlers_and_cuts_the_rest(nursery, told, autojump_clock):
    listener = open_tcp("127.0.0.1", 0)

    async def handler(connection):
        connection.established()
        data = await connection.link.receive()
        await connection.draining.wait()
        if data == b"stubborn":
            await trio.sleep_forever()

    server = Server([listener], handler, on_error=told)
    await nursery.start(server.serve)
    address = listener.socket.getsockname()
    polite, stubborn = await _dial(listener), await _dial(listener)
    await polite.send_all(b"polite")
    await stubborn.send_all(b"stubborn")
    await wait_all_tasks_blocked(0.01)
    assert await server.drain(30) == 1
    assert await polite.receive() == b""
    assert await stubborn.receive() == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    polite.close()
    stubborn.close()


def test_a_unix_socket_is_its_users_alone(tmp_path):
    path = tmp_path / "s"
    listener = open_unix(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert listener.local
    assert listener.name == f"unix:{path}"
    listener.socket.close()


async def test_a_unix_socket_leaves_no_file_behind(tmp_path):
    path = tmp_path / "s"
    open_unix(path).close()
    assert not path.exists()


async def test_a_successor_keeps_its_file(tmp_path):
    path = tmp_path / "s"
    first = open_unix(path)
    path.rename(tmp_path / "t")
    second = open_unix(path)
    first.close()
    assert path.exists()
    second.close()


async def test_a_dead_unix_socket_is_replaced_and_a_live_one_is_not(tmp_path):
    path = tmp_path / "s"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    listener = open_unix(path)
    with pytest.raises(ConfigError, match="another process listens there"):
        open_unix(path)
    listener.close()


def test_a_file_is_never_removed_for_a_unix_socket(tmp_path):
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="something else"):
        open_unix(path)
    assert path.read_text() == "precious"


def test_a_path_too_long_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="107 bytes"):
        open_unix(tmp_path / ("s" * 108))


def test_an_address_in_use_is_refused_by_the_key_that_named_it():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError, match=r"^admin: 127\..* in use"):
        open_tcp("127.0.0.1", taken.getsockname()[1], "admin")


async def test_a_listener_names_the_port_it_got():
    listener = open_tcp("127.0.0.1", 0)
    assert listener.port
    assert listener.name == f"127.0.0.1:{listener.port}"
    listener.close()
    listener.close()
