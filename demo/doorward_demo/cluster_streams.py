"""exec, attach and port-forward of the demonstration's cluster, over WebSocket, and logs.

What it is: a pod is a folder on this machine; what is executed in it is a local process that begins in that folder.
What it will not do: isolate anything. A pod's process is this user's process: the demonstration and tests use it alone.
Implements: the channel protocols `v4.channel.k8s.io` and `v5.channel.k8s.io` (stdin, stdout, stderr, status, resize,
and in v5 the end of stdin), and `SPDY/3.1+portforward.k8s.io`, which carries SPDY in binary messages.
"""

import fcntl
import json
import os
import struct
import subprocess
import termios
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import trio

from doorward_core.http.exchange import ByteStream, Exchange
from doorward_core.http.messages import BadRequest
from doorward_core.http.websocket import (
    Close,
    Message,
    Ping,
    WebSocketError,
    WebSocketWire,
    check_request,
    response_headers,
    subprotocols,
)
from doorward_demo.cluster_calls import Call
from doorward_demo.cluster_errors import ApiError
from doorward_demo.cluster_spdy import Data, Opened, Reset, SpdyServer

CHANNELS: Final = (b"v5.channel.k8s.io", b"v4.channel.k8s.io")
TUNNEL: Final = b"SPDY/3.1+portforward.k8s.io"
STDIN, STDOUT, STDERR, STATUS, RESIZE, CLOSED = 0, 1, 2, 3, 4, 255
_READ_BYTES: Final = 32_768
_GONE: Final = (trio.BrokenResourceError, trio.ClosedResourceError)
_NOT_FOUND: Final = 127
_SIGNALLED: Final = 128

Dial = Callable[[int], Awaitable[trio.SocketStream]]


class Socket:
    """One WebSocket: whole binary messages, pings answered."""

    def __init__(self, stream: ByteStream, early: bytes) -> None:
        self._stream = stream
        self._wire = WebSocketWire(client=False)
        self._early = early

    async def messages(self) -> AsyncIterator[bytes]:
        """The client's messages, until it has gone or said goodbye."""
        data = self._early
        with suppress(*_GONE, WebSocketError):
            while True:
                for event in self._wire.receive(data) if data else ():
                    if isinstance(event, Message):
                        yield event.data
                    elif isinstance(event, Ping):
                        await self._stream.send_all(self._wire.pong(event.data))
                    elif isinstance(event, Close):
                        return
                data = await self._stream.receive()
                if not data:
                    return

    async def send(self, data: bytes) -> None:
        """One binary message."""
        with suppress(*_GONE):
            await self._stream.send_all(self._wire.message(data, text=False))

    async def close(self) -> None:
        """Say goodbye."""
        with suppress(*_GONE):
            await self._stream.send_all(self._wire.close(1000))


async def _open(exchange: Exchange, known: tuple[bytes, ...]) -> Socket:
    try:
        key = check_request(exchange.head)
    except BadRequest as error:
        raise ApiError(400, "BadRequest", f"streams are had over WebSocket alone: {error.detail}") from error
    offered = subprotocols(exchange.head.headers)
    chosen = next((name for name in known if name in offered), None)
    if chosen is None:
        raise ApiError(400, "BadRequest", f"none of the protocols that were offered is known: {known[0].decode()}")
    return Socket(*await exchange.upgrade(response_headers(key, chosen)))


# --- exec and attach --------------------------------------------------------------------------------------------------


async def run(call: Call, exchange: Exchange, folder: Path, command: list[str]) -> None:
    """A process in a pod's folder, until it ends or the client has gone."""
    socket = await _open(exchange, CHANNELS)
    tty, stdin = call.said("tty"), call.said("stdin")
    try:
        process, terminal = await _start(command, folder, tty=tty, stdin=stdin)
    except OSError as error:
        words = f'error executing command in container: exec: "{command[0]}": {error.strerror}'
        await socket.send(bytes([STATUS]) + _ended(_NOT_FOUND, words))
        await socket.close()
        return
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_feed, socket, process, terminal, nursery.cancel_scope)
        async with trio.open_nursery() as pumps:
            if terminal is not None:
                pumps.start_soon(_pump, terminal, socket, STDOUT)
            else:
                pumps.start_soon(_pump, process.stdout, socket, STDOUT)
                pumps.start_soon(_pump, process.stderr, socket, STDERR)
        code = await process.wait()
        await socket.send(bytes([STATUS]) + _ended(code if code >= 0 else _SIGNALLED - code))
        await socket.close()
        nursery.cancel_scope.cancel()
    if process.returncode is None:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
    if terminal is not None:
        await terminal.aclose()


async def _start(
    command: list[str], folder: Path, *, tty: bool, stdin: bool
) -> tuple[trio.Process, "trio.lowlevel.FdStream | None"]:
    environment = {"PATH": os.defpath + ":/usr/sbin:/sbin", "HOME": str(folder), "TERM": "xterm", "LANG": "C.UTF-8"}
    await trio.Path(folder).mkdir(parents=True, exist_ok=True)
    if not tty:
        process = await trio.lowlevel.open_process(
            command, cwd=folder, env=environment, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        return process, None
    master, slave = os.openpty()
    try:
        process = await trio.lowlevel.open_process(
            ["setsid", "--ctty", "--wait", *command], cwd=folder, env=environment,
            stdin=slave, stdout=slave, stderr=slave,
        )  # fmt: skip
    except OSError:
        os.close(master)
        raise
    finally:
        os.close(slave)
    return process, trio.lowlevel.FdStream(master)


async def _pump(source: Any, socket: Socket, channel: int) -> None:
    with suppress(*_GONE, OSError):
        while data := await source.receive_some(_READ_BYTES):
            await socket.send(bytes([channel]) + data)


async def _feed(
    socket: Socket, process: trio.Process, terminal: "trio.lowlevel.FdStream | None", scope: trio.CancelScope
) -> None:
    """What the client sends, to the process; when it has gone, the process has too."""
    stdin = terminal or process.stdin
    async for message in socket.messages():
        channel, data = message[0], message[1:]
        with suppress(*_GONE):
            if channel == STDIN and stdin is not None and data:
                await stdin.send_all(data)
            elif channel == CLOSED and data == bytes([STDIN]) and process.stdin is not None:
                await process.stdin.aclose()
            elif channel == RESIZE and terminal is not None:
                size = json.loads(data)
                packed = struct.pack("HHHH", int(size["Height"]), int(size["Width"]), 0, 0)
                fcntl.ioctl(terminal.fileno(), termios.TIOCSWINSZ, packed)
    scope.cancel()


def _ended(code: int, words: str = "") -> bytes:
    """A Status that tells how a process ended."""
    if not code:
        return json.dumps({"metadata": {}, "status": "Success"}).encode()
    message = words or f"command terminated with non-zero exit code: exit status {code}"
    causes = [{"reason": "ExitCode", "message": str(code)}]
    status = {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes}}
    return json.dumps({"metadata": {}, **status, "message": message}).encode()


# --- port-forward -----------------------------------------------------------------------------------------------------


class _Forward:
    """The streams of one port-forward: an error stream and a data stream for each connection."""

    def __init__(self, socket: Socket, dial: Dial, nursery: trio.Nursery) -> None:
        self._socket = socket
        self._dial = dial
        self._nursery = nursery
        self._spdy = SpdyServer()
        self._errors: dict[str, int] = {}
        self._in: dict[int, trio.MemorySendChannel[bytes]] = {}

    async def take(self, message: bytes) -> bool:
        """One message; False where the client has given up."""
        for event in self._spdy.receive(message):
            if isinstance(event, Opened):
                await self._socket.send(self._spdy.reply(event.stream))
                self._opened(event)
            elif isinstance(event, Data) and event.stream in self._in:
                if event.data:
                    await self._in[event.stream].send(event.data)
                if event.last:
                    self._in.pop(event.stream).close()
            elif isinstance(event, Reset):
                if not event.stream:
                    return False
                if event.stream in self._in:
                    self._in.pop(event.stream).close()
        answers, self._spdy.answers = bytes(self._spdy.answers), bytearray()
        if answers:
            await self._socket.send(answers)
        return True

    def _opened(self, event: Opened) -> None:
        request = event.headers.get("requestid", "")
        if event.headers.get("streamtype") == "error":
            self._errors[request] = event.stream
            return
        sending, receiving = trio.open_memory_channel[bytes](1024)
        self._in[event.stream] = sending
        error = self._errors.pop(request, 0)
        self._nursery.start_soon(self._connect, event.stream, error, int(event.headers.get("port", "0")), receiving)

    async def _connect(self, data: int, error: int, port: int, coming: trio.MemoryReceiveChannel[bytes]) -> None:
        try:
            target = await self._dial(port)
        except OSError as fault:
            words = f"failed to connect to localhost:{port} inside namespace: {fault}"
            await self._socket.send(self._spdy.data(error, words.encode(), last=True))
            await self._socket.send(self._spdy.data(data, b"", last=True))
            return
        async with target, trio.open_nursery() as nursery:
            nursery.start_soon(self._send, target, coming)
            with suppress(*_GONE):
                while piece := await target.receive_some(_READ_BYTES):
                    await self._socket.send(self._spdy.data(data, piece))
            nursery.cancel_scope.cancel()
        await self._socket.send(self._spdy.data(data, b"", last=True))
        await self._socket.send(self._spdy.data(error, b"", last=True))

    @staticmethod
    async def _send(target: trio.SocketStream, coming: trio.MemoryReceiveChannel[bytes]) -> None:
        with suppress(*_GONE):
            async for piece in coming:
                await target.send_all(piece)
            await target.send_eof()


async def forward(exchange: Exchange, dial: Dial) -> None:
    """Ports of a pod, until the client has gone."""
    socket = await _open(exchange, (TUNNEL,))
    async with trio.open_nursery() as nursery:
        streams = _Forward(socket, dial, nursery)
        async for message in socket.messages():
            if not await streams.take(message):
                break
        nursery.cancel_scope.cancel()
    await socket.close()
