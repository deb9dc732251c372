"""Every smuggling shape, through the wire to three servers with different parsers: none sees what was not decided.

h11, node (llhttp) and nginx each say which requests they saw; the proxy between says which it let through.
"""

import json

import h11
import pytest
import trio
from http_shapes import CHUNKED, HIDDEN, SMUGGLED, post
from http_stand import forwarding, read_until
from http_targets import running

from doorward_core.http.dial import UpstreamSettings
from doorward_core.http.upstream import UpstreamPool
from doorward_core.net.listen import Server, open_tcp

pytestmark = [pytest.mark.need_nginx, pytest.mark.need_node]

# What is odd and well framed: it arrives, as one request and no more.
ODD = {
    "a body that looks like a request": post(b"Content-Length: %d\r\n" % len(HIDDEN), body=HIDDEN),
    "chunks that look like a request": post(CHUNKED, body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)),
    "a GET with a body": post(b"Content-Length: 5\r\n", body=b"hello").replace(b"POST", b"GET"),
    "an upgrade to h2c": post(b"Connection: upgrade\r\n", b"Upgrade: h2c\r\n", body=b""),
    "a trailer": post(CHUNKED, body=b"0\r\nX-Sum: 1\r\n\r\n"),
    "names that look alike": post(b"X-Content-Length: 5\r\n", b"Content-Lengths: 5\r\n", body=b""),
}


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    with running(tmp_path_factory.mktemp("targets"), b"big") as targets:
        yield targets


class H11Target:
    """A server that reads with h11, and keeps what it read."""

    def __init__(self):
        self.seen = []

    async def serve(self, connection):
        wire = h11.Connection(h11.SERVER)
        while data := await connection.link.receive():
            wire.receive_data(data)
            while (event := wire.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                if isinstance(event, h11.Request):
                    self.seen.append(f"{event.method.decode()} {event.target.decode()}")
                elif isinstance(event, h11.EndOfMessage):
                    head = wire.send(h11.Response(status_code=204, headers=[]))
                    await connection.link.send_all(head + wire.send(h11.EndOfMessage()))
                    wire.start_next_cycle()


async def _node_saw(targets):
    stream = await trio.open_tcp_stream("127.0.0.1", targets.node)
    async with stream:
        await stream.send_all(b"GET /seen HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        said = b"".join([piece async for piece in stream])
    head, _, body = said.partition(b"\r\n\r\n")
    if b"chunked" in head:
        body = body.partition(b"\r\n")[2].partition(b"\r\n")[0]
    return json.loads(body)


@pytest.mark.parametrize("target", ["h11", "node", "nginx"])
async def test_h_01_no_server_sees_what_was_not_decided(nursery, targets, target):
    own = H11Target()
    listener = open_tcp("127.0.0.1", 0)
    await nursery.start(Server([listener], own.serve, on_error=lambda error, peer: None).serve)
    where = {
        "h11": UpstreamSettings("127.0.0.1", listener.port),
        "node": UpstreamSettings("127.0.0.1", targets.node),
        "nginx": UpstreamSettings(targets.nginx),
    }
    pool = UpstreamPool(where[target])
    stand = await forwarding(nursery, pool)
    for shape in SMUGGLED.values():
        await stand.talk(shape + HIDDEN)
    for sent in ODD.values():
        link = await stand.dial()
        await link.send_all(sent)
        await read_until(link, b"\r\n\r\n")
        link.close()
    pool.close()
    if target == "nginx":
        seen = await trio.to_thread.run_sync(targets.nginx_saw, len(ODD))
    else:
        seen = await _node_saw(targets) if target == "node" else own.seen
    assert len(seen) >= len(ODD)
    assert {line for line in seen if "hidden" in line} == set()
    assert set(seen) <= {"POST /p", "GET /p"}
    assert stand.told == []
