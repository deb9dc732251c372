"""The log for other rooms' tests behaves as the real one does."""

import pytest
import trio
import trio.testing

from doorward_core.errors import RecordError, TrafficStopped
from doorward_core.event import Event, EventKind
from doorward_core.record.log import EventLog
from doorward_core.record.memory import MemoryLog

EVENT = Event(EventKind.POLICY_LOADED, {"x": 1})


async def test_it_is_durable_at_once():
    log: EventLog = MemoryLog()
    assert [log.append(EVENT, 5), log.append(EVENT, 6)] == [0, 1]
    assert log.durable_size == 2
    await log.durable(1)


async def test_durability_can_be_held_back(autojump_clock):
    log = MemoryLog()
    log.hold_durability = True
    index = log.append(EVENT, 5)
    with pytest.raises(trio.TooSlowError):
        with trio.fail_after(1):
            await log.durable(index)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.durable, index)
        await trio.testing.wait_all_tasks_blocked()
        log.hold_durability = False
    assert log.durable_size == 1


async def test_a_failure_reaches_who_waits_and_who_comes():
    log = MemoryLog()
    log.hold_durability = True
    index = log.append(EVENT, 5)
    log.fail("disk full")
    with pytest.raises(RecordError, match="disk full"):
        await log.durable(index)
    with pytest.raises(RecordError):
        log.append(EVENT, 6)
    with pytest.raises(RecordError):
        await log.room()
    assert log.failed == "disk full"


async def test_it_refuses_what_the_real_one_refuses():
    log = MemoryLog()
    with pytest.raises(RecordError):
        log.append(Event(EventKind.POLICY_LOADED, {"x": 0.5}), 5)
    assert log.append(Event(EventKind.POLICY_LOADED, {}, {"x": bytes(100_000)}), 5) == 0
    assert log.append(EVENT, 4) == 3
    assert log.times == [5, 5]
    await log.aclose()
    with pytest.raises(RecordError):
        log.append(EVENT, 6)


async def test_it_takes_nothing_that_begins_while_a_limit_is_passed():
    log = MemoryLog()
    log.limits.stop("disk", "the disk is nearly full")
    with pytest.raises(TrafficStopped, match="nearly full"):
        log.append(Event(EventKind.SESSION_OPENED, {}), 1)
    assert log.append(Event(EventKind.SESSION_CLOSED, {}), 1) == 0
