"""Many clients at once, and what the gateway says of itself while they are there."""

import socket
import struct
import threading
import time
from contextlib import contextmanager

from raw_client import RawClient, connect_patiently

FIGURES = {
    "tasks": "doorward_tasks",
    "descriptors": "process_open_fds",
    "memory": "process_resident_memory_bytes",
    "sessions": "doorward_sessions",
    "connections": "doorward_connections",
    "failed": "doorward_connections_failed",
    "refused": "doorward_connections_refused",
}


def figures(gateway):
    """What the gateway's own metrics say just now."""
    said = dict(line.rsplit(" ", 1) for line in gateway.probe("/metrics")[1].splitlines() if line[:1] != "#")
    return {name: float(said[metric]) for name, metric in FIGURES.items()}


def settled(gateway, wanted, within_s=120):
    """The figures, once those in `wanted` are what they are said to become."""
    end = time.monotonic() + within_s
    while True:
        now = figures(gateway)
        if all(now[name] <= value for name, value in wanted.items()):
            return now
        assert time.monotonic() < end, (now, wanted)
        time.sleep(0.05)


def works_on(gateway, words, within_s=120):
    """Wait until the target works on a statement with these words: until then a cancel request may come too early."""
    end = time.monotonic() + within_s
    with gateway.target.connect("app") as direct:
        query = (
            "select count(*) from pg_stat_activity where state = 'active' and query like %s and pid <> pg_backend_pid()"
        )
        while direct.execute(query, (f"%{words}%",)).fetchone() != (1,):
            assert time.monotonic() < end, words
            time.sleep(0.02)


@contextmanager
def together(*works):
    """Run each in a thread beside the block; what one raises is raised at the end."""
    caught = []

    def guarded(work):
        try:
            work()
        except BaseException as error:
            caught.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join(500)
    if caught:
        raise caught[0]


def address(gateway):
    return str(gateway.sockets / f".s.PGSQL.{gateway.port}")


def plain(gateway):
    """A connection that has said nothing yet."""
    connected = socket.socket(socket.AF_UNIX)
    connected.settimeout(120)
    connect_patiently(connected, address(gateway))
    gateway.clients.append(connected)  # closed with the gateway, at the latest
    return connected


def vanish(connected):
    """Leave without a goodbye; over TCP with a reset."""
    if connected.family == socket.AF_INET:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connected.close()


def login(gateway, token):
    return RawClient.login(gateway, token=token)
