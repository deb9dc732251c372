"""Links over real sockets: chunks, order, back-pressure, TLS, hang-ups and farewells."""

import socket
import ssl
import warnings

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from doorward_core.errors import LocalProtocolError
from doorward_core.net.farewell import AT_ONCE, Farewell
from doorward_core.net.link import Link
from doorward_core.net.tls import client_context, server_end_point


@pytest.fixture
async def pair():
    left, right = socket.socketpair()
    links = Link(left), Link(right)
    yield links
    for link in links:
        link.close()


async def _secure(left, right, server_tls, authorities):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(right.start_tls_server, server_tls.context)
        await left.start_tls_client(client_context(authorities, alpn=["postgresql"]), "gateway.test")
    return left, right


@pytest.fixture
async def tls_pair(pair, server_tls, authorities):
    return await _secure(*pair, server_tls, authorities)


@pytest.fixture(params=["plain", "tls"])
async def either(request, pair, server_tls, authorities):
    return await _secure(*pair, server_tls, authorities) if request.param == "tls" else pair


async def _take(link, count):
    data = b""
    while len(data) < count:
        chunk = await link.receive()
        assert chunk
        data += chunk
    return data


async def test_bytes_come_out_as_they_went_in(pair):
    left, right = pair
    await left.send_all(b"one")
    await left.send_all([b"two", memoryview(b"xthreex")[1:-1], b""])
    assert await _take(right, 11) == b"onetwothree"
    assert left.unsent_bytes == 0


async def test_many_slices_leave_in_order(pair):
    left, right = pair
    slices = [bytes([n % 256]) * (n % 7) for n in range(3000)]
    await left.send_all(slices)
    assert await _take(right, len(b"".join(slices))) == b"".join(slices)


async def test_a_large_send_waits_for_its_reader(either):
    left, right = either
    data = bytes(range(256)) * 20_000
    async with trio.open_nursery() as nursery:
        nursery.start_soon(left.send_all, data)
        await wait_all_tasks_blocked()
        assert await _take(right, len(data)) == data


async def test_two_senders_never_mix_their_bytes(either):
    left, right = either
    first, second, third = b"a" * 3_000_000, b"b" * 1_000_000, b"c" * 10
    async with trio.open_nursery() as nursery:
        nursery.start_soon(left.send_all, first)
        await wait_all_tasks_blocked()
        nursery.start_soon(left.send_all, second)
        await wait_all_tasks_blocked()
        nursery.start_soon(left.send_all, third)
        await wait_all_tasks_blocked()
        assert await _take(right, 4_000_010) == first + second + third


async def test_a_cancelled_send_is_neither_cut_nor_repeated(either):
    left, right = either
    first = bytes(range(256)) * 20_000
    with trio.move_on_after(0):
        await left.send_all(first)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(left.send_all, b"after")
        assert await _take(right, len(first) + 5) == first + b"after"


async def test_an_empty_send_goes_on_with_what_a_cancelled_one_left(either):
    left, right = either
    sent = 0
    scope = trio.CancelScope()
    while not scope.cancelled_caught:
        with trio.move_on_after(0) as scope:
            sent += 32_768
            await left.send_all(b"x" * 32_768)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(left.send_all, b"")
        assert await _take(right, sent) == b"x" * sent


async def test_a_sender_that_waits_takes_over_from_one_that_was_cancelled(either):
    left, right = either
    first = b"a" * 3_000_000
    scope = trio.CancelScope()

    async def cancelled():
        with scope:
            await left.send_all(first)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(cancelled)
        await wait_all_tasks_blocked()
        nursery.start_soon(left.send_all, b"b")
        await wait_all_tasks_blocked()
        scope.cancel()
        await wait_all_tasks_blocked()
        assert await _take(right, len(first) + 1) == first + b"b"


async def test_the_end_is_an_empty_chunk_again_and_again(either):
    left, right = either
    async with trio.open_nursery() as nursery:
        await left.send_all(b"last")
        nursery.start_soon(left.aclose)
        assert await _take(right, 4) == b"last"
        assert await right.receive() == b""
        assert await right.receive() == b""
        right.close()


async def test_tls_that_ends_without_close_notify_ends(tls_pair):
    left, right = tls_pair
    await right.send_all(b"x")
    assert await left.receive() == b"x"  # session tickets too, which the kernel would answer with a reset
    left.close()
    assert await right.receive() == b""


async def test_a_chunk_is_never_longer_than_asked_for(tls_pair):
    left, right = tls_pair
    await left.send_all(b"x" * 100)
    assert [len(await right.receive(40)) for _ in range(3)] == [40, 40, 20]


async def test_farewell_reaches_a_peer_that_is_still_sending(pair):
    left, right = pair
    await left.send_all(b"garbage" * 100)
    async with trio.open_nursery() as nursery:
        await right.send_all(b"FATAL")
        nursery.start_soon(right.aclose)
        assert await _take(left, 5) == b"FATAL"
        assert await left.receive() == b""
        await left.aclose()


async def test_farewell_to_a_peer_that_never_leaves_ends(pair, autojump_clock):
    left, _ = pair
    before = trio.current_time()
    await left.aclose(Farewell(whole_s=3, silent_s=9, dropped_bytes=1))
    assert trio.current_time() - before == 3
    with pytest.raises(trio.ClosedResourceError):
        await left.receive()


async def test_a_hangup_is_seen_behind_unread_bytes(pair):
    left, right = pair
    await left.send_all(b"unread")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(right.wait_hangup)
        await wait_all_tasks_blocked()
        assert nursery.child_tasks
        left.close()
    assert await right.receive() == b"unread"


async def test_waiting_for_a_hangup_ends_when_the_link_is_closed(pair):
    _, right = pair

    async def wait():
        with pytest.raises(trio.ClosedResourceError):
            await right.wait_hangup()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        right.close()


async def test_a_reset_is_a_broken_link():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        link = Link(listener.accept()[0])
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    with pytest.raises(trio.BrokenResourceError):
        await link.receive()
    with pytest.raises(trio.BrokenResourceError):
        await link.send_all(b"x")
    link.close()


async def test_closing_wakes_who_reads_and_who_writes(pair):
    left, _ = pair

    async def closed(call, *args):
        with pytest.raises(trio.ClosedResourceError):
            await call(*args)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(closed, left.receive)
        nursery.start_soon(closed, left.send_all, b"x" * 3_000_000)
        await wait_all_tasks_blocked()
        nursery.start_soon(closed, left.send_all, b"x")
        await wait_all_tasks_blocked()
        left.close()


async def test_the_handshake_names_protocol_version_and_peer(tls_pair):
    left, right = tls_pair
    assert left.alpn == right.alpn == "postgresql"
    assert left.tls_version == right.tls_version == "TLSv1.3"
    assert left.encrypted
    assert server_end_point(left.peer_certificate())
    assert right.peer_certificate() is None


async def test_early_bytes_begin_the_handshake(pair, server_tls, authorities):
    left, right = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(left.start_tls_client, client_context(authorities), "gateway.test")
        hello = await right.receive(1)
        await right.start_tls_server(server_tls.context, hello)
    await left.send_all(b"through")
    assert await right.receive() == b"through"


@pytest.mark.parametrize("host", ["other.test", "127.0.0.2"])
async def test_a_certificate_of_another_host_is_refused(pair, server_tls, authorities, host):
    left, right = pair

    async def serve():
        with pytest.raises(trio.BrokenResourceError, match="TLS"):
            await right.start_tls_server(server_tls.context)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with pytest.raises(trio.BrokenResourceError, match="certificate verify failed"):
            await left.start_tls_client(client_context(authorities), host)


async def test_a_certificate_of_an_unknown_authority_is_refused(pair, server_tls):
    left, right = pair

    async def serve():
        with pytest.raises(trio.BrokenResourceError, match="TLS"):
            await right.start_tls_server(server_tls.context)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with pytest.raises(trio.BrokenResourceError, match="certificate verify failed"):
            await left.start_tls_client(client_context(), "gateway.test")


async def test_plain_bytes_for_a_handshake_break_it(pair, server_tls):
    left, right = pair
    await left.send_all(b"\0\0\0\x08\x04\xd2\x16\x2f" * 4)
    with pytest.raises(trio.BrokenResourceError, match="TLS"):
        await right.start_tls_server(server_tls.context)


async def test_a_peer_that_leaves_in_the_handshake_breaks_it(pair, server_tls):
    left, right = pair
    left.close()
    with pytest.raises(trio.BrokenResourceError, match="left"):
        await right.start_tls_server(server_tls.context)


async def test_tls_is_started_once_and_over_nothing_unsent(tls_pair, server_tls):
    left, _ = tls_pair
    with pytest.raises(LocalProtocolError):
        await left.start_tls_server(server_tls.context)
    first, second = (Link(half) for half in socket.socketpair())
    with trio.move_on_after(0):
        await first.send_all(b"x" * 3_000_000)
    with pytest.raises(LocalProtocolError):
        await first.start_tls_server(server_tls.context)
    first.close()
    second.close()


async def test_the_oldest_version_is_tls_1_2(pair, server_tls, authorities):
    left, right = pair
    old = client_context(authorities)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1_1
        old.maximum_version = ssl.TLSVersion.TLSv1_1

    async def serve():
        with pytest.raises(trio.BrokenResourceError):
            await right.start_tls_server(server_tls.context)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with pytest.raises(trio.BrokenResourceError):
            await left.start_tls_client(old, "gateway.test")
        left.close()


async def test_a_kept_link_is_fresh_until_its_peer_says_something_or_leaves(either):
    kept, peer = either
    assert not kept.stale()
    assert not kept.stale(), "session tickets of TLS say nothing"
    await peer.send_all(b"unasked")
    await trio.lowlevel.wait_readable(kept._socket)
    assert kept.stale()


@pytest.mark.parametrize("polite", [True, False])
async def test_a_kept_link_whose_peer_left_or_that_was_closed_is_stale(either, polite):
    kept, peer = either
    if polite:
        await peer.aclose(AT_ONCE)
    else:
        peer.close()
    await trio.lowlevel.wait_readable(kept._socket)
    assert kept.stale()
    kept.close()
    assert kept.stale()
