"""Bundles and tiles on stable storage, so that the journal segment that holds their entries may go.

Implements the rule of docs/spec/event-log.md section 8 on when a segment is deleted: the files first, then the names of
files and folders that lead to them.
Two ways to the same end: `Steps` here, some files at each look; `Helper` in a process beside this one
(`python -m doorward_core.record.settle`), because hundreds of flushes in a row would hold up all who wait for one.
A shell over files; it changes none, so whatever is cut short can be done again.
It will not try again what has failed: the writer ends (RecordError, OSError), and the next one writes all of it anew.

Invariants: `done` is true only after every file that was named has been flushed without an error, and then every folder
above it; what it was begun with is finished before anything else is begun.
"""

import contextlib
import os
import select
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from doorward_core.errors import RecordError
from doorward_core.record.journal import sync_folder

# At a fifth of a millisecond each, no look takes longer than a flush or two of the journal itself.
STEP: Final = 8
# The disk works on so many files at once, and one commit of the file system serves all of them.
_TOGETHER: Final = 32
_CHUNK: Final = 4096


class Settling(Protocol):
    """One batch of files at a time, given by their names within the tree."""

    def begin(self, names: Sequence[str]) -> None:
        """Take a batch; the one before it is done."""

    def done(self) -> bool:
        """Whether all of it is on stable storage; waits for nothing but, in `Steps`, a few flushes."""

    def finish(self) -> None:
        """Wait until it is."""

    def close(self) -> None:
        """Give up what is not done."""


def settle(folder: Path, names: Sequence[str]) -> None:
    """Flush these files of the tree, and then the folders that lead to them, any of which may be new."""
    for at in range(0, len(names), _TOGETHER):
        _flush(folder, names[at : at + _TOGETHER])
    for above in _folders(folder, names):
        sync_folder(above)


def _flush(folder: Path, names: Sequence[str]) -> None:
    """Flush some files: all are handed to the disk before the first is waited for."""
    with contextlib.ExitStack() as stack:
        opened: list[int] = []
        for name in names:
            descriptor = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            opened.append(descriptor)
        for descriptor in opened:
            with contextlib.suppress(OSError):  # no more than a hint: what must hold is the flush
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        for descriptor in opened:
            os.fsync(descriptor)


def _folders(folder: Path, names: Sequence[str]) -> list[Path]:
    """The folders of these files and those above them, up to the tree's own."""
    found = {above for name in names for above in Path(name).parents}
    return [folder / above for above in sorted(found)]


class Steps:
    """Here: STEP files at each look, the folders with the last of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: Sequence[str] = ()
        self._at = 0

    def begin(self, names: Sequence[str]) -> None:
        """Take a batch; the one before it is done."""
        self._names, self._at = names, 0

    def done(self) -> bool:
        """Flush some more; give whether that was the last of it."""
        if self._at < len(self._names):
            _flush(self._folder, self._names[self._at : self._at + STEP])
            self._at += STEP
        if self._at < len(self._names):
            return False
        for above in _folders(self._folder, self._names):
            sync_folder(above)
        self._names = ()
        return True

    def finish(self) -> None:
        """Flush all that is left."""
        while not self.done():
            pass

    def close(self) -> None:
        """Nothing is open between two looks."""


class Helper:
    """A process beside this one. It is handed no key and no open file, and ends with its end of the socket."""

    def __init__(self, folder: Path) -> None:
        """Start it; raises OSError where that is not possible."""
        self._ours, theirs = socket.socketpair()
        self._busy = False
        try:
            with theirs:
                command = [sys.executable, "-P", "-m", "doorward_core.record.settle", str(folder)]
                self._process = subprocess.Popen(command, stdin=theirs.fileno())  # noqa: S603 - our own interpreter and module
        except OSError:
            self._ours.close()
            raise

    def begin(self, names: Sequence[str]) -> None:
        """Send a batch: a name a line, and an empty line behind the last."""
        try:
            self._ours.sendall("".join(f"{name}\n" for name in (*names, "")).encode())
        except (BrokenPipeError, ConnectionResetError) as error:
            raise RecordError("the process that flushes bundles is gone") from error
        self._busy = True

    def done(self) -> bool:
        """Look whether it has answered; raises RecordError where it could not do it."""
        if self._busy and select.select((self._ours,), (), (), 0)[0]:
            self.finish()
        return not self._busy

    def finish(self) -> None:
        """Wait for its answer: an empty line, or what went wrong."""
        answer = b""
        while self._busy and not answer.endswith(b"\n"):
            try:
                chunk = self._ours.recv(_CHUNK)
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                raise RecordError("the process that flushes bundles is gone")
            answer += chunk
        self._busy = False
        if answer.strip():
            raise RecordError(f"bundles could not be flushed: {answer.decode(errors='replace').strip()}")

    def close(self) -> None:
        """End it; a flush that the kernel has begun is waited for."""
        self._ours.close()
        self._process.kill()
        self._process.wait()


def beside(folder: Path) -> Settling:
    """A process for it or, where none can be had (a limit on processes), the way without one."""
    try:
        return Helper(folder)
    except OSError:
        return Steps(folder)


def main(arguments: Sequence[str]) -> None:
    """Be the helper: batches in, an answer to each, until the writer is gone."""
    folder = Path(arguments[0])
    names: list[str] = []
    for line in sys.stdin:
        name = line.removesuffix("\n")
        if name:
            names.append(name)
            continue
        answer = ""
        try:
            settle(folder, names)
        except OSError as error:
            answer = f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror)
        try:
            os.write(0, f"{answer}\n".encode())
        except (BrokenPipeError, ConnectionResetError):
            return
        names = []


if __name__ == "__main__":
    main(sys.argv[1:])
