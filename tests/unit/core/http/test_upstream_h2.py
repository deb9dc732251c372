"""Many requests over one h2 connection, read by whoever waits; what is left is ended, what was not seen is repeated."""

import h2.config
import h2.connection
import h2.errors
import h2.events
import pytest
import trio
from http_stand import a_head

from doorward_core.errors import UpstreamProtocolError, UpstreamUnavailable
from doorward_core.http.dial import UpstreamSettings
from doorward_core.http.limits import UpstreamLimits
from doorward_core.http.messages import UpstreamTimeout
from doorward_core.http.upstream import UpstreamPool
from doorward_core.net.listen import Server, open_tcp


class Target:
    """The h2 library as a server; `script(target, event)` is called for each event, and may use `h2` and `send`."""

    def __init__(self, connection, script):
        self.link = connection.link
        self.script = script
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
        self.bodies = {}
        self.reset = []

    async def run(self):
        self.h2.initiate_connection()
        await self.send()
        while data := await self.link.receive():
            for event in self.h2.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamReset):
                    self.reset.append(event.stream_id)
                await self.script(self, event)
            await self.send()

    async def send(self, data=b""):
        await self.link.send_all(self.h2.data_to_send() + data)

    def answer(self, stream, body, *headers, status=b"200", end=True):
        self.h2.send_headers(stream, [(b":status", status), *headers])
        self.h2.send_data(stream, body, end_stream=end)


@pytest.fixture
async def target(nursery):
    pools = []

    async def play(script, **limits):
        seen = []

        async def serve(connection):
            seen.append(Target(connection, script))
            await seen[-1].run()

        listener = open_tcp("127.0.0.1", 0)
        server = Server([listener], serve, on_error=lambda error, peer: None)
        await nursery.start(server.serve)
        settings = UpstreamSettings("127.0.0.1", listener.port, prior_knowledge=True, limits=UpstreamLimits(**limits))
        pool = UpstreamPool(settings)
        pool.seen = seen
        pools.append(pool)
        return pool

    yield play
    for pool in pools:
        pool.close()


async def ask(pool, method="GET", path=b"/", body=b"", **rest):
    async with pool.request(a_head(method, path, **rest), body) as response:
        out = b""
        while piece := await response.read():
            out += piece
        return response.head.status, out, response.trailers


async def polite(target, event):
    if isinstance(event, h2.events.StreamEnded):
        target.answer(event.stream_id, target.bodies.get(event.stream_id, b"none"))


async def test_requests_share_a_connection(target):
    pool = await target(polite)
    async with trio.open_nursery() as many:
        for _ in range(20):
            many.start_soon(ask, pool)
    assert (await ask(pool, "POST", body=b"abc"))[:2] == (200, b"abc")
    assert len(pool.seen) == 1


async def test_bodies_larger_than_the_windows_go_both_ways(target):
    async def pieces():
        for _ in range(20):
            yield b"x" * 20_000

    async def count(target, event):
        if isinstance(event, h2.events.StreamEnded):
            target.answer(event.stream_id, b"%d" % len(target.bodies[event.stream_id]))

    pool = await target(count)
    assert (await ask(pool, "POST", body=b"y" * 300_000))[1] == b"300000"
    assert (await ask(pool, "POST", body=pieces()))[1] == b"400000"
    assert (await ask(pool, "POST", body=pieces(), length=400_000))[1] == b"400000"
    with pytest.raises(UpstreamUnavailable):
        await ask(pool, "POST", body=pieces(), length=400_001)


async def test_trailers_are_told(target):
    async def script(target, event):
        if isinstance(event, h2.events.RequestReceived):
            target.answer(event.stream_id, b"x", end=False)
            target.h2.send_headers(event.stream_id, [(b"grpc-status", b"0")], end_stream=True)

    assert await ask(await target(script)) == (200, b"x", ((b"grpc-status", b"0"),))


async def test_both_sides_may_talk_at_once(target):
    async def script(target, event):
        if isinstance(event, h2.events.RequestReceived):
            target.h2.send_headers(event.stream_id, [(b":status", b"200")])
        elif isinstance(event, h2.events.DataReceived) and event.data:
            target.h2.send_data(event.stream_id, event.data.upper())
        elif isinstance(event, h2.events.StreamEnded):
            target.h2.end_stream(event.stream_id)

    send, receive = trio.open_memory_channel(1)

    async def pieces():
        async for piece in receive:
            yield piece

    pool = await target(script)
    async with pool.request(a_head("POST"), pieces()) as response:
        for word in (b"one", b"two"):
            await send.send(word)
            assert await response.read() == word.upper()
        await send.aclose()
        assert await response.read() == b""


async def test_who_leaves_early_resets_its_stream_and_hurts_nobody(target):
    reset = trio.Event()

    async def script(target, event):
        if isinstance(event, h2.events.RequestReceived):
            if dict(event.headers)[b":path"] == b"/quick":
                target.answer(event.stream_id, b"quick")
            else:
                target.answer(event.stream_id, b"part", end=False)
        elif isinstance(event, h2.events.StreamReset):
            reset.set()

    pool = await target(script)
    async with pool.request(a_head(), b"") as response:
        assert await response.read() == b"part"
    await reset.wait()
    assert (await ask(pool, path=b"/quick"))[1] == b"quick"
    assert len(pool.seen) == 1


async def test_the_one_that_reads_may_be_cancelled(target):
    release = trio.Event()

    async def script(target, event):
        if isinstance(event, h2.events.RequestReceived) and dict(event.headers)[b":path"] == b"/answer":
            await release.wait()
            target.answer(event.stream_id, b"yes")

    pool = await target(script)
    async with trio.open_nursery() as both:
        scope = trio.CancelScope()

        async def reader():
            with scope:
                await ask(pool, path=b"/never")

        async def waiter():
            assert (await ask(pool, path=b"/answer"))[1] == b"yes"

        both.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        both.start_soon(waiter)
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()
        release.set()


async def test_goodbye_lets_streams_end_and_moves_on(target):
    async def script(target, event):
        if isinstance(event, h2.events.RequestReceived) and dict(event.headers)[b":path"] == b"/last":
            await target.send(b"\0\0\x08\x07\0\0\0\0\0" + event.stream_id.to_bytes(4) + bytes(4))
        if isinstance(event, h2.events.StreamEnded):
            target.answer(event.stream_id, b"ok")

    pool = await target(script)
    assert (await ask(pool, path=b"/last"))[1] == b"ok"
    assert (await ask(pool))[1] == b"ok"
    assert len(pool.seen) == 2


async def test_what_the_target_did_not_look_at_is_asked_again_whatever_it_was(target):
    refused = []

    async def script(target, event):
        if isinstance(event, h2.events.StreamEnded):
            if refused:
                target.answer(event.stream_id, b"ok")
            else:
                refused.append(event.stream_id)
                target.h2.reset_stream(event.stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)

    pool = await target(script)
    assert (await ask(pool, "POST", body=b"x"))[1] == b"ok"


async def test_a_stream_that_is_reset_within_its_answer_is_not_whole(target):
    async def script(target, event):
        if isinstance(event, h2.events.StreamEnded):
            target.answer(event.stream_id, b"part", end=False)
            target.h2.reset_stream(event.stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR)

    with pytest.raises(UpstreamUnavailable):
        await ask(await target(script))


async def test_a_head_that_is_none_is_its_own_streams_fault(target):
    async def script(target, event):
        if isinstance(event, h2.events.StreamEnded):
            bad = (b"connection", b"close")
            target.h2.config.validate_outbound_headers = False
            target.h2.config.normalize_outbound_headers = False
            target.answer(event.stream_id, b"x", bad)

    with pytest.raises((UpstreamProtocolError, UpstreamUnavailable)):
        await ask(await target(script))


async def test_a_connection_that_breaks_is_told_to_all_and_replaced(target):
    broken = []

    async def script(target, event):
        if isinstance(event, h2.events.StreamEnded):
            if broken:
                target.answer(event.stream_id, b"ok")
            else:
                broken.append(target)
                target.link.close()

    pool = await target(script)
    with pytest.raises(UpstreamUnavailable):
        await ask(pool, "POST", body=b"x")
    assert (await ask(pool))[1] == b"ok"


async def test_a_silent_target_is_given_up_and_an_idle_connection_closed(target, patient_clock):
    async def script(target, event):
        if isinstance(event, h2.events.StreamEnded) and target.bodies:
            target.answer(event.stream_id, b"ok")

    pool = await target(script, answer_s=5)
    with pytest.raises(UpstreamTimeout):
        await ask(pool)
    await ask(pool, "POST", body=b"x")
    await trio.sleep(60)
    await ask(pool, "POST", body=b"x")
    assert len(pool.seen) == 2


async def test_more_requests_than_streams_take_another_connection(target):
    release = trio.Event()

    async def script(target, event):
        if isinstance(event, h2.events.StreamEnded):
            await release.wait()
            target.answer(event.stream_id, b"ok")

    pool = await target(script, streams=1)
    async with trio.open_nursery() as both:
        both.start_soon(ask, pool)
        both.start_soon(ask, pool)
        await trio.testing.wait_all_tasks_blocked()
        release.set()
    assert len(pool.seen) == 2
