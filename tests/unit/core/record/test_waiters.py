"""Who waits for stable storage is told once, in order, and how long nothing was confirmed is known."""

from doorward_core.record.waiters import Waiters


def test_those_whose_entry_is_confirmed_are_called_once_in_their_order():
    waiters, called = Waiters(), []
    for index in (5, 1, 3, 1):
        waiters.add(index, lambda index=index: called.append(index), 0.0)
    waiters.wake(1, 0.0)
    assert called == []
    waiters.wake(4, 0.0)
    assert called == [1, 1, 3]
    waiters.wake(None, 0.0)
    waiters.wake(None, 0.0)
    assert called == [1, 1, 3, 5]


def test_a_call_may_wait_again():
    waiters, called = Waiters(), []
    waiters.add(0, lambda: waiters.add(7, lambda: called.append(7), 1.0), 0.0)
    waiters.wake(1, 1.0)
    assert called == []
    waiters.wake(8, 2.0)
    assert called == [7]


def test_the_time_runs_from_the_first_who_waits_and_anew_with_whatever_is_confirmed():
    waiters = Waiters()
    assert waiters.waiting_s(50.0) == 0.0
    waiters.add(3, list, 100.0)
    waiters.add(9, list, 104.0)
    assert waiters.waiting_s(110.0) == 10.0
    waiters.wake(4, 111.0)  # the disk works, and somebody waits still
    assert waiters.waiting_s(113.0) == 2.0
    waiters.wake(10, 114.0)
    assert waiters.waiting_s(120.0) == 0.0
    waiters.add(12, list, 130.0)
    assert waiters.waiting_s(131.0) == 1.0
