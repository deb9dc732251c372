"""From an archive alone to a log that verifies, and that a gateway goes on with.

Implements docs/spec/event-log.md section 13, the way back.
A shell over files and a `Place`; synchronous.
It will not prove what it fetched (that is `record.verify`), nor write into a folder that holds a log.

Crash anywhere: a folder without a checkpoint, which is no log; the next run goes on in it.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from doorward_core.record import journal
from doorward_core.record.archive import MAX_NOTE, newest
from doorward_core.record.archive_places import ArchiveError, Place
from doorward_core.record.checkpoint import CheckpointError, parse_text, split
from doorward_core.record.merkle import HASH_BYTES, TILE_WIDTH
from doorward_core.record.publish import CHECKPOINT
from doorward_core.record.tiles import ENTRIES, tile_path, unpack_bundle

_MOST_BUNDLE = TILE_WIDTH * (65_535 + 2)


def restore(place: Place, to: Path, on_progress: Callable[[int, int], None] | None = None) -> int:
    """Write the archive's log into a folder; give how many entries it has. Raises ArchiveError.

    The journal gets the entries of the last bundle: a writer goes on from there.
    """
    if (to / CHECKPOINT).exists() or (to / journal.FOLDER).exists():
        raise ArchiveError(f"there is a log in {to} already")
    path = newest(place)
    kept = place.get(path, MAX_NOTE) if path else None
    if kept is None:
        raise ArchiveError(f"there is no checkpoint in the archive {place.name}")
    try:
        size = parse_text(split(kept.data)[0]).size
    except CheckpointError as error:
        raise ArchiveError(f"the archive's {path} cannot be read: {error}") from error
    names = list(needed(size))
    last = b""
    for done, name in enumerate(names, start=1):
        last = _fetch(place, to, name)
        if on_progress is not None:
            on_progress(done, len(names))
    os.sync()  # all of it, before what makes it a log
    _begin(to, size, last)
    journal.replace_file(to / CHECKPOINT, kept.data)
    return size


def needed(size: int) -> Iterator[str]:
    """Paths of the tiles and bundles of a tree of this size, the bundle with its last entries behind all others."""
    level, count = 0, size
    while count:
        for number in range(-(-count // TILE_WIDTH)):
            yield tile_path(level, number, min(TILE_WIDTH, count - number * TILE_WIDTH))
        level, count = level + 1, count // TILE_WIDTH
    for number in range(-(-size // TILE_WIDTH)):
        yield tile_path(ENTRIES, number, min(TILE_WIDTH, size - number * TILE_WIDTH))


def _fetch(place: Place, to: Path, name: str) -> bytes:
    most = _MOST_BUNDLE if name.startswith(f"tile/{ENTRIES}/") else TILE_WIDTH * HASH_BYTES
    kept = place.get(name, most + 1)
    if kept is None or len(kept.data) > most:
        raise ArchiveError(f"the archive has lost {name}" if kept is None else f"{name} is too long to be one")
    path = to / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(kept.data)
    return kept.data


def _begin(to: Path, size: int, last: bytes) -> None:
    """The segment of the journal that a writer finds: what the last bundle holds, from its first entry on."""
    folder = to / journal.FOLDER
    folder.mkdir(parents=True)
    if not size:
        return
    first = (size - 1) // TILE_WIDTH * TILE_WIDTH
    try:
        entries = unpack_bundle(last)
    except ValueError as error:
        raise ArchiveError(f"the last bundle of the archive cannot be read: {error}") from error
    if first + len(entries) != size:
        raise ArchiveError("the last bundle of the archive does not end where its checkpoint does")
    data = journal.pack_frame(first, entries, first)
    journal.replace_file(folder / f"{first:020d}{journal.SUFFIX}", data, mode=0o600)
