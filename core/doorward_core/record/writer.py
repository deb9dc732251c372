"""The gateway's side of the log: a handle whose `append` is cheap, and a process that does the work.

Implements docs/spec/event-log.md sections 3 and 9 together with `record.engine`.
A trio shell; used from the thread that opened it.
It will not hold keys: sealing and signing happen in the writer process, away from everything that parses.

Invariants: indices are given out in the order of `append`; `durable` returns only for what the writer has flushed;
a failure is for good, and whoever waits is told.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio
import trio.lowlevel

from doorward_core.errors import RecordError
from doorward_core.event import Event
from doorward_core.net import pump
from doorward_core.net.attend import Attention, Heed
from doorward_core.net.link import Link
from doorward_core.record import process
from doorward_core.record.encode import Messages, pack_message
from doorward_core.record.engine import Settings
from doorward_core.record.entry import ID_BYTES, EntryError, check_origin, pack_parts, parts_of
from doorward_core.record.limits import Limits
from doorward_core.record.waiters import Waiters

# What may wait for the writer. Beyond the first, `room` waits; beyond the second, `append` refuses.
ROOM_BYTES = 8 * 1024 * 1024
HARD_BYTES = 128 * 1024 * 1024
# A flush on a dying disk may take seconds; a start reads one segment and flushes it.
OPEN_TIMEOUT_S = 60.0
CLOSE_TIMEOUT_S = 30.0
# What nobody asks to be flushed is handed to the writer this often, or when this much has come together.
LINGER_S = 0.05
LINGER_BYTES = 64 * 1024
_REPLY_BYTES = 1024 * 1024
# What the writer needs of our environment; a target's password in a variable is none of it.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "TMPDIR")


class Log:
    """An open log. Make one with `Log.open`."""

    def __init__(self, settings: Settings, interval_s: float, nursery: trio.Nursery) -> None:
        self._settings = settings
        self._interval_s = interval_s
        self._nursery = nursery
        self._sealed = bool(settings.recipients)
        self.limits = Limits()
        self._waiters = Waiters()
        self._room = trio.Event()
        self._pump = pump.current()
        self._recovering = trio.Lock()
        self._generation = 0
        self._reset()

    def _reset(self, why: str = "the log is not open yet") -> None:
        # Until the writer has said where the log ends, no index can be given out; what had failed it stays its reason.
        self._failed: str | None = why
        self._queue: list[bytes] = []  # not handed to the link yet
        self._queue_bytes, self._behind = 0, False  # behind: more waits for the writer than may
        self._size = self._durable = self._last_at = self._asked = self._askers = 0
        self._work = trio.Event()
        self._link: Link | None = None
        self._ended = trio.Event()
        self._closing = self._closed = False
        self.vkey = self.mirror_problem = ""
        self._scope = trio.CancelScope()
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    async def open(
        cls,
        folder: Path,
        *,
        origin: str,
        signer: Path,
        nursery: trio.Nursery,
        keys: Path | None = None,
        recipients: tuple[str, ...] = (),
        checkpoint_interval_s: float = 1.0,
        mirror: Path | None = None,
    ) -> "Log":
        """Open the log in `folder`, or begin it; raises RecordError where it must not be gone on with.

        `signer` is the file of the signing key, made on first start, outside of `folder`; the vkey is put beside it.
        `keys` is the folder of wrapped payload keys, by default `payload` beside the signing key.
        Two tasks run in `nursery` until `aclose`; neither ever raises.
        Call `aclose` before that nursery is cancelled: otherwise all is kept, but the log does not end in `log.closed`.
        Cancelled while opening: the writer is told to go, and the log is left as after a crash.
        """
        try:
            check_origin(origin)
        except EntryError as error:
            raise RecordError(str(error)) from error
        settings = Settings(folder, origin, signer, keys or signer.parent / "payload", recipients, mirror)
        log = cls(settings, checkpoint_interval_s, nursery)
        await log._start()
        return log

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
            command = [sys.executable, "-P", "-m", "doorward_core.record.process"]
            self._process = await trio.to_thread.run_sync(
                lambda: subprocess.Popen(  # noqa: S603 - our own interpreter and module, no argument from outside
                    command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, env=environment
                )
            )
        link = Link(ours)
        messages = Messages(_REPLY_BYTES)
        first = pack_message((process.SETTINGS, process.settings_text(self._settings, self._interval_s)))
        refusal = f"the log did not open within {OPEN_TIMEOUT_S:.0f} s"
        try:
            with trio.move_on_after(OPEN_TIMEOUT_S):
                await link.send_all(first)
                refusal = await self._hello(link, messages)
        except (trio.BrokenResourceError, OSError) as error:
            refusal = f"the writer process could not be reached: {error}"
        finally:
            if not self.vkey:
                self._ended.set()
                link.close()
                await self._reap()
        if refusal:
            self._failed = refusal
            raise RecordError(refusal)
        self._failed = None
        self._generation += 1
        self._link = link
        self._nursery.start_soon(self._run, link, messages, name="event log")

    async def _hello(self, link: Link, messages: Messages) -> str:
        """Wait until the writer has opened the log; give why not, or nothing."""
        while chunk := await link.receive():
            messages.feed(chunk)
            for message in messages:
                if message[0] == process.FAILED:
                    return str(message[1])
                self._take(message)
                if self.vkey:
                    return ""
        return "the writer process ended at once"

    # --- the interface ------------------------------------------------------------------------------------------------

    @property
    def failed(self) -> str | None:
        """Why the log cannot be written any more, or None."""
        return self._failed

    @property
    def generation(self) -> int:
        """How often the log was opened: an index from before the last time may be lost, and given out again."""
        return self._generation

    @property
    def durable_size(self) -> int:
        """Entries with an index below this are on stable storage."""
        return self._durable

    @property
    def waiting_s(self) -> float:
        """Since when somebody waits for stable storage and it has confirmed nothing; 0 where nobody does."""
        return self._waiters.waiting_s(time.monotonic())

    @property
    def size(self) -> int:
        """Entries given out so far, durable or not."""
        return self._size

    def append(self, event: Event, now_unix_ns: int) -> int:
        """Put `event` in the log and give its index: that of its first entry, where a long payload takes several.

        Raises RecordError where the log has failed, where the event cannot be encoded, or where 128 MiB wait unwritten.
        So does `limits`, where one is passed and the event would begin something (TrafficStopped).
        """
        if self._failed is not None or self._closing:
            raise RecordError(self._failed or "the log is closed")
        if self._behind:
            raise RecordError("the log's writer is too far behind")
        self.limits.check(event.kind)
        session, operation = event.session_id, event.operation_id
        if len(session) not in {0, ID_BYTES} or len(operation) not in {0, ID_BYTES}:
            raise RecordError(f"{event.kind}: an id that is not 16 bytes")
        header = event.header
        if now_unix_ns < self._last_at:
            header = {**header, "clock_back_ns": self._last_at - now_unix_ns}
            now_unix_ns = self._last_at
        try:
            head, body = pack_parts(header, event.payload)
        except EntryError as error:
            raise RecordError(f"{event.kind}: {error}") from error
        index = self._size
        message = pack_message((process.EVENT, index, now_unix_ns, event.kind.value, session, operation, head, body))
        self._size = index + (parts_of(len(body), sealed=self._sealed) if body else 1)
        self._last_at = now_unix_ns
        self._queue.append(message)
        self._queue_bytes += len(message)
        if self._queue_bytes > LINGER_BYTES:
            self._hand_over()
        return index

    @property
    def _queued_bytes(self) -> int:
        """What the writer has not taken yet."""
        return self._queue_bytes + (0 if self._link is None else self._link.unsent_bytes)

    def _hand_over(self) -> None:
        """Send all that is queued: at once, or where the socket is full by the task that waits for it."""
        if self._link is None:
            return
        batch, self._queue, self._queue_bytes = b"".join(self._queue), [], 0
        if not self._link.offer((batch,)):
            self._behind = self._link.unsent_bytes > HARD_BYTES
            self._work.set()

    def soon(self, index: int) -> None:
        """Ask for a flush of everything up to `index` without waiting; once for all that one go of the pump asks."""
        if index >= self._asked and self._failed is None:
            self._asked = self._size
            self._askers += 1
            self._pump.at_end(self._ask)

    def _ask(self) -> None:
        # Everything queued is flushed in one go, so one request serves whatever was appended before it.
        self._queue.append(pack_message((process.FLUSH, self._size, self._askers)))
        self._asked, self._askers = self._size, 0
        self._hand_over()

    async def durable(self, index: int) -> None:
        """Wait until the event at `index` is on stable storage, and ask for a flush; no checkpoint if it is already.

        Cancelled: the flush happens all the same.
        """
        if index < self._durable:
            return
        if self._failed is not None:
            raise RecordError(self._failed)
        if index >= self._size:
            raise RecordError("no such entry yet")
        self.soon(index)
        woken = trio.Event()
        self._waiters.add(index, woken.set, time.monotonic())
        await woken.wait()
        if index >= self._durable:
            raise RecordError(self._failed or "the log is closed")

    def when_durable(self, index: int, call: Callable[[], None]) -> None:
        """Call once the event at `index` is on stable storage, or the log has failed; at once where that is so already.

        Asks for the flush as `soon` does. What is called must not raise.
        """
        if index < self._durable or self._failed is not None:
            call()
            return
        self.soon(index)
        self._waiters.add(index, call, time.monotonic())

    async def room(self) -> None:
        """Wait until less than 8 MiB wait for the writer; no checkpoint if that is so already."""
        while self._queued_bytes > ROOM_BYTES:
            if self._failed is not None:
                raise RecordError(self._failed)
            self._room = trio.Event()
            await self._room.wait()

    async def aclose(self) -> None:
        """Record `log.closed`, sign, and end the writer; harmless on a log that has failed or is closed.

        Not cancelled by what is around it, but bounded by 30 s; after that the writer is killed, which it survives.
        """
        if self._ended.is_set() and self._process is None:
            return
        with trio.CancelScope(shield=True), trio.move_on_after(CLOSE_TIMEOUT_S):
            if not self._closing and self._failed is None:
                self._closing = True
                self._queue.append(pack_message((process.CLOSE, time.time_ns())))
                self._hand_over()
            await self._ended.wait()
        self._scope.cancel()
        await self._reap()

    async def recover(self) -> None:
        """After a failure: start a new writer on the same log, at one process a time; raises where that fails too.

        What was never durable is gone, and every `durable` that waited for it has raised.
        """
        async with self._recovering:
            if self._failed is None:
                return
            self._scope.cancel()
            await self._ended.wait()
            await self._reap()
            self._reset(self._failed)
            await self._start()

    # --- the two tasks ------------------------------------------------------------------------------------------------

    async def _run(self, link: Link, messages: Messages) -> None:
        """Send and receive until the log is closed or has failed; never raises but for cancellation."""
        scope = self._scope
        try:
            with scope:
                async with trio.open_nursery() as both:
                    both.start_soon(self._send, link)
                    both.start_soon(self._linger)
                    await self._receive(link, messages)
                    both.cancel_scope.cancel()
        finally:
            if not self._closing:
                self._fail("the gateway is ending")
            self._waiters.wake(self._durable, time.monotonic())
            self._ended.set()
            link.close()

    async def _send(self, link: Link) -> None:
        """Wait for what a full socket did not take."""
        try:
            while True:
                await self._work.wait()
                self._work = trio.Event()
                await link.send_all(())
                self._behind = False
                self._room.set()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # the receiver sees the end of the writer, and perhaps its last words

    async def _linger(self) -> None:
        """See to it that what nobody waits for does not lie here for long."""
        while True:
            await trio.sleep(LINGER_S)
            if self._queue:
                self._hand_over()

    async def _receive(self, link: Link, messages: Messages) -> None:
        def take(chunk: bytes) -> Heed:
            messages.feed(chunk)
            for message in messages:
                self._take(message)
            return Heed.WAKE if self._failed else Heed.MORE

        try:
            if not await Attention(link).attend(take) and not self._closing:
                self._fail("the writer process is gone")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._fail("the writer process is gone")

    def _take(self, message: tuple[Any, ...]) -> None:
        match message:
            case (process.OPENED, size, last_at, vkey):
                self._size = self._durable = self._asked = size
                self._last_at = last_at
                self.vkey = vkey
            case (process.DURABLE, size):
                self._durable = size
                self._waiters.wake(size, time.monotonic())
            case (process.FAILED, reason):
                self._fail(reason)
            case (process.MIRROR, problem):
                self.mirror_problem = problem
            case (process.CLOSED,):
                self._closed = True
            case _:
                self._fail("the writer process sent something that is no message")

    def _fail(self, reason: str) -> None:
        """Fail for good, and tell whoever waits."""
        if self._failed is None:
            self._failed = reason
        self._waiters.wake(None, time.monotonic())
        self._room.set()

    async def _reap(self) -> None:
        """Wait for the writer's end, which follows from the closed socket; kill it if it does not come."""
        child = self._process
        if child is None:
            return
        self._process = None
        with trio.CancelScope(shield=True):
            try:
                await trio.to_thread.run_sync(child.wait, CLOSE_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                child.kill()
                await trio.to_thread.run_sync(child.wait)
