"""All bundles of a log, checked one by one or side by side.

Implements docs/spec/event-log.md section 11, step 2, for `record.verify`; the checks themselves are in `record.audit`.
A shell that only reads; it shares nothing with the writer.
Invariant: the findings and their order are the same whatever the number of processes.
"""

import multiprocessing
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice

from doorward_core.record import proof
from doorward_core.record.audit import BundleFindings, check_bundle
from doorward_core.record.proof import WIDTH
from doorward_core.record.tree_files import TileName, TreeFiles

# 4,096 entries: long enough to outweigh sending the findings back.
_BUNDLES_A_TASK = 16


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
    found = check_bundle(data or b"", tile, number, width, origin)
    return Bundle(number, found, tile or b"", proof.bundle(data or b"") if width < WIDTH else [])


def _check_range(files: TreeFiles, size: int, origin: str, start: int) -> list[Bundle]:
    """One task of a worker process; ends early where the log does."""
    done: list[Bundle] = []
    for number in range(start, min(start + _BUNDLES_A_TASK, -(-size // WIDTH))):
        done.append(_check(files, number, size, origin))
        if done[-1].found is None:
            break
    return done


def check_all(files: TreeFiles, size: int, origin: str, jobs: int) -> Iterator[Bundle]:
    """Check the bundles of the first `size` entries in order; the first that does not exist is the last one given."""
    count = -(-size // WIDTH)
    if jobs <= 1 or count < _BUNDLES_A_TASK * 2:
        for number in range(count):
            yield _check(files, number, size, origin)
        return
    # Spawned, not forked: whoever calls us may have threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        check = partial(_check_range, files, size, origin)
        # Few tasks at a time: a hostile size must not fill memory with them.
        starts = iter(range(0, count, _BUNDLES_A_TASK))
        waiting = deque(pool.submit(check, start) for start in islice(starts, 4 * jobs))
        while waiting:
            done = waiting.popleft().result()
            waiting.extend(pool.submit(check, start) for start in islice(starts, 1))
            yield from done
