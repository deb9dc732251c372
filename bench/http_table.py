"""The HTTP rows as a table, and their targets."""

from collections.abc import Iterator
from typing import Any

Part = dict[str, Any]
LEGS = (("plain", "TLS off (Unix sockets; mitmproxy loopback)"), ("tls", "TLS towards clients"))


def http_lines(part: Part) -> Iterator[str]:
    """What was measured."""
    for leg, title in LEGS:
        yield f"\n== HTTP, {title}"
        yield f"  {'16 connections':<24} {'place':<12} {'req/s':>9} {'p50 us':>8} {'p99 us':>8} {'CPU us/request':>15}"
        for case, places in part[leg]["requests"].items():
            for name, one in places.items():
                cpu = f"{one['cpu_us']:>15}" if name != "direct" else ""
                yield f"  {case:<24} {name:<12} {one['rps']:>9,.0f} {one['p50_us']:>8} {one['p99_us']:>8} {cpu}"
        yield f"  {'large answers':<24} {'place':<12} {'MB/s':>9} {'CPU ms/MB':>10}"
        for case, places in part[leg]["large"].items():
            for name, one in places.items():
                cpu = f"{one['cpu_ms_mb']:>10}" if name != "direct" else ""
                yield f"  {case:<24} {name:<12} {one['mb_s']:>9} {cpu}"
    yield "\n== HTTP, memory (resident MB, the log's writer included)"
    for name, one in part["connections_mb"].items():
        idle = part["idle_mb"][name]
        yield f"  {name:<12} idle {idle:>7}   1,000 connections {one['with']:>7} ({one['kb_each']} KB each)"


def http_targets(part: Part) -> Iterator[tuple[str, float, float, bool]]:
    """(words, value, bound, whether the bound is the most)."""
    for leg, words in (("plain", "HTTP, TLS off"), ("tls", "HTTP, TLS on")):
        small = part[leg]["requests"].get("small JSON", {})
        if "doorward" in small:
            yield f"{words}: CPU a request, small JSON at 16, us", small["doorward"]["cpu_us"], 250, True
        large = part[leg]["large"]
        stream = large["stream, unmasked"]
        yield f"{words}: streaming, MB/s over nginx's", stream["doorward"]["mb_s"] / stream["nginx"]["mb_s"], 0.8, False
        yield f"{words}: JSON path mask, MB/s", large["JSON, path mask"]["doorward"]["mb_s"], 40, False
        yield f"{words}: detectors on clean text, MB/s", large["JSON, detectors, clean"]["doorward"]["mb_s"], 200, False
    yield "HTTP: 1,000 idle connections, MB", part["connections_mb"]["doorward"]["with"], 150, True
