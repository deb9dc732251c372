"""The HTTP rows: nginx, mitmproxy and Doorward before one origin, alternating."""

import resource
import subprocess
import time
from pathlib import Path
from typing import Any

from bench.http_load import Requests, Transfer, idle, large, short, short_tls
from bench.http_places import SMALL_PATH, HttpPlace, http_places
from bench.measure import resident_mb
from bench.places import ROOT

CLIENTS = 16
IDLE = 1000
DESCRIPTORS = 8192
SETTLE_S = 1.0


def measure(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Everything."""
    subprocess.run([str(ROOT / ".ci" / "install-mitmproxy")], check=False)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, most), most))
    rounds, seconds, megabytes = (1, 2.0, 40) if quick else (3, 3.0, 200)
    with http_places(folder, megabytes) as places:
        found: dict[str, Any] = {"megabytes": megabytes}
        found["idle_mb"] = {place.name: round(resident_mb(place.pids), 1) for place in places if place.pids}
        for name, tls in (("plain", False), ("tls", True)):
            found[name] = {
                "requests": _requests(places, rounds, seconds, tls=tls),
                "large": _large(places, rounds, tls=tls),
            }
        found["connections_mb"] = {place.name: _connections(place) for place in places if place.tls}
    return found


def _requests(places: list[HttpPlace], rounds: int, seconds: float, *, tls: bool) -> dict[str, Any]:
    """Small JSON at sixteen connections: by everybody, and with masks owed at Doorward."""
    found: dict[str, Any] = {}
    for case, group in (
        ("small JSON", "plain"),
        ("small JSON, path mask", "masked"),
        ("small JSON, detectors", "scanned"),
    ):
        sums: dict[str, Requests] = {}
        for _ in range(rounds):
            for place in places:
                if (tls and not place.tls) or (group != "plain" and not place.tokens):
                    continue
                run = (short_tls if tls else short)(place, SMALL_PATH, group, clients=CLIENTS, seconds=seconds)
                if run is not None:
                    sums[place.name] = sums.get(place.name, Requests()).plus(run)
        if sums:
            found[case] = {name: run.figures() for name, run in sums.items()}
    return found


LARGE = (
    ("stream, unmasked", "stream.bin", "plain"),
    ("JSON, unmasked", "dense.json", "plain"),
    ("JSON, path mask", "dense.json", "masked"),
    ("JSON, detectors, clean", "clean.json", "scanned"),
    ("JSON, detectors, dense", "dense.json", "scanned"),
)


def _large(places: list[HttpPlace], rounds: int, *, tls: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for case, name, group in LARGE:
        sums: dict[str, Transfer] = {}
        for _ in range(rounds):
            for place in places:
                if (tls and not place.tls) or (group != "plain" and not place.tokens):
                    continue
                run = large(place, f"/crm/files/{name}", group, tls=tls)
                sums[place.name] = sums.get(place.name, Transfer()).plus(run)
        found[case] = {place: run.figures() for place, run in sums.items()}
    return found


def _connections(place: HttpPlace) -> dict[str, float]:
    """Resident megabytes with so many idle keep-alive connections with TLS, each of which has asked once."""
    before = resident_mb(place.pids)
    opened = idle(place, SMALL_PATH, IDLE)
    time.sleep(SETTLE_S)
    with_them = resident_mb(place.pids)
    for connection in opened:
        connection.close()
    return {
        "before": round(before, 1),
        "with": round(with_them, 1),
        "kb_each": round((with_them - before) * 1024 / IDLE, 1),
    }
