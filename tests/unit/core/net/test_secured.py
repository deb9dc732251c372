"""What a link says of its TLS; the handshakes themselves are in test_link.py."""

import socket

import trio

from doorward_core.net.link import Link
from doorward_core.net.tls import client_context


async def test_a_plain_link_says_that_nothing_protects_it():
    left, right = socket.socketpair()
    with right:
        link = Link(left)
        assert (link.encrypted, link.alpn, link.tls_version, link.peer_certificate()) == (False, None, None, None)
        link.close()


async def test_a_protected_link_says_how(server_tls, authorities):
    left, right = socket.socketpair()
    client, server = Link(left), Link(right)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.start_tls_server, server_tls.context)
        await client.start_tls_client(client_context(authorities, alpn=["postgresql"]), "gateway.test")
    assert client.encrypted
    assert (client.alpn, client.tls_version) == ("postgresql", "TLSv1.3")
    assert client.peer_certificate() is not None
    assert server.peer_certificate() is None
    client.close()
    server.close()
