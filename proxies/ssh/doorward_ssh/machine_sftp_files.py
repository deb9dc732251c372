"""Open files and folders of one SFTP channel: what each was opened for, and what is done with it.

What it is: the table of handles, and every request that names one.
What it will not do: open anything (`machine_sftp` does, under a Permit), decide, or await.

Source: draft-ietf-secsh-filexfer-02, sections 6.3 to 6.7; OpenSSH's PROTOCOL file, section 4.

Invariants: pure.
- Handles towards the client are numbers of our own, never used twice; those of the target are not shown.
- A handle does what it was opened for and nothing else, whatever the target would let it do.
- Behind a request that waits for a decision, requests of the same handle wait in their order.
- Content over a limit neither leaves nor arrives.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from doorward_core.errors import UpstreamProtocolError
from doorward_core.event import Outcome, Status
from doorward_core.mask.detect import Detectors
from doorward_core.model import Limit, Permit
from doorward_ssh.machine_sftp_line import Line, code_of, native
from doorward_ssh.sftp_contents import BEFORE_BYTES, BEHIND_BYTES, SHOWN_BYTES, SNIFF_BYTES, Meter, TextCover
from doorward_ssh.wire_sftp import (
    COPY_DATA,
    FSYNC,
    Code,
    Kind,
    Malformed,
    Request,
    decode_data,
    decode_names,
    encode_data,
)

MAX_HANDLES: Final = 256  # OpenSSH's server has some hundreds; each weighs a digest and 64 KiB here
MAX_READ_BYTES: Final = 255 * 1024  # what OpenSSH gives at most in one answer
MAX_COVERED_BYTES: Final = MAX_READ_BYTES - BEFORE_BYTES - BEHIND_BYTES
MAX_OFFSET: Final = (1 << 63) - (1 << 20)  # no file is longer than a signed offset can say
_NS: Final = 1_000_000_000
NOT_OPENED: Final = "it was not opened for that"


@dataclass(slots=True)
class Handle:
    """One open file or folder, and the permit that it was opened under."""

    token: bytes
    server: bytes
    path: bytes
    permit: Permit
    opened_ns: int
    folder: bool = False
    readable: bool = False
    writable: bool = False
    limit: Limit | None = None
    cover: TextCover | None = None
    busy: bool = False
    waiting: deque[Request] = field(default_factory=deque)
    read: Meter = field(default_factory=lambda: Meter(SHOWN_BYTES))
    written: Meter = field(default_factory=Meter)
    names: int = 0

    def over(self, more_bytes: int, now_ns: int) -> str:
        """Why so much more may not pass; "" where it may."""
        limit = self.limit
        if limit is None:
            return ""
        if limit.bytes is not None and self.read.total + self.written.total + more_bytes > limit.bytes:
            return f"refused: more than {limit.bytes} bytes of one file are not granted"
        if limit.seconds is not None and now_ns - self.opened_ns > limit.seconds * _NS:
            return f"refused: a file is not granted for longer than {limit.seconds} s"
        return ""

    def outcome(self, status: Status, code: str, now_ns: int) -> Outcome:
        """How it ended."""
        meter = self.read if self.read.total or not self.writable else self.written
        passed = not self.folder
        return Outcome(
            status,
            code,
            rows=self.names,
            bytes_up=self.written.total,
            bytes_down=self.read.total,
            masked=self.cover.masked if self.cover else {},
            duration_ns=max(0, now_ns - self.opened_ns),
            shown=bytes(meter.shown),
            shown_format=("sftp.read" if meter is self.read else "sftp.written") if passed else "",
            shown_digest=meter.digest if passed else b"",
            shown_truncated=passed and meter.total > len(meter.shown),
        )


@dataclass(slots=True)
class Covered:
    """One read of a text that something is hidden in: what was asked for, and what stands around it."""

    handle: Handle
    cover: TextCover
    request: Request
    window: bytearray = field(default_factory=bytearray)

    @property
    def begin(self) -> int:
        """Where the window begins."""
        return max(0, self.request.offset - BEFORE_BYTES)

    @property
    def size(self) -> int:
        """How much the client is given at most."""
        return min(self.request.length, MAX_COVERED_BYTES)

    @property
    def missing(self) -> int:
        """What the window lacks."""
        return self.request.offset - self.begin + self.size + BEHIND_BYTES - len(self.window)


Asker = Callable[[Handle, Request], None]


class Files:
    """The handles of one channel. `ask` is called with an FSETSTAT, which is decided on its own."""

    def __init__(self, line: Line, ask: Asker) -> None:
        self._line = line
        self._ask = ask
        self._handles: dict[bytes, Handle] = {}
        self._count = 0
        self.binary = 0  # files that a mask was owed on, and that are not text

    def room(self, opening: int) -> bool:
        """Whether another one may be opened, besides those that are being opened."""
        return len(self._handles) + opening < MAX_HANDLES

    def add(self, server: bytes, path: bytes, permit: Permit) -> Handle:
        """Take note of what the target opened."""
        self._count += 1
        token = self._count.to_bytes(8, "big")
        handle = self._handles[token] = Handle(token, server, path, permit, self._line.now_ns)
        return handle

    def protect(self, handle: Handle, limit: Limit | None, detectors: Detectors | None) -> None:
        """What is owed on its content."""
        handle.limit = limit
        handle.cover = TextCover(detectors) if detectors and handle.readable else None

    def abandon(self) -> None:
        """The channel is gone: what is open ends here."""
        for handle in self._handles.values():
            outcome = handle.outcome(Status.ABORTED, "", self._line.now_ns)
            self._line.finished.append((handle.permit, outcome))
        self._handles.clear()

    def take(self, request: Request) -> None:
        """A request that names a handle."""
        handle = self._handles.get(request.handle)
        if handle is None or (request.name == COPY_DATA and request.target not in self._handles):
            self._line.say(request, Code.FAILURE, "no such handle")
        elif handle.busy:
            handle.waiting.append(request)
        else:
            self._do(handle, request)

    def resume(self, handle: Handle) -> None:
        """What it waited for is settled."""
        handle.busy = False
        while handle.waiting and not handle.busy:
            self._do(handle, handle.waiting.popleft())

    def _do(self, handle: Handle, request: Request) -> None:
        what: str | int = request.name or request.kind
        if what == Kind.READ:
            self._read(handle, request)
        elif what == Kind.WRITE:
            self._write(handle, request)
        elif what == Kind.CLOSE:
            del self._handles[handle.token]
            self._send(handle, request, partial(self._closed, handle, request))
            while handle.waiting:
                self._line.say(handle.waiting.popleft(), Code.FAILURE, "no such handle")
        elif what == Kind.READDIR:
            self._readdir(handle, request)
        elif what == Kind.FSETSTAT:
            handle.busy = True
            self._ask(handle, request)
        elif what == COPY_DATA:
            self._copy(handle, request)
        elif what == FSYNC and not handle.writable:
            self._line.say(request, Code.PERMISSION_DENIED, NOT_OPENED)
        else:
            self._send(handle, request, partial(self._line.relay, request))

    def _send(self, handle: Handle, request: Request, taker: Callable[[int, bytes], None]) -> None:
        self._line.ask(replace(request, handle=handle.server), taker)

    def set(self, handle: Handle, request: Request, taker: Callable[[int, bytes], None]) -> None:
        """An FSETSTAT was permitted."""
        self._send(handle, request, taker)
        self.resume(handle)

    def _closed(self, handle: Handle, request: Request, kind: int, body: bytes) -> None:
        code = code_of(kind, body)
        status = Status.OK if code == Code.OK else Status.ERROR
        outcome = handle.outcome(status, native(code), self._line.now_ns)
        self._line.finished.append((handle.permit, outcome))
        self._line.relay(request, kind, body)

    # --- folders -----------------------------------------------------------------------------------------------------

    def _readdir(self, handle: Handle, request: Request) -> None:
        if not handle.folder:
            self._line.say(request, Code.PERMISSION_DENIED, NOT_OPENED)
        else:
            self._send(handle, request, partial(self._names, handle, request))

    def _names(self, handle: Handle, request: Request, kind: int, body: bytes) -> None:
        if kind == Kind.NAME:
            try:
                handle.names += len(decode_names(body))
            except Malformed as error:
                raise UpstreamProtocolError(f"the names of a folder cannot be read: {error}") from None
            most = handle.limit.rows if handle.limit else None
            if most is not None and handle.names > most:
                self._line.say(request, Code.FAILURE, f"refused: more than {most} names are not granted")
                return
        self._line.relay(request, kind, body)

    # --- content -----------------------------------------------------------------------------------------------------

    def _read(self, handle: Handle, request: Request) -> None:
        cover = handle.cover
        if not handle.readable:
            self._line.say(request, Code.PERMISSION_DENIED, NOT_OPENED)
        elif request.offset > MAX_OFFSET:
            self._line.say(request, Code.EOF, "end of file")
        elif cover is None or cover.text is False:
            asked = replace(request, length=min(request.length, MAX_READ_BYTES))
            self._send(handle, asked, partial(self._data, handle, request))
        elif cover.text is None:
            handle.busy = True
            handle.waiting.appendleft(request)
            beginning = replace(request, offset=0, length=SNIFF_BYTES)
            self._send(handle, beginning, partial(self._sniffed, handle, cover))
        else:
            self._gather(Covered(handle, cover, request))

    def _data(self, handle: Handle, request: Request, kind: int, body: bytes) -> None:
        if kind == Kind.DATA:
            data = _content(body, request.length)
            words = handle.over(len(data), self._line.now_ns)
            if words:
                self._line.say(request, Code.FAILURE, words)
                return
            handle.read.add(request.offset, data)
        self._line.relay(request, kind, body)

    def _sniffed(self, handle: Handle, cover: TextCover, kind: int, body: bytes) -> None:
        cover.sniff(_content(body, SNIFF_BYTES) if kind == Kind.DATA else b"")
        self.binary += not cover.text
        self.resume(handle)

    def _gather(self, covered: Covered) -> None:
        """Ask for what was asked for with what stands around it, until it is all there or the file ends."""
        piece = replace(covered.request, offset=covered.begin + len(covered.window), length=covered.missing)
        self._send(covered.handle, piece, partial(self._gathered, covered))

    def _gathered(self, covered: Covered, kind: int, body: bytes) -> None:
        handle, request = covered.handle, covered.request
        if kind == Kind.DATA:
            data = _content(body, covered.missing)
            covered.window += data
            if data and covered.missing:  # the end of the file, or of what the target gives at once: ask again
                self._gather(covered)
                return
        elif code_of(kind, body) != Code.EOF:
            self._line.relay(request, kind, body)
            return
        found = covered.cover.cover(bytes(covered.window), request.offset - covered.begin, covered.size)
        words = handle.over(len(found), self._line.now_ns)
        if words:
            self._line.say(request, Code.FAILURE, words)
        elif not found and request.length:
            self._line.say(request, Code.EOF, "end of file")
        else:
            handle.read.add(request.offset, found)
            self._line.answer(request, encode_data(request.id, found))

    def _write(self, handle: Handle, request: Request) -> None:
        words = handle.over(len(request.data), self._line.now_ns) if handle.writable else NOT_OPENED
        if words:
            code = Code.FAILURE if handle.writable else Code.PERMISSION_DENIED
            self._line.say(request, code, words)
            return
        handle.written.add(request.offset, request.data)
        self._send(handle, request, partial(self._wrote, handle, request))

    def _wrote(self, handle: Handle, request: Request, kind: int, body: bytes) -> None:
        if code_of(kind, body) != Code.OK:
            handle.written.scatter()
        self._line.relay(request, kind, body)

    def _copy(self, source: Handle, request: Request) -> None:
        """`copy-data`: content that passes by nobody here. Where its content is owed something, it does not pass."""
        target = self._handles[request.target]
        if not (source.readable and target.writable) or target.busy:
            self._line.say(request, Code.PERMISSION_DENIED, NOT_OPENED)
        elif source.cover or source.limit or target.limit:
            self._line.say(request, Code.OP_UNSUPPORTED, "what is masked or limited is not copied at the target")
        else:
            source.read.scatter()
            target.written.scatter()
            sent = replace(request, target=target.server)
            self._send(source, sent, partial(self._line.relay, request))


def _content(body: bytes, most: int) -> bytes:
    try:
        data = decode_data(body)
    except Malformed as error:
        raise UpstreamProtocolError(f"the data of a file cannot be read: {error}") from None
    if len(data) > most:
        raise UpstreamProtocolError("the target sent more of a file than was asked for")
    return data
