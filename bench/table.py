"""The results as a table, and each target beside what was measured."""

from collections.abc import Iterator
from typing import Any

from bench.desk_table import desk_lines, desk_targets
from bench.http_table import http_lines, http_targets
from bench.k8s_table import k8s_lines, k8s_targets
from bench.log_table import log_lines, log_targets
from bench.search_part import search_lines, search_targets
from bench.ssh_table import ssh_lines, ssh_targets

Results = dict[str, Any]
PARTS = (
    ("log", log_lines, log_targets),
    ("http", http_lines, http_targets),
    ("ssh", ssh_lines, ssh_targets),
    ("k8s", k8s_lines, k8s_targets),
    ("search", search_lines, search_targets),
    ("desk", desk_lines, desk_targets),
)


def table(results: Results) -> str:
    """All of it, as text."""
    return "\n".join(_lines(results))


def _lines(results: Results) -> Iterator[str]:
    yield from _about(results)
    for leg, title in (("plain", "TLS off (Unix sockets)"), ("tls", "TLS on every leg")):
        part = results.get(leg) or {}
        if part:
            yield f"\n== {title}"
            yield from _pgbench(part.get("pgbench", {}))
            yield from _connect(part.get("connect", {}))
            yield from _bulk(part.get("bulk", {}))
    yield from _evidence(results)
    for name, lines, _ in PARTS:
        if name in results:
            yield from lines(results[name])
    if "idle_mb" in results:
        yield "\n== memory (resident MB, the log's writer included; what both share counted once)"
    for name, megabytes in results.get("idle_mb", {}).items():
        each = results.get("idle_rss_mb", {}).get(name, 0)
        after = results["after_mb"].get(name, 0)
        yield f"  {name:<20} idle {megabytes:>7} ({each} with it counted in each)   after the run {after:>7}"
    yield "\n== targets"
    for words, value, bound, most in _targets(results):
        said = "met " if (value <= bound if most else value >= bound) else "MISS"
        if value < 0:
            said = "????"  # less than nothing: the disk was busier while its flush was measured than in the run
        yield f"  {said}  {words:<68} {value:>9.2f}  ({'at most' if most else 'at least'} {bound:g})"


def _about(results: Results) -> Iterator[str]:
    yield ""
    yield f"{results['when']}  {results['machine']['cpus']} cpus  Python {results['machine']['python']}"
    flush = f"; one flush of the disk: {results['flush_us']} us" if "flush_us" in results else ""
    yield f"record level {results['record']['level']}{flush}"
    if results["load_before"] > results["machine"]["cpus"] / 2:
        yield f"THE MACHINE WAS BUSY (load {results['load_before']} before the run): no verdict below means much"
    for name, words in results["record"].items():
        if name != "level":
            yield f"  {name}: {words}"


def _evidence(results: Results) -> Iterator[str]:
    if "evidence" in results:
        one = results["evidence"]
        yield "\n== evidence"
        yield f"  bundle of {one['entries']:,.0f} entries written in {one['write_s']} s, {one['write_mb']} MB resident"
        yield f"  the file has {one['bundle_mb']} MB"
        yield f"  doorward verify, one core  {one['verified_s']:>9,} entries/s"
        yield f"  verify.py                  {one['checked_s']:>9,} entries/s"


def _pgbench(part: Results) -> Iterator[str]:
    if part:
        yield f"  {'pgbench -S':<13} {'place':<20} {'TPS':>9} {'p50 us':>8} {'p99 us':>8} {'CPU us/query':>13}"
    for case, places in part.items():
        for name, one in places.items():
            cpu = f"{one['cpu_us']:>13}" if name != "direct" else ""
            yield f"  {case:<13} {name:<20} {one['tps']:>9,.0f} {one['p50_us']:>8} {one['p99_us']:>8} {cpu}"


def _connect(part: Results) -> Iterator[str]:
    for name, one in part.items():
        times = f"{one['tps']:>9,.0f} {one['p50_us']:>8} {one['p99_us']:>8}"
        yield f"  {'connect+row 4':<13} {name:<20} {times} {one['cpu_us']:>13}"


def _bulk(part: Results) -> Iterator[str]:
    if part:
        yield f"  {'bulk':<24} {'place':<20} {'MB/s':>8} {'CPU ms/MB':>10}"
    for case, places in part.items():
        for name, one in places.items():
            cpu = f"{one['cpu_ms_mb']:>10}" if name != "direct" else ""
            yield f"  {case:<24} {name:<20} {one['mb_s']:>8} {cpu}"


def _targets(results: Results) -> Iterator[tuple[str, float, float, bool]]:
    for leg, words in (("plain", "TLS off"), ("tls", "TLS on")):
        part = results.get(leg) or {}
        eight = part.get("pgbench", {}).get("prepared 8", {})
        if "pgbouncer" in eight:
            base = max(eight["pgbouncer"]["cpu_us"], 0.1)
            for name, how, bound in (("doorward-unflushed", "unflushed", 5), ("doorward", "flushed", 10)):
                yield (
                    f"{words}: CPU a query at 8, prepared, {how}, over pgbouncer's",
                    eight[name]["cpu_us"] / base,
                    bound,
                    True,
                )
        one = part.get("pgbench", {}).get("prepared 1", {})
        if one:
            added = one["doorward"]["p50_us"] - one["direct"]["p50_us"] - results["flush_us"]
            yield f"{words}: added p50 at 1 client less one flush, us", added, 250, True
        links = part.get("connect", {})
        if links:
            yield (
                f"{words}: connect and first row over direct's",
                links["doorward"]["tps"] / links["direct"]["tps"],
                0.8,
                False,
            )
        yield from _bulk_targets(part.get("bulk", {}), words)
    for name, _, targets in PARTS:
        if name in results:
            yield from targets(results[name])
    if "idle_mb" in results:
        yield "idle gateway, MB", results["idle_mb"]["doorward"], 100, True


def _bulk_targets(part: Results, words: str) -> Iterator[tuple[str, float, float, bool]]:
    for verb in ("SELECT", "COPY"):
        plain = part.get(f"{verb} unmasked", {})
        if "pgbouncer" in plain:
            ratio = plain["doorward"]["cpu_ms_mb"] / max(plain["pgbouncer"]["cpu_ms_mb"], 0.001)
            yield f"{words}: {verb} unmasked, CPU a MB over pgbouncer's", ratio, 2, True
        for what, bound in (("column mask", 0.2), ("detectors, clean", 0.3), ("detectors, dense", 0.07)):
            case = part.get(f"{verb} {what}", {})
            if case:
                yield (
                    f"{words}: {verb} {what}, MB/s over direct's",
                    case["doorward"]["mb_s"] / case["direct"]["mb_s"],
                    bound,
                    False,
                )
