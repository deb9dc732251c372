"""All bundles of a log, checked one by one or side by side.

Implements docs/spec/event-log.md section 11, step 2, for `record.verify`; the checks themselves are in `record.audit`.
A shell that only reads; it shares nothing with the writer.
Invariant: the findings and their order are the same whatever the number of processes.
"""

import contextlib
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from doorward_core.errors import RecordError
from doorward_core.record import proof
from doorward_core.record.audit import BundleFindings, absent, check_bundle
from doorward_core.record.proof import WIDTH
from doorward_core.record.tree_files import TileName, TreeFiles

_WORTH_IT: Final = 32  # bundles: for fewer, starting processes takes longer than the work


@dataclass(frozen=True, slots=True)
class Bundle:
    """One bundle, checked by itself; `found` is None where neither it nor its tile exists."""

    number: int
    found: BundleFindings | None
    tile: bytes
    edge_entries: list[bytes]


def _check(files: TreeFiles, number: int, size: int, origin: str) -> Bundle:
    width = min(WIDTH, size - number * WIDTH)
    data = files.read(TileName(-1, number, width))
    tile = files.read(TileName(0, number, width))
    if data is None and tile is None:
        return Bundle(number, None, b"", [])
    if data is None and tile is not None and (number + 1) * WIDTH <= files.freed():
        return Bundle(number, absent(tile, number), tile, [])
    found = check_bundle(data or b"", tile, number, width, origin)
    return Bundle(number, found, tile or b"", proof.bundle(data or b"") if width < WIDTH else [])


def _share(files: TreeFiles, size: int, origin: str, jobs: int, first: int) -> Iterator[Bundle]:
    """Every `jobs`-th bundle from `first` on; the first that does not exist is the last one given."""
    for number in range(first, -(-size // WIDTH), jobs):
        bundle = _check(files, number, size, origin)
        yield bundle
        if bundle.found is None:
            return


def check_all(files: TreeFiles, size: int, origin: str, jobs: int) -> Iterator[Bundle]:
    """Check the bundles of the first `size` entries in order; the first that does not exist is the last one given."""
    count = -(-size // WIDTH)
    if jobs <= 1 or count < _WORTH_IT or files.folder is None:
        yield from _share(files, size, origin, 1, 0)
        return
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(_worker(files, size, origin, jobs, first)) for first in range(jobs)]
        for number in range(count):
            bundle = _received(workers[number % jobs])
            yield bundle
            if bundle.found is None:
                return


@contextlib.contextmanager
def _worker(files: TreeFiles, size: int, origin: str, jobs: int, first: int) -> Iterator[IO[bytes]]:
    """Start a process that writes its share to a pipe: it is never ahead by more than the pipe holds.

    A process of its own kind, not a fork: whoever calls us may have threads, or a `__main__` that nobody can import.
    """
    module = [sys.executable, "-P", "-m", "doorward_core.record.bundles"]
    arguments = [str(files.folder), str(size), origin, str(jobs), str(first)]
    with subprocess.Popen([*module, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own interpreter and module
        try:
            if process.stdout is None:
                raise RecordError("a process that checks bundles has no output")
            yield process.stdout
        finally:
            process.kill()


def _received(pipe: IO[bytes]) -> Bundle:
    try:
        number, found, tile, edge_entries = pickle.load(pipe)  # noqa: S301 - our own process wrote it; the log's bytes are bytes in it
    except (EOFError, pickle.UnpicklingError) as error:
        raise RecordError("a process that checks bundles has died") from error
    return Bundle(number, found, tile, edge_entries)


def main(arguments: list[str]) -> None:
    """Be a worker: check a share of the bundles, and write what was found."""
    folder, size, origin, jobs, first = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us ends us
    with contextlib.suppress(BrokenPipeError):
        for bundle in _share(TreeFiles(Path(folder)), int(size), origin, int(jobs), int(first)):
            # Not the bundle itself: here its class is one of `__main__`.
            plain = (bundle.number, bundle.found, bundle.tile, bundle.edge_entries)
            pickle.dump(plain, sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
