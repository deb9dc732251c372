"""The files of a log's tree, as a verifier reads them.

Implements the names of docs/spec/event-log.md sections 1 and 6 for `record.verify`; shares nothing with `record.tiles`.
It only reads, from a `record.sources.Source`, and no file that is larger than its name allows.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from doorward_core.record.proof import HASH, WIDTH, bundle
from doorward_core.record.sources import FolderSource, Source

ENTRIES = "entries"
FREED = "freed"
_FREED_TEXT = re.compile(rb"(0|[1-9][0-9]{0,18})\n")
_MAX_FREED = 20
_TILE = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
_JOURNAL = re.compile(r"journal/([0-9]{20})\.journal")
# 256 entries of the largest size; segments end at 64 MiB at the latest, but one event of 32 MiB may come last.
_MAX_BUNDLE = WIDTH * (65_535 + 2)
_MAX_SEGMENT = 256 * 1024 * 1024
_MAX_CHECKPOINT = 128 * 1024


@dataclass(frozen=True, slots=True)
class TileName:
    """`level` is -1 for entry bundles; `width` is 256 for a full one."""

    level: int
    number: int
    width: int

    @property
    def start(self) -> int:
        """Index of the first entry that it covers."""
        span: int = WIDTH ** (max(self.level, 0) + 1)
        return self.number * span


class TreeFiles:
    """Reads the files of one tree: of a folder, or of another source that holds one."""

    def __init__(self, source: Path | Source) -> None:
        self._source = FolderSource(source) if isinstance(source, Path) else source

    @property
    def folder(self) -> Path | None:
        """Where the tree lies, if it lies in a folder."""
        return self._source.folder

    def checkpoint(self) -> bytes | None:
        """The newest checkpoint's note."""
        return self._source.read("checkpoint", _MAX_CHECKPOINT + 1)

    def freed(self) -> int:
        """How many entries the log says it no longer has here; -1 where what says so cannot be read (section 13)."""
        data = self._source.read(FREED, _MAX_FREED + 1)
        if data is None:
            return 0
        match = _FREED_TEXT.fullmatch(data)
        return int(match[1]) if match is not None and int(match[1]) % WIDTH == 0 else -1

    def read(self, name: TileName) -> bytes | None:
        """One tile or bundle; a partial one that the full one has displaced is cut from the full one."""
        bound = _MAX_BUNDLE if name.level < 0 else WIDTH * HASH
        data = self._source.read(_path(name), bound + 1)
        if data is None and name.width < WIDTH:
            data = self._source.read(_path(TileName(name.level, name.number, WIDTH)), bound + 1)
            if data is not None:
                data = prefix(data, name)
        return data

    def segments(self) -> list[tuple[int, bytes]]:
        """(first index, content) of the journal's segments, in order."""
        found: list[tuple[int, bytes]] = []
        for relative, plain in self._source.names("journal"):
            match = _JOURNAL.fullmatch(relative)
            if match is not None and plain:
                data = self._source.read(relative, _MAX_SEGMENT + 1)
                if data is not None:
                    found.append((int(match[1]), data))
        return sorted(found)

    def names(self) -> Iterator[tuple[str, TileName | None]]:
        """Every file of the tree that is not checkpoint, lock, journal or `.tmp`; None where it has no such name."""
        for relative, plain in self._source.names():
            if relative in {"checkpoint", "lock", FREED} or relative.endswith(".tmp"):
                continue
            if _JOURNAL.fullmatch(relative) and plain:
                continue
            match = _TILE.fullmatch(relative) if plain else None
            yield relative, _name(relative, match) if match is not None else None


def _name(relative: str, match: re.Match[str]) -> TileName | None:
    level = -1 if match[1] == ENTRIES else int(match[1])
    number = int(match[2].replace("x", "").replace("/", ""))
    name = TileName(level, number, int(match[3] or WIDTH))
    # `tile/0/x000/001` and `.p/256` have the right letters, and are not the name of anything.
    return name if _path(name) == relative else None


def _path(name: TileName) -> str:
    digits = str(name.number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([*("x" + group for group in groups[:-1]), groups[-1]])
    level = ENTRIES if name.level < 0 else str(name.level)
    return f"tile/{level}/{path}" + (f".p/{name.width}" if name.width < WIDTH else "")


def prefix(data: bytes, name: TileName) -> bytes:
    """The first `name.width` hashes or entries of a tile or bundle."""
    if name.level >= 0:
        return data[: name.width * HASH]
    return data[: sum(2 + len(entry) for entry in bundle(data)[: name.width])]
