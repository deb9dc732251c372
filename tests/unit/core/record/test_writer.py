"""The gateway's handle on the log, with a real writer process."""

from pathlib import Path

import pytest
import trio
import trio.testing
from slow_disk import SlowDisk

from doorward_core.errors import RecordError, TrafficStopped
from doorward_core.event import Event, EventKind
from doorward_core.record import writer
from doorward_core.record.reader import Content, LogReader
from doorward_core.record.verify import verify
from doorward_core.record.writer import Log

ORIGIN = "gateway.example/a"
NOW = 3_900_000_000_000_000_000  # after any log.opened, whose time is the real clock
SESSION = bytes(range(16))


def event(number=0, **payload):
    return Event(EventKind.OPERATION_DECIDED, {"number": number}, payload, SESSION, bytes(16))


async def opened(root: Path, nursery, **kwargs) -> Log:
    kwargs.setdefault("checkpoint_interval_s", 30.0)
    return await Log.open(root / "log", origin=ORIGIN, signer=root / "keys" / "signer.pem", nursery=nursery, **kwargs)


def report(root: Path):
    return verify(root / "log", public_key=(root / "keys" / "signer.vkey").read_text())


async def test_what_was_appended_is_read_and_verified(tmp_path):
    async with trio.open_nursery() as nursery:
        log = await opened(tmp_path, nursery)
        indices = [log.append(event(number, text=f"SELECT {number}"), NOW + number) for number in range(600)]
        await log.durable(indices[-1])
        assert log.durable_size > indices[-1]
        await log.aclose()
    assert indices == list(range(1, 601))
    result = report(tmp_path)
    assert result.ok, result.problems
    assert result.checkpoint_size == result.size == 602
    read = list(LogReader(tmp_path / "log").entries())
    assert [entry.kind for entry in read[:2]] == ["log.opened", "operation.decided"]
    assert read[-1].kind == "log.closed"
    assert read[10].payload == {"text": "SELECT 9"}
    assert read[10].content is Content.CLEAR
    assert read[10].header == {"number": 9}
    assert all(entry.protected for entry in read)


async def test_who_asks_to_be_called_is_called_once_it_is_durable_or_has_failed(tmp_path):
    async with trio.open_nursery() as nursery:
        log = await opened(tmp_path, nursery)
        index = log.append(event(), NOW)
        done, seen = trio.Event(), []

        def call():
            seen.append(log.durable_size > index)
            done.set()

        log.when_durable(index, call)
        assert seen == []
        await done.wait()
        log.when_durable(index, call)
        assert seen == [True, True]
        failed = trio.Event()
        log._process.kill()
        log.when_durable(log.append(event(), NOW), failed.set)
        await failed.wait()
        while log.failed is None:
            await trio.lowlevel.checkpoint()
        log.when_durable(10**6, call)
        assert len(seen) == 3
        await log.aclose()


async def test_what_is_asked_for_in_one_turn_of_the_pump_is_asked_for_once(tmp_path):
    async with trio.open_nursery() as nursery:
        log = await opened(tmp_path, nursery)
        asked = []

        class Turning:
            at_end = staticmethod(asked.append)

        pump, log._pump = log._pump, Turning
        for number in range(3):
            log.soon(log.append(event(number), NOW))
        assert asked == [log._ask] * 3  # the pump does once what it is given more than once
        log._pump = pump
        log._ask()
        await log.durable(log.size - 1)
        await log.aclose()


async def test_durable_returns_at_once_for_what_is_durable(tmp_path):
    async with trio.open_nursery() as nursery:
        log = await opened(tmp_path, nursery)
        index = log.append(event(), NOW)
        await log.durable(index)
        with trio.CancelScope() as scope:
            scope.cancel()
            await log.durable(index)  # a checkpoint would raise Cancelled here
        assert not scope.cancelled_caught
        await log.aclose()


async def test_a_flush_that_was_asked_for_early_serves_who_waits_later(tmp_path):
    async with trio.open_nursery() as nursery:
        log = await opened(tmp_path, nursery)
        index = log.append(event(), NOW)
        assert log.durable_size <= index
        log.soon(index)
        asked = log._asked
        await log.durable(index)
        assert log._asked == asked > index  # waiting asked for no second one
        await log.aclose()


async def test_order_is_kept_where_the_writers_socket_is_full(tmp_path):
    async with trio.open_nursery() as nursery:
        log = await opened(tmp_path, nursery)
        for number in range(400):
            log.soon(log.append(event(number, text="x" * 8000), NOW + number))  # megabytes before the task may run
        await log.durable(log.append(event(400), NOW + 400))
        await log.aclose()
    assert report(tmp_path).ok
    numbers = [entry.header["number"] for entry in LogReader(tmp_path / "log").entries() if "number" in entry.header]
    assert numbers == list(range(401))


async def test_one_flush_serves_all_who_wait(tmp_path):
    async with trio.open_nursery() as nursery:
        log = await opened(tmp_path, nursery)
        done = []

        async def wait(number):
            await log.durable(log.append(event(number), NOW))
            done.append(number)

        async with trio.open_nursery() as waiters:
            for number in range(100):
                waiters.start_soon(wait, number)
        assert sorted(done) == list(range(100))
        await log.aclose()


async def test_entries_that_nobody_waits_for_are_signed_within_the_interval(tmp_path):
    async with trio.open_nursery() as nursery:
        log = await opened(tmp_path, nursery, checkpoint_interval_s=0.01)
        index = log.append(event(), NOW)
        log._asked = log._size  # wait, but do not ask for a flush
        await log.durable(index)
        assert LogReader(tmp_path / "log").checkpoint().size > index
        await log.aclose()


async def test_a_killed_writer_is_a_failure_that_reaches_everyone(tmp_path):
    async with trio.open_nursery() as nursery:
        log = await opened(tmp_path, nursery)
        index = log.append(event(), NOW)
        log._process.kill()
        with pytest.raises(RecordError):
            await log.durable(index)
        assert log.failed
        with pytest.raises(RecordError):
            log.append(event(), NOW)
        await log.aclose()


async def test_a_failed_log_recovers_in_place(tmp_path):
    async with trio.open_nursery() as nursery:
        log = await opened(tmp_path, nursery)
        kept = log.append(event(1), NOW)
        await log.durable(kept)
        log._process.kill()
        with pytest.raises(RecordError):
            await log.durable(log.append(event(2), NOW))
        await log.recover()
        assert log.failed is None
        await log.durable(log.append(event(3), NOW))
        await log.aclose()
    assert report(tmp_path).ok
    numbers = [entry.header.get("number") for entry in LogReader(tmp_path / "log").entries()]
    assert numbers.count(1) == 1
    assert 3 in numbers


async def test_while_it_is_opened_again_it_says_why_it_failed(tmp_path):
    async with trio.open_nursery() as nursery:
        log = await opened(tmp_path, nursery)
        log._process.kill()
        with pytest.raises(RecordError):
            await log.durable(log.append(event(), NOW))
        why, start, said = log.failed, log._start, []

        async def starting():
            said.append(log.failed)
            await start()

        log._start = starting
        await log.recover()
        assert (said, log.failed) == ([why], None)
        await log.aclose()


async def test_a_second_writer_is_refused(tmp_path):
    async with trio.open_nursery() as nursery:
        log = await opened(tmp_path, nursery)
        with pytest.raises(RecordError, match=rf"{tmp_path}/\S+: the log is open in another process"):
            await opened(tmp_path, nursery)
        await log.durable(log.append(event(), NOW))
        await log.aclose()


async def test_closing_twice_and_appending_after_it(tmp_path):
    async with trio.open_nursery() as nursery:
        log = await opened(tmp_path, nursery)
        await log.aclose()
        await log.aclose()
        with pytest.raises(RecordError):
            log.append(event(), NOW)


async def test_a_clock_that_goes_back_is_held_and_marked(tmp_path):
    async with trio.open_nursery() as nursery:
        log = await opened(tmp_path, nursery)
        future = 4_000_000_000_000_000_000
        log.append(event(1), future)
        log.append(event(2), future - 5)
        await log.aclose()
    read = list(LogReader(tmp_path / "log").entries())
    assert read[2].time_unix_ns == future
    assert read[2].header["clock_back_ns"] == 5
    assert report(tmp_path).checks["clock_back"] == 2  # the real clock of log.closed is behind too


@pytest.mark.parametrize("sealed", [False, True])
async def test_a_long_payload_takes_several_entries_and_comes_back_whole(tmp_path, sealed):
    import pyrage  # noqa: PLC0415 - only here

    identity = pyrage.x25519.Identity.generate()
    recipients = (str(identity.to_public()),) if sealed else ()
    text = "x" * 500_000
    async with trio.open_nursery() as nursery:
        log = await opened(tmp_path, nursery, recipients=recipients)
        first = log.append(event(1, text=text), NOW)
        second = log.append(event(2, text="short"), NOW)
        assert second - first == 11
        await log.durable(first)
        assert log.durable_size >= second
        await log.aclose()
    result = report(tmp_path)
    assert result.ok, result.problems
    reader = LogReader(tmp_path / "log", (identity,), keys_folder=tmp_path / "keys" / "payload")
    assert [entry.payload.get("text") for entry in reader.entries() if entry.kind == "operation.decided"] == [
        text,
        "short",
    ]


async def test_a_broken_recipient_does_not_open(tmp_path):
    async with trio.open_nursery() as nursery:
        with pytest.raises(RecordError, match="recipient"):
            await opened(tmp_path, nursery, recipients=("age1nonsense",))


@pytest.mark.parametrize(
    "bad",
    [
        Event(EventKind.GATEWAY_ERROR, {"x": 1.5}),
        Event(EventKind.GATEWAY_ERROR, {"x": "y" * 20_000}),
        Event(EventKind.GATEWAY_ERROR, {"x": 2**64}),
        Event(EventKind.GATEWAY_ERROR, {}, session_id=b"short"),
    ],
)
async def test_an_event_that_cannot_be_encoded_is_refused_alone(tmp_path, bad):
    async with trio.open_nursery() as nursery:
        log = await opened(tmp_path, nursery)
        with pytest.raises(RecordError):
            log.append(bad, NOW)
        assert log.failed is None
        await log.durable(log.append(event(), NOW))
        await log.aclose()


async def test_the_environment_of_the_gateway_does_not_reach_the_writer(tmp_path, monkeypatch):
    monkeypatch.setenv("APP_PASSWORD", "canary")
    async with trio.open_nursery() as nursery:
        log = await opened(tmp_path, nursery)
        environment = await trio.Path(f"/proc/{log._process.pid}/environ").read_bytes()
        assert b"canary" not in environment
        await log.aclose()


async def test_a_passed_limit_refuses_what_begins_and_the_log_goes_on(tmp_path):
    async with trio.open_nursery() as nursery:
        log = await opened(tmp_path, nursery)
        log.limits.stop("archive", "the archive is behind")
        with pytest.raises(TrafficStopped, match="the archive is behind"):
            log.append(event(), NOW)
        assert log.failed is None
        await log.durable(log.append(Event(EventKind.GATEWAY_ERROR, {"what": "the archive is behind"}), NOW))
        log.limits.lift("archive")
        await log.durable(log.append(event(), NOW))
        await log.aclose()
    assert report(tmp_path).ok


async def test_a_session_that_closed_is_signed_long_before_the_interval(tmp_path):
    async with trio.open_nursery() as nursery:
        log = await opened(tmp_path, nursery, checkpoint_interval_s=3600.0)
        index = log.append(Event(EventKind.SESSION_CLOSED, {}, session_id=bytes(16)), NOW)
        with trio.fail_after(60):
            while LogReader(tmp_path / "log").checkpoint().size <= index:  # noqa: ASYNC110 - the writer is a process
                await trio.sleep(0.02)
        await log.aclose()


# --- a disk that is slow ----------------------------------------------------------------------------------------------


@pytest.fixture
def slow(tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    disk = SlowDisk(tmp_path / "tmp", monkeypatch)
    yield disk
    disk.end()


async def test_l_06_nothing_is_confirmed_before_a_slow_flush_ends_and_what_may_wait_is_bounded(
    tmp_path, slow, monkeypatch
):
    monkeypatch.setattr(writer, "ROOM_BYTES", 1024 * 1024)
    monkeypatch.setattr(writer, "HARD_BYTES", 4 * 1024 * 1024)
    async with trio.open_nursery() as nursery:
        log = await opened(tmp_path, nursery)
        before, told = log.durable_size, []
        assert log.waiting_s == 0.0
        slow.hold()
        first = log.append(event(), NOW)
        log.when_durable(first, lambda: told.append("confirmed"))
        await trio.to_thread.run_sync(slow.wait)  # the writer is in its flush
        with pytest.raises(RecordError, match="too far behind"):
            for number in range(1000):
                log.append(event(number, text="x" * 60_000), NOW)
        waiting = []
        nursery.start_soon(_having_room, log, waiting)
        await trio.testing.wait_all_tasks_blocked()
        assert (log.durable_size, told, waiting, log.failed) == (before, [], [], None)
        assert log.waiting_s > 0.0
        kept = log.size
        await trio.to_thread.run_sync(slow.let_go)
        await log.durable(kept - 1)
        await log.room()
        assert (told, log.waiting_s) == (["confirmed"], 0.0)
        await log.aclose()
    assert waiting == ["room"]
    assert report(tmp_path).ok
    assert report(tmp_path).size == kept + 1  # and `log.closed`


async def _having_room(log, said):
    await log.room()
    said.append("room")
