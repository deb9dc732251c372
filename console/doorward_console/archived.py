"""Entries that a log has freed, from its archive: what a reader is handed for them.

What it is: `fetcher`, which opens an archive once something of it is needed, which for most logs is never.
What it will not do: prove what it fetches (`doorward verify --archive` does), or tell a page anything but RecordError.
"""

from collections.abc import Callable
from typing import Final

from doorward_console.archive_commands import opened
from doorward_core.errors import RecordError
from doorward_core.record.archive_places import ArchiveError, Place

MOST_BUNDLE_BYTES: Final = 256 * (65_535 + 2)  # C2SP tlog-tiles: 256 entries, the length of each in two bytes


def fetcher(target: str) -> Callable[[str], bytes | None] | None:
    """Reads files of the archive at a folder or an address; None where none is named."""
    if not target:
        return None
    place: Place | None = None

    def fetch(path: str) -> bytes | None:
        nonlocal place
        try:
            if place is None:
                place = opened(target)
            kept = place.get(path, MOST_BUNDLE_BYTES)
        except (ArchiveError, OSError, UnicodeError) as error:
            raise RecordError(f"its archive cannot be read: {error}") from error
        return kept.data if kept is not None else None

    return fetch
