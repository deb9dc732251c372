"""The desk itself: everything that a page needs, in one object, and how it is opened and closed.

What it is: settings, the clock, the desk's own log, the gateways' clients, the identity provider, who is logged in, and
the templates.
What it will not do: serve (`serve`), or know any page (`app` collects them).

Invariants: the log is opened before anything else is served and closed after everything else.
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from doorward_console.settings import DeskRecord, Settings
from doorward_console.web.assets import Assets
from doorward_console.web.diary import Diary
from doorward_console.web.oidc import Notes
from doorward_console.web.people import EVERYBODY, Person, Role
from doorward_console.web.provider import Provider
from doorward_console.web.reach import Gateway, usable
from doorward_console.web.sessions import Sessions
from doorward_console.web.views import Views
from doorward_core.record.writer import Log


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the menu: its words, its path, and the roles that see it. `order` is from left to right."""

    words: str
    path: str
    roles: frozenset[Role] = EVERYBODY
    order: int = 50


@dataclass(slots=True)
class Desk:
    """What pages are made of. `closing` is set when the process is to end: whoever streams stops then."""

    settings: Settings
    clock: Callable[[], int]
    diary: Diary
    gateways: Mapping[str, Gateway]
    provider: Provider
    sessions: Sessions
    assets: Assets
    views: Views
    notes: Notes = field(default_factory=Notes)
    places: tuple[Place, ...] = ()
    closing: trio.Event = field(default_factory=trio.Event)

    async def read(self, person: Person, what: str, name: str, peer: str = "", *, words: str = "") -> None:
        """Record that somebody reads something; on stable storage when it returns. Raises RecordError: show nothing."""
        await self.diary.read(person, what, name, peer, words=words)


@asynccontextmanager
async def opened(settings: Settings, background: trio.Nursery) -> AsyncIterator[Desk]:
    """Open a desk. Raises ConfigError, RecordError. Its log's tasks run in `background`, which must outlive it."""
    gateways = usable(settings.gateways)
    log = await _open_log(settings.record, background)
    try:
        yield made(settings, Diary(log, time.time_ns), gateways, time.time_ns)
    finally:
        with trio.CancelScope(shield=True):
            for gateway in gateways.values():
                await gateway.aclose()
            await log.aclose()


def made(settings: Settings, diary: Diary, gateways: Mapping[str, Gateway], clock: Callable[[], int]) -> Desk:
    """A desk from its parts."""
    assets = Assets()
    return Desk(
        settings=settings,
        clock=clock,
        diary=diary,
        gateways=gateways,
        provider=Provider(settings.login, clock),
        sessions=Sessions(idle_s=settings.login.idle, session_s=settings.login.session, clock=clock),
        assets=assets,
        views=Views(assets),
    )


async def _open_log(record: DeskRecord, background: trio.Nursery) -> Log:
    record.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    return await Log.open(
        record.folder,
        origin=record.origin,
        signer=record.keys / "log.key",
        nursery=background,
        keys=record.keys / "payload",
        recipients=record.recipients,
        checkpoint_interval_s=record.checkpoint_interval,
        mirror=record.mirror,
    )
