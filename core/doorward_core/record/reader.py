"""Reading a log: events in order, with their payloads where they can be had.

Implements docs/spec/event-log.md sections 3 to 5 and 8 for whoever shows, replays or exports.
A shell over files; it only reads, also while a writer is at work.
It will not prove anything: that is `record.verify`. What does not parse raises RecordError rather than being skipped.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from doorward_core.errors import RecordError
from doorward_core.event import Value
from doorward_core.record import journal, keys
from doorward_core.record.checkpoint import Checkpoint, CheckpointError, parse_text, split
from doorward_core.record.entry import EntryError, Fields, open_blob, parse
from doorward_core.record.merkle import HASH_BYTES, TILE_WIDTH, leaf_hash
from doorward_core.record.publish import CHECKPOINT
from doorward_core.record.reveal import Revealed, reveal
from doorward_core.record.tiles import ENTRIES, tile_path, unpack_bundle

# Ciphers of sessions seen lately; one session's events lie close together.
_MAX_CIPHERS = 1024
FREED = "freed"
_MAX_DIGITS = 19


class Content(StrEnum):
    """What became of an event's payload."""

    NONE = "none"
    CLEAR = "clear"
    OPENED = "opened"
    SEALED = "sealed"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Entry:
    """One event, its parts joined.

    `payload` is None where it is sealed and we have no key, or where its key was erased; `content` says which.
    `parts` is the number of log entries it takes, from `index` on.
    `protected` is False where no checkpoint covers it yet.
    """

    index: int
    time_unix_ns: int
    kind: str
    session_id: bytes
    operation_id: bytes
    header: Mapping[str, Value]
    payload: Mapping[str, Value] | None
    content: Content
    commitment: bytes
    parts: int
    protected: bool


class EntriesFreed(RecordError):
    """What was asked for is in the log's archive, and not lost."""


class LogReader:
    """Reads the log in `folder`.

    `identity_keys` are age identities (pyrage) that open sealed payloads; `keys_folder` is where their key files lie.
    `archive` gives a file of the log's archive, for entries that were freed here; without it they raise EntriesFreed.
    """

    def __init__(
        self,
        folder: Path,
        identity_keys: tuple[object, ...] = (),
        *,
        keys_folder: Path | None = None,
        archive: Callable[[str], bytes | None] | None = None,
    ) -> None:
        self._folder = folder
        self._identities = identity_keys
        self._keys = keys_folder
        self._archive = archive
        self._ciphers: dict[bytes, AESGCM | None] = {}
        if not folder.is_dir():
            raise RecordError(f"there is no log at {folder}")

    def checkpoint(self) -> Checkpoint | None:
        """The newest checkpoint, its signature not checked; None in a log that has none yet."""
        try:
            note = (self._folder / CHECKPOINT).read_bytes()
        except FileNotFoundError:
            return None
        try:
            return parse_text(split(note)[0])
        except CheckpointError as error:
            raise RecordError(f"the checkpoint cannot be read: {error}") from error

    def entries(self, start: int = 0) -> Iterator[Entry]:
        """Events in order, from the one at or after index `start` on, up to the end as it is when that is reached."""
        parts: list[Fields] = []
        signed = 0
        for index, data in self._raw(start):
            if index >= signed:
                checkpoint = self.checkpoint()
                signed = checkpoint.size if checkpoint is not None else 0
            try:
                fields = parse(data)
            except EntryError as error:
                raise RecordError(f"entry {index}: {error}") from error
            if fields.part and not parts:
                continue  # `start` lies within an event
            parts.append(fields)
            if len(parts) == fields.parts:
                yield self._event(parts, protected=index < signed)
                parts = []

    def session(self, session_id: bytes) -> Iterator[Entry]:
        """The events of one session, in order."""
        return (entry for entry in self.entries() if entry.session_id == session_id)

    def of_kind(self, kind: str, start: int = 0) -> Iterator[Entry]:
        """Events of one kind that take one entry each, without reading the others; `protected` is not looked at."""
        needle = b"\xa4kind" + bytes((0xA0 + len(kind),)) + kind.encode()
        for index, data in self._raw(start):
            if needle not in data:
                continue
            try:
                fields = parse(data)
            except EntryError as error:
                raise RecordError(f"entry {index}: {error}") from error
            if fields.kind == kind and fields.parts == 1:
                yield self._event([fields], protected=False)

    def entry(self, index: int) -> bytes:
        """The bytes of one entry; raises RecordError where it is gone."""
        for found, data in self._raw(index):
            if found == index:
                return data
            break
        raise RecordError(f"entry {index} is missing")

    def reveal(self, index: int) -> Revealed:
        """The content of the event at `index`, with the salt of its commitment; raises RecordError."""
        parts: list[Fields] = []
        try:
            for _, data in self._raw(index):
                parts.append(parse(data))
                if parts[0].part or len(parts) == parts[0].parts:
                    break
            whole = bool(parts) and not parts[0].part and len(parts) == parts[0].parts
            first, blob = (parts[0], b"".join(part.payload for part in parts)) if whole else (None, b"")
            if first is not None:
                return reveal(first, blob, self._cipher(first) if first.key else None)
        except EntryError as error:
            raise RecordError(f"entry {index}: {error}") from error
        raise RecordError(f"entry {index}: no event begins here")

    def leaf(self, index: int) -> bytes:
        """The hash of one entry's leaf, by which whoever read it before knows it again; raises RecordError.

        Of a freed entry it is what the tree has, which stays: no archive is needed to know it again.
        """
        number, place = divmod(index, TILE_WIDTH)
        if index < self.freed:
            try:
                hashes = (self._folder / tile_path(0, number)).read_bytes()
            except FileNotFoundError:
                hashes = b""
            if len(hashes) == TILE_WIDTH * HASH_BYTES:
                return hashes[place * HASH_BYTES :][:HASH_BYTES]
        return leaf_hash(self.entry(index))

    @property
    def freed(self) -> int:
        """How many entries, from the first on, are in the archive and not here; reading can begin behind them."""
        try:
            text = (self._folder / FREED).read_text("ascii").strip()
        except (FileNotFoundError, UnicodeError):
            return 0
        return int(text) if text.isdigit() and len(text) <= _MAX_DIGITS else 0

    @property
    def size(self) -> int:
        """Number of entries, those that no checkpoint covers yet included."""
        checkpoint = self.checkpoint()
        first, entries, _ = self._journal()
        return max(checkpoint.size if checkpoint else 0, first + len(entries))

    # --- where entries lie --------------------------------------------------------------------------------------------

    def _raw(self, start: int) -> Iterator[tuple[int, bytes]]:
        """(index, bytes) of entries, from bundles as far as they are covered, then from the journal."""
        checkpoint = self.checkpoint()
        signed = checkpoint.size if checkpoint is not None else 0
        index = start
        while index < signed:
            number = index // TILE_WIDTH
            bundle = self._bundle(number, min(TILE_WIDTH, signed - number * TILE_WIDTH))
            for data in bundle[index % TILE_WIDTH :]:
                yield index, data
                index += 1
        first, entries, _ = self._journal()
        if first > index and entries:
            # The log was rotated while we read: what was in the journal is in bundles by now.
            yield from self._raw(index)
            return
        for data in entries[max(0, index - first) :]:
            yield index, data
            index += 1

    def _bundle(self, number: int, width: int) -> list[bytes]:
        for wanted in (width, TILE_WIDTH):
            try:
                data = (self._folder / tile_path(ENTRIES, number, wanted)).read_bytes()
                entries = unpack_bundle(data)[:width]
            except FileNotFoundError:
                continue
            except ValueError as error:
                raise RecordError(f"{tile_path(ENTRIES, number, wanted)}: {error}") from error
            if len(entries) < width:
                raise RecordError(f"{tile_path(ENTRIES, number, wanted)}: entries are missing")
            return entries
        return self._freed_bundle(number, width)

    def _freed_bundle(self, number: int, width: int) -> list[bytes]:
        """What is not here is in the archive, where it was freed; else it is lost."""
        freed = self.freed
        last = number * TILE_WIDTH + width
        if last > freed:
            raise RecordError(f"entries {number * TILE_WIDTH} to {last - 1} are missing")
        if self._archive is None:
            raise EntriesFreed(f"the first {freed} entries are not here any more: they are in the log's archive")
        try:
            entries = unpack_bundle(self._archive(tile_path(ENTRIES, number)) or b"")
        except ValueError as error:
            raise RecordError(f"the archive's {tile_path(ENTRIES, number)}: {error}") from error
        if len(entries) < width:
            raise RecordError(f"the archive has lost {tile_path(ENTRIES, number)}")
        return entries[:width]

    def _journal(self) -> tuple[int, list[bytes], bytes]:
        folder = self._folder / journal.FOLDER
        for _ in range(3):  # a segment may be deleted between listing and reading; twice running is no accident
            try:
                return journal.join(journal.segments(folder)) if folder.is_dir() else (0, [], b"")
            except FileNotFoundError:
                continue
            except (journal.JournalError, ValueError) as error:
                raise RecordError(f"the log is damaged: {error}") from error
        raise RecordError("the journal's files go away while they are read")

    # --- payloads -----------------------------------------------------------------------------------------------------

    def _event(self, parts: list[Fields], *, protected: bool) -> Entry:
        first = parts[0]
        payload, content = self._payload(first, b"".join(part.payload for part in parts))
        return Entry(
            index=first.index,
            time_unix_ns=first.at_unix_ns,
            kind=first.kind,
            session_id=first.session,
            operation_id=first.operation,
            header=first.head,
            payload=payload,
            content=content,
            commitment=first.commit,
            parts=len(parts),
            protected=protected,
        )

    def _payload(self, first: Fields, blob: bytes) -> tuple[Mapping[str, Value] | None, Content]:
        if not blob:
            return {}, Content.NONE
        try:
            if not first.key:
                return open_blob(first, blob, None), Content.CLEAR
            cipher = self._cipher(first)
            if cipher is not None:
                return open_blob(first, blob, cipher), Content.OPENED
        except EntryError as error:
            raise RecordError(f"entry {first.index}: {error}") from error
        if self._keys is not None and not keys.exists(self._keys, first.session, first.key):
            return None, Content.ERASED
        return None, Content.SEALED

    def _cipher(self, first: Fields) -> AESGCM | None:
        if self._keys is None or not self._identities:
            return None
        if first.key not in self._ciphers:
            if len(self._ciphers) >= _MAX_CIPHERS:
                self._ciphers.clear()
            self._ciphers[first.key] = keys.unwrap(self._keys, first.session, first.key, self._identities)
        return self._ciphers[first.key]
