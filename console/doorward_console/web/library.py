"""The desk's reading room: the index, brought up to the logs, and the entries of one session from its log.

What it is: the questions of pages to `index.query` and to `record.reader`, each in a thread, bounded in time and size.
What it will not do: decide who may read, or record that somebody does (`visits`); or hold a page up while an index of a
million events is built: it says so, and answers with what is there.

Invariants: only logs that the settings name are read; a session is read from the log of its own origin, from its first
entry on, and no further than the bounds below, and what was left out is said.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import trio

from doorward_console.index import build, query
from doorward_console.index.build import Source
from doorward_console.index.found import SessionRow
from doorward_console.index.query import Index, TooLong
from doorward_console.index.schema import IndexProblem
from doorward_console.settings import Settings
from doorward_console.sources import INDEX_NAME, desk_identities, desk_sources
from doorward_core.errors import RecordError, UpstreamUnavailable
from doorward_core.event import EventKind
from doorward_core.record.reader import Entry, LogReader

T = TypeVar("T")

BRINGING_UP_S: Final = 1.5
"""How long a page waits for the index: what is new since the last page takes milliseconds, a first build a minute."""
MAX_ENTRIES: Final = 2_000  # of a page of a timeline, output of terminals not counted
MAX_BYTES: Final = 16 * 1024 * 1024  # of content on it
SCAN_S: Final = 5.0  # other sessions' entries lie between: a long session of a busy gateway is read in pieces


class Unreadable(Exception):
    """What was asked for cannot be shown; the words are for people."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How fresh the index is: words about what is missing in it, empty where nothing is."""

    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """Entries of a session, in order. `next` is where to go on, and 0 at the end of what there is."""

    entries: tuple[Entry, ...]
    next: int = 0


class Library:
    """Reads for pages. It keeps nothing between two questions."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.path: Path = settings.index or settings.record.folder.parent / INDEX_NAME

    async def sources(self) -> tuple[list[Source], list[str]]:
        """The logs that can be read here, and words about those that cannot. Raises Unreadable."""
        try:
            every = desk_sources(self._settings, await desk_identities(self._settings))
        except (UpstreamUnavailable, RecordError) as error:
            raise Unreadable(f"the auditors' key cannot be had: {error}") from error
        named = {source.name for source in every}
        missing = [
            f"no log of {name} is named in the settings" for name in self._settings.gateways if name not in named
        ]
        missing += [f"the log of {one.name} is not at {one.folder}" for one in every if not one.folder.is_dir()]
        return [one for one in every if one.folder.is_dir()], missing

    async def bring_up(self) -> Freshness:
        """Bring the index up to the logs, or say what is missing in it. An update that takes long goes on by itself."""
        sources, notes = await self.sources()
        done = False
        with trio.move_on_after(BRINGING_UP_S):
            try:
                brought = await trio.to_thread.run_sync(build.update, self.path, sources, abandon_on_cancel=True)
                notes += (one.words for one in brought.logs if one.words)
                done = True
            except (IndexProblem, RecordError, OSError) as error:
                busy = isinstance(error, IndexProblem) and "at work" in str(error)
                notes.append("the index is being brought up to the log just now" if busy else str(error))
                done = True
        if not done:
            notes.append("the index is being brought up to the log: what is newest may be missing yet")
        return Freshness(tuple(notes))

    async def ask(self, question: Callable[[Index], T]) -> T:
        """Ask the index. Raises Unreadable with words."""

        def asking() -> T:
            with Index.open(self.path) as index:
                return question(index)

        try:
            return await trio.to_thread.run_sync(asking)
        except (IndexProblem, TooLong) as error:
            raise Unreadable(str(error)) from error

    async def session(self, name: str) -> SessionRow | None:
        """A session by its id."""
        return await self.ask(lambda index: query.session(index, name))

    async def kept(self, row: SessionRow, *, after: int = 0, chunks: bool = False) -> Kept:
        """A page of a session's entries; with `chunks` those of terminals' output too. Raises Unreadable."""
        reader = await self._reader(row.origin)
        name = bytes.fromhex(row.session)
        try:
            return await trio.to_thread.run_sync(_kept, reader, name, max(row.index, after), chunks)
        except RecordError as error:
            raise Unreadable(f"the log cannot be read: {error}") from error

    async def _reader(self, origin: str) -> LogReader:
        sources, _ = await self.sources()

        def find() -> LogReader:
            for source in sources:
                reader = source.reader()
                mark = reader.checkpoint()
                if mark is not None and mark.origin == origin:
                    return reader
            raise Unreadable(f"the log of {origin} is not here any more")

        try:
            return await trio.to_thread.run_sync(find)
        except RecordError as error:
            raise Unreadable(f"the log cannot be read: {error}") from error


def _kept(reader: LogReader, name: bytes, start: int, chunks: bool) -> Kept:
    end = time.monotonic() + SCAN_S
    found: list[Entry] = []
    size = 0
    for entry in reader.entries(start):
        if entry.session_id == name and (chunks or entry.kind != EventKind.STREAM_CHUNK):
            found.append(entry)
            size += sum(len(value) for value in (entry.payload or {}).values() if isinstance(value, str | bytes))
            if entry.kind == EventKind.SESSION_CLOSED:
                return Kept(tuple(found))
        many = not chunks and len(found) >= MAX_ENTRIES
        if many or size > MAX_BYTES or (not entry.index % 256 and time.monotonic() > end):
            return Kept(tuple(found), entry.index + entry.parts)
    return Kept(tuple(found))
