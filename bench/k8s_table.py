"""The Kubernetes rows as a table, and their targets."""

from collections.abc import Iterator
from typing import Any

Part = dict[str, Any]
GROWN_MB = 16  # what a gateway may come to hold while it works: a cache that fills, not a queue that grows
GROWN_MS = 50


def k8s_lines(part: Part) -> Iterator[str]:
    """What was measured."""
    yield "\n== Kubernetes (kubectl and one small API server of ours; TLS on every leg)"
    get = f"get of {part['pods']:,} pods"
    yield f"  {get:<24} {'place':<16} {'p50 s':>9} {'CPU s':>9}"
    for case, places in part["get"].items():
        for name, one in places.items():
            cpu = f"{one['cpu_s']:>9.3f}" if name != "direct" else ""
            yield f"  {case:<24} {name:<16} {one['p50_s']:>9.3f} {cpu}"
    yield f"  watch, {part['rate']} events/s asked for: how late an event comes, and what the gateway holds"
    for name, one in part["watch"].items():
        memory = f"; {one['first_third_mb']} MB, then {one['end_mb']}; {one['cpu_us']} us CPU each"
        yield (
            f"  {name:<24} {one['seen']} of {one['written']} seen; p50 {one['first_third_ms']} ms in the first third, "
            f"{one['last_third_ms']} in the last, {one['worst_ms']} at most{memory if one['end_mb'] else ''}"
        )
    yield f"  {'exec: a line to cat':<24} {'place':<16} {'p50 ms':>9} {'p95 ms':>9}"
    for name, one in part["echo"].items():
        yield f"  {'':<24} {name:<16} {one['p50_ms']:>9.2f} {one['p95_ms']:>9.2f}"
    yield f"  {'cp':<24} {'place':<16} {'MB/s':>9} {'CPU ms/MB':>10}"
    for case, places in part["cp"].items():
        for name, one in places.items():
            cpu = f"{one['cpu_ms_mb']:>10}" if name != "direct" else ""
            yield f"  {case:<24} {name:<16} {one['mb_s']:>9} {cpu}"
    yield f"  gateway, resident MB: {part['idle_mb']} idle, {part['after_mb']} after the run"


def k8s_targets(part: Part) -> Iterator[tuple[str, float, float, bool]]:
    """(words, value, bound, whether the bound is the most)."""
    for form, get in part["get"].items():
        ratio = get["doorward, masks"]["p50_s"] / get["direct"]["p50_s"]
        yield f"K8s: get of pods as {form}, masks, over direct's", ratio, 1.5, True
    for case in ("doorward", "doorward, masks"):
        watch, words = part["watch"][case], f"K8s: watch, {case}"
        yield f"{words}: events seen of those written", watch["seen"] / max(1, watch["written"]), 1, False
        yield f"{words}: lag that grew, ms", watch["last_third_ms"] - watch["first_third_ms"], GROWN_MS, True
        yield f"{words}: memory that grew, MB", watch["end_mb"] - watch["first_third_mb"], GROWN_MB, True
        added = part["echo"][case]["p50_ms"] - part["echo"]["direct"]["p50_ms"]
        yield f"K8s: {case}: added to an exec's echo at p50, ms", added, 3, True
    for case, places in part["cp"].items():
        yield f"K8s: cp {case}, MB/s over direct's", places["doorward"]["mb_s"] / places["direct"]["mb_s"], 0.5, False
