"""Connections to a target: kept, bounded, used again only where that is safe; a request is not sent twice by chance."""

import dataclasses

import pytest
import trio
from http_stand import a_head, echo, read_until, started

from doorward_core.errors import UpstreamProtocolError, UpstreamUnavailable
from doorward_core.http.dial import UpstreamSettings
from doorward_core.http.limits import HttpLimits, UpstreamLimits
from doorward_core.http.messages import ResponseHead
from doorward_core.http.upstream import UpstreamPool
from doorward_core.net.link import Link
from doorward_core.net.listen import Server, open_tcp


@pytest.fixture
async def target(nursery):
    """A target whose connections a script plays: gives the pool and what arrived."""
    pools = []

    async def play(script, **settings):
        listener = open_tcp("127.0.0.1", 0)
        server = Server([listener], script, on_error=lambda error, peer: None)
        await nursery.start(server.serve)
        pool = UpstreamPool(UpstreamSettings("127.0.0.1", listener.port, **settings))
        pools.append(pool)
        return pool

    yield play
    for pool in pools:
        pool.close()


async def take(response):
    out = b""
    while piece := await response.read():
        out += piece
    return out


async def ask(pool, head=None, body=b""):
    async with pool.request(head or a_head(), body) as response:
        return response.head.status, await take(response)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_a_connection_is_used_again(nursery):
    ids = []

    async def handler(exchange):
        ids.append(exchange.connection_id)
        await echo(exchange)

    stand = await started(nursery, handler)
    pool = UpstreamPool(UpstreamSettings("127.0.0.1", stand.port))
    for _ in range(3):
        assert (await ask(pool))[0] == 200
    assert await ask(pool, a_head("POST", b"/p"), b"body") == (200, b"POST /p up.test b'body'\n")
    assert len(set(ids)) == 1
    pool.close()


async def test_a_body_in_pieces_is_sent_by_length_or_in_chunks(nursery):
    async def pieces():
        for piece in (b"ab", b"", b"c"):
            await trio.lowlevel.checkpoint()
            yield piece

    stand = await started(nursery, echo)
    pool = UpstreamPool(UpstreamSettings("127.0.0.1", stand.port))
    for length in (3, -1):
        assert (await ask(pool, a_head("POST", length=length), pieces()))[1] == b"POST / up.test b'abc'\n"
    with pytest.raises(UpstreamUnavailable):
        await ask(pool, a_head("POST", length=4), pieces())
    pool.close()


async def test_what_the_body_raises_is_raised(nursery):
    async def pieces():
        yield b"a"
        raise trio.BrokenResourceError("the client has gone")

    stand = await started(nursery, echo)
    pool = UpstreamPool(UpstreamSettings("127.0.0.1", stand.port))
    with pytest.raises(trio.BrokenResourceError):
        await ask(pool, a_head("POST"), pieces())
    assert (await ask(pool))[0] == 200
    pool.close()


async def test_an_answer_before_the_body_is_there_is_an_answer_and_ends_the_connection(target):
    arrived = []

    async def script(connection):
        arrived.append(await read_until(connection.link, b"first"))
        await connection.link.send_all(b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno")
        while data := await connection.link.receive():
            arrived.append(data)

    async def pieces():
        yield b"first"
        await trio.sleep_forever()

    pool = await target(script)
    assert await ask(pool, a_head("POST"), pieces()) == (413, b"no")
    assert pool._idle == type(pool._idle)()


async def test_a_connection_that_ended_while_it_was_kept_is_not_used(target):
    asked = []

    async def script(connection):
        asked.append(await read_until(connection.link, b"\r\n\r\n"))
        await connection.link.send_all(OK)

    pool = await target(script)
    for method in ("GET", "POST", "GET"):
        assert await ask(pool, a_head(method)) == (200, b"ok")
        with trio.fail_after(60):  # until the end of the connection is here
            await trio.lowlevel.wait_readable(pool._idle[0].link._socket)
    assert len(asked) == 3


async def test_only_what_can_be_repeated_is_sent_again_where_a_kept_connection_ends(target):
    asked = []

    async def script(connection):
        await read_until(connection.link, b"\r\n\r\n")
        await connection.link.send_all(OK)
        second = await connection.link.receive()
        asked.append(second)  # and leave without an answer

    pool = await target(script)
    await ask(pool)
    assert await ask(pool, a_head("GET", b"/again")) == (200, b"ok")
    with pytest.raises(UpstreamUnavailable):
        await ask(pool, a_head("POST", b"/once"))
    assert [b"GET /again" in data for data in asked] == [True, False]


async def test_a_target_that_says_more_than_was_asked_is_not_asked_again(target):
    connections = []

    async def script(connection):
        connections.append(connection)
        while True:
            await read_until(connection.link, b"\r\n\r\n")
            await connection.link.send_all(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")

    pool = await target(script)
    for _ in range(2):
        assert await ask(pool) == (200, b"ok")
    assert len(connections) == 2


async def test_informational_responses_are_dropped_and_bounded(target):
    async def script(connection):
        head = await read_until(connection.link, b"\r\n\r\n")
        many = 100 if b"/many" in head else 2
        await connection.link.send_all(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * many + OK)

    pool = await target(script)
    assert await ask(pool) == (200, b"ok")
    with pytest.raises(UpstreamProtocolError):
        await ask(pool, a_head("GET", b"/many"))


async def test_a_change_of_protocol_that_nobody_asked_for_is_refused(target):
    async def script(connection):
        await read_until(connection.link, b"\r\n\r\n")
        await connection.link.send_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")

    pool = await target(script)
    with pytest.raises(UpstreamProtocolError):
        await ask(pool)


async def test_connections_are_bounded_and_waiting_for_one_ends(nursery, autojump_clock):
    async def handler(exchange):
        await exchange.wait_disconnected()

    stand = await started(nursery, handler, limits=HttpLimits())
    limits = UpstreamLimits(connections=1, queue_s=5, answer_s=20)
    pool = UpstreamPool(UpstreamSettings("127.0.0.1", stand.port, limits=limits))
    failures = []

    async def one():
        try:
            await ask(pool)
        except UpstreamUnavailable as error:
            failures.append(str(error))

    async with trio.open_nursery() as both:
        both.start_soon(one)
        both.start_soon(one)
    assert "busy" in failures[0]
    assert "silent" in failures[1]


async def test_a_cancelled_request_gives_its_place_back(nursery, autojump_clock):
    async def handler(exchange):
        await exchange.wait_disconnected()

    stand = await started(nursery, handler)
    pool = UpstreamPool(UpstreamSettings("127.0.0.1", stand.port, limits=UpstreamLimits(connections=1)))
    for _ in range(3):
        with trio.move_on_after(1):
            await ask(pool)
    assert pool._places.value == 1


async def test_nobody_at_home_is_said(nursery):
    listener = open_tcp("127.0.0.1", 0)
    port = listener.port
    listener.close()
    with pytest.raises(UpstreamUnavailable):
        await ask(UpstreamPool(UpstreamSettings("127.0.0.1", port)))


async def test_an_upgrade_is_a_stream_only_after_101(target):
    async def script(connection):
        head = await read_until(connection.link, b"\r\n\r\n")
        if b"/yes" in head:
            assert b"upgrade: x\r\n" in head
            await connection.link.send_all(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: X\r\nConnection: upgrade\r\n\r\nearly"
            )
            await connection.link.send_all(await connection.link.receive())
        elif b"/other" in head:
            await connection.link.send_all(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: y\r\nConnection: upgrade\r\n\r\n"
            )
        else:
            await connection.link.send_all(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")

    pool = await target(script)
    asked = a_head("GET", b"/yes", upgrade="x")
    async with pool.upgrade(asked) as answer:
        assert answer.upgraded
        link, early = answer.stream()
        assert early == b"early"
        assert isinstance(link, Link)
        await link.send_all(b"late")
        assert await link.receive() == b"late"
        with pytest.raises(UpstreamUnavailable):
            _ = answer.response
    async with pool.upgrade(dataclasses.replace(asked, target=b"/no")) as answer:
        assert not answer.upgraded
        assert answer.head == ResponseHead(403, ((b"content-length", b"2"),), b"No")
        assert await take(answer.response) == b"no"
        with pytest.raises(UpstreamUnavailable):
            answer.stream()
    with pytest.raises(UpstreamProtocolError):
        async with pool.upgrade(dataclasses.replace(asked, target=b"/other")):
            pass
    assert not pool._idle
