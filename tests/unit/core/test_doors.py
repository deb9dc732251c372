"""A session over HTTP: what it began ends with it, or with its credential."""

import contextlib
from types import SimpleNamespace

import pytest
import trio

from doorward_core.doors import MAX_SESSIONS, NS_PER_S, Door, Doors, open_doors
from doorward_core.errors import AdmissionRefused, TooManySessions
from doorward_core.event import EventKind
from doorward_core.live import Live
from doorward_core.model import Peer, Secret
from doorward_core.shares import Shares


class Clock:
    """Goes with trio's, which jumps; `behind_s` is by how much the world's is put back."""

    def __init__(self):
        self.behind_s = 0

    def __call__(self):
        return int((trio.current_time() - self.behind_s) * NS_PER_S)


@pytest.fixture
def clock():
    return Clock()


def opened(clock, life_s=60):
    identity = SimpleNamespace(expires_unix_ns=clock() + life_s * NS_PER_S)
    return Door(SimpleNamespace(live=Live(), session=SimpleNamespace(identity=identity)), clock)


async def _lasts(door):
    """How long something that never ends by itself goes on, and whether it was ended."""
    began = trio.current_time()
    with door.life() as life:
        await trio.sleep_forever()
    return trio.current_time() - began, life.cancelled_caught


async def test_what_was_begun_ends_with_the_credential(clock, nursery, autojump_clock):
    door = opened(clock)
    nursery.start_soon(door.watch)
    await trio.sleep(10)
    assert await _lasts(door) == (pytest.approx(50), True)


async def test_what_begins_after_the_credential_ends_at_once(clock, nursery, autojump_clock):
    door = opened(clock)
    nursery.start_soon(door.watch)
    await trio.sleep(61)
    assert await _lasts(door) == (0, True)


async def test_a_clock_that_is_put_back_lengthens_nothing_but_the_wait(clock, nursery, autojump_clock):
    door = opened(clock)
    nursery.start_soon(door.watch)
    clock.behind_s = 30
    assert await _lasts(door) == (pytest.approx(90), True)


async def test_what_was_begun_ends_with_the_session_and_what_is_over_is_left_alone(clock, nursery, autojump_clock):
    door = opened(clock)
    nursery.start_soon(door.watch)
    with door.life() as short:
        await trio.sleep(1)
    ended = []

    async def waits():
        ended.append(await _lasts(door))

    nursery.start_soon(waits)
    nursery.start_soon(waits)
    await trio.sleep(4)
    door.gate.live.end("somebody ended it")
    await trio.testing.wait_all_tasks_blocked()
    assert ended == [(pytest.approx(4), True)] * 2
    assert not short.cancel_called
    assert await _lasts(door) == (0, True)


def entering(house, nursery):
    """The sessions of one connection, and a way in for whoever has a token of so many seconds."""
    doors = Doors(house.gate, nursery, Door)

    async def enter(lifetime_s):
        token = house.issuer.issue("crew-7", "agent", ("readers",), lifetime_s=lifetime_s)
        return await doors.enter(Secret(token), "app-db", Peer("10.0.0.7"))

    return doors, enter


async def test_a_session_whose_credential_ran_out_takes_no_place_once_another_comes(houses, nursery):
    house = houses(shares=Shares(2))
    doors, enter = entering(house, nursery)
    resting, working = await enter(600), await enter(600)
    with pytest.raises(TooManySessions):
        await enter(3600)
    await trio.testing.wait_all_tasks_blocked()  # each session is watched by now, and finds nothing out by itself
    house.later(1200)
    with working.life():
        fresh = await enter(3600)
        assert set(house.gate.sessions.values()) == {working.gate, fresh.gate}
    (closed,) = house.events(EventKind.SESSION_CLOSED)
    assert (closed.session_id, closed.header["reason"]) == (resting.gate.session.id, "its credential expired")
    doors.close("the connection ended")
    assert len(house.events(EventKind.SESSION_CLOSED)) == 3
    nursery.cancel_scope.cancel()


async def test_a_connection_outlives_any_number_of_tokens(houses, nursery):
    house = houses()
    doors, enter = entering(house, nursery)
    for _ in range(MAX_SESSIONS):
        await enter(60)
    with pytest.raises(AdmissionRefused, match="too many identities"):
        await enter(3600)
    house.later(600)
    await enter(3600)
    assert len(house.gate.sessions) == 1
    doors.close("the connection ended")
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("fails", "reason"), [(False, "the connection ended"), (True, "failed")])
async def test_every_session_of_a_connection_is_closed_behind_it(houses, fails, reason):
    house = houses()
    token = house.issuer.issue("crew-7", "agent", ("readers",))
    with pytest.RaisesGroup(BrokenPipeError) if fails else contextlib.nullcontext():
        async with open_doors(house.gate, Door) as doors:
            await doors.enter(Secret(token), "app-db", Peer("10.0.0.7"))
            if fails:
                raise BrokenPipeError
    (closed,) = house.events(EventKind.SESSION_CLOSED)
    assert closed.header["reason"] == reason
    assert house.gate.sessions == {}
