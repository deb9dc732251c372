"""A target is reached over TCP or a Unix socket, with its certificate verified, or not at all."""

import ssl

import pytest
import trio
from http_stand import make_certificate, read_all

from doorward_core.errors import UpstreamUnavailable
from doorward_core.http.dial import UpstreamSettings, dial
from doorward_core.http.limits import UpstreamLimits
from doorward_core.net.listen import Server, open_tcp, open_unix
from doorward_core.net.tls import ServerTls, client_context


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


async def hello(connection):
    await connection.link.send_all(b"hello")


async def listening(nursery, listener, handler=hello):
    await nursery.start(Server([listener], handler, on_error=lambda error, peer: None).serve)
    return listener


async def test_tcp_and_unix_sockets_are_reached(nursery, tmp_path):
    tcp = await listening(nursery, open_tcp("127.0.0.1", 0))
    await listening(nursery, open_unix(tmp_path / "s"))
    for settings in (UpstreamSettings("127.0.0.1", tcp.port), UpstreamSettings(str(tmp_path / "s"))):
        link = await dial(settings)
        assert await read_all(link) == b"hello"
        link.close()


async def test_nobody_there_is_said(tmp_path):
    for settings in (UpstreamSettings("127.0.0.1", 1), UpstreamSettings(str(tmp_path / "none"))):
        with pytest.raises(UpstreamUnavailable):
            await dial(settings)


async def test_a_certificate_is_verified_by_chain_and_by_name(nursery, certificate):
    async def secure(connection):
        await connection.link.start_tls_server(ServerTls(*certificate, alpn=["h2", "http/1.1"]).context)
        await hello(connection)

    port = (await listening(nursery, open_tcp("127.0.0.1", 0), secure)).port
    trusting = client_context(certificate[0], alpn=["h2", "http/1.1"])
    link = await dial(UpstreamSettings("127.0.0.1", port, trusting, http2=True))
    assert link.alpn == "h2"
    link.close()
    link = await dial(UpstreamSettings("127.0.0.1", port, trusting, "target.test"))
    link.close()
    for context, name in [(trusting, "other.test"), (ssl.create_default_context(), "")]:
        with pytest.raises(UpstreamUnavailable):
            await dial(UpstreamSettings("127.0.0.1", port, context, name))
    plain = client_context(certificate[0], alpn=["http/1.1"])
    link = await dial(UpstreamSettings("127.0.0.1", port, trusting, http2=True, plain_tls=plain), h2=False)
    assert link.alpn == "http/1.1"
    link.close()
    with pytest.raises(UpstreamUnavailable):
        await dial(UpstreamSettings("127.0.0.1", port, trusting, http2=True), h2=False)


async def test_a_target_that_does_not_shake_hands_is_given_up(nursery, certificate, autojump_clock):
    async def silent(connection):
        await trio.sleep_forever()

    port = (await listening(nursery, open_tcp("127.0.0.1", 0), silent)).port
    settings = UpstreamSettings("127.0.0.1", port, client_context(certificate[0]), limits=UpstreamLimits(connect_s=5))
    with pytest.raises(UpstreamUnavailable, match="in time"):
        await dial(settings)
