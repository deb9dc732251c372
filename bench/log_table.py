"""The rows of the event log as a table, and their targets."""

from collections.abc import Iterator
from typing import Any

Part = dict[str, Any]


def log_lines(part: Part) -> Iterator[str]:
    """What was measured."""
    yield "\n== event log"
    cpu = f"{part['append_cpu_us']} us CPU each, the writer's process {part['writer_cpu_us']}"
    about = f"for {part['seconds']} s, until durable; {cpu}"
    yield f"  appended                   {part['events_s']:>9,} events/s ({about})"
    yield f"  one flush of the disk, nothing beside it: {part['flush_us']} us"
    for one in part["waits"]:
        words = f"p50 {one['p50_ms']} ms, p99 {one['p99_ms']} ms"
        beside = f"{one['events_s']:,} events/s ({one['asked_s']:,} asked for)"
        yield f"  a flush is waited for      {words}, beside {beside}"
    yield f"  verified, {part['verify_jobs']} processes      {part['verified_s']:>9,} entries/s"
    each = f"{part['verify_cpu_us']} us CPU each"
    yield f"  verified, 1 process        {part['verified_one_s']:>9,} entries/s ({each})"


def log_targets(part: Part) -> Iterator[tuple[str, float, float, bool]]:
    """(words, value, bound, whether the bound is the most)."""
    yield "log: events appended a second", part["events_s"], 100_000, False
    for one in part["waits"]:
        yield f"log: wait for a flush at {one['asked_s']:,} events/s, p99, ms", one["p99_ms"], 25, True
    yield "log: entries verified a second", part["verified_s"], 100_000, False
    yield "log: entries verified a second, one process", part["verified_one_s"], 60_000, False
