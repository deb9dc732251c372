"""Accepting browsers, and one supervised handler for each connection.

What it is: hypercorn's handling of a connection (HTTP/1.1, TLS) under a supervisor of our own.
What it will not do: offer HTTP/2, or let one connection's failure reach another. The library's own worker lets any
exception of any connection end the whole server: an answer that is given before a request was read whole is enough.

Invariants: `_supervised` catches whatever a connection raises; connections are bounded in number; who does not read is
cut; once the desk is closing nobody new is let in, and after a while whoever is left is cut.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog
import trio
from hypercorn.config import Config
from hypercorn.events import Event, RawData
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework
from hypercorn.utils import repr_socket_addr, wrap_app

MAX_CONNECTIONS: Final = 1_000
"""Six each of a hundred and fifty browsers, and their streams."""
SEND_S: Final = 60.0
"""For one piece of an answer to leave: whoever reads slower than that is not reading."""
ALPN: Final = ("http/1.1",)

log = structlog.get_logger()


class _Connection(TCPServer):
    """As the library's, but that a peer which does not read is cut."""

    async def protocol_send(self, event: Event) -> None:
        """Send, within a bound: the library shields a send from being cancelled, for ever."""
        if not isinstance(event, RawData):
            await super().protocol_send(event)
            return
        with trio.move_on_after(SEND_S) as waiting:
            waiting.shield = True
            async with self.send_lock:
                try:
                    await self.stream.send_all(event.data)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    waiting.cancel()
        if waiting.cancelled_caught or waiting.cancel_called:
            await trio.aclose_forcefully(self.stream)


class Connections:
    """Everybody who is connected to one desk."""

    def __init__(self, app: ASGIFramework, config: Config, closing: trio.Event, grace_s: float) -> None:
        self._app = wrap_app(app, 0, "asgi")
        self._config = config
        self._closing = closing
        self._grace_s = grace_s
        self._context = WorkerContext(None)
        self._open = 0

    async def serve(self, started: Callable[[Sequence[str]], None]) -> None:
        """Serve until the desk is closing, and then for as long as running requests need, within bounds."""
        listeners, places = self._listeners()
        async with trio.open_nursery() as connections:
            async with trio.open_nursery() as accepting:
                accept = partial(trio.serve_listeners, self._supervised, listeners, handler_nursery=connections)
                await accepting.start(accept)
                started(places)
                await self._closing.wait()
                await self._context.terminated.set()
                accepting.cancel_scope.cancel()
            connections.cancel_scope.deadline = trio.current_time() + self._grace_s

    async def _supervised(self, stream: trio.abc.Stream) -> None:
        if self._open >= MAX_CONNECTIONS:
            await trio.aclose_forcefully(stream)
            return
        self._open += 1
        try:
            await _Connection(self._app, self._config, self._context, {}, stream).run()  # type: ignore[arg-type]  # a plain stream where there is no TLS
        except Exception as error:  # noqa: BLE001 - one connection must not end the others, whatever the library raises
            log.warning("desk.connection_failed", problem=_first(error))
            await trio.aclose_forcefully(stream)
        finally:
            self._open -= 1

    def _listeners(self) -> tuple[list[trio.abc.Listener[trio.abc.Stream]], list[str]]:
        sockets = self._config.create_sockets()
        context = self._config.create_ssl_context()
        listeners: list[trio.abc.Listener[trio.abc.Stream]] = []
        places: list[str] = []
        for sock in (*sockets.secure_sockets, *sockets.insecure_sockets):
            sock.listen(self._config.backlog)
            plain = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
            secure = sock in sockets.secure_sockets and context is not None
            listeners.append(trio.SSLListener(plain, context, https_compatible=True) if secure and context else plain)
            places.append(f"{'https' if secure else 'http'}://{repr_socket_addr(sock.family, sock.getsockname())}")
        return listeners, places


def _first(error: BaseException) -> str:
    """What went wrong, by name: a message may have something of a request in it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__
