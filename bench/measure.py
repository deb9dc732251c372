"""Figures: CPU of processes, latencies of pgbench, bulk transfers, and what a flush costs here."""

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psycopg
import psycopg.conninfo

from bench.places import Place, programs

READ_BYTES = 1 << 18


def cpu_s(pids: Iterable[int]) -> float:
    """CPU seconds of these processes, all their threads, user and system.

    To the nanosecond: /proc counts in hundredths of a second, and a quick transfer takes pgbouncer five of them.
    """
    return sum(time.clock_gettime(_cpu_clock(pid)) for pid in pids)


def _cpu_clock(pid: int) -> int:
    """The clock of a process's CPU time, as clock_getcpuclockid(3) makes its number."""
    return (~pid << 3) | 2


def resident_mb(pids: Iterable[int]) -> float:
    """Resident megabytes of these processes together: what they share of a file (libraries) is there once.

    Not PSS: that would hand a part of it to whatever else happens to run, another gateway of the bench among it.
    Of a piece of a file of which they hold different pages the larger part counts.
    """
    private, of_files = 0, dict[str, dict[int, int]]()
    for pid in pids:
        place = ""
        for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
            name, *rest = line.split()
            if not name.endswith(":"):
                place = " ".join((rest[1], *rest[4:]))  # offset and path
            elif name == "Rss:":
                whole = int(rest[0])
            elif name == "Anonymous:":
                private += int(rest[0])
                shared = of_files.setdefault(place, {})
                shared[pid] = shared.get(pid, 0) + whole - int(rest[0])
    return (private + sum(max(held.values()) for held in of_files.values())) / 1024


def rss_mb(pids: Iterable[int]) -> float:
    """The same with what they share counted in each of them, as `ps` shows it."""
    whole = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        whole += next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    return whole / 1024


def flush_us(folder: Path, count: int = 200) -> float:
    """The median of an append of 2 KB and its fdatasync in this folder, in microseconds."""
    path, times = folder / "flush.probe", []
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        for _ in range(count):
            os.write(descriptor, bytes(2048))
            begun = time.perf_counter()
            os.fdatasync(descriptor)
            times.append(time.perf_counter() - begun)
    finally:
        os.close(descriptor)
        path.unlink()
    return statistics.median(times) * 1e6


@dataclass
class Run:
    """One pgbench run, or several added together."""

    transactions: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    latencies_us: tuple[int, ...] = ()

    def plus(self, other: "Run") -> "Run":
        """Both."""
        return Run(
            self.transactions + other.transactions,
            self.seconds + other.seconds,
            self.cpu_s + other.cpu_s,
            self.latencies_us + other.latencies_us,
        )

    def figures(self) -> dict[str, float]:
        """What is reported."""
        ordered = sorted(self.latencies_us)
        count = max(1, self.transactions)
        return {
            "tps": round(self.transactions / self.seconds, 1) if self.seconds else 0.0,
            "p50_us": ordered[len(ordered) // 2] if ordered else 0,
            "p99_us": ordered[len(ordered) * 99 // 100] if ordered else 0,
            "cpu_us": round(self.cpu_s / count * 1e6, 1),
        }


def pgbench(place: Place, *, mode: str, clients: int, seconds: float, tls: bool, connect: bool = False) -> Run:
    """`pgbench -S` for so long; `connect`: a new connection for each transaction."""
    folder = Path(tempfile.mkdtemp(prefix="doorward-pgbench-"))
    command = [str(programs() / "pgbench"), "-n", "-S", "-M", mode, "-c", str(clients), "-j", str(min(clients, 2))]
    command += ["-T", str(max(1, round(seconds))), "-l", f"--log-prefix={folder}/log", *(["-C"] if connect else [])]
    try:
        before = cpu_s(place.pids)
        begun = time.monotonic()
        done = subprocess.run(command, env=place.environment(tls=tls), capture_output=True, text=True, check=False)
        took, after = time.monotonic() - begun, cpu_s(place.pids)
        if done.returncode:
            raise SystemExit(f"bench: pgbench at {place.name}: {done.stderr[-2000:]}")
        latencies = [int(line.split()[2]) for path in folder.iterdir() for line in path.read_text().splitlines()]
    finally:
        shutil.rmtree(folder)
    # The run is timed by its slowest stop; connecting is part of it only where connecting is what is measured.
    # Where nothing at all was done there is no rate.
    rates = (float(line.split()[2]) for line in done.stdout.splitlines() if line.startswith("tps = "))
    rate = next(rates, 0.0)
    seconds = len(latencies) / rate if rate else took
    return Run(len(latencies), seconds, after - before, tuple(latencies))


@dataclass
class Bulk:
    """One large transfer."""

    megabytes: float = 0.0
    seconds: float = 0.0
    cpu_s: float = 0.0

    def plus(self, other: "Bulk") -> "Bulk":
        """Both."""
        return Bulk(self.megabytes + other.megabytes, self.seconds + other.seconds, self.cpu_s + other.cpu_s)

    def figures(self) -> dict[str, float]:
        """What is reported."""
        return {
            "mb_s": round(self.megabytes / self.seconds, 1),
            "cpu_ms_mb": round(self.cpu_s / self.megabytes * 1e3, 3),
        }


def bulk(place: Place, statement: str, *, tls: bool, password: str | None = None) -> Bulk:
    """Fetch a large result and throw it away; the megabytes are those that the client received."""
    environment = place.environment(tls=tls, password=password)
    if tls:
        return _bulk_psql(place, statement, environment)
    info = psycopg.conninfo.make_conninfo(
        host=environment["PGHOST"],
        port=environment["PGPORT"],
        user="app",
        password=environment["PGPASSWORD"],
        dbname=environment["PGDATABASE"],
    )
    with psycopg.connect(info, autocommit=True) as client:
        # The first statement of a minute may read the catalogue again, which is no part of a transfer.
        _drain(client.pgconn.socket, "SELECT id FROM clean LIMIT 1")
        before, begun = cpu_s(place.pids), time.monotonic()
        received = _drain(client.pgconn.socket, statement)
        return Bulk(received / 1e6, time.monotonic() - begun, cpu_s(place.pids) - before)


def _drain(descriptor: int, statement: str) -> int:
    """Ask on a logged-in connection, and read until ReadyForQuery: no client library stands in the way."""
    os.set_blocking(descriptor, True)
    body = statement.encode() + b"\0"
    os.write(descriptor, b"Q" + (len(body) + 4).to_bytes(4, "big") + body)
    received, tail = 0, b""
    while not tail.endswith(b"Z\x00\x00\x00\x05I"):
        data = os.read(descriptor, READ_BYTES)
        if not data or (not received and data[:1] == b"E"):
            raise SystemExit(f"bench: {statement}: {(tail + data)[:300]!r}")
        received += len(data)
        tail = (tail + data)[-6:]
    return received


def _bulk_psql(place: Place, statement: str, environment: dict[str, str]) -> Bulk:
    """With TLS psql reads, and discards in a child of its own; its bytes are those of its text output."""
    command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", "FETCH_COUNT=0", "-c", statement]
    before, begun = cpu_s(place.pids), time.monotonic()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        received = 0
        while data := os.read(child.stdout.fileno(), READ_BYTES):
            received += len(data)
    if child.returncode:
        raise SystemExit(f"bench: psql at {place.name} failed")
    return Bulk(received / 1e6, time.monotonic() - begun, cpu_s(place.pids) - before)
