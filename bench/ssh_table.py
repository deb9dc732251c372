"""The SSH rows as a table, and their targets."""

from collections.abc import Iterator
from typing import Any

Part = dict[str, Any]


def ssh_lines(part: Part) -> Iterator[str]:
    """What was measured."""
    yield "\n== SSH (OpenSSH's client everywhere; the same key exchange and cipher for all)"
    if "flush_us" in part:
        yield f"  one flush of the disk: {part['flush_us']} us; a login and a command take three of them"
    for case, title in (("connect", "ssh host true"), ("echo", "a key and its echo")):
        yield f"  {title:<24} {'place':<12} {'p50 ms':>9} {'p95 ms':>9}"
        for name, one in part[case].items():
            yield f"  {'':<24} {name:<12} {one['p50_ms']:>9.2f} {one['p95_ms']:>9.2f}"
    yield f"  {'transfers':<24} {'place':<12} {'MB/s':>9} {'CPU ms/MB':>10}"
    for case, places in part["bulk"].items():
        for name, one in places.items():
            cpu = f"{one['cpu_ms_mb']:>10}" if name == "doorward" else ""
            yield f"  {case:<24} {name:<12} {one['mb_s']:>9} {cpu}"
    for name, one in part["crowd"].items():
        yield (
            f"  {name}, resident MB: {one['before']} before, {one['with_shells']} with {one['shells']} idle shells, "
            f"{one['peak']} at most with ten transfers beside them ({one['mb_s']} MB/s), {one['after']} after those"
        )
    for name, exchange in part["exchange"].items():
        yield f"  key exchange that this client has with {name} by itself: {exchange}"


def ssh_targets(part: Part) -> Iterator[tuple[str, float, float, bool]]:
    """(words, value, bound, whether the bound is the most)."""
    connect, echo, bulk = part["connect"], part["echo"], part["bulk"]
    yield "SSH: connect over direct's", connect["doorward"]["p50_ms"] / connect["direct"]["p50_ms"], 1.5, True
    yield "SSH: added to a key's echo at p50, ms", echo["doorward"]["p50_ms"] - echo["direct"]["p50_ms"], 2, True
    for case, bound in (("download", 0.6), ("upload", 0.6), ("scp from", 0.4), ("scp to", 0.4)):
        yield (
            f"SSH: {case}, MB/s over direct's",
            bulk[case]["doorward"]["mb_s"] / bulk[case]["direct"]["mb_s"],
            bound,
            False,
        )
    crowd = part["crowd"]["doorward"]
    yield "SSH: memory that ten transfers add to a hundred shells, MB", crowd["peak"] - crowd["with_shells"], 50, True
