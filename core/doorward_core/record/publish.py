"""From durable entries to what auditors fetch: bundles, tiles, checkpoint.

Implements docs/spec/event-log.md sections 6, 7 and 9 (the tree side).
A shell over files, off the durable path: entries are in the journal before they come here, so all of it can be made
again.
It will not sign a tree whose entries are not durable; the caller flushes the journal first.

Invariants: files are put in place by rename, so a reader sees them whole; the tiles of a checkpoint are there before
it is.
"""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_core.record.checkpoint import Checkpoint, sign
from doorward_core.record.journal import replace_file, write_all
from doorward_core.record.merkle import HASH_BYTES, TILE_WIDTH, Tree, leaf_hash, perfect_root
from doorward_core.record.tiles import ENTRIES, pack_bundle, tile_path

CHECKPOINT = "checkpoint"


class Publisher:
    """The tree of one log, on disk and (its right edge) in memory.

    `bundle` holds the entries of the incomplete bundle; `unsynced` the names of full files that nobody flushed yet.
    `key` signs the next checkpoint.
    """

    def __init__(self, folder: Path, origin: str, key: Ed25519PrivateKey, mirror: Path | None) -> None:
        self._folder = folder
        self._origin = origin
        self.key = key
        self._mirror = mirror
        self.tree = Tree()
        self.bundle: list[bytes] = []
        self.unsynced: list[str] = []
        self.signed_size = -1
        self.mirror_problem = ""

    def load(self, full_bundles: int) -> None:
        """Take up the tree at `full_bundles` * 256 entries from the full tiles on disk.

        Raises OSError or ValueError where one is missing or short; whether they are the right ones, the root says.
        """
        self.tree = Tree()
        self.tree.size = full_bundles * TILE_WIDTH
        self.tree.levels = [[]]
        below = full_bundles
        while below:
            start = below - below % TILE_WIDTH
            level = len(self.tree.levels) - 1
            row = [perfect_root(self._read_tile(level, number)) for number in range(start, below)]
            self.tree.levels.append(row)
            below //= TILE_WIDTH
        self.bundle = []

    def _read_tile(self, level: int, number: int) -> list[bytes]:
        data = (self._folder / tile_path(level, number)).read_bytes()
        if len(data) != TILE_WIDTH * HASH_BYTES:
            raise ValueError(f"{tile_path(level, number)} is not a full tile")
        return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]

    def add(self, entries: list[bytes]) -> None:
        """Take durable entries into the tree, and write out the tiles and bundles that they fill."""
        at = 0
        while at < len(entries):
            number = self.tree.size // TILE_WIDTH
            some = entries[at : at + TILE_WIDTH - len(self.bundle)]
            at += len(some)
            self.bundle += some
            complete = self.tree.extend([leaf_hash(entry) for entry in some])
            if complete:
                self._put(tile_path(ENTRIES, number), pack_bundle(self.bundle), full=True)
                self.bundle = []
                for level, tile, data in complete:
                    self._put(tile_path(level, tile), data, full=True)

    def _put(self, relative: str, data: bytes, *, full: bool) -> None:
        """Write a file of the tree by rename, without a flush; a full one displaces its partial ones.

        Crash: the file is missing, torn or whole; the journal has the entries, and the next start writes it again.
        """
        path = self._folder / relative
        temporary = path.with_name(path.name + ".tmp")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        try:
            fd = os.open(temporary, flags, 0o644)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(temporary, flags, 0o644)
        try:
            write_all(fd, data)
        finally:
            os.close(fd)
        temporary.replace(path)
        if full:
            self.unsynced.append(relative)
            _remove_partial(path)

    def take_unsynced(self) -> list[str]:
        """Hand over the names of full tiles and bundles that nobody has flushed: whoever takes them does (`settle`).

        Crash: the journal is still there.
        """
        names, self.unsynced = self.unsynced, []
        return names

    def checkpoint(self) -> bool:
        """Sign and publish the tree as it is, if it has grown; give whether it had.

        Order: partial tiles, then the checkpoint, then its copy.
        Crash after the tiles: partial tiles of a size that was never signed; harmless.
        Crash after the checkpoint: the copy is behind; the next start brings it up.
        """
        if self.tree.size == self.signed_size:
            return False
        if self.bundle:
            bundle = tile_path(ENTRIES, self.tree.size // TILE_WIDTH, len(self.bundle))
            self._put(bundle, pack_bundle(self.bundle), full=False)
        for level, number, data in self.tree.partial():
            self._put(tile_path(level, number, len(data) // HASH_BYTES), data, full=False)
        note = sign(Checkpoint(self._origin, self.tree.size, self.tree.root()), self.key)
        replace_file(self._folder / CHECKPOINT, note)
        self.signed_size = self.tree.size
        self.copy(note)
        return True

    def copy(self, note: bytes) -> None:
        """Put a checkpoint in the second place; a failure there is told, and tried again with the next one.

        The second place protects against whoever owns the first; its absence does not endanger what is recorded.
        """
        if self._mirror is None:
            return
        try:
            self._mirror.mkdir(parents=True, exist_ok=True)
            replace_file(self._mirror / CHECKPOINT, note)
            self.mirror_problem = ""
        except OSError as error:
            self.mirror_problem = f"the copy of the checkpoint could not be written: {error.strerror}"


def _remove_partial(path: Path) -> None:
    """Delete the partial tiles that a full one displaces."""
    partial = path.with_name(path.name + ".p")
    try:
        widths = list(partial.iterdir())
    except FileNotFoundError:
        return
    for width in widths:
        width.unlink()
    partial.rmdir()
