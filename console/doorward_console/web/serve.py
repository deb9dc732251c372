"""The desk as a process: settings in, pages out, until a signal.

What it is: the application behind supervised connections, with TLS as the settings say, and a way down in order.
What it will not do: know any page.

Signals: SIGTERM and SIGINT let requests end (streams are told), a second one cuts.
Invariants: nothing listens before everything is open; the desk's log is the last thing to close; request lines are not
logged, because what somebody looks for is not for everybody's eyes: the desk's own log has who read what.
"""

import os
import signal
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import structlog
import trio
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework

from doorward_console.settings import Listen, Settings, load_settings
from doorward_console.web.app import application
from doorward_console.web.connections import ALPN, Connections
from doorward_console.web.desk import Desk, opened
from doorward_core.errors import ConfigError, RecordError, UpstreamUnavailable
from doorward_core.net.listen import open_tcp, open_unix
from doorward_core.net.secrets import resolve_secret
from doorward_core.net.tls import ServerTls

GRACE_S: Final = 3.0
"""For requests that are running when the end is asked for: a gateway's answer takes less."""
HANDSHAKE_S: Final = 10.0
KEEP_ALIVE_S: Final = 15.0
SOCKET_UMASK: Final = 0o177
"""A socket file that only our own user can open."""

log = structlog.get_logger()


async def serve(settings: Settings, *, started: Callable[[Sequence[str]], None] = lambda _places: None) -> None:
    """Serve until a signal. Raises ConfigError, RecordError, OSError. `started` is told where it listens."""
    _try_to_listen(settings.listen)
    async with trio.open_nursery() as background:
        async with opened(settings, background) as desk:
            with trio.CancelScope() as cut:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_signals, desk, cut)
                    await _serve(desk, server_config(settings), started)
                    nursery.cancel_scope.cancel()
            _unlink(settings.listen)
        background.cancel_scope.cancel()
    log.info("desk.stopped")


async def _serve(desk: Desk, config: Config, started: Callable[[Sequence[str]], None]) -> None:
    """Serve until the desk is closing."""
    app: ASGIFramework = application(desk)  # type: ignore[assignment]  # Starlette's and hypercorn's names for one thing

    def listening(places: Sequence[str]) -> None:
        log.info("desk.ready", listening=places, url=desk.settings.url)
        started(places)

    await Connections(app, config, desk.closing, GRACE_S).serve(listening)


async def _signals(desk: Desk, cut: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
        async for number in received:
            log.info("desk.stopping", signal=signal.Signals(number).name)
            if desk.closing.is_set():
                cut.cancel()
                return
            desk.closing.set()


def server_config(settings: Settings) -> Config:
    """Hypercorn's settings, from ours."""
    listen = settings.listen
    config = _Tls(listen) if listen.tls is not None else Config()
    if listen.unix is not None:
        config.bind = [f"unix:{listen.unix}"]
        config.umask = SOCKET_UMASK
    else:
        host = f"[{listen.address}]" if listen.address is not None and ":" in listen.address else listen.address
        config.bind = [f"{host}:{listen.port}"]
    config.accesslog = None
    config.errorlog = "-"
    config.loglevel = "WARNING"
    config.include_server_header = False
    config.graceful_timeout = GRACE_S
    config.shutdown_timeout = GRACE_S
    config.keep_alive_timeout = KEEP_ALIVE_S
    config.ssl_handshake_timeout = HANDSHAKE_S
    config.h11_max_incomplete_size = 32 * 1024
    config.websocket_max_message_size = 1024
    return config


class _Tls(Config):
    """With a context like a gateway's, in place of the library's own."""

    def __init__(self, listen: Listen) -> None:
        super().__init__()
        assert listen.tls is not None
        self.certfile, self.keyfile = str(listen.tls.certificate), str(listen.tls.key)
        self._context = ServerTls(listen.tls.certificate, listen.tls.key, alpn=ALPN).context

    def create_ssl_context(self) -> ssl.SSLContext | None:
        """What connections begin with."""
        return self._context


def _try_to_listen(listen: Listen) -> None:
    """Raise ConfigError, which names key and address, where nobody can listen. What a dead process left is removed.

    The library, which listens then, names neither.
    """
    if listen.unix is not None:
        open_unix(listen.unix).close()
    elif listen.address is not None and listen.port is not None:
        open_tcp(listen.address, listen.port).close()


def _unlink(listen: Listen) -> None:
    """Take away the socket file that this process has left."""
    if listen.unix is not None and listen.unix.is_socket():
        listen.unix.unlink()


def problems(settings: Settings) -> tuple[str, ...]:
    """What would keep these settings from working, as far as it can be seen without serving or asking anybody."""
    found: list[str] = []
    try:
        server_config(settings)
    except ConfigError as error:
        found += error.problems
    for source in (settings.login.secret, settings.identity):
        if source is not None:
            try:
                trio.run(resolve_secret, source)
            except UpstreamUnavailable as error:
                found.append(str(error))
    for folder in (settings.record.folder, settings.record.keys):
        if folder.exists() and not os.access(folder, os.W_OK):
            found.append(f"{folder}: cannot be written")
    return tuple(found)


def run(path: Path, *, started: Callable[[Sequence[str]], None] = lambda _places: None) -> None:
    """Serve the settings of a file until a signal. Raises ConfigError, RecordError, OSError."""
    settings = load_settings(path)
    try:
        trio.run(lambda: serve(settings, started=started))
    except* (ConfigError, RecordError, OSError) as group:
        raise _first(group) from None


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
