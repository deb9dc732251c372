"""The journal: where an entry becomes durable.

Implements docs/spec/event-log.md section 8: frames, segments, and what of them counts after a crash.
A shell over files; synchronous; used by the writer process alone (`record.verify` has a reader of its own).
It will not try a failed write or flush again: after a failed fsync the kernel may have dropped the pages and marked
them clean, so a second, successful fsync proves nothing ("fsyncgate"); any OSError from here ends the writer.

Invariants: a frame is flushed before `durable` passes it; an unreadable frame that was durable is never taken for a
torn tail.
"""

import errno
import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from doorward_core.record.tiles import pack_bundle, unpack_bundle

MAGIC = b"DWJ1"
_NO_ROOM_AHEAD = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})  # a file system that cannot; then it grows
_HEAD = struct.Struct(">4sIQQI")
_CRC = struct.Struct(">I")
FRAME_HEAD = _HEAD.size + _CRC.size
SUFFIX = ".journal"
FOLDER = "journal"
# A segment grows in steps: a flush that changes no size costs half as much, and less of the disk's own journal.
AHEAD_BYTES = 1024 * 1024


class JournalError(Exception):
    """The journal shows that durable entries are gone or altered: nothing may be repaired."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What one segment file holds: its good entries, and the bytes behind the last good frame that are not zero."""

    path: Path
    first: int
    entries: list[bytes]
    torn: bytes


def pack_frame(first: int, entries: Sequence[bytes], durable: int) -> bytes:
    """One frame.

    | width | field |
    |---|---|
    | 4 | `DWJ1` |
    | u32 | length of the body |
    | u64 | index of the first entry |
    | u64 | entries below this were durable when the frame was written |
    | u32 | number of entries |
    | u32 | CRC-32 of the 28 bytes before, and the body |
    | | body: `u16 length || entry`, repeated |
    """
    body = pack_bundle(entries)
    head = _HEAD.pack(MAGIC, len(body), first, durable, len(entries))
    return head + _CRC.pack(zlib.crc32(body, zlib.crc32(head))) + body


def _frame_at(data: bytes, at: int) -> tuple[int, int, list[bytes], int] | None:
    """Give (first, durable, entries, end) of a whole, good frame at this offset, or None."""
    if len(data) - at < FRAME_HEAD:
        return None
    magic, length, first, durable, count = _HEAD.unpack_from(data, at)
    end = at + FRAME_HEAD + length
    if magic != MAGIC or end > len(data) or count == 0:
        return None
    (crc,) = _CRC.unpack_from(data, at + _HEAD.size)
    body = data[at + FRAME_HEAD : end]
    if zlib.crc32(body, zlib.crc32(data[at : at + _HEAD.size])) != crc:
        return None
    try:
        entries = unpack_bundle(body)
    except ValueError:
        return None
    return (first, durable, entries, end) if len(entries) == count else None


def read_segment(path: Path) -> Segment:
    """Read a segment up to its first bad frame; raises JournalError where that frame was durable.

    The only frames that a crash can tear are those written since the last flush.
    A good frame behind a bad one that calls the bad one durable proves damage instead.
    """
    first = int(path.name.removesuffix(SUFFIX))
    data = path.read_bytes()
    entries: list[bytes] = []
    at = 0
    while (found := _frame_at(data, at)) is not None and found[0] == first + len(entries):
        entries += found[2]
        at = found[3]
    torn = data[at:].rstrip(b"\x00")
    reached = first + len(entries)
    later = at
    while (later := data.find(MAGIC, later + 1)) >= 0:
        behind = _frame_at(data, later)
        if behind is not None and behind[1] > reached:
            raise JournalError(f"{path.name}: entry {reached} was on stable storage and cannot be read any more")
    return Segment(path, first, entries, torn)


def segments(folder: Path) -> list[Segment]:
    """Read all segments, in order of their first index."""
    return [read_segment(path) for path in _segment_files(folder)]


def _segment_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIX))


def join(found: Sequence[Segment]) -> tuple[int, list[bytes], bytes]:
    """Give (first index, entries, dropped bytes) of what the segments hold together; raises JournalError on a gap.

    A torn tail counts as dropped only in the last segment: the others were superseded by the next one's flush.
    """
    if not found:
        return 0, [], b""
    first = found[0].first
    entries = list(found[0].entries)
    for segment in found[1:]:
        shared = segment.first - first
        if shared > len(entries):
            raise JournalError(f"entries {first + len(entries)} to {segment.first - 1} are missing from the journal")
        if not segment.entries:
            # A crash while this segment was being made: it never counted, and the one before it still does.
            continue
        overlap = entries[shared:]
        if overlap[: len(segment.entries)] != segment.entries[: len(overlap)]:
            raise JournalError(f"two journal segments disagree at or after entry {segment.first}")
        entries[shared:] = segment.entries
    return first, entries, found[-1].torn


class Journal:
    """The segment that is being written.

    `written` counts all entries handed to the file, `durable` those that a flush has covered.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written = 0
        self.durable = 0
        self.bytes = 0
        self._room = 0
        self._first = -1
        self._fd = -1
        self._broken = False

    def start(self, first: int, entries: Sequence[bytes]) -> None:
        """Begin a new segment that repeats `entries`, and make it durable.

        Crash before the flush: the segment is empty or torn and, as the ones before it still lie there, means nothing.
        Crash after it: this segment and the older ones agree.
        """
        self._no_second_try()
        path = self.folder / f"{first:020d}{SUFFIX}"
        temporary = path.with_name(path.name + ".tmp")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            data = pack_frame(first, entries, first) if entries else b""
            write_all(fd, data)
            os.fsync(fd)
            temporary.replace(path)
            sync_folder(self.folder)
        except BaseException:
            os.close(fd)
            raise
        self._let_go()
        self._broken = False
        self._fd, self._first, self.bytes = fd, first, len(data)
        self._room = len(data)
        self.written = self.durable = first + len(entries)

    def _no_second_try(self) -> None:
        """Count the journal as broken until the step that follows has succeeded."""
        if self._broken:
            raise JournalError("a write or flush has failed before: nothing more is written")
        self._broken = True

    def write(self, entries: Sequence[bytes]) -> None:
        """Append one frame; whole events only. Not durable until `flush`.

        Crash here: the frame is torn or missing; nobody was told that it is durable; the next start drops it.
        """
        self._no_second_try()
        data = pack_frame(self.written, entries, self.durable)
        if self.bytes + len(data) > self._room:
            self._room = self.bytes + len(data) + AHEAD_BYTES
            _make_room(self._fd, self._room)
        write_all(self._fd, data)
        self._broken = False
        self.written += len(entries)
        self.bytes += len(data)

    def flush(self) -> None:
        """Put everything written on stable storage.

        Crash before it returns: as in `write`. Crash after it: the entries are there.
        """
        if self.durable < self.written:
            self._no_second_try()
            os.fdatasync(self._fd)
            self._broken = False
            self.durable = self.written

    def drop_older(self) -> int:
        """Delete the segments before the present one, once bundles hold their entries durably; give how many.

        Crash in between: the rest is deleted next time.
        """
        dropped = 0
        for path in _segment_files(self.folder):
            if int(path.name.removesuffix(SUFFIX)) < self._first:
                path.unlink()
                dropped += 1
        return dropped

    def close(self) -> None:
        """Close the file; flushes nothing."""
        self._let_go()
        self._fd = -1

    def _let_go(self) -> None:
        """Close the segment, without the room that it did not use; a crash leaves that, and it means nothing."""
        if self._fd >= 0:
            if not self._broken and self._room > self.bytes:
                os.ftruncate(self._fd, self.bytes)
            os.close(self._fd)


def write_all(fd: int, data: bytes) -> None:
    """Write all of it: a regular file may take less than asked for when the disk is nearly full."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _make_room(fd: int, size: int) -> None:
    """Let the file have this size: zeros behind the last frame mean nothing. A full disk says so here."""
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        if error.errno not in _NO_ROOM_AHEAD:
            raise


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable (a rename or a new file is, on its own, not)."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, the name of each on stable storage before what it leads to."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def replace_file(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Put `data` at `path`, durably and atomically.

    Crash before the rename: a `.tmp` file that means nothing. After it: old or new content, never a mixture.
    """
    temporary = path.with_name(path.name + ".tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        write_all(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
    temporary.replace(path)
    sync_folder(path.parent)
