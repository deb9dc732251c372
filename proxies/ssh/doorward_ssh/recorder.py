"""The record of one channel's output: from what the client was sent to frames in the log.

What it is: the shell around `terminal.Tape`: it reads the clock, and has trio write while asyncio moves bytes.
What it will not do: hold up output for its own record, but for its bound: past it the target is not read until the log
has room.

Invariants: what waits for the log is bounded in bytes for each channel; frames are written in order, and the last of
them before the operation is finished.
"""

import time
from typing import Final

import trio

from doorward_core import entries
from doorward_core.live import Live
from doorward_core.model import Permit, Record, RecordLevel, Session
from doorward_core.record.log import EventLog
from doorward_core.terminal import ERR, OUT, PENDING_BYTES, SIZE, Tape
from doorward_ssh.ends import Ends
from doorward_ssh.loops import Bridge
from doorward_ssh.operations import ChannelRequest

BEHIND: Final = "the record is behind"
_LEVELS: Final = (RecordLevel.DECISION, RecordLevel.SHAPE, RecordLevel.PAYLOAD)


class Recorder:
    """Writes down what the client of one channel is sent. Made in trio, under the permit of what runs."""

    def __init__(
        self,
        log: EventLog,
        level: RecordLevel,
        session: Session,
        *,
        bridge: Bridge,
        ends: Ends,
        permit: Permit,
        request: ChannelRequest,
        live: Live,
    ) -> None:
        self._log = log
        self._live = live
        self._session = session
        self._bridge = bridge
        self._ends = ends
        self._permit = permit
        self._awake = trio.Event()
        asked = [item.level for item in permit.decision.obligations if isinstance(item, Record)]
        self.tape = Tape(max((level, *asked), key=_LEVELS.index), pty=request.pty is not None)
        ends.seen = self._seen
        ends.client.on_resize = self._resized
        if request.pty is not None:
            self.tape.resized(request.pty.columns, request.pty.rows, time.time_ns())

    async def run(self) -> None:
        """Write frames as they come, until cancelled."""
        while True:
            await self._awake.wait()
            self._awake = trio.Event()
            await self._log.room()
            self.write()
            self._ends.target.side.go(BEHIND)

    def write(self) -> None:
        """Write what there is. Raises RecordError."""
        for frame in self.tape.take():
            event = entries.stream_chunk(self._session, self._permit.operation, frame.stream, frame.offset, frame.data)
            self._log.append(event, frame.unix_ns)

    # --- called by asyncio -------------------------------------------------------------------------------------------

    def _seen(self, data: bytes, stderr: bool) -> None:
        now_unix_ns = time.time_ns()
        self.tape.output(data, now_unix_ns, stderr=stderr)
        self._watched(ERR if stderr else OUT, data, now_unix_ns)
        self._wake()

    def _resized(self, columns: int, rows: int) -> None:
        now_unix_ns = time.time_ns()
        self.tape.resized(columns, rows, now_unix_ns)
        self._watched(SIZE, f"{columns}x{rows}".encode("ascii"), now_unix_ns)
        self._wake()

    def _watched(self, stream: str, data: bytes, now_unix_ns: int) -> None:
        """Show it to whoever watches, whatever the record keeps."""
        if self._live.watched(now_unix_ns):
            self._bridge.soon(self._live.show, self._permit.operation.id, stream, bytes(data), now_unix_ns)

    def _wake(self) -> None:
        if self.tape.pending_bytes:
            self._bridge.soon(self._set)
            if self.tape.pending_bytes > PENDING_BYTES:
                self._ends.target.side.stop(BEHIND)

    def _set(self) -> None:
        self._awake.set()
