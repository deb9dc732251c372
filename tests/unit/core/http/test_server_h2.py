"""One HTTP/2 connection: streams side by side, refusals on their stream, faults with GOAWAY, floods bounded."""

import h2.errors
import h2.events
import h2.settings
import pytest
import trio
from http_stand import H2Client, echo, started

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


async def test_requests_are_answered_side_by_side(open_client):
    release = trio.Event()

    async def handler(exchange):
        if exchange.head.target == b"/slow":
            await release.wait()
        await echo(exchange)

    client = await open_client(handler)
    slow = await client.ask(path=b"/slow")
    quick = await client.ask(path=b"/quick", method=b"POST", body=b"abc")
    assert await client.answer(quick) == (200, b"POST /quick a.example b'abc'\n")
    release.set()
    assert (await client.answer(slow))[0] == 200


async def test_a_head_that_is_refused_is_answered_on_its_stream(open_client):
    client = await open_client(echo, normalize_outbound_headers=False)
    bad = await client.ask(path=b"*")
    status, body = await client.answer(bad)
    assert status == 400
    assert b"path" in body
    good = await client.ask()
    assert (await client.answer(good))[0] == 200
    assert [refused.status for refused in client.stand.refused] == [400]


async def test_a_fault_on_the_wire_ends_the_connection_with_goaway(open_client):
    client = await open_client(echo)
    await client.hear(h2.events.SettingsAcknowledged)
    await client.link.send_all(b"\x00\x00\x00\x09\x04\x00\x00\x00\x01")  # CONTINUATION out of nowhere
    with pytest.raises(EOFError):
        await client.hear(h2.events.StreamEnded)
    assert any(isinstance(event, h2.events.ConnectionTerminated) for event in client.events)
    assert client.stand.told == []


async def test_a_request_that_is_taken_back_is_told_to_its_handler(open_client):
    told = trio.Event()

    async def handler(exchange):
        await exchange.wait_disconnected()
        with pytest.raises(trio.BrokenResourceError):
            await exchange.respond(OK, b"x")
        told.set()

    client = await open_client(handler)
    stream = await client.ask()
    client.h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
    await client.flush()
    await told.wait()


async def test_a_client_that_leaves_is_told_to_every_handler(open_client):
    told = []
    both = trio.Event()

    async def handler(exchange):
        await exchange.wait_disconnected()
        told.append(exchange.head.target)
        if len(told) == 2:
            both.set()

    client = await open_client(handler)
    await client.ask(path=b"/1")
    await client.ask(path=b"/2")
    await client.hear(h2.events.SettingsAcknowledged)
    client.link.close()
    await both.wait()
    assert client.stand.told == []


async def test_more_streams_than_may_be_are_refused(open_client):
    async def handler(exchange):
        await exchange.wait_disconnected()

    client = await open_client(handler, limits=HttpLimits(streams=3))
    await client.hear(h2.events.SettingsAcknowledged)
    client.h2.remote_settings[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS] = 1000
    client.h2.remote_settings.acknowledge()
    for _ in range(5):
        await client.ask()
    with pytest.raises(EOFError):
        await client.hear(h2.events.StreamEnded)


async def test_an_idle_connection_is_closed_and_one_with_a_stream_is_not(open_client, autojump_clock):
    async def handler(exchange):
        await trio.sleep(600)
        await exchange.respond(OK, b"late")

    client = await open_client(handler)
    assert (await client.answer(await client.ask()))[1] == b"late"
    with pytest.raises(EOFError):
        await client.hear(h2.events.PingReceived)


async def test_draining_refuses_new_streams_and_closes_when_the_last_is_done(open_client, nursery, autojump_clock):
    release = trio.Event()

    async def handler(exchange):
        exchange.established()
        await release.wait()
        await exchange.respond(OK, b"done")

    client = await open_client(handler)
    first = await client.ask()
    await client.hear(h2.events.SettingsAcknowledged)
    nursery.start_soon(client.stand.server.drain, 60)
    await client.stand.server.draining.wait()
    second = await client.ask()
    assert (await client.hear(h2.events.StreamReset, second)).error_code == h2.errors.ErrorCodes.REFUSED_STREAM
    release.set()
    assert (await client.answer(first))[1] == b"done"
    with pytest.raises(EOFError):
        await client.hear(h2.events.PingReceived)


async def test_a_goodbye_lets_streams_end(open_client):
    release = trio.Event()

    async def handler(exchange):
        await release.wait()
        await exchange.respond(OK, b"done")

    client = await open_client(handler)
    stream = await client.ask()
    await client.hear(h2.events.SettingsAcknowledged)
    await client.link.send_all(b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + bytes(8))  # GOAWAY, no error
    release.set()
    assert (await client.answer(stream))[1] == b"done"


async def test_a_handler_that_fails_ends_its_connection_and_is_told(open_client):
    async def handler(exchange):
        await trio.lowlevel.checkpoint()
        raise RuntimeError("canary")

    client = await open_client(handler)
    await client.ask()
    with pytest.raises(EOFError):
        await client.hear(h2.events.StreamEnded)
    await client.stand.failed.wait()
    assert isinstance(client.stand.told[0], ExceptionGroup)
