"""Where a verifier has a log's files from: a folder, or whatever else can give bytes for names.

Implements the names of docs/spec/event-log.md section 1, for `record.tree_files`; shares nothing with the writer.
A shell that only reads.
It follows no symbolic link out of the tree and reads no more of a file than it is asked for.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol


class Source(Protocol):
    """Something that holds the files of a tree, by their paths from its root."""

    @property
    def folder(self) -> Path | None:
        """The folder, where it is one: other processes can then read it too."""

    def read(self, path: str, most_bytes: int) -> bytes | None:
        """A file's first bytes; None where there is none that could be read."""

    def names(self, below: str = "") -> Iterator[tuple[str, bool]]:
        """All files below a path, in order, and whether each is a plain one: what is not, belongs in no tree."""


class FolderSource:
    """The files of a tree in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def folder(self) -> Path | None:
        """Where it lies."""
        return self._folder

    def read(self, path: str, most_bytes: int) -> bytes | None:
        """A plain file; links are not followed."""
        at = self._folder / path
        if at.is_symlink() or not at.is_file():
            return None
        try:
            with at.open("rb") as file:
                return file.read(most_bytes)
        except FileNotFoundError:
            return None  # a writer put the full one in place of a partial one meanwhile

    def names(self, below: str = "") -> Iterator[tuple[str, bool]]:
        """All files below a path; links are files, wherever they lead."""
        return self._walk(self._folder / below)

    def _walk(self, folder: Path) -> Iterator[tuple[str, bool]]:
        """What a writer removes meanwhile (a partial tile that is full by now, an old segment) is passed over."""
        try:
            paths = sorted(folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return
        for path in paths:
            if path.is_symlink() or path.is_file():
                yield path.relative_to(self._folder).as_posix(), not path.is_symlink()
            elif path.is_dir():
                yield from self._walk(path)
            elif path.exists():
                yield path.relative_to(self._folder).as_posix(), True  # a socket or a device: no name allows it
