"""The gateway's side of the archive: brings it up to date, tries again, stops traffic where it is too far behind.

Implements docs/spec/event-log.md section 13, with `record.archive` in worker threads.
A trio shell beside the log, never on its durable path.
It will not run a second step while one runs, nor remember where it stood beyond what the archive says.

Invariants: traffic stops only once something has waited for the archive for longer than `lag`, and comes back by
itself; the log tells of both; nothing is deleted here before a checkpoint covers the entry that says so.
Cancelled, it leaves objects that no archived checkpoint covers, or bundles that were freed and are still here; the next
start goes on from there.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import structlog
import trio

from doorward_core.config_record import ArchiveSettings
from doorward_core.entries import gateway_error
from doorward_core.errors import GatewayError, RecordError
from doorward_core.event import Event, EventKind, Value
from doorward_core.record.archive import Archiver, Terms
from doorward_core.record.archive_places import ArchiveError, Place
from doorward_core.record.limits import Lag, Limits, Scope

WHO: Final = "archive"
RETRY_S: Final = 1.0
MOST_RETRY_S: Final = 60.0
FREE_EVERY_S: Final = 3600.0
COVERED_WITHIN_S: Final = 60.0  # for a checkpoint, which is made each second; what is not covered then is freed later
_LOOK_S: Final = 0.1
_NS_PER_S: Final = 1_000_000_000

Keep: TypeAlias = Callable[[Event], Awaitable[int]]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Beside:
    """What an archive follows: the tree, its origin, the stops of the log, and how an event is kept durably.

    `cosigned` is where the newest checkpoint lies that a quorum of witnesses has signed, if there are witnesses.
    """

    folder: Path
    origin: str
    limits: Limits
    keep: Keep
    cosigned: Path | None = None


class Archiving:
    """The archive of one log. `run` does the work; the rest is for readiness and metrics."""

    def __init__(
        self,
        settings: ArchiveSettings,
        beside: Beside,
        place: Callable[[], Awaitable[Place]],
        clock: Callable[[], int],
    ) -> None:
        self._settings, self._beside, self._place, self._clock = settings, beside, place, clock
        self._terms = Terms(settings.mode, settings.retention)
        self._lag = Lag(settings.lag, clock())
        self._archiver: Archiver | None = None
        self._freed_at = -FREE_EVERY_S
        self._named: tuple[str, ...] = ()
        self.size = 0
        self.problem = ""

    @property
    def behind_s(self) -> float:
        """For how long it has not had everything."""
        return self._lag.behind_s(self._clock())

    async def run(self) -> None:
        """For as long as the gateway lives; never raises but for cancellation."""
        pause_s = RETRY_S
        try:
            while True:
                if await self.step():
                    pause_s = RETRY_S
                    await trio.sleep(self._settings.interval)
                else:
                    await trio.sleep(min(pause_s, self._settings.interval))
                    pause_s = min(2 * pause_s, MOST_RETRY_S)
        finally:
            if self._archiver is not None:
                self._archiver.stopped = True

    async def step(self) -> bool:
        """Bring it up to date once; give whether it is."""
        began = self._clock()
        try:
            archiver = await self._opened()
            await trio.to_thread.run_sync(archiver.advance, began, abandon_on_cancel=True)
            await trio.to_thread.run_sync(self._cosigned, archiver, began, abandon_on_cancel=True)
            self.size, self.problem = archiver.size, ""
            self._lag.caught_up(began)
            await self._tell_lost(archiver)
            await self._free(archiver)
        except (ArchiveError, OSError, ValueError, RecordError, GatewayError) as error:
            await self._failed(str(error), began)
            return False
        if self._beside.limits.lift(WHO):
            log.info("archive.reached", size=self.size)
            await self._say(f"the archive has all {self.size} entries again; traffic goes on")
        return True

    def _cosigned(self, archiver: Archiver, now_unix_ns: int) -> None:
        if self._beside.cosigned is not None and self._beside.cosigned.is_file():
            archiver.keep_cosigned(self._beside.cosigned.read_bytes(), now_unix_ns)

    async def _opened(self) -> Archiver:
        """The archiver that knows where it stands; after a failure it is asked of the archive anew."""
        if self._archiver is None:
            archiver = Archiver(self._beside.folder, await self._place(), self._beside.origin, self._terms)
            await trio.to_thread.run_sync(archiver.resume, abandon_on_cancel=True)
            gone = await trio.to_thread.run_sync(archiver.sweep, abandon_on_cancel=True)
            if gone:
                log.info("archive.swept", bundles=gone)
            self._archiver, self._freed_at = archiver, -FREE_EVERY_S
        return self._archiver

    async def _failed(self, problem: str, began_unix_ns: int) -> None:
        if problem != self.problem:
            log.warning("archive.failed", problem=problem)
        archiver, self._archiver = self._archiver, None
        self.problem = problem
        if archiver is not None and await trio.to_thread.run_sync(_has_everything, archiver):
            self._lag.caught_up(began_unix_ns)  # it cannot be reached, and there is nothing that it does not have
            self._archiver = archiver
        if self._lag.over(self._clock()):
            words = f"the archive of the event log is more than {_span(self._settings.lag)} behind"
            if self._beside.limits.stop(WHO, f"{words}; nothing new is taken until it has caught up", Scope.TRAFFIC):
                log.error("archive.behind", problem=problem)
                await self._say(f"{words}, and traffic stops: {problem}")

    async def _tell_lost(self, archiver: Archiver) -> None:
        if archiver.lost and archiver.lost != self._named:
            self._named = archiver.lost
            words = f"the archive has lost {len(archiver.lost)} objects that are not here any more: {archiver.lost[0]}"
            log.error("archive.lost", objects=list(archiver.lost[:100]))
            await self._say(words)

    async def _free(self, archiver: Archiver) -> None:
        """Delete here what is old enough and proven, each hour: told first, covered by a checkpoint, then done."""
        keep_s = self._settings.free_local
        if keep_s is None or trio.current_time() < self._freed_at + FREE_EVERY_S:
            return
        before = self._clock() - keep_s * _NS_PER_S
        below = await trio.to_thread.run_sync(archiver.freeable, before, abandon_on_cancel=True)
        if below > archiver.freed():
            head: dict[str, Value] = {"below": below, "archived": archiver.size, "archive": str(self._settings.to)}
            index = await self._beside.keep(Event(EventKind.LOG_FREED, head))
            if not await self._covered(archiver, index):
                return
            gone = await trio.to_thread.run_sync(archiver.free, below, abandon_on_cancel=True)
            log.info("archive.freed", below=below, bundles=gone)
        self._freed_at = trio.current_time()

    async def _covered(self, archiver: Archiver, index: int) -> bool:
        with trio.move_on_after(COVERED_WITHIN_S):
            while True:
                here = await trio.to_thread.run_sync(archiver.local)
                if here is not None and here[0].size > index:
                    return True
                await trio.sleep(_LOOK_S)
        return False

    async def _say(self, what: str) -> None:
        try:
            await self._beside.keep(gateway_error(None, what))
        except RecordError as error:
            log.warning("archive.unrecorded", problem=str(error))


def _has_everything(archiver: Archiver) -> bool:
    try:
        here = archiver.local()
    except (ArchiveError, OSError):
        return False
    return here is not None and here[0].size == archiver.size


def _span(seconds: int) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds % length == 0:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
