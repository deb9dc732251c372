"""A server of core/http on a loopback port, and a client that sends whatever bytes it is told to."""

import datetime as dt
import ipaddress
import re
import socket
from dataclasses import dataclass, field, replace
from functools import partial

import h2.config
import h2.connection
import h2.events
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from doorward_core.http.dial import UpstreamSettings
from doorward_core.http.fields import end_to_end, without_look_alikes
from doorward_core.http.limits import CLIENT_LIMITS
from doorward_core.http.messages import Head, ResponseHead
from doorward_core.http.paths import canonical, refuse_overrides
from doorward_core.http.relay import AsItIs, relay
from doorward_core.http.server import serve
from doorward_core.http.server_h2 import H2Connection
from doorward_core.http.upstream import UpstreamPool
from doorward_core.net.link import Link
from doorward_core.net.listen import Limits, Server, open_tcp


@dataclass
class Stand:
    """A listening server; `told` is what its supervisor heard, `refused` what no handler saw."""

    port: int
    server: Server
    told: list = field(default_factory=list)
    refused: list = field(default_factory=list)
    failed: trio.Event = field(default_factory=trio.Event)

    def tell(self, error, peer):
        """What the supervisor says of a connection that failed."""
        self.told.append(error)
        self.failed.set()

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


async def started(nursery, handler, *, tls=None, limits=CLIENT_LIMITS, server_limits=None, over_h2=False):
    """Serve as `serve` does; with `over_h2`, HTTP/2 without TLS, which no listener of ours offers."""
    stand = Stand(0, None)

    def on_refused(refused, peer, number):
        stand.refused.append(refused)

    async def serve_h2(connection):
        await H2Connection(connection, connection.peer, 1, handler, limits).serve(on_refused)

    serving = serve_h2 if over_h2 else partial(serve, tls=tls, handler=handler, limits=limits, on_refused=on_refused)
    listener = open_tcp("127.0.0.1", 0)
    stand.server = Server(
        [listener],
        serving,
        on_error=stand.tell,
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


class H2Client:
    """The h2 library as a client that does what it is told, and keeps what it hears."""

    def __init__(self, link, **config):
        self.link = link
        options = {"client_side": True, "header_encoding": None, "validate_outbound_headers": False, **config}
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(**options))
        self.events = []
        self.ended = False

    @classmethod
    async def on(cls, stand, **config):
        client = cls(await stand.dial(), **config)
        client.h2.initiate_connection()
        await client.flush()
        return client

    async def flush(self):
        await self.link.send_all(self.h2.data_to_send())

    async def ask(self, *headers, method=b"GET", path=b"/", authority=b"a.example", body=None, end=True):
        """Send a request; gives its stream."""
        stream = self.h2.get_next_available_stream_id()
        pseudo = [(b":method", method), (b":scheme", b"http"), (b":path", path), (b":authority", authority)]
        self.h2.send_headers(stream, [*pseudo, *headers], end_stream=end and body is None)
        if body is not None:
            self.h2.send_data(stream, body, end_stream=end)
        await self.flush()
        return stream

    async def hear(self, kind, stream=None):
        """Read until an event of this kind, on this stream if one is given, has come."""
        while True:
            for event in self.events:
                if isinstance(event, kind) and stream in (None, getattr(event, "stream_id", None)):
                    return event
            data = await self.link.receive()
            if not data:
                self.ended = True
                raise EOFError(self.events)
            self.events += self.h2.receive_data(data)
            await self.flush()

    def body(self, stream):
        return b"".join(e.data for e in self.events if isinstance(e, h2.events.DataReceived) and e.stream_id == stream)

    async def answer(self, stream):
        """Status and body of one stream."""
        head = await self.hear(h2.events.ResponseReceived, stream)
        await self.hear((h2.events.StreamEnded, h2.events.StreamReset), stream)
        return int(dict(head.headers)[b":status"]), self.body(stream)


def a_head(method="GET", target=b"/", headers=(), **rest):
    return Head(method, target, "up.test", "http", tuple(headers), **rest)


def _end_of_request(data):
    """Where the first request of `data` ends, as its own framing says; -1 if that is not here yet."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return -1
    length = re.search(rb"\r\ncontent-length: ([0-9]+)", head)
    if b"\r\ntransfer-encoding: chunked" in head:
        last = body.find(b"0\r\n\r\n")
        return -1 if last < 0 else len(head) + 4 + last + 5
    size = len(head) + 4 + (int(length[1]) if length else 0)
    return size if size <= len(data) else -1


class Recorder:
    """A target that keeps every byte it is sent, and answers each head with a short 200."""

    def __init__(self):
        self.heard = b""
        self.port = 0
        self._more = trio.Event()

    async def hears(self, what):
        """Wait until it has arrived."""
        while what not in self.heard:
            self._more = trio.Event()
            await self._more.wait()

    async def serve(self, connection):
        unread = b""
        while data := await connection.link.receive():
            self.heard += data
            self._more.set()
            unread += data
            while (end := _end_of_request(unread)) >= 0:
                unread = unread[end:]
                await connection.link.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def recording(nursery):
    recorder = Recorder()
    listener = open_tcp("127.0.0.1", 0)
    recorder.port = listener.port
    server = Server([listener], recorder.serve, on_error=lambda error, peer: None)
    await nursery.start(server.serve)
    return recorder


async def forwarding(nursery, target, **how):
    """A proxy as thin as can be, to a port or over a pool: what core/http promises, and no more."""
    pool = UpstreamPool(UpstreamSettings("127.0.0.1", target)) if isinstance(target, int) else target

    async def forward(exchange):
        exchange.established()
        head = exchange.head
        target = canonical(head.target)
        refuse_overrides(head.headers, target)
        sent = replace(head, target=target.target, headers=without_look_alikes(head.headers, [b"x-identity"]))
        sent = replace(sent, headers=(*end_to_end(sent.headers), (b"x-identity", b"ours")))
        body = b"" if head.body == "none" else exchange.body()
        async with pool.request(sent, body) as response:
            kept = end_to_end(response.head.headers)
            await relay(response, exchange, ResponseHead(response.head.status, kept, response.head.reason), AsItIs())

    stand = await started(nursery, forward, **how)
    stand.pool = pool
    return stand


def make_certificate(folder):
    """A certificate of its own authority for target.test and 127.0.0.1; gives the paths of certificate and key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "target")])
    now, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
    names = [x509.DNSName("target.test"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "c.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "k.pem").write_bytes(key.private_bytes(*pem))
    return folder / "c.pem", folder / "k.pem"
