"""A server of core/http on a loopback port, and a client that sends whatever bytes it is told to."""

import socket
from dataclasses import dataclass, field
from functools import partial

import trio

from doorward_core.http.limits import CLIENT_LIMITS
from doorward_core.http.messages import Head, ResponseHead
from doorward_core.http.server import serve
from doorward_core.net.link import Link
from doorward_core.net.listen import Limits, Server, open_tcp


@dataclass
class Stand:
    """A listening server; `told` is what its supervisor heard, `refused` what no handler saw."""

    port: int
    server: Server
    told: list = field(default_factory=list)
    refused: list = field(default_factory=list)

    async def dial(self):
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        return Link(socket.socket(fileno=stream.socket.detach()))

    async def talk(self, *pieces):
        """Send all, then read until the server ends."""
        link = await self.dial()
        try:
            for piece in pieces:
                await link.send_all(piece)
            return await read_all(link)
        finally:
            link.close()


async def read_all(link):
    out = b""
    try:
        while data := await link.receive():
            out += data
    except trio.BrokenResourceError:
        pass
    return out


async def read_until(link, end, out=b""):
    while end not in out:
        data = await link.receive()
        assert data, f"ended after {out!r}"
        out += data
    return out


async def started(nursery, handler, *, tls=None, limits=CLIENT_LIMITS, server_limits=None):
    stand = Stand(0, None)
    serving = partial(
        serve,
        tls=tls,
        handler=handler,
        limits=limits,
        on_refused=lambda refused, peer, number: stand.refused.append(refused),
    )
    listener = open_tcp("127.0.0.1", 0)
    stand.server = Server(
        [listener],
        serving,
        on_error=lambda error, peer: stand.told.append(error),
        limits=server_limits or Limits(handshake_s=3600.0),
    )
    stand.port = listener.port
    await nursery.start(stand.server.serve)
    return stand


async def echo(exchange):
    """Answer with what was asked, plainly."""
    body = b"".join([piece async for piece in exchange.body()])
    said = f"{exchange.head.method} {exchange.head.target.decode()} {exchange.head.authority} {body!r}\n"
    await exchange.respond(ResponseHead(200, ((b"content-type", b"text/plain"),)), said.encode())


def a_head(method="GET", target=b"/", headers=(), **rest):
    return Head(method, target, "up.test", "http", tuple(headers), **rest)
