"""A connection begins with TLS where it must, and speaks what ALPN chose."""

from http_stand import echo, read_all, started

LAST = b"GET /z HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"


async def test_each_connection_has_a_number_of_its_own_and_its_peer(nursery):
    seen = []

    async def look(exchange):
        seen.append((exchange.connection_id, exchange.peer.address, exchange.peer.encrypted))
        await echo(exchange)

    stand = await started(nursery, look)
    for _ in range(2):
        await stand.talk(LAST)
    assert seen[0][0] != seen[1][0]
    assert seen[0][1:] == ("127.0.0.1", False)


async def test_h2_is_not_spoken_where_alpn_did_not_choose_it(nursery):
    stand = await started(nursery, echo)
    assert (await stand.talk(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")).startswith(b"HTTP/1.1 505")


async def test_a_client_that_leaves_at_once_is_no_fault(nursery):
    stand = await started(nursery, echo)
    link = await stand.dial()
    link.close()
    assert (await stand.talk(LAST)).startswith(b"HTTP/1.1 200")
    assert stand.told == []


async def test_a_request_that_is_cut_is_answered_if_anybody_listens(nursery):
    stand = await started(nursery, echo)
    link = await stand.dial()
    await link.send_all(b"GET / HTTP/1.1\r\nHos")
    link._socket.shutdown(1)
    assert (await read_all(link)).startswith(b"HTTP/1.1 400")
    link.close()
