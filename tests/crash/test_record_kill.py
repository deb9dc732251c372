"""kill -9 of the writer, and of the gateway, while events pour in: nothing acknowledged is missing."""

import os
import resource
import signal
import subprocess
import sys

import pytest
import trio
import trio.testing

from doorward_core.errors import RecordError
from doorward_core.event import Event, EventKind
from doorward_core.record.reader import LogReader
from doorward_core.record.verify import verify
from doorward_core.record.writer import Log

NOW = 3_900_000_000_000_000_000

GATEWAY = """
import sys, trio
from pathlib import Path
from doorward_core.event import Event, EventKind
from doorward_core.record.writer import Log

async def main(root):
    async with trio.open_nursery() as nursery:
        log = await Log.open(root / "log", origin="gateway.example/a", signer=root / "keys" / "s.pem", nursery=nursery)
        number = 0
        while True:
            for _ in range(20):
                number += 1
                event = Event(EventKind.OPERATION_DECIDED, {"n": number}, {"text": "x" * (number * 37 % 900)})
                index = log.append(event, 3_900_000_000_000_000_000 + number)
            await log.durable(index)
            print(number, flush=True)

trio.run(main, Path(sys.argv[1]))
"""


def checked(root, acknowledged):
    report = verify(root / "log", public_key=(root / "keys" / "s.vkey").read_text())
    assert report.ok, report.problems
    numbers = [entry.header["n"] for entry in LogReader(root / "log").entries() if entry.kind == "operation.decided"]
    assert numbers[:acknowledged] == list(range(1, acknowledged + 1))


async def reopen(root):
    async with trio.open_nursery() as nursery:
        log = await Log.open(root / "log", origin="gateway.example/a", signer=root / "keys" / "s.pem", nursery=nursery)
        await log.aclose()


@pytest.mark.parametrize("rounds", [1, 7, 40])
async def test_a_killed_writer(tmp_path, rounds):
    acknowledged = number = 0
    async with trio.open_nursery() as nursery:
        log = await Log.open(
            tmp_path / "log", origin="gateway.example/a", signer=tmp_path / "keys" / "s.pem", nursery=nursery
        )
        for _ in range(rounds):
            for _ in range(20):
                number += 1
                event = Event(EventKind.OPERATION_DECIDED, {"n": number}, {"text": "x" * (number * 37 % 900)})
                index = log.append(event, NOW + number)
            await log.durable(index)
            acknowledged = number
        for _ in range(50):
            number += 1
            index = log.append(Event(EventKind.OPERATION_DECIDED, {"n": number}, {"text": "y"}), NOW + number)
        async with trio.open_nursery() as waiters:

            async def wait():
                with pytest.raises(RecordError):
                    await log.durable(index)

            log._process.send_signal(signal.SIGSTOP)
            waiters.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            log._process.kill()
        await log.aclose()
    await reopen(tmp_path)
    checked(tmp_path, acknowledged)


def run_and_kill(root, lines):
    """Kill a gateway after it has reported so many flushes; give the last number it reported."""
    acknowledged = 0
    with subprocess.Popen([sys.executable, "-P", "-c", GATEWAY, str(root)], stdout=subprocess.PIPE, text=True) as child:
        for _ in range(lines):
            acknowledged = int(child.stdout.readline())
        child.kill()
    return acknowledged


@pytest.mark.parametrize("lines", [1, 15, 60])
async def test_a_killed_gateway_leaves_a_writer_that_finishes(tmp_path, lines):
    acknowledged = run_and_kill(tmp_path, lines)
    # The lock is let go when the writer has finished with what it was given.
    fd = os.open(tmp_path / "log" / "lock", os.O_RDWR)
    import fcntl  # noqa: PLC0415 - here alone

    fcntl.flock(fd, fcntl.LOCK_EX)
    os.close(fd)
    checked(tmp_path, acknowledged)
    assert "log.closed" not in {entry.kind for entry in LogReader(tmp_path / "log").entries()}
    await reopen(tmp_path)
    checked(tmp_path, acknowledged)
    openings = [entry for entry in LogReader(tmp_path / "log").entries() if entry.kind == "log.opened"]
    assert [entry.header["previous"] for entry in openings] == ["none", "unclean"]


async def test_a_full_disk_fails_the_log_and_space_brings_it_back(tmp_path):
    """A file size limit on the writer stands in for the disk: the kernel refuses the write, half of it done."""
    async with trio.open_nursery() as nursery:
        log = await Log.open(
            tmp_path / "log", origin="gateway.example/a", signer=tmp_path / "keys" / "s.pem", nursery=nursery
        )
        await log.durable(log.append(Event(EventKind.OPERATION_DECIDED, {"n": 1}), NOW))
        resource.prlimit(log._process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
        lost = log.append(Event(EventKind.OPERATION_DECIDED, {"n": 99}, {"text": "x" * 9000}), NOW)
        with pytest.raises(RecordError):
            await log.durable(lost)
        assert "too large" in log.failed
        with pytest.raises(RecordError):
            log.append(Event(EventKind.OPERATION_DECIDED, {"n": 2}), NOW)
        await log.recover()
        await log.durable(log.append(Event(EventKind.OPERATION_DECIDED, {"n": 2}), NOW))
        await log.aclose()
    checked(tmp_path, 2)
    assert [entry.kind for entry in LogReader(tmp_path / "log").entries()].count("log.repaired") == 1


async def test_a_disk_that_stays_full_keeps_the_log_closed(tmp_path):
    async with trio.open_nursery() as nursery:
        log = await Log.open(
            tmp_path / "log", origin="gateway.example/a", signer=tmp_path / "keys" / "s.pem", nursery=nursery
        )
        log._process.kill()
        with pytest.raises(RecordError):
            await log.durable(log.append(Event(EventKind.OPERATION_DECIDED, {"n": 1}), NOW))
        (tmp_path / "log" / "journal").rename(tmp_path / "away")
        for _ in range(2):
            with pytest.raises(RecordError):
                await log.recover()
            assert log.failed
        (tmp_path / "log" / "journal").rmdir()
        (tmp_path / "away").rename(tmp_path / "log" / "journal")
        await log.recover()
        assert log.failed is None
        await log.aclose()
    assert verify(tmp_path / "log", public_key=(tmp_path / "keys" / "s.vkey").read_text()).ok
