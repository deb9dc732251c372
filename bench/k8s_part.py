"""The Kubernetes rows: kubectl against a cluster, and against Doorward before it, alternating."""

import contextlib
import http.client
import json
import os
import socket
import ssl
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.k8s_cluster import NAMESPACE, STAMP
from bench.k8s_places import Behind, K8sPlace, k8s_places
from bench.measure import Bulk, cpu_s, resident_mb

PODS = 5000
RATE = 1000
POD = "web-00000"
WARM = 5
BREATH_S = 0.01
LATE_S = 10.0  # how long the last events may take


def measure(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Everything."""
    gets, keys, megabytes, rounds, seconds = (2, 60, 20, 1, 6.0) if quick else (3, 300, 100, 2, 20.0)
    with k8s_places(folder, PODS) as (behind, places):
        file = folder / "data"
        file.write_bytes(os.urandom(megabytes * 1_000_000))
        found: dict[str, Any] = {"pods": PODS, "rate": RATE, "megabytes": megabytes}
        found["idle_mb"] = round(resident_mb(places[-1].pids), 1)
        parts: dict[str, Callable[[], dict[str, Any]]] = {
            "get": partial(_gets, places, gets),
            "watch": partial(_watches, behind, places, seconds),
            "echo": partial(_echo, places, keys),
            "cp": partial(_copies, places, file, rounds),
        }
        for name, part in parts.items():
            print(f"bench: Kubernetes, {name}", flush=True)
            found[name] = part()
        found["after_mb"] = round(resident_mb(places[-1].pids), 1)
    return found


# --- get ----------------------------------------------------------------------------------------------------------


def _gets(places: list[K8sPlace], count: int) -> dict[str, Any]:
    """`kubectl get pods`, the whole of it, place after place; the median. Direct has no masks, and is asked once."""
    found: dict[str, Any] = {}
    cases = _cases(places)
    for form, words in (("Table", ()), ("JSON", ("-o", "json"))):
        times: dict[str, list[float]] = {name: [] for name in cases}
        spent = dict.fromkeys(cases, 0.0)
        for number in range(count + 1):
            for name, (place, group) in cases.items():
                before, begun = cpu_s(place.pids), time.perf_counter()
                done = subprocess.run(
                    place.kubectl("get", "pods", *words, group=group), capture_output=True, check=True
                )
                took = time.perf_counter() - begun
                if done.stdout.count(b"web-") < PODS:
                    raise SystemExit(f"bench: {name}: not every pod was shown")
                if number:  # the first of each is for caches
                    times[name].append(took)
                    spent[name] += cpu_s(place.pids) - before
        found[form] = {
            name: {"p50_s": round(statistics.median(some), 3), "cpu_s": round(spent[name] / count, 3)}
            for name, some in times.items()
        }
    return found


def _cases(places: list[K8sPlace]) -> dict[str, tuple[K8sPlace, str]]:
    """Who asks where: directly, and through the gateway without masks and with them."""
    direct, ours = places
    return {"direct": (direct, ""), "doorward": (ours, "plain"), "doorward, masks": (ours, "masked")}


# --- watch --------------------------------------------------------------------------------------------------------


def _watches(behind: Behind, places: list[K8sPlace], seconds: float) -> dict[str, Any]:
    """How late events come, in the first third and in the last, and what the gateway holds then."""
    return {name: _watch(behind, place, group, seconds) for name, (place, group) in _cases(places).items()}


def _watch(behind: Behind, place: K8sPlace, group: str, seconds: float) -> dict[str, float]:
    late: list[float] = []
    with _watching(place, group) as (lines, connection):
        before = cpu_s(place.pids)
        reader = threading.Thread(target=_listen, args=(lines, late), daemon=True)
        reader.start()
        behind.churn(RATE, seconds)
        time.sleep(seconds / 3)
        early_mb = resident_mb(place.pids)
        time.sleep(seconds * 2 / 3 - 0.5)
        late_mb = resident_mb(place.pids)
        written = behind.churned()
        end = time.monotonic() + LATE_S
        while len(late) < written and time.monotonic() < end:
            time.sleep(BREATH_S)
        spent = cpu_s(place.pids) - before
        connection.shutdown(socket.SHUT_RDWR)  # the reader waits in it
        reader.join()
    if not late:
        raise SystemExit(f"bench: {place.name}: the watch told nothing")
    third = max(1, len(late) // 3)
    return {
        "written_s": round(written / seconds),
        "seen": len(late),
        "written": written,
        "first_third_ms": round(statistics.median(late[:third]) * 1e3, 1),
        "last_third_ms": round(statistics.median(late[-third:]) * 1e3, 1),
        "worst_ms": round(max(late) * 1e3, 1),
        "first_third_mb": round(early_mb, 1),
        "end_mb": round(late_mb, 1),
        "cpu_us": round(spent / max(1, len(late)) * 1e6, 1),
    }


@contextlib.contextmanager
def _watching(place: K8sPlace, group: str) -> Iterator[tuple[http.client.HTTPResponse, socket.socket]]:
    """A watch of the pods that change, as a program asks for it, from now on."""
    where = urlsplit(place.url)
    assert where.hostname is not None
    context = ssl.create_default_context(cafile=str(place.authority))
    connection = http.client.HTTPSConnection(where.hostname, where.port, context=context, timeout=60)
    path = f"{where.path}/api/v1/namespaces/{NAMESPACE}/pods"
    headers = {"Authorization": f"Bearer {place.token(group)}", "Accept": "application/json"}
    try:
        connection.request("GET", f"{path}?limit=1", headers=headers)
        version = json.loads(connection.getresponse().read())["metadata"]["resourceVersion"]
        connection.request("GET", f"{path}?watch=true&resourceVersion={version}", headers=headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise SystemExit(f"bench: {place.name}: the watch was answered {answer.status}")
        assert connection.sock is not None
        yield answer, connection.sock
    finally:
        connection.close()


def _listen(lines: http.client.HTTPResponse, late: list[float]) -> None:
    """Take the stamp of each event; the rest is not read, so that the reader is not what is measured."""
    mark = f'"{STAMP}"'.encode()
    with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
        while line := lines.readline():
            stamp = line.partition(mark)[2].partition(b'"')[2].partition(b'"')[0]
            late.append(time.time() - float(stamp))


# --- exec and cp --------------------------------------------------------------------------------------------------


def _echo(places: list[K8sPlace], count: int) -> dict[str, Any]:
    """A line goes to `cat` in a pod and comes back: in rounds, each with a session of its own."""
    cases = _cases(places)
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(3):
        for name, (place, group) in cases.items():
            times[name] += _lines(place, group, count // 3)
    return {
        name: {
            "p50_ms": round(statistics.median(some) * 1e3, 3),
            "p95_ms": round(sorted(some)[len(some) * 95 // 100] * 1e3, 3),
        }
        for name, some in times.items()
    }


def _lines(place: K8sPlace, group: str, count: int) -> list[float]:
    with subprocess.Popen(
        place.kubectl("exec", "-i", POD, "--", "cat", group=group), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as kubectl:
        assert kubectl.stdin is not None
        assert kubectl.stdout is not None
        times = []
        for number in range(count + WARM):
            begun = time.perf_counter()
            os.write(kubectl.stdin.fileno(), b"x\n")
            said = b""
            while not said.endswith(b"\n"):
                data = os.read(kubectl.stdout.fileno(), 4096)
                if not data:
                    raise SystemExit(f"bench: {place.name}: the exec ended")
                said += data
            if number >= WARM:
                times.append(time.perf_counter() - begun)
            time.sleep(BREATH_S)
        kubectl.stdin.close()
        return times


def _copies(places: list[K8sPlace], file: Path, rounds: int) -> dict[str, Any]:
    """`kubectl cp` to a pod, and back."""
    found: dict[str, Any] = {}
    copy = file.with_name("copy")
    for case in ("to", "from"):
        words = (str(file), f"{POD}:data") if case == "to" else (f"{POD}:data", str(copy))
        sums: dict[str, Bulk] = {}
        for _ in range(rounds):
            for place in places:
                before, begun = cpu_s(place.pids), time.monotonic()
                subprocess.run(place.kubectl("cp", *words), check=True, stdout=subprocess.DEVNULL)
                took = time.monotonic() - begun
                one = Bulk(file.stat().st_size / 1e6, took, cpu_s(place.pids) - before)
                sums[place.name] = sums.get(place.name, Bulk()).plus(one)
                if case == "from":
                    if copy.stat().st_size != file.stat().st_size:
                        raise SystemExit(f"bench: {place.name}: cp left {copy.stat().st_size} bytes")
                    copy.unlink()
        found[case] = {name: one.figures() for name, one in sums.items()}
    return found
