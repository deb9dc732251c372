"""A fault at every write, flush, open and rename of the log, one run for each.

After the fault: nothing that was reported durable is missing, the log opens again, what was torn is recorded, it verifies.
"""

import errno
import os
import shutil
from pathlib import Path

import pytest
from fault_steps import Faults

from doorward_core.errors import RecordError
from doorward_core.record.encode import encode
from doorward_core.record.engine import Engine, Settings
from doorward_core.record.journal import JournalError
from doorward_core.record.reader import LogReader
from doorward_core.record.verify import verify

NOW = 1_800_000_000_000_000_000
ROUNDS = 12
PER_ROUND = 40


def settings(root: Path) -> Settings:
    return Settings(
        root / "log", "gateway.example/a", root / "keys" / "s.pem", root / "keys" / "p", mirror=root / "second"
    )


def run(engine: Engine, acknowledged: list[int]) -> None:
    """Some sessions: entries, flushes, checkpoints, rotations; what was reported durable is noted."""
    now = NOW
    for number in range(ROUNDS):
        for _ in range(PER_ROUND):
            now += 1000
            body = encode({"text": f"SELECT {engine.size}"})
            engine.add(
                engine.size, now, "operation.decided", bytes(16), b"", head=encode({"n": engine.size}), body=body
            )
        engine.write()
        if number % 3:
            engine.flush()
            acknowledged[0] = engine.durable
            engine.publish()
        if number % 4 == 3:
            engine.checkpoint()
            acknowledged[0] = engine.durable
    engine.close(now)
    acknowledged[0] = engine.size


def one(root: Path, faults: Faults, fail_at: int) -> bool:
    """One run with the n-th call failing; False if there is no n-th call."""
    acknowledged = [0]
    faults.count, faults.fail_at, faults.fired = 0, fail_at, False
    engine = None
    try:
        engine = Engine(settings(root))
        engine.open(NOW)
        acknowledged[0] = engine.durable
        run(engine, acknowledged)
    except (OSError, RecordError, JournalError):
        fired = faults.fired
        assert fired
        if engine is not None:
            engine.release()
    else:
        fired = False
    faults.stop(root)
    check(root, acknowledged[0], faults)
    return fired


def check(root: Path, acknowledged: int, faults: Faults) -> None:
    faults.fail_at = -1
    engine = Engine(settings(root))
    engine.open(NOW + 10**12)
    engine.close(NOW + 10**12)
    outside = (root / "second" / "checkpoint").read_bytes()
    report = verify(root / "log", public_key=(root / "keys" / "s.vkey").read_text(), outside_checkpoint=outside)
    assert report.ok, (faults.count, report.problems)
    found = {
        entry.header.get("n"): entry for entry in LogReader(root / "log").entries() if entry.kind == "operation.decided"
    }
    for index in range(1, acknowledged):
        if index in found:
            assert found[index].payload == {"text": f"SELECT {index}"}
    missing = [index for index in range(1, min(acknowledged, 1 + ROUNDS * PER_ROUND)) if index not in found]
    assert not missing, (faults.count, missing[:5], acknowledged)


@pytest.mark.parametrize(
    ("code", "lose"),
    [(errno.ENOSPC, False), (errno.EIO, True)],
    ids=["disk full", "bad disk that loses what was not flushed"],
)
def test_l_06_a_fault_at_every_step(tmp_path, monkeypatch, code, lose):
    monkeypatch.setattr("doorward_core.record.engine.SEGMENT_BYTES", 40_000)
    monkeypatch.setattr("doorward_core.record.settle.STEP", 1)  # the most that can come between two files
    faults = Faults(monkeypatch, code, lose=lose)
    fail_at = 1
    while one(tmp_path / str(fail_at), faults, fail_at):
        shutil.rmtree(tmp_path / str(fail_at))
        fail_at += 1
    assert fail_at > 60


def test_a_flush_that_failed_is_not_tried_again(tmp_path, monkeypatch):
    engine = Engine(settings(tmp_path))
    engine.open(NOW)
    engine.add(engine.size, NOW, "a.b", b"", b"", head=encode({}), body=b"")
    real = os.fdatasync

    def failing(_):
        raise OSError(errno.EIO, "once")

    monkeypatch.setattr(os, "fdatasync", failing)
    with pytest.raises(OSError, match="once"):
        engine.flush()
    monkeypatch.setattr(os, "fdatasync", real)
    for again in (engine.flush, engine.checkpoint, lambda: engine.close(NOW)):
        with pytest.raises(JournalError, match="failed before"):
            again()
    assert engine.durable == 1


@pytest.mark.parametrize("cut", [1, 20, 32, 33, 100, 500])
def test_a_tail_torn_at_any_place_is_repaired_and_told(tmp_path, cut):
    engine = Engine(settings(tmp_path))
    engine.open(NOW)
    for _ in range(3):
        engine.add(engine.size, NOW, "a.b", b"", b"", head=encode({"n": engine.size}), body=encode({"x": "y" * 100}))
        engine.write()
    engine.release()
    segment = next((tmp_path / "log" / "journal").iterdir())
    data = segment.read_bytes()
    start = data.rindex(b"DWJ1")
    segment.write_bytes(data[: min(len(data) - 1, start + cut)])
    again = Engine(settings(tmp_path))
    again.open(NOW)
    again.close(NOW)
    kinds = [entry.kind for entry in LogReader(tmp_path / "log").entries()]
    assert kinds == ["log.opened", "a.b", "a.b", "log.repaired", "log.opened", "log.closed"]
    assert verify(tmp_path / "log", public_key=(tmp_path / "keys" / "s.vkey").read_text()).ok
