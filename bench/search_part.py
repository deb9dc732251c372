"""The desk's search: how long an index takes to be built, and how long the first page of each search takes."""

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench import search_log
from doorward_console.index import build, query
from doorward_console.index.build import Source
from doorward_console.index.found import Search
from doorward_console.index.query import Index
from doorward_console.index.question import read

DAY_NS = 86_400 * 1_000_000_000
ROUNDS = 7


def searches(now: int) -> dict[str, Callable[[Index], object]]:
    """What is asked: rare and common words, filters that many rows have and that few have, and all of them at once."""

    def found(**what: Any) -> Callable[[Index], object]:
        return lambda index: query.operations(index, Search(**what))

    def sessions(**what: Any) -> Callable[[Index], object]:
        return lambda index: query.sessions(index, Search(**what))

    def question(text: str) -> Callable[[Index], object]:
        def ask(index: Index) -> object:
            search = read(text, now, lambda name: query.is_touched(index, name)).search
            return query.who_changed(index, search.table, search.text, search=search)

        return ask

    return {
        "newest": found(),
        "one word, in most": found(text="select"),
        "one word, in none": found(text="nowhere"),
        "customer 42": found(text="customer 42"),
        "two words, in many, and refused": found(text="region north", verdict="deny"),
        "most words, never together": found(text="select", verdict="deny"),
        "who, where and when": found(identity="analyst-7", resource="shop", since_unix_ns=now - DAY_NS),
        "every agent, one code": found(identity="crew", code="42P01"),
        "approved by one": found(approver="approver-3"),
        "a table, changed": found(table="customer", action="change"),
        "who changed customer 42 yesterday": question("who changed customer 42 yesterday, and who approved it"),
        "who changed customer 42 (ever)": question("who changed customer 42"),
        "sessions": sessions(),
        "sessions of one agent": sessions(identity="analyst-7"),
        "sessions with a word in most": sessions(text="select"),
        "sessions that were refused a thing": sessions(verdict="deny", table="table_7"),
    }


def measure(folder: Path, *, count: int) -> dict[str, Any]:
    """Write a log of `count` events, index it, and ask everything."""
    now = time.time_ns()
    log = search_log.write(folder, count, now)
    path = folder / "index.sqlite"
    begun, before = time.perf_counter(), time.process_time()
    built = build.rebuild(path, [Source("bench", log)])
    took, cpu = time.perf_counter() - begun, time.process_time() - before
    found: dict[str, Any] = {
        "events": built.events,
        "build_s": round(took, 1),
        "build_cpu_us": round(cpu / built.events * 1e6, 1),
        "index_mb": round(path.stat().st_size / 1e6),
        "log_mb": round(sum(file.stat().st_size for file in log.rglob("*") if file.is_file()) / 1e6),
        "first_page_ms": ask(path, now),
    }
    return found


def ask(path: Path, now: int) -> dict[str, dict[str, float]]:
    """Milliseconds of each search, its first page, opened anew each time: the first time, and the median."""
    told: dict[str, dict[str, float]] = {}
    for name, search in searches(now).items():
        times = []
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            with Index.open(path) as index:
                search(index)
            times.append((time.perf_counter() - begun) * 1000)
        told[name] = {"first": round(times[0], 1), "median": round(statistics.median(times), 1)}
    return told


def search_lines(results: dict[str, Any]) -> Iterator[str]:
    """The figures, as text."""
    yield "\n== the desk's search"
    cpu = f"{results['build_cpu_us']} us CPU each"
    yield f"  index of {results['events']:,} events built in {results['build_s']} s ({cpu})"
    yield f"  {results['index_mb']} MB, beside a log of {results['log_mb']} MB"
    for name, took in results["first_page_ms"].items():
        yield f"  {name:<36} first page {took['median']:>7} ms   the first time {took['first']:>7} ms"


def search_targets(results: dict[str, Any]) -> Iterator[tuple[str, float, float, bool]]:
    """What was promised: the first page of any search."""
    slowest = max(took["first"] for took in results["first_page_ms"].values())
    yield "search: the slowest first page, ms", slowest, 300, True
