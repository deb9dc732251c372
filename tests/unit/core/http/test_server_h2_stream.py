"""One h2 stream: bodies both ways under flow control, and ends that can be told apart."""

import h2.errors
import h2.events
import h2.settings
import pytest
import trio
from http_stand import H2Client, echo, started

from doorward_core.errors import LocalProtocolError
from doorward_core.http.limits import HttpLimits
from doorward_core.http.messages import ResponseHead

OK = ResponseHead(200, ((b"content-type", b"text/plain"),))


@pytest.fixture
async def open_client(nursery):
    clients = []

    async def dial(handler, *, limits=None, **config):
        stand = await started(nursery, handler, limits=limits or HttpLimits(), over_h2=True)
        client = await H2Client.on(stand, **config)
        client.stand = stand
        clients.append(client)
        return client

    yield dial
    for client in clients:
        client.link.close()


async def test_a_body_larger_than_the_window_is_sent_as_the_client_reads(open_client):
    async def handler(exchange):
        await exchange.send_head(OK)
        for _ in range(10):
            await exchange.send_data(b"x" * 50_000)
        await exchange.finish()

    client = await open_client(handler)
    stream = await client.ask()
    size = 0
    while size < 500_000:  # the end may be here before the last of the body has been counted
        event = await client.hear(h2.events.DataReceived, stream)
        client.events.remove(event)
        size += len(event.data)
        client.h2.acknowledge_received_data(event.flow_controlled_length, stream)
        await client.flush()
    await client.hear(h2.events.StreamEnded)
    assert size == 500_000


async def test_a_body_is_read_as_the_handler_asks_and_no_further(open_client):
    read = []
    go = trio.Event()

    async def handler(exchange):
        await go.wait()
        read.extend([piece async for piece in exchange.body()])
        await exchange.respond(OK, b"done")

    client = await open_client(handler, limits=HttpLimits(stream_window_bytes=70_000))
    await client.hear(h2.events.SettingsAcknowledged)
    stream = await client.ask(method=b"POST", body=b"", end=False)
    sent = 0
    while (room := client.h2.local_flow_control_window(stream)) > 0:
        piece = min(room, 10_000)
        client.h2.send_data(stream, b"y" * piece)
        sent += piece
    await client.flush()
    assert sent <= 70_000
    go.set()
    await client.hear(h2.events.WindowUpdated, stream)
    client.h2.send_data(stream, b"z" * 10_000, end_stream=True)
    await client.flush()
    assert (await client.answer(stream))[1] == b"done"
    assert b"".join(read) == b"y" * sent + b"z" * 10_000


async def test_trailers_go_both_ways(open_client):
    async def handler(exchange):
        assert b"".join([piece async for piece in exchange.body()]) == b"abc"
        await exchange.send_head(OK)
        await exchange.send_data(b"x", more=True)
        await exchange.send_trailers((*exchange.trailers, (b"grpc-status", b"0")))
        await exchange.finish()

    client = await open_client(handler)
    stream = await client.ask(method=b"POST", body=b"abc", end=False)
    client.h2.send_headers(stream, [(b"x-sum", b"1")], end_stream=True)
    await client.flush()
    trailers = await client.hear(h2.events.TrailersReceived, stream)
    assert list(trailers.headers) == [(b"x-sum", b"1"), (b"grpc-status", b"0")]


async def test_trailers_that_control_are_refused(open_client):
    client = await open_client(echo)
    stream = await client.ask(method=b"POST", body=b"abc", end=False)
    client.h2.send_headers(stream, [(b"authorization", b"x")], end_stream=True)
    await client.flush()
    assert (await client.answer(stream))[0] == 400


async def test_a_body_that_is_too_long_is_413(open_client):
    client = await open_client(echo, limits=HttpLimits(body_bytes=4))
    stream = await client.ask(method=b"POST", body=b"hello")
    assert (await client.answer(stream))[0] == 413


async def test_continue_is_said_when_the_body_is_wanted(open_client):
    client = await open_client(echo)
    stream = await client.ask((b"expect", b"100-continue"), method=b"POST", end=False)
    await client.hear(h2.events.InformationalResponseReceived, stream)
    client.h2.send_data(stream, b"ok", end_stream=True)
    await client.flush()
    assert b"b'ok'" in (await client.answer(stream))[1]


async def test_a_response_to_head_and_one_without_a_body_have_none(open_client):
    async def handler(exchange):
        await exchange.respond(ResponseHead(204 if exchange.head.target == b"/204" else 200), b"body")

    client = await open_client(handler)
    assert await client.answer(await client.ask(method=b"HEAD")) == (200, b"")
    assert await client.answer(await client.ask(path=b"/204")) == (204, b"")


@pytest.mark.parametrize("length", [b"1", b"9"])
async def test_a_body_that_is_not_as_long_as_was_said_is_reset(open_client, length):
    async def handler(exchange):
        await exchange.send_head(ResponseHead(200, ((b"content-length", length),)))
        with pytest.raises(LocalProtocolError):
            await exchange.send_data(b"four")
            await exchange.finish()

    client = await open_client(handler)
    stream = await client.ask()
    assert (await client.hear(h2.events.StreamReset, stream)).error_code == h2.errors.ErrorCodes.INTERNAL_ERROR


async def test_a_response_that_is_not_finished_is_reset(open_client):
    async def handler(exchange):
        await exchange.send_head(OK)
        await exchange.send_data(b"half")

    client = await open_client(handler)
    stream = await client.ask()
    await client.hear(h2.events.StreamReset, stream)
    assert client.body(stream) == b"half"


async def test_an_answer_before_the_body_is_whole_and_asks_for_no_more(open_client):
    async def handler(exchange):
        await exchange.respond(ResponseHead(403), b"no")

    client = await open_client(handler)
    stream = await client.ask(method=b"POST", body=b"part", end=False)
    await client.hear(h2.events.StreamEnded, stream)
    assert client.body(stream) == b"no"
    assert (await client.hear(h2.events.StreamReset, stream)).error_code == h2.errors.ErrorCodes.NO_ERROR


async def test_a_body_that_stops_and_a_reader_that_stops_are_given_up(open_client, autojump_clock):
    broken = []

    async def handler(exchange):
        try:
            if exchange.head.method == "POST":
                await exchange.read()
                await exchange.read()
            await exchange.respond(OK, b"x" * 1_000_000)
        except trio.BrokenResourceError:
            broken.append(exchange.head.method)
            raise

    client = await open_client(handler)
    reads = await client.ask()
    writes = await client.ask(method=b"POST", body=b"part", end=False)
    await client.hear(h2.events.StreamReset, reads)
    await client.hear(h2.events.StreamReset, writes)
    assert sorted(broken) == ["GET", "POST"]


async def test_nothing_is_upgraded_and_misuse_is_a_defect(open_client):
    done = trio.Event()

    async def handler(exchange):
        for wrong in (
            exchange.upgrade(),
            exchange.send_data(b""),
            exchange.finish(),
            exchange.send_head(ResponseHead(100)),
        ):
            with pytest.raises(LocalProtocolError):
                await wrong
        await exchange.respond(OK, b"x")
        done.set()

    client = await open_client(handler)
    assert (await client.answer(await client.ask()))[0] == 200
    await done.wait()
