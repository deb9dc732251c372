"""The writer's work, without its pipe: entries in, journal, tree and checkpoints out.

Implements docs/spec/event-log.md sections 3 to 9.
A synchronous shell over files; it reads no clock (times come in) and knows nothing of the gateway.
It will not go on after a failed write: the caller lets an OSError end the process.

Durable order of a batch: journal frame, flush, *report*, bundles and tiles, checkpoint, its copy.
Everything behind the report can be made again from the journal.
A segment of it outlives the flush of the bundles and tiles that it fills (section 8), which `record.settle` does.
"""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from doorward_core.errors import RecordError
from doorward_core.event import EventKind, Value
from doorward_core.record import entry, journal
from doorward_core.record.checkpoint import rotation_statement
from doorward_core.record.encode import encode
from doorward_core.record.keys import KeyRing, next_key, promote_next, signing_key
from doorward_core.record.merkle import TILE_WIDTH
from doorward_core.record.publish import Publisher
from doorward_core.record.recover import Found, recover
from doorward_core.record.settle import Settling, Steps, settle

FORMAT = "doorward-event-log@1"
LOCK = "lock"
# A start reads one segment, so this bounds its time (about a second).
SEGMENT_BYTES = 32 * 1024 * 1024
# Under a load that fills bundles as fast as they are flushed a segment would grow for ever: from here on all wait.
# With the one before it, whose bundles are not flushed yet, a start reads four times what it does otherwise, at most.
SEGMENT_LIMIT_BYTES = 2 * SEGMENT_BYTES
# Entries that nobody waits for are flushed when this much is unflushed, so that one flush never takes long.
UNFLUSHED_BYTES = 4 * 1024 * 1024
_SALTS = 256


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a log lies and how it is kept."""

    folder: Path
    origin: str
    signer: Path
    keys: Path
    recipients: tuple[str, ...] = ()
    mirror: Path | None = None


class Engine:
    """One open log. `size` counts entries built, `durable` those on stable storage.

    `settling` makes what flushes bundles and tiles of a segment that is full; by default that is done here, in steps.
    """

    def __init__(self, settings: Settings, settling: Callable[[Path], Settling] = Steps) -> None:
        self._builder = entry.Builder(settings.origin)
        self._settings = settings
        self._check_places()
        journal.make_folder(settings.folder / journal.FOLDER)
        self._pending: list[bytes] = []
        self._backlog: list[bytes] = []
        self._unflushed = 0
        self._make_settling = settling
        self._settling: Settling | None = None  # made when the first segment is full
        self._older = False  # a segment before the present one still lies there
        self._salts = b""
        self.size = 0
        self.last_at = 0
        self._journal = journal.Journal(settings.folder / journal.FOLDER)
        self._lock = self._take_lock()
        try:
            key, self.vkey = signing_key(settings.signer, settings.origin)
            self._next = next_key(settings.signer, settings.origin)
            self._ring = KeyRing(settings.keys, settings.recipients)
        except BaseException:
            self.release()
            raise
        self._publisher = Publisher(settings.folder, settings.origin, key, settings.mirror)

    def _check_places(self) -> None:
        """Keys in the tree would travel with it, and a second place within it would be no second place."""
        tree = self._settings.folder.resolve()
        for what, place in (
            ("signing key", self._settings.signer),
            ("keys folder", self._settings.keys),
            ("checkpoint copy", self._settings.mirror),
        ):
            if place is not None and place.resolve().is_relative_to(tree):
                raise RecordError(f"the {what} may not lie in the log's folder")

    def _take_lock(self) -> int:
        """Be the only writer, for as long as this process lives (the kernel lets go at exit, however it comes)."""
        fd = os.open(self._settings.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            raise RecordError(f"{self._settings.folder}: the log is open in another process") from error
        return fd

    @property
    def durable(self) -> int:
        """Entries with an index below this are on stable storage."""
        return self._journal.durable

    @property
    def unsigned(self) -> bool:
        """Whether there is something that no checkpoint covers."""
        return self.size != self._publisher.signed_size

    @property
    def mirror_problem(self) -> str:
        """Why the copy of the checkpoint is behind, or nothing."""
        return self._publisher.mirror_problem

    def open(self, now_unix_ns: int) -> None:
        """Take up the log, repair a torn tail, and record both; durable when it returns.

        Crash within: either the old segments count, with their torn tail, or the new one, with its repair.
        """
        vkeys = (self.vkey,) if self._next is None else (self.vkey, self._next[1])
        found = recover(self._settings.folder, self._publisher, vkeys, self._settings.mirror)
        if found.vkey != self.vkey:
            self._take_over()
        self._publisher.add(found.entries)
        self.size = self._publisher.tree.size
        self.last_at = found.last.at_unix_ns if found.last else 0
        kept = list(self._publisher.bundle)
        self._record_opening(found, now_unix_ns)
        journal.sync_folder(self._settings.folder)  # of a new log, the name of the journal's folder
        self._journal.start(self.size - len(self._pending) - len(kept), kept + self._pending)
        self._backlog, self._pending = self._pending, []
        self._publish()
        # What was read may never have reached the disk: only what is written again and flushed lets the old files go.
        settle(self._settings.folder, self._publisher.take_unsynced())
        self._publisher.checkpoint()
        self._journal.drop_older()
        self.promote()

    def _record_opening(self, found: Found, now_unix_ns: int) -> None:
        if found.dropped:
            digest = hashlib.sha256(found.dropped).digest()
            head: dict[str, Value] = {
                "dropped_bytes": len(found.dropped),
                "dropped_sha256": digest,
                "kept": self.size,
            }
            self._own(EventKind.LOG_REPAIRED, head, now_unix_ns)
        previous = "none" if found.last is None else "unclean"
        if found.last is not None and found.last.kind == EventKind.LOG_CLOSED and not found.dropped:
            previous = "closed"
        self._own(
            EventKind.LOG_OPENED,
            {"format": FORMAT, "vkey": self.vkey, "previous": previous, "sealed": self._ring.sealing},
            now_unix_ns,
        )

    def _own(self, kind: EventKind, head: dict[str, Value], now_unix_ns: int) -> None:
        """Add an event of the log itself."""
        if now_unix_ns < self.last_at:
            head["clock_back_ns"] = self.last_at - now_unix_ns
        at = max(now_unix_ns, self.last_at)
        self.add(self.size, at, kind.value, b"", b"", head=encode(head), body=b"")

    def add(
        self, index: int, at_unix_ns: int, kind: str, session: bytes, operation: bytes, *, head: bytes, body: bytes
    ) -> None:
        """Build the entries of one event; `head` and `body` are canonical."""
        if index != self.size or at_unix_ns < self.last_at:
            raise RecordError("the gateway and its writer disagree about the log")
        commit = key = blob = b""
        if body:
            salt = self._salt()
            commit, blob = entry.commitment(salt, body), entry.frame(salt, body)
            if self._ring.sealing:
                key, cipher = self._ring.key_for(session)
                blob = entry.seal(cipher, index, blob, commit)
        made = self._builder.event(
            index, at_unix_ns, kind, session, operation, head=head, commit=commit, key=key, blob=blob
        )
        self._pending += made
        self.size += len(made)
        self.last_at = at_unix_ns
        if kind == EventKind.SESSION_CLOSED:
            self._ring.forget(session)

    def _salt(self) -> bytes:
        """32 random bytes; many are drawn at once, because each draw is a system call."""
        if not self._salts:
            self._salts = secrets.token_bytes(entry.SALT_BYTES * _SALTS)
        salt, self._salts = self._salts[: entry.SALT_BYTES], self._salts[entry.SALT_BYTES :]
        return salt

    def write(self) -> None:
        """Hand what was added to the file, in one frame."""
        if self._pending:
            before = self._journal.bytes
            self._journal.write(self._pending)
            self._unflushed += self._journal.bytes - before
            self._backlog += self._pending
            self._pending = []

    @property
    def flush_due(self) -> bool:
        """Whether so much is unflushed that it should not wait for anybody."""
        return self._unflushed >= UNFLUSHED_BYTES

    def flush(self) -> None:
        """Make everything added so far durable."""
        self.write()
        self._journal.flush()
        self._unflushed = 0

    def publish(self) -> None:
        """Take what is durable into bundles and tiles; call after the report, it is off the durable path."""
        if self._backlog and self.durable == self._journal.written:
            self._publish()
            self._turn()

    def _publish(self) -> None:
        self._publisher.add(self._backlog)
        self._backlog = []

    def checkpoint(self) -> None:
        """Flush, publish and sign the tree as it is; begin a new segment where the present one is long enough."""
        self._sign()
        self._turn()

    def _sign(self) -> None:
        self.flush()
        self._publish()
        self._publisher.checkpoint()

    def _turn(self) -> None:
        """Begin a new segment where the present one is long enough and the one before it is gone."""
        if self._older_gone() and self._journal.bytes >= SEGMENT_BYTES:
            self._publisher.checkpoint()
            self._rotate()

    def _older_gone(self) -> bool:
        """Delete the segment before the present one once the bundles that hold its entries are on stable storage.

        Hundreds of flushes in a row would hold up all who wait for one, so they are looked at; at the limit waited for.
        Crash before it is gone: both segments are there and agree.
        """
        if self._older and self._settling is not None:
            if self._journal.bytes >= SEGMENT_LIMIT_BYTES:
                self._settling.finish()
            elif not self._settling.done():
                return False
            self._journal.drop_older()
            self._older = False
        return True

    def _rotate(self) -> None:
        """Begin a new segment, and the flush of all bundles that are full.

        Crash: the old segment is there as well, and they agree.
        """
        kept = self._publisher.bundle
        first = self._journal.written - len(kept)  # what was added since then is in neither yet
        assert first % TILE_WIDTH == 0
        self._journal.start(first, kept)
        self._older = True
        if self._settling is None:
            self._settling = self._make_settling(self._settings.folder)
        self._settling.begin(self._publisher.take_unsynced())

    def rotate(self, now_unix_ns: int) -> bool:
        """Hand over to a new signing key (section 7.1); give whether the old one is gone, as `promote` does.

        Crash before the flush: nothing has happened, but for a key that signs nothing.
        Crash after it: the next start finds what the old key signed, and takes over.
        """
        self.checkpoint()
        following = self._next = next_key(self._settings.signer, self._settings.origin, make=True)
        assert following is not None
        statement = rotation_statement(self._settings.origin, self.size, following[1])
        head: dict[str, Value] = {"vkey": following[1], "signature": self._publisher.key.sign(statement)}
        self._own(EventKind.KEY_ROTATED, head, now_unix_ns)
        self.flush()
        self._take_over()
        self._publish()
        self._publisher.checkpoint()
        return self.promote()

    def _take_over(self) -> None:
        """Let the next key sign from here on."""
        assert self._next is not None
        self._publisher.key, self.vkey = self._next

    def promote(self) -> bool:
        """Give the next key its name, once no checkpoint by the old one is in use; give whether there is but one key.

        While the second place cannot be written it still holds one by the old key, so both stay.
        """
        if self._next is None:
            return True
        if self.vkey != self._next[1] or self._publisher.mirror_problem:
            return False
        promote_next(self._settings.signer, self.vkey)
        self._next = None
        return True

    def close(self, now_unix_ns: int) -> None:
        """Record the closing and sign it; the log is at rest when it returns."""
        self._own(EventKind.LOG_CLOSED, {}, now_unix_ns)
        self._sign()
        self.release()

    def release(self) -> None:
        """Let go of files and lock without writing anything."""
        if self._settling is not None:
            self._settling.close()
        self._journal.close()
        os.close(self._lock)
