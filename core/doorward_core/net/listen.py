"""Listening, and one supervised handler per connection.

What it will not do: speak a protocol. A handler gets a `Connection` and owns it until it returns.
Implements: section "The hot path" of ARCHITECTURE.md: one exception or reset in a connection never touches another.

Invariants:

- `_supervise` is the only place in Doorward that catches every exception; what it catches is told to `on_error`.
- A connection that has not called `established` is cut at the handshake deadline, and there is a bound to their number:
  whoever cannot prove who he is cannot use up the places of those who have, nor one address those of others (`crowd`).
- A Unix socket is never open to others, not even between its making and its protection.
"""

import errno
import math
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import trio

from doorward_core.errors import ConfigError
from doorward_core.model import Peer
from doorward_core.net.crowd import Crowd
from doorward_core.net.link import Link

_BACKLOG: Final = 512
# Out of descriptors or memory: wait for some to come free, and do not spin.
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
_EXHAUSTED_PAUSE_S: Final = 0.1
# sun_path of Linux, less its final NUL.
_UNIX_PATH_BYTES: Final = 107
_SOCKET_MODE: Final = 0o600
_PEERCRED: Final = struct.Struct("iII")  # struct ucred: pid, uid, gid


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one `Server`.

    `connections` counts all, `handshakes` those that are not established.
    `busy_answer` is sent to a connection that comes on top, before it is closed.
    """

    connections: int = 1000
    handshakes: int = 200
    handshake_s: float = 10.0
    busy_answer: bytes = b""


class Listener:
    """One listening socket. `name` is what a log shows; `local` says that peers are on this machine by its nature."""

    def __init__(self, bound: socket.socket, name: str, unix_path: Path | None = None) -> None:
        self.socket = bound
        self.name = name
        self.local = unix_path is not None
        self._unix_path = unix_path
        self._inode = 0 if unix_path is None else unix_path.stat().st_ino

    @property
    def port(self) -> int:
        """The port, where one was asked for as 0; 0 for a Unix socket."""
        return 0 if self.local else int(self.socket.getsockname()[1])

    def close(self) -> None:
        """Stop listening; a Unix socket's file goes with it, unless another has taken its place."""
        if self.socket.fileno() < 0:
            return
        trio.lowlevel.notify_closing(self.socket)
        self.socket.close()
        if self._unix_path is not None:
            with suppress(FileNotFoundError):
                if self._unix_path.stat().st_ino == self._inode:
                    self._unix_path.unlink()


def open_tcp(address: str, port: int, key: str = "listen") -> Listener:
    """Listen on a TCP address (a name is resolved once; port 0 takes any). Raises ConfigError, which names the key."""
    try:
        family, kind, proto, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, proto)
    except OSError as error:
        raise ConfigError((f"{key}: {address}:{port}: {error.strerror}",)) from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(where)
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise ConfigError((f"{key}: {address}:{port}: {error.strerror}",)) from None
    bound.setblocking(False)
    shown = f"[{address}]" if ":" in address else address
    return Listener(bound, f"{shown}:{bound.getsockname()[1]}")


def open_unix(path: Path, key: str = "listen") -> Listener:
    """Listen on a Unix socket that only this user can reach (mode 0600). Raises ConfigError, which names the key."""
    if len(os.fsencode(path)) > _UNIX_PATH_BYTES:
        raise ConfigError((f"{key}: {path}: longer than the {_UNIX_PATH_BYTES} bytes of a Unix socket's path",))
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        bound.bind(str(path))
        # Nobody can connect before `listen`, so there is no moment at which the file's first mode matters.
        path.chmod(_SOCKET_MODE)
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise ConfigError((f"{key}: {path}: {error.strerror or error}",)) from None
    bound.setblocking(False)
    return Listener(bound, f"unix:{path}", path)


def _remove_stale(path: Path) -> None:
    """Remove the socket of a process that is gone; raise OSError for anything else that is there."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "there is something else by this name")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(errno.EADDRINUSE, "another process listens there")


class Connection:
    """One accepted connection, as its handler sees it."""

    __slots__ = ("_handshake", "_server", "_waiting", "displaced", "link", "listener", "peer")

    def __init__(
        self, server: "Server", link: Link, peer: Peer, listener: Listener, handshake: trio.CancelScope
    ) -> None:
        self._server = server
        self._handshake = handshake
        self._waiting = True
        self.displaced = False
        self.link = link
        self.peer = peer
        self.listener = listener

    def established(self) -> None:
        """The peer has proved who it is: the handshake deadline is lifted, its place is counted elsewhere."""
        if self._waiting:
            self._waiting = False
            self._server.waiting.leave(self.peer.address, self)
            self._handshake.deadline = math.inf

    def displace(self) -> None:
        """Cut it before it has proved who it is: its place is another's from now on."""
        self.displaced = True
        self.established()
        self._handshake.cancel()

    @property
    def draining(self) -> trio.Event:
        """Set when the gateway is going down: end at the next moment that suits the protocol."""
        return self._server.draining


Handler: TypeAlias = Callable[[Connection], Awaitable[None]]


class Server:
    """Accepts on its listeners until `drain`.

    `connected` are how many there are now, `waiting` those who have not proved who they are, `refused` how many came on
    top, ever.
    """

    def __init__(
        self,
        listeners: Sequence[Listener],
        handler: Handler,
        *,
        on_error: Callable[[Exception, Peer], None],
        limits: Limits | None = None,
    ) -> None:
        self.listeners = tuple(listeners)
        self.limits = limits if limits is not None else Limits()
        self.draining = trio.Event()
        self.connected = 0
        self.waiting: Crowd[Connection] = Crowd(self.limits.handshakes)
        self.refused = 0
        self._handler = handler
        self._on_error = on_error
        self._accepting = trio.CancelScope()
        self._handling = trio.CancelScope()
        self._finished = trio.Event()

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until drained. Cancelled, it cuts every connection; the listeners are closed either way."""
        try:
            with self._handling:
                async with trio.open_nursery() as handlers:
                    with self._accepting:
                        async with trio.open_nursery() as acceptors:
                            for listener in self.listeners:
                                acceptors.start_soon(self._accept, listener, handlers)
                            task_status.started()
                    # Who comes now is refused by the kernel, and can go to another replica at once.
                    self._close_listeners()
        finally:
            self._close_listeners()
            self._finished.set()

    async def drain(self, within_s: float) -> int:
        """Stop accepting, tell the handlers, wait for them, cut the rest. Gives how many were cut."""
        self.draining.set()
        self._accepting.cancel()
        with trio.move_on_after(within_s):
            await self._finished.wait()
            return 0
        cut = self.connected
        self._handling.cancel()
        await self._finished.wait()
        return cut

    def _close_listeners(self) -> None:
        for listener in self.listeners:
            listener.close()

    async def _accept(self, listener: Listener, handlers: trio.Nursery) -> None:
        while True:
            await trio.lowlevel.wait_readable(listener.socket)
            try:
                accepted, address = listener.socket.accept()
            except BlockingIOError:
                continue
            except OSError as error:
                # Else the connection died in the backlog (ECONNABORTED and its kin): there is nothing to do.
                if error.errno in _EXHAUSTED:
                    await trio.sleep(_EXHAUSTED_PAUSE_S)
                continue
            self._admit(accepted, address, listener, handlers)

    def _admit(self, accepted: socket.socket, address: object, listener: Listener, handlers: trio.Nursery) -> None:
        try:
            peer = _peer(accepted, address)
            if not self._room(peer):
                self.refused += 1
                accepted.setblocking(False)
                accepted.send(self.limits.busy_answer, socket.MSG_NOSIGNAL)
                accepted.close()
                return
            link = Link(accepted)
        except OSError:
            accepted.close()  # gone before it began
            return
        handshake = trio.CancelScope(deadline=trio.current_time() + self.limits.handshake_s)
        connection = Connection(self, link, peer, listener, handshake)
        self.connected += 1
        self.waiting.enter(peer.address, connection)
        handlers.start_soon(self._supervise, connection, handshake)

    def _room(self, peer: Peer) -> bool:
        """Whether another may come from there; somebody who waits may have to go for it."""
        if self.connected >= self.limits.connections:
            return False
        if self.waiting.full():
            crowded = self.waiting.yields_to(peer.address)
            if crowded is None:
                return False
            crowded.displace()
        return True

    async def _supervise(self, connection: Connection, handshake: trio.CancelScope) -> None:
        """Run one handler; nothing that it raises goes further."""
        try:
            with handshake:
                await self._handler(connection)
            if handshake.cancelled_caught:
                words = "others needed its place" if connection.displaced else "the handshake was not over in time"
                raise trio.TooSlowError(words)  # noqa: TRY301 - told as any other end
        except Exception as error:  # noqa: BLE001 - the per-connection supervisor, the one place for it
            self._on_error(error, connection.peer)
        finally:
            connection.link.close()
            connection.established()  # gives its place back
            self.connected -= 1


def _peer(accepted: socket.socket, address: object) -> Peer:
    """Where a connection comes from; for a Unix socket, the user at its other end."""
    if accepted.family == socket.AF_UNIX:
        ucred = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size)
        return Peer(f"uid:{_PEERCRED.unpack(ucred)[1]}")
    assert isinstance(address, tuple)
    host, port = address[:2]
    return Peer(str(host).removeprefix("::ffff:"), int(port))
