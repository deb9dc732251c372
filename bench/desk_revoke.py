"""From a revocation to the end of the sessions it means: idle ones, and ones that wait for people."""

import select
import socket
import threading
import time
from typing import Any

import psycopg

from bench.desk_places import WAIT_S, Control, Gate
from bench.desk_votes import spread

IDLE, HELD = 10, 10


def measure(gate: Gate, rounds: int) -> dict[str, Any]:
    """How long after an operator's POST each client's socket had ended, in ms; each round has a subject of its own."""
    operator = Control(gate.home / "approvals.sock", gate.approver())
    times: list[float] = []
    for number in range(rounds):
        subject = f"revoked-{number}"
        clients = [gate.connect(subject) for _ in range(IDLE + HELD)]
        waiting = [threading.Thread(target=_held, args=(client,)) for client in clients[IDLE:]]
        for one in waiting:
            one.start()
        _until_held(operator, HELD)
        # A descriptor of our own: the driver reads the held ones, and closes them when they end.
        watched = [socket.socket(fileno=socket.dup(client.fileno())) for client in clients]
        begun = time.perf_counter()
        ends = threading.Thread(target=_ends, args=(watched, begun, times))
        ends.start()
        operator.call("POST", "/v1/revocations", {"what": "subject", "value": subject, "reason": "bench"})
        for one in (*waiting, ends):
            one.join(WAIT_S)
        for twin in watched:
            twin.close()
        for client in clients:
            client.close()
    operator.close()
    if len(times) != rounds * (IDLE + HELD):
        raise SystemExit(f"bench: {len(times)} of {rounds * (IDLE + HELD)} revoked sessions ended")
    return spread(times)


def _held(client: psycopg.Connection[tuple[object, ...]]) -> None:
    try:
        client.execute("UPDATE customer SET note = 'never' WHERE id = 7")
    except psycopg.Error:
        return
    raise SystemExit("bench: what was held for a revoked subject was done")


def _until_held(operator: Control, count: int) -> None:
    end = time.monotonic() + WAIT_S
    while len(operator.call("GET", "/v1/approvals?state=pending")["approvals"]) < count:
        if time.monotonic() > end:
            raise SystemExit("bench: not everything was held")
        time.sleep(0.005)


def _ends(watched: list[socket.socket], begun: float, times: list[float]) -> None:
    """When each connection's other side had ended: EPOLLRDHUP is told behind unread bytes, and reads none of them."""
    poll = select.epoll()
    for one in watched:
        poll.register(one, select.EPOLLRDHUP)
    left = {one.fileno() for one in watched}
    while left:
        found = poll.poll(WAIT_S)
        if not found:
            break
        now = time.perf_counter()
        for fileno, _ in found:
            left.discard(fileno)
            poll.unregister(fileno)
            times.append((now - begun) * 1000)
    poll.close()
