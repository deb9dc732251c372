"""The event log alone: events appended a second until durable, entries verified a second."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import trio

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


async def _append(folder: Path, count: int) -> tuple[float, float]:
    source = _events(_session())
    made = [next(source) for _ in range(min(count, 20_000))]
    async with trio.open_nursery() as nursery:
        log = await Log.open(folder / "log", origin="bench", signer=folder / "log.key", nursery=nursery)
        begun, before = time.perf_counter(), time.process_time()
        index, done = 0, 0
        while done < count:
            for place in range(done, done + BATCH):
                index = log.append(made[place % len(made)], time.time_ns())
            done += BATCH
            await log.room()
            await trio.lowlevel.checkpoint()
        cpu = time.process_time() - before
        await log.durable(index)
        took = time.perf_counter() - begun
        await log.aclose()
    return took, cpu


def measure(folder: Path, *, count: int, jobs: int) -> dict[str, float]:
    """Append `count` events (header and payload as pgbench's), then verify the log."""
    folder.mkdir()
    took, cpu = trio.run(_append, folder, count)
    begun = time.perf_counter()
    report = verify(folder / "log", jobs=jobs)
    verified = time.perf_counter() - begun
    if not report.ok:
        raise SystemExit(f"bench: the log does not verify: {report.problems[:3]}")
    return {
        "events": count,
        "events_s": round(count / took),
        "append_cpu_us": round(cpu / count * 1e6, 1),
        "verified": report.size,
        "verified_s": round(report.size / verified),
        "verify_jobs": jobs,
    }
