"""The desk's rows: from a vote to its result, the inbox, and searches, at running processes."""

import shutil
import time
from pathlib import Path
from typing import Any

from bench import desk_pages, desk_revoke, desk_votes, search_log
from bench.desk_places import desk, gate
from bench.measure import flush_us
from bench.places import Place, connect, postgres
from doorward_console.index import build
from doorward_console.index.build import Source
from doorward_demo.certificates import write_certificates


def measure(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Everything."""
    folder.mkdir()
    folder.chmod(0o711)  # the server runs as somebody else
    write_certificates(folder / "tls")
    with postgres(folder, folder / "tls") as server:
        with connect(server) as admin:
            admin.execute("CREATE TABLE customer AS SELECT i AS id, 'x' AS note FROM generate_series(1, 1000) AS i")
            admin.execute("CREATE UNIQUE INDEX ON customer (id)")
        return {
            "flush_us": round(flush_us(folder), 1),
            "release": _release(folder / "votes", server, 20 if quick else 100),
            "revoked": _revoked(folder / "revoked", server, 3 if quick else 10),
            **_pages(folder / "pages", server, 100_000 if quick else 1_000_000, 10 if quick else 30),
        }


def _release(folder: Path, server: Place, count: int) -> dict[str, Any]:
    print("bench: the desk, from a vote to its result", flush=True)
    with gate(folder / "gate", server) as before, desk(before, folder / "desk", before.home / "log"):
        return desk_votes.measure(before, count)


def _revoked(folder: Path, server: Place, rounds: int) -> dict[str, Any]:
    print("bench: from a revocation to the end of the sessions it means", flush=True)
    with gate(folder, server) as before:
        return desk_revoke.measure(before, rounds)


def _pages(folder: Path, server: Place, events: int, count: int) -> dict[str, Any]:
    """Pages of a desk whose gateway has many requests waiting, and whose log is a long one."""
    print("bench: the desk, its pages", flush=True)
    log = search_log.write(folder, events, time.time_ns())
    (folder / "desk").mkdir()
    begun = time.perf_counter()
    built = build.rebuild(folder / "desk" / "index.sqlite", [Source("bench", log)])
    took = time.perf_counter() - begun
    with gate(folder / "gate", server, desk_pages.fill) as before, desk(before, folder / "desk", log):
        found = {"pages": desk_pages.measure(before, count), "events": built.events, "events_s": built.events / took}
    shutil.rmtree(folder)
    return found
