"""One connection, its failures and its end, over real sockets."""

import select
import socket
from contextlib import suppress

import pytest
import trio
from hypercorn.config import Config

from doorward_console.web import connections
from doorward_console.web.connections import Connections

CALL = b"GET /%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def app(scope, receive, send):
    if scope["path"] == "/huge":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"good"})


@pytest.fixture
async def served(tmp_path, nursery):
    config, closing, places = Config(), trio.Event(), []
    config.bind = [f"unix:{tmp_path / 's'}"]
    config.errorlog = None
    ready = trio.Event()
    made = Connections(app, config, closing, 0.2)

    def started(where):
        places.extend(where)
        ready.set()

    nursery.start_soon(made.serve, started)
    await ready.wait()
    yield tmp_path / "s"
    closing.set()


async def asked(path, call=CALL % b""):
    """What is answered, until the connection is closed or cut."""
    data = b""
    async with await trio.open_unix_socket(path) as stream:
        with trio.fail_after(60), suppress(trio.BrokenResourceError):
            await stream.send_all(call)
            while more := await stream.receive_some(65536):
                data += more
    return data


async def test_a_connection_that_fails_ends_itself_alone(served, monkeypatch):
    real = connections._Connection._read_data

    async def failing(self):
        if not hasattr(served, "failed"):
            monkeypatch.setattr(connections._Connection, "_read_data", real)
            raise KeyError(35)
        await real(self)

    monkeypatch.setattr(connections._Connection, "_read_data", failing)
    assert await asked(served) == b""
    assert b"good" in await asked(served)


async def test_another_protocol_ends_nothing(served):
    """HTTP/2 that nobody offered, and a request for a stream that is over."""
    settings, headers = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", b"\x00\x00\x03\x01\x05\x00\x00\x00\x01\x82\x84\x86"
    data = b"\x00\x00\x01\x00\x01\x00\x00\x00\x23x"
    await asked(served, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + headers + data)
    assert b"good" in await asked(served)


async def test_there_is_a_bound_to_their_number(served, monkeypatch):
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 0)
    assert await asked(served) == b""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    assert b"good" in await asked(served)


async def test_who_does_not_read_is_cut(served, monkeypatch):
    monkeypatch.setattr(connections, "SEND_S", 0.05)
    stream = await trio.open_unix_socket(served)
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await stream.send_all(CALL % b"huge")
    cut = select.poll()
    cut.register(stream.socket.fileno(), select.POLLRDHUP)
    with trio.fail_after(60):
        while not cut.poll(0):  # noqa: ASYNC110 - seen without reading, which would let the other side go on
            await trio.sleep(0.01)
        with suppress(trio.BrokenResourceError):
            while await stream.receive_some(1_000_000):
                pass
    await stream.aclose()
    monkeypatch.undo()
    assert b"good" in await asked(served)
