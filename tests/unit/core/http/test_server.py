"""A connection begins with TLS where it must, and speaks what ALPN chose."""

import pytest
from http_stand import echo, read_all, started

from doorward_core.http.server import ALPN
from doorward_core.net.tls import ServerTls
from doorward_demo.certificates import write_certificates

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


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
async def test_a_request_in_clear_is_told_that_the_port_speaks_tls(nursery, tmp_path, first):
    write_certificates(tmp_path)
    tls = ServerTls(tmp_path / "server.crt", tmp_path / "server.key", alpn=ALPN)
    answer = await (await started(nursery, never, tls=tls)).talk(first)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"use https://" in answer
    assert b"connection: close" in answer


async def test_what_is_neither_tls_nor_a_request_is_cut(nursery, tmp_path):
    write_certificates(tmp_path)
    tls = ServerTls(tmp_path / "server.crt", tmp_path / "server.key", alpn=ALPN)
    answer = await (await started(nursery, never, tls=tls)).talk(b"SSH-2.0-OpenSSH_9.2\r\n")
    assert b"HTTP" not in answer


async def never(exchange):
    raise AssertionError(exchange)
