"""A session seen from outside: nothing is kept unwatched, what is kept is bounded, and an end is an end."""

import pytest
import trio
import trio.testing

from doorward_core.live import KEPT_BYTES, WATCHED_S, Live

NOW = 1_800_000_000_000_000_000
NS = 1_000_000_000


async def test_nothing_is_kept_while_nobody_watches():
    live = Live()
    live.show(b"o", "stdout", b"hello", NOW)
    assert await live.after(-1, NOW, 0) == []


async def test_a_watcher_gets_what_came_after_what_it_has():
    live = Live()
    await live.after(-1, NOW, 0)
    for word in (b"one", b"two", b"three"):
        live.show(b"o", "stdout", word, NOW + 1)
    assert [one.data for one in await live.after(1, NOW, 0)] == [b"two", b"three"]


async def test_a_watcher_waits_for_news(autojump_clock):
    live = Live()
    await live.after(-1, NOW, 0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_later, live)
        assert [one.data for one in await live.after(0, NOW, 10)] == [b"news"]
        assert trio.current_time() < 2


async def _later(live):
    await trio.sleep(1)
    live.show(b"o", "stdout", b"news", NOW + 1)


async def test_a_watcher_that_stops_asking_is_forgotten_with_what_was_kept():
    live = Live()
    await live.after(-1, NOW, 0)
    live.show(b"o", "stdout", b"x", NOW)
    assert live.watched(NOW)
    live.show(b"o", "stdout", b"y", NOW + (WATCHED_S + 1) * NS)
    assert not live.watched(NOW + (WATCHED_S + 1) * NS)
    assert await live.after(0, NOW, 0) == []


async def test_what_is_kept_is_bounded_and_the_gap_shows():
    live = Live()
    await live.after(-1, NOW, 0)
    for _ in range(20):
        live.show(b"o", "stdout", bytes(KEPT_BYTES // 8), NOW)
    kept = await live.after(0, NOW, 0)
    assert sum(len(one.data) for one in kept) <= KEPT_BYTES
    assert kept[0].number > 1
    assert kept[-1].number == live.number == 20


@pytest.mark.parametrize("how", ["end", "close"])
async def test_whoever_waits_hears_of_the_end(autojump_clock, how):
    live = Live()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(live.after, -1, NOW, 1000)
        await trio.testing.wait_all_tasks_blocked()
        getattr(live, how)(*(["enough"] if how == "end" else []))
    assert trio.current_time() < 1


async def test_the_first_reason_stays(autojump_clock):
    live = Live()
    live.end("first")
    live.end("second")
    assert await live.over(NS) == "first"


async def test_a_session_is_over_when_its_credential_is(autojump_clock):
    assert await Live().over(3 * NS) == ""
    assert trio.current_time() == 3
    assert await Live().over(-NS) == ""
