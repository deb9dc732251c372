"""The version of what the desk shows, and waiting for the next one."""

import trio

from doorward_core.approvals.changes import Changes

NOW = 1_800_000_000 * 10**9


async def test_each_change_makes_another_version_and_wakes_everyone(autojump_clock):
    changes, woken = Changes(NOW), []

    async def wait(name):
        woken.append((name, await changes.after(changes.version, 100)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, "a")
        nursery.start_soon(wait, "b")
        await trio.sleep(1)
        assert changes.waiting == 2
        changes.made()
    assert sorted(woken) == [("a", True), ("b", True)]
    assert (changes.version, changes.waiting) == (NOW // 1_000_000 + 1, 0)


async def test_waiting_ends_in_time_where_nothing_changes(autojump_clock):
    changes = Changes(NOW)
    assert not await changes.after(changes.version, 5)


async def test_any_other_version_is_not_waited_for():
    changes = Changes(NOW)
    assert await changes.after(changes.version - 1, 5)
    assert await changes.after(changes.version + 1, 5)


async def test_who_stops_waiting_is_no_longer_counted(autojump_clock):
    changes = Changes(NOW)
    with trio.move_on_after(1):
        await changes.after(changes.version, 5)
    assert changes.waiting == 0


def test_a_later_process_begins_above_an_earlier_one():
    first = Changes(NOW)
    for _ in range(900):
        first.made()
    assert Changes(NOW + 10**9).version > first.version
