"""Room on the disks: below a floor no new session is taken, well before the log itself can no longer be written.

What it is: the alarm of threat model L-10: who floods the gateway with events to fill its disk is told so, and so is
everybody else who asks, while there is still room to record what goes on.
What it will not do: delete anything, or stop what runs while there is half of the floor.

A trio shell that asks the kernel; the measure is handed in, so that a test can be a full disk.
"""

import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import structlog
import trio

from doorward_core.entries import gateway_error
from doorward_core.errors import RecordError
from doorward_core.event import Event
from doorward_core.record.limits import Limits, Scope

WHO: Final = "space"
LOOK_S: Final = 1.0
LEAST_INODES: Final = 2000  # a bundle, a tile, a key and a draft each take one
_BACK: Final = 17 / 16  # of the floor: what comes and goes at the floor itself would open and close it each second

log = structlog.get_logger()


def measured(path: Path) -> tuple[int, int]:
    """(bytes, inodes) that are free to us where a path lies; a file system without inodes has enough."""
    while not path.exists() and path != path.parent:
        path = path.parent
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize, found.f_favail if found.f_files else LEAST_INODES * 2


class Space:
    """Watches the places that the gateway writes to, by the names they have in its configuration."""

    def __init__(
        self,
        places: Mapping[str, Path],
        floor_bytes: int,
        limits: Limits,
        keep: Callable[[Event], Awaitable[int]],
        measure: Callable[[Path], tuple[int, int]] = measured,
    ) -> None:
        self._places, self._floor, self._limits, self._keep, self._measure = places, floor_bytes, limits, keep, measure
        self._words = ""

    async def run(self) -> None:
        """For as long as the gateway lives; never raises but for cancellation."""
        while True:
            await self.look()
            await trio.sleep(LOOK_S)

    async def look(self) -> None:
        """Measure once."""
        try:
            least, where, by = await trio.to_thread.run_sync(self._least)
        except OSError as error:
            log.warning("space.unknown", problem=error.strerror)
            return  # a disk that cannot even be asked fails the log by itself
        if least >= (_BACK if self._words else 1.0):
            if self._limits.lift(WHO):
                self._words = ""
                await self._say(f"there is room again at `{where}`: new sessions are taken")
            return
        if least >= 1.0:
            return
        scope = Scope.SESSIONS if least >= 1 / 2 else Scope.RECORDS
        self._words = f"the gateway's disk is nearly full ({by} at `{where}`): no new session is taken"
        if self._limits.stop(WHO, self._words, scope):
            log.error("space.low", place=where, free=by, scope=scope.name.lower())
            await self._say(self._words if scope is Scope.SESSIONS else f"{self._words}, and no operation")

    def _least(self) -> tuple[float, str, str]:
        """(free as a share of the floor, where, in words) of the place that has the least."""
        found = []
        for name, path in self._places.items():
            free, inodes = self._measure(path)
            found.append((free / self._floor, name, f"{free >> 20} MiB free"))
            found.append((inodes / LEAST_INODES, name, f"{inodes} files free"))
        return min(found)

    async def _say(self, what: str) -> None:
        try:
            await self._keep(gateway_error(None, what))
        except RecordError as error:
            log.warning("space.unrecorded", problem=str(error))
