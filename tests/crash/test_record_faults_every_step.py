"""A fault at each write, flush, open and rename of a run of 10,000 events: every one of them, with nothing left out.

Running all of it again for each step would take half an hour. So it runs once, and at each step it splits in two (`fork`):
the child takes a copy of the disk as it stands, points every open file at that copy, lets this very step fail, and goes
on as the process would; the parent goes on without the fault. What the child leaves is opened again and verified.

Even steps fail as a full disk does (ENOSPC, half of a write down), odd ones as a bad disk that also loses what was not
flushed (EIO; of the bytes that no flush covered a third is left, torn wherever that falls).
tests/crash/test_record_faults.py does both to every step of a shorter run.
"""

import errno
import os
import shutil
import sys
import traceback
from pathlib import Path

import pytest
from fault_steps import Faults

from doorward_core.errors import RecordError
from doorward_core.record.encode import encode
from doorward_core.record.engine import Engine, Settings
from doorward_core.record.journal import JournalError
from doorward_core.record.proof import bundle
from doorward_core.record.tree_files import TileName, TreeFiles
from doorward_core.record.verify import verify

NOW = 1_800_000_000_000_000_000
EVENTS = 10_000
PER_FLUSH = 200
PER_CHECKPOINT = 10  # flushes
SEGMENT_BYTES = 400_000  # so that several segments begin and end within the run
CHILDREN = os.cpu_count() or 1


def settings() -> Settings:
    """Relative, so that a child finds its own copy of the same by going to another folder."""
    return Settings(Path("log"), "gateway.example/a", Path("keys/s.pem"), Path("keys/p"), mirror=Path("second"))


def run(acknowledged: list[int]) -> None:
    """The run: 10,000 events in batches, each flushed and reported; a checkpoint now and then; closed at the end."""
    engine = Engine(settings())
    try:
        engine.open(NOW)
        acknowledged[0] = engine.durable
        for number in range(EVENTS // PER_FLUSH):
            for _ in range(PER_FLUSH):
                index = engine.size
                body = encode({"text": f"SELECT {index};"})
                engine.add(index, NOW + index, "a.b", bytes(16), b"", head=encode({"n": index}), body=body)
            engine.flush()
            acknowledged[0] = engine.durable
            engine.publish()
            if number % PER_CHECKPOINT == PER_CHECKPOINT - 1:
                engine.checkpoint()
        engine.close(NOW + 10**9)
        acknowledged[0] = engine.size
    except BaseException:
        engine.release()
        raise


def check(acknowledged: int) -> None:
    """Open again, verify all of it against the second place, and look for each event that was acknowledged."""
    engine = Engine(settings())
    engine.open(NOW + 10**12)
    engine.close(NOW + 10**12)
    outside, vkey = Path("second/checkpoint").read_bytes(), Path("keys/s.vkey").read_text()
    report = verify(Path("log"), public_key=vkey, outside_checkpoint=outside)
    assert report.ok, report.problems
    files, size = TreeFiles(Path("log")), report.checkpoint_size
    entries = [
        data
        for number in range(-(-size // 256))
        for data in bundle(files.read(TileName(-1, number, min(256, size - number * 256))) or b"")
    ]
    for index in range(1, min(acknowledged, EVENTS + 1)):
        assert b"SELECT %d;" % index in entries[index], index


def copied(source: str, target: str) -> None:
    """A copy; of what is only ever replaced, never written again, another name is enough."""
    if source.endswith((".journal", ".tmp", "lock")):
        shutil.copyfile(source, target)
    else:
        os.link(source, target)


class Splitting(Faults):
    """At each step: a child that fails here, on a copy of the disk; the parent goes on."""

    def __init__(self, monkeypatch, root: Path, acknowledged: list[int]) -> None:
        super().__init__(monkeypatch, errno.EIO)
        self.root, self.acknowledged = root, acknowledged
        self.children: dict[int, int] = {}
        self.failed: list[int] = []
        self.busy = False

    def step(self) -> bool:
        if self.fail_at >= 0:
            return super().step()
        self.count += 1
        if self.busy:
            return True
        self.busy = True
        try:
            while len(self.children) >= CHILDREN:
                self.reap()
            told, tell = os.pipe()
            child = os.fork()
            if child:
                os.close(tell)
                os.read(told, 1)  # nothing may change while it is copied
                os.close(told)
                self.children[child] = self.count
                return True
            self.become_child()
            os.close(told)
            os.close(tell)
        finally:
            self.busy = False
        self.count -= 1
        return super().step()

    def become_child(self) -> None:
        """Leave the parent's files alone: a copy of them, and every open file pointed at its copy."""
        self.fail_at = self.count
        self.lose = bool(self.count % 2)
        self.code = errno.EIO if self.lose else errno.ENOSPC
        here, there = self.root / "run", self.root / f"step-{self.count}"
        shutil.copytree(here, there, copy_function=copied)
        for opened in list(Path("/proc/self/fd").iterdir()):
            self.point(int(opened.name), here, there)
        self.synced = {there / path.relative_to(here): size for path, size in self.synced.items()}
        self.named = {there / path.relative_to(here) for path in self.named if path.is_relative_to(here)}
        os.chdir(there)

    def point(self, descriptor: int, here: Path, there: Path) -> None:
        try:
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
        except OSError:
            return  # the listing's own
        if not path.is_relative_to(here):
            return
        copy = there / path.relative_to(here)
        flags = os.O_RDONLY if copy.is_dir() else os.O_RDWR
        opened = self.real["open"](copy, flags)
        if not copy.is_dir():
            os.lseek(opened, os.lseek(descriptor, 0, os.SEEK_CUR), os.SEEK_SET)
        os.dup2(opened, descriptor, inheritable=False)
        os.close(opened)

    def reap(self) -> None:
        child, step = next(iter(self.children.items()))
        _, status = os.waitpid(child, 0)
        del self.children[child]
        if status:
            self.failed.append(step)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # a minute by itself; more beside other tests
def test_l_06_a_fault_at_every_step_of_ten_thousand_events(tmp_path, monkeypatch):
    monkeypatch.setattr("doorward_core.record.engine.SEGMENT_BYTES", SEGMENT_BYTES)
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    acknowledged = [0]
    faults = Splitting(monkeypatch, tmp_path, acknowledged)
    parent = os.getpid()
    try:
        run(acknowledged)
    except (OSError, RecordError, JournalError):
        if os.getpid() == parent:
            raise
    if os.getpid() != parent:
        end_child(tmp_path, faults, acknowledged[0])
    while faults.children:
        faults.reap()
    steps = faults.count
    faults.fail_at = steps + 10**9
    assert not faults.failed
    assert steps > 500
    check(acknowledged[0])


def end_child(root: Path, faults: Splitting, acknowledged: int) -> None:
    """The machine is back: is everything there that was acknowledged? Tell the parent by the exit status."""
    status = 1
    step = faults.fail_at
    try:
        faults.stop(root / f"step-{step}")
        faults.fail_at = 10**9
        check(acknowledged)
        shutil.rmtree(root / f"step-{step}")
        status = 0
    except BaseException:  # a child must not go on as if it were the test run
        sys.stderr.write(f"step {step}, {acknowledged} acknowledged\n{traceback.format_exc()}")
    finally:
        os._exit(status)
