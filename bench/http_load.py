"""Load for the HTTP rows: keep-alive connections over plain sockets by a small client of ours, with TLS by wrk.

Ours writes one request at each of its connections, and the next when the answer has come: what wrk does, for Unix
sockets. Its own cost is in nobody's figures but the rate's.
"""

import re
import selectors
import shutil
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass

from bench.http_places import HttpPlace
from bench.measure import cpu_s

READ_BYTES = 1 << 20
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_DONE = re.compile(r"(\d+) requests in")
_PERCENTILE = re.compile(r"^ *(50|99)% +([\d.]+)(us|ms|s)$", re.MULTILINE)
_US = {"us": 1.0, "ms": 1e3, "s": 1e6}


@dataclass
class Requests:
    """Many short requests, or several such runs."""

    requests: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    latencies_us: tuple[float, ...] = ()

    def plus(self, other: "Requests") -> "Requests":
        """Both."""
        return Requests(
            self.requests + other.requests,
            self.seconds + other.seconds,
            self.cpu_s + other.cpu_s,
            self.latencies_us + other.latencies_us,
        )

    def figures(self) -> dict[str, float]:
        """What is reported."""
        ordered = sorted(self.latencies_us) or [0.0]
        return {
            "rps": round(self.requests / self.seconds, 1),
            "p50_us": round(ordered[len(ordered) // 2]),
            "p99_us": round(ordered[len(ordered) * 99 // 100]),
            "cpu_us": round(self.cpu_s / max(1, self.requests) * 1e6, 1),
        }


def asked(place: HttpPlace, path: str, group: str) -> bytes:
    """One request, as curl would send it."""
    lines = (f"GET {path} HTTP/1.1", "Host: localhost", "User-Agent: bench", "Accept: */*", *place.headers(group))
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def short(place: HttpPlace, path: str, group: str, *, clients: int, seconds: float) -> Requests:
    """Short requests without TLS, by ours."""
    request = asked(place, path, group)
    connections = [place.dial() for _ in range(clients)]
    for connection in connections:
        _answer(connection, request, place)  # the first admits its session, and is no part of the run
    selector = selectors.DefaultSelector()
    sent: dict[int, float] = {}
    for connection in connections:
        selector.register(connection, selectors.EVENT_READ)
    latencies: list[float] = []
    before, begun = cpu_s(place.pids), time.perf_counter()
    for connection in connections:
        sent[connection.fileno()] = time.perf_counter()
        connection.sendall(request)
    while time.perf_counter() - begun < seconds:
        for key, _ in selector.select(1.0):
            connection = key.fileobj  # type: ignore[assignment]  # only sockets were registered
            _read_answer(connection, place)
            now = time.perf_counter()
            latencies.append((now - sent[key.fd]) * 1e6)
            sent[key.fd] = now
            connection.sendall(request)
    took, after = time.perf_counter() - begun, cpu_s(place.pids)
    for connection in connections:
        connection.close()
    selector.close()
    return Requests(len(latencies), took, after - before, tuple(latencies))


def _answer(connection: socket.socket, request: bytes, place: HttpPlace) -> None:
    connection.sendall(request)
    _read_answer(connection, place)


def _read_answer(connection: socket.socket, place: HttpPlace) -> None:
    """Read one short answer to its end, which nearly always is one read."""
    data = connection.recv(READ_BYTES)
    while True:
        head, found, body = data.partition(b"\r\n\r\n")
        if found and b" 200" not in head[:13]:
            raise SystemExit(f"bench: {place.name} answered {data[:300]!r}")
        length = _LENGTH.search(head)
        if found and (len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n")):
            return
        more = connection.recv(READ_BYTES)
        if not more:
            raise SystemExit(f"bench: {place.name} hung up: {data[:300]!r}")
        data += more


def short_tls(place: HttpPlace, path: str, group: str, *, clients: int, seconds: float) -> Requests | None:
    """Short requests with TLS, by wrk; None where there is none."""
    program = shutil.which("wrk")
    if program is None:
        return None
    command = [program, "-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", "--latency"]
    for header in place.headers(group):
        command += ["-H", header]
    before, begun = cpu_s(place.pids), time.perf_counter()
    done = subprocess.run(
        [*command, f"https://localhost:{place.port}{path}"], capture_output=True, text=True, check=False
    )
    took, after = time.perf_counter() - begun, cpu_s(place.pids)
    count = _DONE.search(done.stdout)
    if done.returncode or count is None or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise SystemExit(f"bench: wrk at {place.name}: {done.stdout[-1500:]}{done.stderr[-500:]}")
    told = {found[1]: float(found[2]) * _US[found[3]] for found in _PERCENTILE.finditer(done.stdout)}
    # wrk tells two percentiles: a hundred latencies that have them say the same in the place of all.
    latencies = (told.get("50", 0.0),) * 98 + (told.get("99", 0.0),) * 2
    return Requests(int(count[1]), took, after - before, latencies)


@dataclass
class Transfer:
    """Large answers."""

    megabytes: float = 0.0
    seconds: float = 0.0
    cpu_s: float = 0.0

    def plus(self, other: "Transfer") -> "Transfer":
        """Both."""
        return Transfer(self.megabytes + other.megabytes, self.seconds + other.seconds, self.cpu_s + other.cpu_s)

    def figures(self) -> dict[str, float]:
        """What is reported."""
        return {
            "mb_s": round(self.megabytes / self.seconds, 1),
            "cpu_ms_mb": round(self.cpu_s / self.megabytes * 1e3, 3),
        }


def insecure() -> ssl.SSLContext:
    """TLS as wrk speaks it: nobody is verified."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def large(place: HttpPlace, path: str, group: str, *, tls: bool) -> Transfer:
    """Fetch one large answer and throw it away."""
    with place.dial_tls(insecure()) if tls else place.dial() as connection:
        _answer(connection, asked(place, "/crm/customers/42", group), place)
        before, begun = cpu_s(place.pids), time.perf_counter()
        connection.sendall(asked(place, path, group))
        received = _drain(connection, place)
        return Transfer(received / 1e6, time.perf_counter() - begun, cpu_s(place.pids) - before)


def _drain(connection: socket.socket, place: HttpPlace) -> int:
    buffer = memoryview(bytearray(READ_BYTES))
    data = bytes(buffer[: connection.recv_into(buffer)])
    while b"\r\n\r\n" not in data:
        data += connection.recv(READ_BYTES)
    head, _, body = data.partition(b"\r\n\r\n")
    if b" 200" not in head[:13]:
        raise SystemExit(f"bench: {place.name} answered {data[:300]!r}")
    received, tail, length = len(body), body[-7:], _LENGTH.search(head)
    while received < int(length[1]) if length else not tail.endswith(b"\r\n0\r\n\r\n"):
        count = connection.recv_into(buffer)
        if not count:
            raise SystemExit(f"bench: {place.name} ended in the middle of {place.name}'s answer")
        received += count
        if length is None:
            tail = (tail + bytes(buffer[max(0, count - 7) : count]))[-7:]
    return received


def idle(place: HttpPlace, path: str, count: int) -> list[socket.socket]:
    """Open so many connections with TLS, each asked once; the caller closes them."""
    context, request = insecure(), asked(place, path, "plain")
    opened: list[socket.socket] = []
    for _ in range(count):
        connection = place.dial_tls(context)
        _answer(connection, request, place)
        opened.append(connection)
    return opened
