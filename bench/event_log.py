"""The event log alone: events appended a second, how long a flush is waited for, entries verified a second."""

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import trio

from bench.measure import flush_us
from doorward_core.event import Event, Outcome, Status
from doorward_core.model import (
    Action,
    Atom,
    AuthMethod,
    Decision,
    Effect,
    Identity,
    Match,
    Operation,
    Peer,
    Permit,
    PrincipalKind,
    ReasonCode,
    RecordLevel,
    Resource,
    Session,
    Target,
)
from doorward_core.record.verify import verify
from doorward_core.record.writer import Log
from doorward_core.scribe import Scribe

TEXT = "SELECT abalance FROM pgbench_accounts WHERE aid = $1"
BATCH = 200  # between two looks at whether the writer keeps up
DIFFERENT = 20_000
RATES = (10_000, 50_000, 100_000)
"""Events a second while somebody waits for a flush: a busy gateway, and up to as many as the log is to take."""
WAIT_EACH_S = 0.005
TICK_S = 0.0005


def _session() -> Session:
    identity = Identity(
        "crew-analyst-7", "http://127.0.0.1:9400", PrincipalKind.AGENT, frozenset({"plain"}), AuthMethod.JWT,
        os.urandom(16).hex(), 0, 2**62, sponsor="maria",
    )  # fmt: skip
    return Session(
        os.urandom(16), identity, Resource("bench", "postgres"), "app", Peer("127.0.0.1"), "bench.gateway", 0,
        bytes(32),
    )  # fmt: skip


def _events(session: Session) -> Iterator[Event]:
    """What one prepared `pgbench -S` transaction writes: decided, finished; over and over."""
    atom = Atom(Action.READ, Target("relation", "public.pgbench_accounts", ("abalance", "aid")))
    match = Match("reads", bytes(32), Effect.PERMIT, atom)
    decision = Decision(Effect.PERMIT, ReasonCode.RULE, "", bytes(32), (), (match,))
    scribe, atoms, seq = Scribe(session), (atom,), 0
    while True:
        seq += 1
        operation = Operation(
            os.urandom(16), seq, Action.READ, "SELECT", atoms, TEXT, bytes(32), pure=True,
            parameters=(str(seq),), attributes={"search_path": '"$user", public', "database": "bench", "problem": ""},
        )  # fmt: skip
        yield scribe.decided(operation, decision)
        outcome = Outcome(
            Status.OK, rows=1, bytes_up=73, bytes_down=12, columns=("abalance",), duration_ns=90_000,
            shown=b"D\0\0\0\x0b\0\1\0\0\0\1\x30", shown_format="postgresql.datarow", shown_digest=bytes(32),
        )  # fmt: skip
        # Only the gate makes a Permit; what is read of one here is these three.
        permit = cast("Permit", SimpleNamespace(operation=operation, decision=decision, entry=seq))
        yield scribe.finished(permit, outcome, RecordLevel.SHAPE)


async def _sustained(folder: Path, seconds: float) -> tuple[int, float, float]:
    """As many as the writer takes, for so long: how many, seconds until the last was durable, and our CPU."""
    made = _made()
    async with trio.open_nursery() as nursery:
        log = await Log.open(folder / "log", origin="bench", signer=folder / "log.key", nursery=nursery)
        begun, before = time.perf_counter(), time.process_time()
        index, done = 0, 0
        while time.perf_counter() - begun < seconds:
            for place in range(done, done + BATCH):
                index = log.append(made[place % len(made)], time.time_ns())
            done += BATCH
            await log.room()
            await trio.lowlevel.checkpoint()
        cpu = time.process_time() - before
        await log.durable(index)
        took = time.perf_counter() - begun
        await log.aclose()
    return done, took, cpu


async def _waits(folder: Path, rate: int, seconds: float) -> dict[str, float]:
    """At so many events a second, and one more each 5 ms that is waited for: how long until that one is durable."""
    made, times = _made(), list[float]()
    async with trio.open_nursery() as nursery:
        log = await Log.open(folder / "log", origin="bench", signer=folder / "log.key", nursery=nursery)

        async def one() -> None:
            begun = time.perf_counter()
            await log.durable(log.append(made[0], time.time_ns()))
            times.append(time.perf_counter() - begun)

        begun, done, waiters = time.perf_counter(), 0, 0
        async with trio.open_nursery() as waiting:
            while (now := time.perf_counter() - begun) < seconds:
                owed = min(int(now * rate) - done, BATCH)
                for place in range(done, done + owed):
                    log.append(made[place % len(made)], time.time_ns())
                done += owed
                if now >= waiters * WAIT_EACH_S:
                    waiters += 1
                    waiting.start_soon(one)
                await log.room()
                await trio.sleep(0 if owed == BATCH else TICK_S)
            took = time.perf_counter() - begun
        await log.aclose()
    ordered = sorted(times)
    return {
        "asked_s": rate,
        "events_s": round(done / took),
        "p50_ms": round(ordered[len(ordered) // 2] * 1000, 2),
        "p99_ms": round(ordered[len(ordered) * 99 // 100] * 1000, 2),
    }


def _made() -> list[Event]:
    source = _events(_session())
    return [next(source) for _ in range(DIFFERENT)]


def _verified(log: Path, jobs: int) -> tuple[int, float]:
    """Entries a second, and microseconds of our own CPU for each."""
    begun, before = time.perf_counter(), time.process_time()
    report = verify(log, jobs=jobs)
    if not report.ok:
        raise SystemExit(f"bench: the log does not verify: {report.problems[:3]}")
    cpu = (time.process_time() - before) / report.size * 1e6
    return round(report.size / (time.perf_counter() - begun)), round(cpu, 1)


def measure(folder: Path, *, seconds: float, jobs: int) -> dict[str, Any]:
    """Append for so long (header and payload as pgbench's), verify the log; and wait for flushes beside a load."""
    folder.mkdir()
    children = _children_s()
    done, took, cpu = trio.run(_sustained, folder, seconds)
    writer = _children_s() - children
    several, _ = _verified(folder / "log", jobs)
    one, one_us = _verified(folder / "log", 1)
    places = {rate: folder / str(rate) for rate in RATES}
    for place in places.values():
        place.mkdir()
    return {
        "events": done,
        "seconds": round(took, 1),
        "events_s": round(done / took),
        "append_cpu_us": round(cpu / done * 1e6, 1),
        "writer_cpu_us": round(writer / done * 1e6, 1),
        "verified_s": several,
        "verified_one_s": one,
        "verify_cpu_us": one_us,
        "verify_jobs": jobs,
        "flush_us": round(flush_us(folder), 1),
        "waits": [trio.run(_waits, place, rate, seconds / 2) for rate, place in places.items()],
    }


def _children_s() -> float:
    """CPU seconds of processes of ours that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
