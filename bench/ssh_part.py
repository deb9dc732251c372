"""The SSH rows: direct, `ssh -J` and Doorward, alternating."""

import contextlib
import os
import pty
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.measure import READ_BYTES, Bulk, cpu_s, flush_us, resident_mb
from bench.ssh_places import SshPlace, ssh_places

SHELLS, TRANSFERS = 100, 10
SAMPLE_S = 0.1
SETTLE_S = 2.0
LINE = b"2026-11-23 10:00:00 the quarterly order was shipped in good time and the invoice paid on the agreed day\n"


def measure(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Everything."""
    logins, keys, megabytes, rounds = (6, 60, 40, 1) if quick else (20, 300, 200, 2)
    with ssh_places(folder) as places:
        file = folder / "data"
        file.write_bytes(LINE * (megabytes * 1_000_000 // len(LINE)))
        found: dict[str, Any] = {"megabytes": megabytes, "flush_us": round(flush_us(places[-1].state), 1)}
        found["idle_mb"] = {place.name: round(resident_mb(place.pids), 1) for place in places if place.pids}
        found["exchange"] = {place.name: negotiated(place) for place in places if place.name != "ssh -J"}
        found["connect"] = _connect(places, logins)
        found["echo"] = _echo(places, keys)
        found["bulk"] = _bulk(places, file, rounds)
        found["crowd"] = {place.name: crowd(place, file) for place in places if place.pids}
    return found


def negotiated(place: SshPlace) -> str:
    """The key exchange where the client has its own preference."""
    words = [word for word in place.ssh("true", extra=("-v",)) if not word.startswith(("KexAlg", "LogLevel"))]
    kept = [word for at, word in enumerate(words) if word != "-o" or "=" in words[at + 1]]
    done = subprocess.run(kept, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    lines = (line for line in done.stderr.splitlines() if "kex: algorithm:" in line)
    return next(lines, "?").rpartition(" ")[2]


def _connect(places: list[SshPlace], count: int) -> dict[str, Any]:
    """`ssh host true`, one after another, place after place."""
    times: dict[str, list[float]] = {place.name: [] for place in places}
    for number in range(count + 1):
        for place in places:
            begun = time.perf_counter()
            subprocess.run(place.ssh("true"), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            if number:  # the first of each is for caches
                times[place.name].append(time.perf_counter() - begun)
    return {name: _times_ms(some) for name, some in times.items()}


def _times_ms(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {
        "p50_ms": round(statistics.median(ordered) * 1e3, 3),
        "p95_ms": round(ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)] * 1e3, 3),
    }


def _echo(places: list[SshPlace], count: int) -> dict[str, Any]:
    """A key is pressed in a terminal, and its echo comes back: in rounds, each with a session of its own."""
    times: dict[str, list[float]] = {place.name: [] for place in places}
    for _ in range(3):
        for place in places:
            times[place.name] += _keys(place, count // 3)
    return {name: _times_ms(some) for name, some in times.items()}


def _keys(place: SshPlace, count: int) -> list[float]:
    with _terminal(place, "cat") as terminal:
        times = []
        for number in range(count + 5):
            begun = time.perf_counter()
            os.write(terminal, b"x")
            while b"x" not in os.read(terminal, 4096):
                pass
            if number >= 5:
                times.append(time.perf_counter() - begun)
            time.sleep(0.01)  # a quick typist
        return times


@contextlib.contextmanager
def _terminal(place: SshPlace, *words: str) -> Iterator[int]:
    """A session with a terminal; ready when the other end has answered."""
    ours, theirs = pty.openpty()
    ssh = subprocess.Popen(place.ssh(*words, extra=("-tt",)), stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        time.sleep(1.0)  # until its terminal is raw: before, our own would echo
        os.write(ours, b"ready\n")
        said = b""
        while said.count(b"ready") < 2:
            said += os.read(ours, 4096)
        yield ours
    finally:
        ssh.kill()
        ssh.wait()
        os.close(ours)


def _bulk(places: list[SshPlace], file: Path, rounds: int) -> dict[str, Any]:
    cases = (
        ("download", "plain", _download),
        ("download, detectors", "scanned", _download),
        ("upload", "plain", _upload),
        ("scp from", "plain", _scp_from),
        ("scp to", "plain", _scp_to),
    )
    found: dict[str, Any] = {}
    for case, group, run in cases:
        sums: dict[str, Bulk] = {}
        for _ in range(rounds):
            for place in places:
                if group not in place.groups:
                    continue
                before, begun = cpu_s(place.pids), time.monotonic()
                run(place, file, group)
                took = time.monotonic() - begun
                one = Bulk(file.stat().st_size / 1e6, took, cpu_s(place.pids) - before)
                sums[place.name] = sums.get(place.name, Bulk()).plus(one)
        found[case] = {name: one.figures() for name, one in sums.items()}
    return found


def _download(place: SshPlace, file: Path, group: str) -> None:
    with subprocess.Popen(
        place.ssh(f"cat {file}", group=group), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as ssh:
        assert ssh.stdout is not None
        received = 0
        while data := os.read(ssh.stdout.fileno(), READ_BYTES):
            received += len(data)
    if ssh.returncode or received != file.stat().st_size:
        raise SystemExit(f"bench: {place.name}: {received} bytes came, and status {ssh.returncode}")


def _upload(place: SshPlace, file: Path, group: str) -> None:
    with file.open("rb") as source:
        subprocess.run(place.ssh("dd of=/dev/null bs=1M status=none", group=group), stdin=source, check=True)


def _scp_from(place: SshPlace, file: Path, group: str) -> None:
    copy = file.with_name("copy")
    subprocess.run(["scp", "-q", *place.given(group), f"{place.host}:{file}", str(copy)], check=True)
    _same(place, file, copy)


def _scp_to(place: SshPlace, file: Path, group: str) -> None:
    copy = file.with_name("copy")
    subprocess.run(["scp", "-q", *place.given(group), str(file), f"{place.host}:{copy}"], check=True)
    _same(place, file, copy)


def _same(place: SshPlace, file: Path, copy: Path) -> None:
    if copy.stat().st_size != file.stat().st_size:
        raise SystemExit(f"bench: {place.name}: scp left {copy.stat().st_size} bytes")
    copy.unlink()


def crowd(place: SshPlace, file: Path) -> dict[str, float]:
    """Resident megabytes: before, with idle shells, at most while ten transfers run beside them, and after those."""
    before = resident_mb(place.pids)
    shells = [
        subprocess.Popen(
            place.ssh(extra=("-tt",)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        for _ in range(SHELLS)
    ]
    try:
        alive = sum(_prompted(shell) for shell in shells)
        time.sleep(SETTLE_S)
        with_shells = resident_mb(place.pids)
        transfers = [threading.Thread(target=_download, args=(place, file, "plain")) for _ in range(TRANSFERS)]
        begun, peak = time.monotonic(), with_shells
        for transfer in transfers:
            transfer.start()
        while any(transfer.is_alive() for transfer in transfers):
            peak = max(peak, resident_mb(place.pids))
            time.sleep(SAMPLE_S)
        took = time.monotonic() - begun
        time.sleep(SETTLE_S)
        after = resident_mb(place.pids)
    finally:
        for shell in shells:
            shell.kill()
            shell.wait()
            for stream in (shell.stdin, shell.stdout):
                if stream is not None:
                    stream.close()
    return {
        "shells": alive,
        "before": round(before, 1),
        "with_shells": round(with_shells, 1),
        "peak": round(peak, 1),
        "after": round(after, 1),
        "mb_s": round(TRANSFERS * file.stat().st_size / 1e6 / took, 1),
    }


def _prompted(shell: subprocess.Popen[bytes]) -> bool:
    """Wait until a shell has said something, which is its prompt; what it says after that stays in the pipe."""
    assert shell.stdout is not None
    return bool(os.read(shell.stdout.fileno(), 1)) and shell.poll() is None
