"""What looks after the log beside writing it: room on its disks, its archive, and how long content lives.

What it is: configuration in, tasks out; each of them may stop traffic by the log's `limits`, and no entry waits for
any of them to be durable.
What it will not do: decide, listen, or hold a credential longer than a place is open.
"""

import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import trio

from doorward_core.approvals.desk import Desk
from doorward_core.approvals.request import RequestState
from doorward_core.approvals.store import SqliteStore
from doorward_core.approvals.wipe import wipe
from doorward_core.config import Config
from doorward_core.config_record import S3, ArchiveSettings
from doorward_core.erasing import Erasing, House
from doorward_core.event import Event
from doorward_core.net.secrets import resolve_secret
from doorward_core.record.archive_places import FolderPlace, Place, StorePlace, StoreSettings
from doorward_core.record.archiving import Archiving, Beside
from doorward_core.record.space import Space
from doorward_core.record.witnessing import COSIGNED
from doorward_core.record.writer import Log


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is told of it, and asked of it: readiness, metrics, and the control port."""

    erasing: Erasing
    archiving: Archiving | None = None


async def begin(
    config: Config,
    log: Log,
    background: trio.Nursery,
    *,
    desk: Desk,
    store: SqliteStore,
    open_sessions: Callable[[], Collection[bytes]],
) -> Keeping:
    """Look at the disks once, finish what is owed, and begin all that goes on beside the log, in `background`."""

    async def keep(event: Event) -> int:
        index = log.append(event, time.time_ns())
        await log.durable(index)
        return index

    record = config.record
    places = {"record.folder": record.folder, "record.keys": record.keys, "approvals.store": config.approvals.store}
    space = Space(places, record.floor, log.limits, keep)
    await space.look()
    background.start_soon(space.run)
    archiving = None
    if record.archive is not None:
        cosigned = record.mirror / COSIGNED if record.mirror is not None and record.witnesses is not None else None
        beside = Beside(record.folder, config.origin, log.limits, keep, cosigned)
        archiving = Archiving(record.archive, beside, opening(record.archive), time.time_ns)
        background.start_soon(archiving.run)
    house = House(
        tree=record.folder,
        keys=record.keys / "payload",
        sealed=bool(record.recipients),
        keep=keep,
        wipe=wiping(desk, store, config.approvals.store),
        open_sessions=open_sessions,
        labels={name: item.labels for name, item in config.resources.items()},
        clock=time.time_ns,
    )
    erasing = Erasing(house, record.retention, background)
    await erasing.finish_owed()
    background.start_soon(erasing.run)
    return Keeping(erasing, archiving)


def wiping(desk: Desk, store: SqliteStore, path: Path) -> Callable[[frozenset[bytes]], Awaitable[int]]:
    """How the requests of erased sessions go: what still waits is withdrawn first, so that nobody votes on it."""

    async def wipe_all(sessions: frozenset[bytes]) -> int:
        for case in await trio.to_thread.run_sync(store.list, RequestState.PENDING):
            if case.request.session_id in sessions:
                await desk.withdraw(case.request.id, "its session's content is erased")
        return await trio.to_thread.run_sync(wipe, path, sessions)

    return wipe_all


def opening(settings: ArchiveSettings) -> Callable[[], Awaitable[Place]]:
    """How the archive is reached: its credentials are had anew each time, so that those which ran out are replaced."""

    async def opened() -> Place:
        if not isinstance(settings.to, str):
            return FolderPlace(settings.to)
        assert settings.credentials is not None
        given = settings.credentials
        key = (await resolve_secret(given.key)).reveal()
        token = (await resolve_secret(given.token)).reveal() if given.token is not None else ""
        name = (await resolve_secret(given.id)).reveal()
        bucket, _, prefix = settings.to.removeprefix(S3).partition("/")
        ca = settings.ca.read_text(encoding="ascii") if settings.ca is not None else ""
        store = StoreSettings(bucket, prefix, settings.region, name, key, token, settings.endpoint or "", ca)
        return await trio.to_thread.run_sync(StorePlace, store)

    return opened
