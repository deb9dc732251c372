"""Where followed events go: a file, a webhook, or syslog over TCP with or without TLS.

Each sender takes a batch and returns once it was taken over: a file was flushed, a webhook answered 2xx, syslog's
connection took the bytes and is still open (RFC 5425 and RFC 6587 know no acknowledgement: what the network then loses
is lost, and only a webhook or a file tells).
Failures raise `NotDelivered`, and the same batch comes again.

Syslog's frames are counted: `LENGTH SP MESSAGE` (RFC 5425, section 4.3; RFC 6587, section 3.4.1).
A webhook gets `application/x-ndjson`, signed as notifications are (`Doorward-Signature`, docs/approvals.md).
Cancelled, a sender leaves a batch that may have been taken over in part: it is sent again.
"""

import os
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

import httpx2
import trio

from doorward_console.follow import lines
from doorward_core.approvals.notify import SIGNATURE, signature
from doorward_core.errors import GatewayError
from doorward_core.identity.address import is_loopback
from doorward_core.net.tls import client_context
from doorward_core.record.reader import Entry

TIMEOUT_S: Final = 20.0
SYSLOG_BYTES: Final = 65_536  # of one message; RFC 5425 asks receivers for 8,192 and commonly they take this
SYSLOG_PORTS: Final = {"syslog": 601, "syslogs": 6514}
LISTEN_S: Final = 0.02  # after each batch: what a receiver that is gone has said by then is heard
OK: Final = range(200, 300)
FORMS: Final = "PATH, https://HOST/PATH, syslogs://HOST:PORT (TLS) or syslog://HOST:PORT"


class NotDelivered(GatewayError):
    """A batch was not taken over; the words say why, and carry no secret."""


class Unusable(GatewayError):
    """Nothing can be sent there."""


class Sender(ABC):
    """One place. `origin` is the log's, `content` whether payloads go too."""

    def __init__(self, origin: str, *, content: bool) -> None:
        self._origin = origin
        self._content = content

    @abstractmethod
    async def send(self, batch: Sequence[Entry]) -> None:
        """Return once these were taken over. NotDelivered."""

    async def aclose(self) -> None:
        """Let go of connections."""
        await trio.lowlevel.checkpoint()

    def _lines(self, batch: Sequence[Entry]) -> bytes:
        made = (lines.json_line(entry, self._origin, content=self._content) for entry in batch)
        return "".join(f"{line}\n" for line in made).encode("ascii")


class ToFile(Sender):
    """JSON Lines at the end of a file; it is opened for each batch, so that it can be rotated by renaming."""

    def __init__(self, path: Path, origin: str, *, content: bool) -> None:
        super().__init__(origin, content=content)
        self._path = path

    async def send(self, batch: Sequence[Entry]) -> None:
        """Add them, and flush."""
        data = self._lines(batch)
        try:
            await trio.to_thread.run_sync(self._append, data)
        except OSError as error:
            raise NotDelivered(f"{self._path}: {error.strerror}") from error

    def _append(self, data: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            end = os.lseek(descriptor, 0, os.SEEK_END)
            if _torn(self._path, end):
                data = b"\n" + data  # a crash cut the line before; it stays as it is, and its events come again
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class ToWebhook(Sender):
    """A POST for each batch; `key` signs it."""

    def __init__(self, url: str, origin: str, *, content: bool, key: bytes, verify: ssl.SSLContext) -> None:
        super().__init__(origin, content=content)
        self._url = url
        self._key = key
        self._client = httpx2.AsyncClient(verify=verify, timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)

    async def send(self, batch: Sequence[Entry]) -> None:
        """Post them."""
        body = self._lines(batch)
        headers = {"content-type": "application/x-ndjson", "doorward-log": self._origin}
        if self._key:
            headers[SIGNATURE] = signature(self._key, body, time.time_ns() // 1_000_000_000)
        try:
            async with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
                status = answer.status_code
        except httpx2.HTTPError as error:
            raise NotDelivered(f"the webhook cannot be reached: {type(error).__name__}") from error
        if status not in OK:
            raise NotDelivered(f"the webhook answered {status}")

    async def aclose(self) -> None:
        """Close its connections."""
        await self._client.aclose()


class ToSyslog(Sender):
    """RFC 5424 over TCP; one connection, made anew after a failure."""

    def __init__(self, host: str, port: int, origin: str, *, content: bool, tls: ssl.SSLContext | None) -> None:
        super().__init__(origin, content=content)
        self._host, self._port, self._tls = host, port, tls
        self._stream: trio.abc.Stream | None = None

    async def send(self, batch: Sequence[Entry]) -> None:
        """Send them, and see that nobody has hung up."""
        frames = bytearray()
        for entry in batch:
            message = lines.syslog_line(entry, self._origin, content=self._content, limit=SYSLOG_BYTES)
            frames += f"{len(message)} ".encode("ascii") + message
        try:
            with trio.fail_after(TIMEOUT_S):
                stream = self._stream or await self._connect()
                self._stream = stream
                await stream.send_all(frames)
            await self._still_open(stream)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError) as error:
            await self.aclose()
            raise NotDelivered(f"syslog at {self._host}: {_words(error)}") from error

    async def _connect(self) -> trio.abc.Stream:
        plain = await trio.open_tcp_stream(self._host, self._port)
        if self._tls is None:
            return plain
        stream = trio.SSLStream(plain, self._tls, server_hostname=self._host)
        await stream.do_handshake()
        return stream

    async def _still_open(self, stream: trio.abc.Stream) -> None:
        """A receiver says nothing; that it closed is all that can be heard, as far as it came while we wait."""
        with trio.move_on_after(LISTEN_S):
            heard = await stream.receive_some(1024)
            if not heard:
                raise trio.BrokenResourceError("it closed the connection")

    async def aclose(self) -> None:
        """Hang up."""
        if self._stream is not None:
            with trio.move_on_after(1, shield=True):
                await trio.aclose_forcefully(self._stream)
            self._stream = None


def sender_for(to: str, origin: str, *, content: bool, key: bytes = b"", ca: Path | None = None) -> Sender:
    """The sender for an address, as a person writes it. Unusable, with what would do."""
    try:
        parts = urlsplit(to)
        port = parts.port
    except ValueError:
        raise Unusable(f"{to!r} is no address; say {FORMS}") from None
    if parts.scheme in SYSLOG_PORTS:
        return _syslog(parts, port, origin, content=content, ca=ca)
    if parts.scheme in ("https", "http"):
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise Unusable("what is on record goes over https only, or to this very machine")
        return ToWebhook(to, origin, content=content, key=key, verify=client_context(ca))
    if parts.scheme and "://" in to:
        raise Unusable(f"nothing is sent by {parts.scheme}; say {FORMS}")
    return ToFile(Path(to), origin, content=content)


def _syslog(parts: SplitResult, port: int | None, origin: str, *, content: bool, ca: Path | None) -> Sender:
    host, secured = parts.hostname or "", parts.scheme == "syslogs"
    if not host or parts.path.strip("/") or parts.query:
        raise Unusable(f"expected {parts.scheme}://HOST:PORT")
    if not secured and not is_loopback(host):
        raise Unusable("what is on record goes over TLS only (syslogs://), or to this very machine")
    context = client_context(ca) if secured else None
    return ToSyslog(host, port or SYSLOG_PORTS[parts.scheme], origin, content=content, tls=context)


def _torn(path: Path, end: int) -> bool:
    if not end:
        return False
    with path.open("rb") as file:
        file.seek(end - 1)
        return file.read(1) != b"\n"


def _words(error: BaseException) -> str:
    if isinstance(error, trio.TooSlowError):
        return "it takes too long"
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return (cause.strerror if isinstance(cause, OSError) else "") or str(cause) or type(cause).__name__
