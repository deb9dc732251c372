"""A PostgreSQL client without manners, for attacks: it sends what it is told to, in one piece or in none of the orders.

A driver would refuse, reorder or repair what these tests are about.
"""

import contextlib
import socket
import struct
import time
from dataclasses import dataclass

from doorward_postgres.wire import Backend
from doorward_postgres.wire_decode import Bind, Parse, decode_error_fields, decode_row_description
from doorward_postgres.wire_encode import (
    SYNC,
    encode_bind,
    encode_cancel_request,
    encode_execute,
    encode_parse,
    encode_password,
    encode_query,
    encode_startup,
)

WAIT_S = 120


@dataclass(frozen=True)
class Message:
    """One message of the server."""

    kind: int
    body: bytes

    @property
    def sqlstate(self):
        return decode_error_fields(self.body)["C"]

    @property
    def text(self):
        fields = decode_error_fields(self.body)
        return " ".join(fields[key] for key in "MDH" if key in fields)

    @property
    def values(self):
        """The values of a DataRow."""
        (count,) = struct.unpack_from("!H", self.body)
        found, position = [], 2
        for _ in range(count):
            (size,) = struct.unpack_from("!i", self.body, position)
            position += 4
            found.append(None if size < 0 else self.body[position : position + size])
            position += max(size, 0)
        return found

    @property
    def status(self):
        """The transaction status of a ReadyForQuery."""
        return self.body.decode()


class Answer(list):
    """What the server said, in order."""

    @property
    def kinds(self):
        return "".join(chr(one.kind) for one in self)

    @property
    def rows(self):
        return [one.values for one in self if one.kind == Backend.DataRow]

    @property
    def errors(self):
        return [one.sqlstate for one in self if one.kind == Backend.ErrorResponse]

    @property
    def said(self):
        return "\n".join(one.text for one in self if one.kind in (Backend.ErrorResponse, Backend.NoticeResponse))

    @property
    def columns(self):
        return [one.name for m in self if m.kind == Backend.RowDescription for one in decode_row_description(m.body)]

    @property
    def status(self):
        return self[-1].status

    @property
    def bytes(self):
        return b"".join(one.body for one in self)


class RawClient:
    """One connection over the gateway's Unix socket, or past it."""

    def __init__(self, path, **startup):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(WAIT_S)
        connect_patiently(self.socket, path)
        self._buffer = b""
        if startup:
            self.socket.sendall(encode_startup(startup))

    @classmethod
    def login(cls, gateway, *, token=None, startup=None, groups=("crew-analysts",), subject="crew-1", kind="agent"):
        """Log in at the gateway; the hello is in `hello`."""
        path = gateway.sockets / f".s.PGSQL.{gateway.port}"
        client = cls(path, **{"user": "app", "database": "shop", **(startup or {})})
        gateway.clients.append(client)
        asked = client.read()
        if asked.kind == Backend.ErrorResponse:
            client.hello = Answer([asked])
            return client
        client.send(encode_password(token or gateway.token(subject, groups, kind)))
        client.hello = client.until(Backend.ReadyForQuery, Backend.ErrorResponse)
        return client

    def send(self, *frames):
        self.socket.sendall(b"".join(frames))

    def read(self):
        """The next message; None once the server has closed the connection."""
        while len(self._buffer) < 5 or len(self._buffer) < 1 + struct.unpack_from("!I", self._buffer, 1)[0]:
            data = self.socket.recv(65536)
            if not data:
                return None
            self._buffer += data
        (size,) = struct.unpack_from("!I", self._buffer, 1)
        message = Message(self._buffer[0], self._buffer[5 : size + 1])
        self._buffer = self._buffer[size + 1 :]
        return message

    def until(self, *kinds):
        """Everything up to the first message of one of these kinds."""
        found = Answer()
        while True:
            message = self.read()
            if message is None:
                return found
            found.append(message)
            if message.kind in kinds:
                return found

    def turn(self, *frames, turns=1):
        """Send, and take the answers up to so many ReadyForQuery."""
        self.send(*frames)
        found = Answer()
        for _ in range(turns):
            found += self.until(Backend.ReadyForQuery)
        return found

    def query(self, text):
        return self.turn(encode_query(text))

    def ended(self):
        """Whether the server closes the connection, and its last words."""
        found = Answer()
        with contextlib.suppress(ConnectionError):
            while (message := self.read()) is not None:
                found.append(message)
        return found

    def alive(self):
        return self.query("select 41 + 1").rows == [[b"42"]]

    @property
    def cancel_key(self):
        body = next(one.body for one in self.hello if one.kind == Backend.BackendKeyData)
        return struct.unpack_from("!I", body)[0], body[4:]

    def close(self):
        self.socket.close()


def statement(text, *params, name="", portal="", rows=0, results=(), oids=(), sync=False):
    """Parse, Bind and Execute."""
    frames = encode_parse(Parse(name, text.encode(), tuple(oids)))
    frames += bound(*params, name=name, portal=portal, results=results) + encode_execute(portal, rows)
    return frames + SYNC if sync else frames


def bound(*params, name="", portal="", results=(), formats=()):
    """A Bind."""
    return encode_bind(Bind(portal, name, tuple(formats), params, tuple(results)))


def cancel(gateway, pid, key):
    """Send a CancelRequest on a connection of its own, and wait until the gateway has closed it."""
    with contextlib.closing(RawClient(gateway.sockets / f".s.PGSQL.{gateway.port}")) as client:
        client.send(encode_cancel_request(pid, key))
        client.ended()


def connect_patiently(client, path):
    """Try again while the queue before a Unix socket is full: the kernel does not wait there, as it does for TCP."""
    while True:
        try:
            return client.connect(str(path))
        except BlockingIOError:
            time.sleep(0.01)
