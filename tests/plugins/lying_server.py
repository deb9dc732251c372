"""A PostgreSQL that is honest until a query asks it to lie: it relays to a real server, and answers `lie:NAME` itself.

Login, catalogue and other sessions are real, so that what a lie meets is a whole gateway with its masks in force.
"""

import contextlib
import re
import select
import socket
import struct
import threading
from dataclasses import dataclass

from doorward_postgres.wire import Frontend

SSL_REQUEST_BYTES = 8
_ASKS = re.compile(rb"lie:(\w+)")


@dataclass(frozen=True)
class Lie:
    """What is sent instead of an answer, again and again if `floods`, and how the connection ends after it."""

    data: bytes
    ends: str = ""  # "", "close" or "reset"
    floods: int = 1


class LyingServer:
    """Stands before `port`. One thread for each connection; all end with `close`."""

    def __init__(self, port, passwords, lies):
        self.passwords = passwords
        self.lies = lies
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._closing, self._close = socket.socketpair()
        self._threads = []
        self._start(self._accept)

    def close(self):
        self._close.close()
        for thread in self._threads:
            thread.join()
        self._listener.close()
        self._closing.close()

    def _start(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while self._listener in select.select([self._listener, self._closing], [], [])[0]:
            near, _ = self._listener.accept()
            self._start(self._serve, near, socket.create_connection(("127.0.0.1", self._target)))

    def _serve(self, near, far):
        with near, far, contextlib.suppress(OSError):
            begun = False
            buffer = b""
            while True:
                ready, _, _ = select.select([near, far, self._closing], [], [])
                if self._closing in ready:
                    return
                if far in ready:
                    data = far.recv(65536)
                    if not data:
                        return
                    near.sendall(data)
                if near in ready:
                    data = near.recv(65536)
                    if not data:
                        return
                    buffer += data
                    if not begun and len(buffer) >= 4 and len(buffer) >= struct.unpack_from("!I", buffer)[0]:
                        # A start-up packet has no type, may come in pieces, and an SSLRequest may stand before it.
                        begun = len(buffer) != SSL_REQUEST_BYTES
                        far.sendall(buffer)
                        buffer = b""
                    if begun:
                        buffer = self._relay(near, far, buffer)

    def _relay(self, near, far, buffer):
        """Pass whole messages on, but for the one that asks for a lie; give what is not whole."""
        while len(buffer) >= 5:
            end = 1 + struct.unpack_from("!I", buffer, 1)[0]
            if len(buffer) < end:
                break
            frame, buffer = buffer[:end], buffer[end:]
            asked = _ASKS.search(frame) if frame[0] in (Frontend.Query, Frontend.Parse) else None
            if asked is None:
                far.sendall(frame)
            else:
                self._lie(near, self.lies[asked[1].decode()])
        return buffer

    def _lie(self, near, lie):
        for _ in range(lie.floods):
            near.sendall(lie.data)
        if lie.ends == "reset":
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if lie.ends:
            near.close()
            raise OSError("this was the last word")
