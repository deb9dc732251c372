"""The desk's rows as a table, and their targets."""

from collections.abc import Iterator
from typing import Any

Part = dict[str, Any]
RELEASE_MS = 100
REVOKED_MS = 2000
PAGE_MS = 300


def desk_lines(part: Part) -> Iterator[str]:
    """What was measured."""
    yield f"\n== the desk (processes on one machine; one flush of its disk: {part['flush_us']} us)"
    yield f"  {'from a vote to its result':<44} {'p50 ms':>9} {'p99 ms':>9}"
    for name, one in part["release"].items():
        yield f"  {f'vote by {name}':<44} {one['p50_ms']:>9} {one['p99_ms']:>9}"
    one = part["revoked"]
    yield f"  {'from a revocation to the end of each session':<44} {one['p50_ms']:>9} {one['p99_ms']:>9}"
    about = f"first page; an index of {part['events']:,} events"
    yield f"  {about:<44} {'p50 ms':>9} {'p99 ms':>9} {'rows':>6}"
    for page, cases in part["pages"].items():
        for words, one in cases.items():
            yield f"  {f'{page}: {words}':<44} {one['p50_ms']:>9} {one['p99_ms']:>9} {one['rows']:>6}"


def desk_targets(part: Part) -> Iterator[tuple[str, float, float, bool]]:
    """(words, value, bound, whether the bound is the most)."""
    for name, one in part["release"].items():
        yield f"desk: vote by {name} to its result, p50, ms", one["p50_ms"], RELEASE_MS, True
    yield "desk: revocation to the end of 20 live sessions, p99, ms", part["revoked"]["p99_ms"], REVOKED_MS, True
    for page, cases in part["pages"].items():
        for words, one in cases.items():
            yield f"desk: {page}, {words}, p99, ms", one["p99_ms"], PAGE_MS, True
