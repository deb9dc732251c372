"""The writer process: the only one that holds the log's keys and its files open.

Started by `record.writer` as `python -m doorward_core.record.process`, with one end of a socket pair as descriptor 0.
Plain synchronous Python: read what has come, write one frame, flush if somebody waits, report, then hash and sign.
It will not outlive the gateway: end of file on its socket makes it flush, sign and leave.

Messages are flat msgpack arrays, the first item an integer (below); a crash of either side leaves at most a torn tail
(docs/spec/event-log.md section 9).
"""

import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

from doorward_core.errors import RecordError
from doorward_core.event import EventKind
from doorward_core.record.encode import Messages, pack_message
from doorward_core.record.engine import Engine, Settings
from doorward_core.record.entry import MAX_PAYLOAD, EntryError
from doorward_core.record.journal import JournalError, write_all
from doorward_core.record.settle import beside

# gateway to writer
SETTINGS, EVENT, FLUSH, CLOSE = 0, 1, 2, 3
# writer to gateway
OPENED, DURABLE, FAILED, MIRROR, CLOSED = 0, 1, 2, 3, 4

_CHUNK = 256 * 1024  # what a socket holds
BACKLOG_BYTES = MAX_PAYLOAD + 4 * 1024 * 1024
# How long a flush may wait for others to share it, where the last one took longer than that.
GATHER_S = 0.0005
# A closed session is covered within this, and a hundred that close together share one signature.
_AFTER_SESSION_S = 0.1
_SOCKET = 0


class _Loop:
    """Reads messages, keeps the promises about time: flush when asked, checkpoint within the interval.

    Those who ask in turns would each pay for a flush of their own.
    So where others asked while the last one ran, the next waits until as many ask as there were then: those that it
    served and those others, at most as long as it took. Whoever asks alone never waits.
    """

    def __init__(self, engine: Engine, interval_s: float, messages: Messages) -> None:
        self._engine = engine
        self._interval_s = interval_s
        self._messages = messages
        self._buffer = memoryview(bytearray(_CHUNK))
        self._wanted = 0
        self._taken = False  # there is something that was not written yet
        self._askers = 0  # since the last flush
        self._crowd = 0  # how many may be expected to ask
        self._took_s = 0.0
        self._reported = engine.durable
        self._mirror_problem = ""
        self._due = time.monotonic() + interval_s
        self._closed = False

    def run(self) -> None:
        """Until the gateway closes the log or is gone."""
        self._take(b"")  # what came in one chunk with the settings
        while not self._closed:
            self._work()
            if not self._closed:
                self._keep_time()
            if not self._closed and self._waiting(self._idle_s()) and not self._hear():
                break
        if not self._closed:
            # The gateway died. What it had handed over is kept; that it did not close the log stays visible.
            self._engine.checkpoint()
            self._engine.release()

    def _idle_s(self) -> float | None:
        """How long to wait for something to do; None: until there is."""
        if self._taken:
            return 0.0
        return max(0.0, self._due - time.monotonic()) if self._engine.unsigned else None

    @staticmethod
    def _waiting(within_s: float | None) -> bool:
        """Whether something comes within this time; unlike poll, select knows of less than a millisecond."""
        return bool(select.select((_SOCKET,), (), (), within_s)[0])

    def _hear(self) -> bool:
        """Take what has come; False where the gateway is gone."""
        count = os.readv(_SOCKET, (self._buffer,))  # a new object of this size for each read costs more than the read
        self._take(self._buffer[:count])
        return count > 0

    def _take(self, chunk: bytes | memoryview) -> None:
        if not self._engine.unsigned:
            self._due = time.monotonic() + self._interval_s
        self._taken = True
        self._messages.feed(chunk)
        for message in self._messages:
            self._handle(message)
            if self._closed:
                return

    def _work(self) -> None:
        """Write what was taken, flush it if somebody asks for that, report, and publish."""
        if self._wanted > self._engine.durable:
            self._gather()
        if self._closed:
            return
        self._engine.write()
        self._taken = False
        if self._wanted > self._engine.durable or self._engine.flush_due:
            self._flush()
        if not self._closed:
            self._engine.publish()

    def _gather(self) -> None:
        """Wait for those who may be expected to ask soon."""
        end = time.monotonic() + min(self._took_s, GATHER_S)
        while self._askers < self._crowd and not self._closed:
            left_s = end - time.monotonic()
            if left_s <= 0 or not self._waiting(left_s) or not self._hear():
                return  # that the gateway is gone is seen again where it matters

    def _flush(self) -> None:
        begun = time.monotonic()
        self._engine.flush()
        self._took_s = time.monotonic() - begun
        self._report()
        served, self._askers = self._askers, 0
        if self._waiting(0):
            self._hear()
        self._crowd = served + self._askers

    def _handle(self, message: tuple[Any, ...]) -> None:
        if message[0] == EVENT:
            _, index, at, kind, session, operation, head, body = message
            self._engine.add(index, at, kind, session, operation, head=head, body=body)
            if kind == EventKind.SESSION_CLOSED:
                self._due = min(self._due, time.monotonic() + _AFTER_SESSION_S)
        elif message[0] == FLUSH:
            self._wanted = max(self._wanted, message[1])
            self._askers += message[2]
        elif message[0] == CLOSE:
            self._engine.close(message[1])
            self._closed = True
            send(DURABLE, self._engine.size)
            send(CLOSED)
        else:
            raise RecordError("the gateway sent its writer something that is no message")

    def _report(self) -> None:
        if self._engine.durable > self._reported:
            self._reported = self._engine.durable
            send(DURABLE, self._reported)

    def _keep_time(self) -> None:
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + self._interval_s
        if self._engine.unsigned:
            self._engine.checkpoint()
            self._report()
            if self._engine.mirror_problem != self._mirror_problem:
                self._mirror_problem = self._engine.mirror_problem
                send(MIRROR, self._mirror_problem)


def send(*message: int | str) -> None:
    """Tell the gateway; one that is gone is noticed at the next read."""
    try:
        write_all(_SOCKET, pack_message(message))
    except (BrokenPipeError, ConnectionResetError):
        return


def _first(messages: Messages) -> tuple[Any, ...]:
    """Wait for the settings, the first message."""
    while chunk := os.read(_SOCKET, _CHUNK):
        messages.feed(chunk)
        for message in messages:
            return message
    raise SystemExit(0)


def settings_text(settings: Settings, interval_s: float) -> str:
    """The settings as the first message carries them."""
    return json.dumps(
        {
            "folder": str(settings.folder),
            "origin": settings.origin,
            "signer": str(settings.signer),
            "keys": str(settings.keys),
            "recipients": list(settings.recipients),
            "mirror": str(settings.mirror) if settings.mirror else None,
            "interval_s": interval_s,
        }
    )


def _settings(text: str) -> tuple[Settings, float]:
    raw = json.loads(text)
    mirror = Path(raw["mirror"]) if raw["mirror"] else None
    settings = Settings(
        folder=Path(raw["folder"]),
        origin=raw["origin"],
        signer=Path(raw["signer"]),
        keys=Path(raw["keys"]),
        recipients=tuple(raw["recipients"]),
        mirror=mirror,
    )
    return settings, float(raw["interval_s"])


def main() -> int:
    """Run one writer; 0 after a clean end, 1 after a failure that the gateway was told of."""
    # Ctrl-C and a drain's SIGTERM reach the whole process group; the gateway's end of the socket is what ends us.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    messages = Messages(BACKLOG_BYTES)
    try:
        settings, interval_s = _settings(_first(messages)[1])
        engine = Engine(settings, beside)
        engine.open(time.time_ns())
        send(OPENED, engine.size, engine.last_at, engine.vkey)
        _Loop(engine, interval_s, messages).run()
    except OSError as error:
        # Never tried again: after a failed flush nothing can be said of what is on the disk.
        send(FAILED, f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
        return 1
    except (RecordError, JournalError, EntryError, ValueError) as error:
        send(FAILED, str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
