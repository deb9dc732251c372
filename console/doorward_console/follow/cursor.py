"""How far a log was shipped: one small file, written after each delivery.

It holds the log's origin, the index to go on at, and the hash of the leaf before it: if that entry is another one by
now, the log was replaced or altered, and following stops and says so rather than go on as if nothing had happened.

Crash notes: it is replaced by rename after what it counts was delivered, and flushed; a crash in between delivers some
events again (at least once), never none.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from doorward_core.errors import RecordError
from doorward_core.record.reader import LogReader

MAX_BYTES: Final = 4096
LEAF_CHARACTERS: Final = 64


class CursorProblem(RecordError):
    """The cursor cannot be read, or does not fit the log."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Events below `next` were delivered; `leaf` is the hash (hexadecimal) of the entry before it, empty at 0."""

    origin: str
    next: int
    leaf: str

    def write(self, path: Path) -> None:
        """Put it in place of the one before. OSError."""
        draft = path.with_name(f"{path.name}.new")
        content = json.dumps({"origin": self.origin, "next": self.next, "leaf": self.leaf}) + "\n"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, content.encode("ascii"))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        draft.replace(path)
        folder = os.open(path.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read(path: Path, origin: str, reader: LogReader) -> Cursor:
    """The cursor in a file, or one at the beginning where there is none. CursorProblem where it does not fit."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Cursor(origin, 0, "")
    cursor = _parse(data, path)
    if cursor.origin != origin:
        raise CursorProblem(f"{path} is of the log {cursor.origin[:128]!r}, and this is {origin!r}")
    if cursor.next and reader.leaf(cursor.next - 1).hex() != cursor.leaf:
        words = "the log is another one than was followed: it was replaced, cut back or altered; verify it"
        raise CursorProblem(f"{path}: entry {cursor.next - 1} is not the one that was shipped: {words}")
    return cursor


def _parse(data: bytes, path: Path) -> Cursor:
    try:
        told = json.loads(data) if len(data) <= MAX_BYTES else None
    except ValueError:
        told = None
    fields = told if isinstance(told, dict) else {}
    origin, at, leaf = fields.get("origin"), fields.get("next"), fields.get("leaf")
    whole = isinstance(at, int) and not isinstance(at, bool)
    if not isinstance(origin, str) or not isinstance(leaf, str) or not whole or at is None or at < 0:
        raise CursorProblem(f"{path} is not a cursor; to begin anew, move it away")
    if len(leaf) != (LEAF_CHARACTERS if at else 0):
        raise CursorProblem(f"{path} is not a cursor: its hash is not one")
    return Cursor(origin, at, leaf)
