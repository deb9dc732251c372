"""One HTTP/1.1 connection: what keeps it, what ends it, and what a handler may rely on."""

import pytest
import trio
from http_stand import echo, read_all, read_until, started

from doorward_core.errors import LocalProtocolError
from doorward_core.http.limits import HttpLimits
from doorward_core.http.messages import ResponseHead

GET = b"GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n"
LAST = b"GET /z HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
TEXT = ResponseHead(200, ((b"content-type", b"text/plain"),))


def post(body, *headers):
    return b"".join(
        [b"POST /p HTTP/1.1\r\nHost: a.example\r\n", *headers, b"Content-Length: %d\r\n\r\n" % len(body), body]
    )


async def test_requests_on_one_connection_are_answered_in_order(nursery):
    stand = await started(nursery, echo)
    said = await stand.talk(GET + post(b"body") + LAST)
    assert [line for line in said.split(b"\n") if b"a.example" in line] == [
        b"GET /a a.example b''",
        b"POST /p a.example b'body'",
        b"GET /z a.example b''",
    ]
    assert said.count(b"connection: close") == 1
    assert stand.told == []


async def test_a_refused_head_is_answered_and_ends_the_connection(nursery):
    stand = await started(nursery, echo)
    said = await stand.talk(b"GET /a HTTP/1.1\r\n\r\n" + GET)
    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert said.count(b"HTTP/1.1") == 1
    assert b"application/problem+json" in said
    assert [refused.status for refused in stand.refused] == [400]


async def test_continue_is_said_when_the_body_is_wanted(nursery):
    stand = await started(nursery, echo)
    link = await stand.dial()
    await link.send_all(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert await link.receive() == b"HTTP/1.1 100 Continue\r\n\r\n"
    await link.send_all(b"ok")
    assert b"b'ok'" in await read_until(link, b"'\n")
    link.close()


async def test_a_refusal_before_the_body_ends_the_connection_without_continue(nursery):
    async def refuse(exchange):
        await exchange.respond(ResponseHead(403), b"no")

    stand = await started(nursery, refuse)
    said = await stand.talk(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 403")
    assert b"connection: close" in said


async def test_a_short_body_that_nobody_reads_keeps_the_connection_and_a_long_one_ends_it(nursery):
    async def refuse(exchange):
        await exchange.respond(ResponseHead(403), b"no")

    stand = await started(nursery, refuse, limits=HttpLimits(drain_bytes=10))
    said = await stand.talk(post(b"short")[:-2], b"rt" + post(b"x" * 11) + GET)
    assert said.count(b"HTTP/1.1 403") == 2
    assert said.count(b"connection: close") == 1


async def test_a_short_body_that_drips_holds_the_answer_no_longer_than_a_head_may_take(nursery, patient_clock):
    async def refuse(exchange):
        await exchange.respond(ResponseHead(403), b"no")

    stand = await started(nursery, refuse)
    link = await stand.dial()
    began = trio.current_time()
    await link.send_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")

    async def drip():
        for _ in range(30):  # each before a body counts as stopped
            await trio.sleep(4)
            await link.send_all(b"x")

    async with trio.open_nursery() as dripping:
        dripping.start_soon(drip)
        said = await read_until(link, b"no")
        dripping.cancel_scope.cancel()
    assert said.startswith(b"HTTP/1.1 403")
    assert b"connection: close" in said
    assert trio.current_time() - began < 15
    link.close()


async def test_a_client_that_sends_all_of_its_body_before_it_reads_still_gets_the_answer(nursery):
    async def refuse(exchange):
        await exchange.respond(ResponseHead(403), b"no")

    stand = await started(nursery, refuse)
    link = await stand.dial()
    length = 64 << 20  # more than both kernels' buffers hold
    await link.send_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length)
    for _ in range(length >> 20):
        await link.send_all(bytes(1 << 20))
    said = await read_all(link)
    link.close()
    assert said.startswith(b"HTTP/1.1 403")
    assert said.endswith(b"no")


async def test_an_answer_does_not_wait_for_a_body_of_unknown_length(nursery):
    async def refuse(exchange):
        await exchange.respond(ResponseHead(403), b"no")

    stand = await started(nursery, refuse)
    said = await stand.talk(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
    assert said.startswith(b"HTTP/1.1 403")
    assert b"connection: close" in said


async def test_a_body_of_unknown_length_is_chunked_or_ends_with_the_connection(nursery):
    async def stream(exchange):
        await exchange.send_head(TEXT)
        await exchange.send_data(b"one")
        await exchange.send_data(b"")
        await exchange.send_data(b"two")
        await exchange.send_trailers(((b"x-sum", b"1"),))
        await exchange.finish()

    stand = await started(nursery, stream)
    assert (await stand.talk(LAST)).endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    wants = LAST.replace(b"Connection: close", b"TE: trailers\r\nConnection: close, te")
    assert (await stand.talk(wants)).endswith(b"0\r\nx-sum: 1\r\n\r\n")
    assert (await stand.talk(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")).endswith(b"\r\n\r\nonetwo")


async def test_a_handlers_framing_is_not_what_is_sent(nursery):
    async def lie(exchange):
        odd = ((b"transfer-encoding", b"gzip"), (b"connection", b"keep-alive"), (b"upgrade", b"x"), (b"a", b"b"))
        await exchange.respond(ResponseHead(200, (*odd, (b"content-length", b"99"))), b"ok")

    stand = await started(nursery, lie)
    assert await stand.talk(LAST) == (b"HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")


async def test_a_head_request_gets_the_length_and_no_body(nursery):
    async def answer(exchange):
        await exchange.respond(TEXT, b"body")

    stand = await started(nursery, answer)
    said = await stand.talk(LAST.replace(b"GET", b"HEAD"))
    assert b"content-length: 4" in said
    assert said.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("length", [b"1", b"9"])
async def test_a_body_that_is_not_as_long_as_was_said_is_cut(nursery, length):
    async def lie(exchange):
        await exchange.send_head(ResponseHead(200, ((b"content-length", length),)))
        await exchange.send_data(b"four")
        await exchange.finish()

    stand = await started(nursery, lie)
    said = await stand.talk(GET + GET)
    assert said.count(b"HTTP/1.1") == 1
    assert isinstance(stand.told[0], LocalProtocolError)


async def test_a_handler_that_fails_is_answered_with_500_and_told(nursery):
    async def fail(exchange):
        await trio.lowlevel.checkpoint()
        raise RuntimeError("canary")

    stand = await started(nursery, fail)
    said = await stand.talk(GET)
    assert said.startswith(b"HTTP/1.1 500")
    assert b"canary" not in said
    assert isinstance(stand.told[0], RuntimeError)


async def test_a_handler_that_does_not_answer_is_a_defect(nursery):
    async def silent(exchange):
        await trio.lowlevel.checkpoint()

    stand = await started(nursery, silent)
    assert (await stand.talk(GET)).startswith(b"HTTP/1.1 500")
    assert isinstance(stand.told[0], LocalProtocolError)


async def test_a_response_that_is_not_finished_is_cut(nursery):
    async def stop(exchange):
        await exchange.send_head(TEXT)
        await exchange.send_data(b"half")

    stand = await started(nursery, stop)
    said = await stand.talk(GET)
    assert said.endswith(b"half\r\n")


async def test_a_body_that_lies_is_refused_where_the_handler_lets_it_pass(nursery):
    stand = await started(nursery, echo)
    said = await stand.talk(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\n\r\n"
    )
    assert said.startswith(b"HTTP/1.1 400")
    said = await (await started(nursery, echo, limits=HttpLimits(body_bytes=4))).talk(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    )
    assert said.startswith(b"HTTP/1.1 413")


async def test_trailers_of_a_request_are_told(nursery):
    seen = []

    async def look(exchange):
        assert b"".join([piece async for piece in exchange.body()]) == b"hello"
        seen.append(exchange.trailers)
        await exchange.respond(ResponseHead(204))

    stand = await started(nursery, look)
    said = await stand.talk(
        b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"
    )
    assert said == b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"
    assert seen == [((b"x-sum", b"1"),)]


async def test_a_client_that_leaves_is_noticed_while_nobody_reads(nursery):
    left = trio.Event()

    async def wait(exchange):
        await exchange.wait_disconnected()
        left.set()
        with pytest.raises(trio.BrokenResourceError):
            for _ in range(100):
                await exchange.respond(TEXT, b"x" * 1_000_000)
                exchange.started = False
                exchange._finished = False

    stand = await started(nursery, wait)
    link = await stand.dial()
    await link.send_all(GET)
    link.close()
    await left.wait()


async def test_an_upgrade_leaves_http_and_loses_nothing(nursery):
    async def upgrade(exchange):
        stream, early = await exchange.upgrade(((b"sec-x", b"y"),))
        await stream.send_all(early + await stream.receive())

    stand = await started(nursery, upgrade)
    link = await stand.dial()
    await link.send_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\nearly")
    said = await read_until(link, b"\r\n\r\n")
    assert said == b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-x: y\r\n\r\n"
    await link.send_all(b" late")
    assert await read_all(link) == b"early late"
    link.close()


async def test_only_who_asks_is_upgraded(nursery):
    async def upgrade(exchange):
        await exchange.upgrade()

    stand = await started(nursery, upgrade)
    assert (await stand.talk(GET)).startswith(b"HTTP/1.1 500")


async def test_a_head_that_drips_and_a_connection_that_idles_are_closed(nursery, autojump_clock):
    stand = await started(nursery, echo)
    assert await stand.talk(b"GET / HT") == b""
    assert (await stand.talk(GET)).startswith(b"HTTP/1.1 200")
    assert stand.told == []


async def test_a_body_that_stops_and_a_reader_that_stops_are_cut(nursery, autojump_clock):
    broken, all_broken = [], trio.Event()

    async def big(exchange):
        try:
            await exchange.read()
            await exchange.respond(TEXT, b"x" * 50_000_000)
        except trio.BrokenResourceError:
            broken.append(exchange.head.target)
            if len(broken) == 2:
                all_broken.set()
            raise

    stand = await started(nursery, big)
    assert await stand.talk(b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n") == b""
    link = await stand.dial()
    await link.send_all(b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
    await all_broken.wait()
    link.close()
    assert broken == [b"/1", b"/2"]
    assert stand.told == []


async def test_draining_ends_connections_after_their_answer_and_idle_ones_at_once(nursery, autojump_clock):
    release = trio.Event()

    async def slow(exchange):
        exchange.established()
        if exchange.head.target == b"/slow":
            await release.wait()
        await exchange.respond(TEXT, b"done")

    stand = await started(nursery, slow)
    idle, busy = await stand.dial(), await stand.dial()
    await idle.send_all(GET)
    await read_until(idle, b"done")
    await busy.send_all(GET.replace(b"/a", b"/slow"))
    nursery.start_soon(stand.server.drain, 60)
    assert await read_all(idle) == b""
    release.set()
    said = await read_all(busy)
    assert b"connection: close" in said
    assert said.endswith(b"done")
    idle.close()
    busy.close()


async def test_misuse_is_a_defect(nursery):
    faults = []

    async def misuse(exchange):
        for wrong in (exchange.send_data(b""), exchange.finish(), exchange.send_head(ResponseHead(100))):
            with pytest.raises(LocalProtocolError):
                await wrong
        await exchange.respond(TEXT, b"x")
        for wrong in (exchange.send_data(b""), exchange.finish(), exchange.send_head(TEXT)):
            with pytest.raises(LocalProtocolError):
                await wrong
        faults.append(exchange)

    stand = await started(nursery, misuse)
    await stand.talk(LAST)
    assert len(faults) == 1
