"""`make bench`: direct, pgbouncer and Doorward in one run, alternating; bench/README.md says how to read it.

QUICK=1 makes a run of a few minutes, whose figures are rougher.
ONLY=pgbench,bulk,connect,log,http,ssh,k8s,search,evidence,desk chooses parts.
"""

import os
import platform
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import desk_part, event_log, evidence_part, http_part, k8s_part, search_part, ssh_part
from bench.measure import Bulk, Run, bulk, flush_us, pgbench, resident_mb, rss_mb
from bench.places import ROOT, Doorward, Place, connect, everything, programs, write_json
from bench.table import table

QUICK = os.environ.get("QUICK", "") not in {"", "0"}
ONLY = frozenset(filter(None, os.environ.get("ONLY", "").split(",")))
POSTGRES = frozenset({"pgbench", "connect", "bulk"})
PARTS = POSTGRES | {"log", "http", "ssh", "k8s", "search", "evidence", "desk"}
LEGS = frozenset({"plain", "tls"})
ROUNDS, SECONDS = (1, 1.0) if QUICK else (2, 2.0)
SCALE = 2 if QUICK else 10
BULK_MB = 40 if QUICK else 200
LOG_SECONDS = 3.0 if QUICK else 10.0
SEARCH_EVENTS = 100_000 if QUICK else 1_000_000
RESULTS = ROOT / "bench" / "results"

WORDS = "the quarterly order was shipped to its customer in good time and the invoice paid on the agreed day "
MAKE = """
CREATE TABLE {name} AS SELECT i AS id, 'Customer number ' || i AS name, {email} AS email,
  '{words}for order number ' || lpad(i::text, 9, '0') AS note FROM generate_series(1, {rows}) AS i
"""


def prepare(server: Place) -> None:
    """Make pgbench's tables, and two of one size: with nothing to find, and with an address in each row."""
    subprocess.run(
        [str(programs() / "pgbench"), "-i", "-q", "-s", str(SCALE)],
        env=server.environment(tls=False), check=True, capture_output=True,
    )  # fmt: skip
    rows = BULK_MB * 1_000_000 // 214
    with connect(server) as admin:
        admin.execute("CREATE TABLE secret (token text)")
        clean = "'customer number ' || lpad(i::text, 9, '0')"
        dense = "'customer' || lpad(i::text, 8, '0') || '@mail.test'"
        admin.execute(MAKE.format(name="clean", email=clean, words=WORDS, rows=rows))
        admin.execute(MAKE.format(name="dense", email=dense, words=WORDS, rows=rows))
        admin.execute("VACUUM ANALYZE")


def pgbench_part(places: list[Place], *, tls: bool) -> dict[str, Any]:
    """Every mode and number of clients, place after place, several rounds."""
    found: dict[str, Any] = {}
    for mode in ("simple", "prepared"):
        for clients in (1, 8, 32):
            sums = {place.name: Run() for place in places}
            for _ in range(ROUNDS):
                for place in places:
                    sums[place.name] = sums[place.name].plus(
                        pgbench(place, mode=mode, clients=clients, seconds=SECONDS, tls=tls)
                    )
            found[f"{mode} {clients}"] = {name: run.figures() for name, run in sums.items()}
    return found


BULK = (
    ("unmasked", "clean", "plain"),
    ("column mask", "dense", "masked"),
    ("detectors, clean", "clean", "scanned"),
    ("detectors, dense", "dense", "scanned"),
)


def bulk_part(places: list[Place], *, tls: bool) -> dict[str, Any]:
    """SELECT and COPY of a large table: unmasked at every place, masked at direct and Doorward."""
    found: dict[str, Any] = {}
    for verb, form in (("SELECT", "SELECT id, name, email, note FROM {}"), ("COPY", "COPY {} TO STDOUT")):
        for what, name, group in BULK:
            sums: dict[str, Bulk] = {}
            for _ in range(ROUNDS):
                for place in places:
                    if place.name == "doorward-unflushed" or (place.name == "pgbouncer" and group != "plain"):
                        continue
                    token = place.token(group) if isinstance(place, Doorward) else None
                    run = bulk(place, form.format(name), tls=tls, password=token)
                    sums[place.name] = sums.get(place.name, Bulk()).plus(run)
            found[f"{verb} {what}"] = {place: run.figures() for place, run in sums.items()}
    return found


def connect_part(places: list[Place], *, tls: bool) -> dict[str, Any]:
    """A new connection for each row, 4 clients."""
    sums = {place.name: Run() for place in places}
    for _ in range(ROUNDS):
        for place in places:
            sums[place.name] = sums[place.name].plus(
                pgbench(place, mode="simple", clients=4, seconds=SECONDS, tls=tls, connect=True)
            )
    return {name: run.figures() for name, run in sums.items()}


def wanted(name: str, of: frozenset[str]) -> bool:
    """Whether this one of these is to be measured: all are, where none is named."""
    return name in ONLY or not ONLY & of


def postgres_parts(folder: Path, results: dict[str, Any]) -> None:
    """What is measured with PostgreSQL."""
    with everything(folder) as places:
        gateways = [place for place in places if isinstance(place, Doorward)]
        results["idle_rss_mb"] = {place.name: round(rss_mb(place.pids), 1) for place in places if place.pids}
        results["idle_mb"] = {place.name: round(resident_mb(place.pids), 1) for place in places if place.pids}
        results["flush_us"] = round(flush_us(gateways[0].state), 1)
        prepare(places[0])
        for tls in (False, True):
            name = "tls" if tls else "plain"
            part = results[name] = {}
            for title, measure in (("pgbench", pgbench_part), ("connect", connect_part), ("bulk", bulk_part)):
                if wanted(title, PARTS) and wanted(name, LEGS):
                    print(f"bench: {title}, TLS {'on' if tls else 'off'}", flush=True)
                    part[title] = measure(places, tls=tls)
        results["after_mb"] = {place.name: round(resident_mb(place.pids), 1) for place in places if place.pids}


def measured(folder: Path) -> dict[str, Any]:
    """Everything."""
    results: dict[str, Any] = {
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {"cpus": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()},
        "record": {
            "level": "shape",
            "doorward": "every guarantee: nothing is released before its record is flushed (fdatasync)",
            "doorward-unflushed": "the log is written, its flush is not waited for (a measuring aid)",
        },
        "load_before": round(os.getloadavg()[0], 2),
        "seconds": SECONDS,
        "rounds": ROUNDS,
        "bulk_mb": BULK_MB,
    }
    if any(wanted(part, PARTS) for part in POSTGRES):
        postgres_parts(folder, results)
    if wanted("log", PARTS):
        print("bench: event log", flush=True)
        results["log"] = event_log.measure(folder / "events", seconds=LOG_SECONDS, jobs=os.cpu_count() or 1)
    if wanted("evidence", PARTS):
        print("bench: evidence", flush=True)
        results["evidence"] = evidence_part.measure(folder / "evidence", count=100_000 if QUICK else 1_000_000)
    if wanted("http", PARTS):
        print("bench: HTTP", flush=True)
        results["http"] = http_part.measure(folder / "http", quick=QUICK)
    if wanted("ssh", PARTS):
        print("bench: SSH", flush=True)
        results["ssh"] = ssh_part.measure(folder / "ssh", quick=QUICK)
    if wanted("k8s", PARTS):
        results["k8s"] = k8s_part.measure(folder / "k8s", quick=QUICK)
    if wanted("search", PARTS):
        print("bench: the desk's search", flush=True)
        results["search"] = search_part.measure(folder / "search", count=SEARCH_EVENTS)
    if wanted("desk", PARTS):
        results["desk"] = desk_part.measure(folder / "desk", quick=QUICK)
    return results


def main() -> None:
    """Measure, print, write."""
    folder = Path(tempfile.mkdtemp(prefix="doorward-bench-", dir="/var/tmp"))
    folder.chmod(0o711)  # servers run as somebody else
    try:
        results = measured(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    RESULTS.mkdir(exist_ok=True)
    write_json(RESULTS / "latest.json", results)
    print(table(results))


if __name__ == "__main__":
    main()
