import trio

from doorward_ssh.idle import until_idle


async def test_the_time_begins_anew_with_whatever_is_carried(autojump_clock):
    began, busy_until = trio.current_time(), 1000.0
    await until_idle(lambda: trio.current_time() - began < busy_until, 80.0)
    assert 1000.0 + 80.0 - 10.0 <= trio.current_time() - began <= 1000.0 + 80.0 + 20.0


async def test_what_carries_nothing_from_the_beginning_is_idle_after_the_time(autojump_clock):
    began = trio.current_time()
    await until_idle(lambda: False, 80.0)
    assert trio.current_time() - began == 80.0


async def test_what_always_carries_something_is_never_idle(autojump_clock):
    with trio.move_on_after(10_000) as scope:
        await until_idle(lambda: True, 80.0)
    assert scope.cancelled_caught
