"""The pump: who is ready is called, what is put off to the end of a turn is done once, and the rest of the loop runs."""

import socket

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from doorward_core.net import pump


class Listener:
    """Reads one byte each time it is called, and says that there is more while there is."""

    def __init__(self, connected, then=None):
        self.connected = connected
        self.calls = 0
        self._then = then

    def heard(self, events):
        self.calls += 1
        if events & pump.ENDED:
            return
        try:
            self.connected.recv(1)
        except BlockingIOError:
            return
        if self._then:
            self._then()
        pump.current().again(self)


@pytest.fixture
def pair():
    left, right = socket.socketpair()
    right.setblocking(False)
    with left, right:
        yield left, right


async def test_who_is_ready_is_called_until_nothing_is_left(pair):
    left, right = pair
    listener = Listener(right)
    pump.current().join(right, listener)
    left.send(b"abc")
    await wait_all_tasks_blocked()
    assert listener.calls == 4
    left.send(b"d")
    await wait_all_tasks_blocked()
    assert listener.calls == 6
    pump.current().leave(right)
    left.send(b"e")
    await wait_all_tasks_blocked()
    assert listener.calls == 6


async def test_what_is_asked_for_at_the_end_is_done_once_a_go(pair):
    left, right = pair
    done = []

    def end():
        done.append(1)

    def twice():
        pump.current().at_end(end)
        pump.current().at_end(end)

    listener = Listener(right, twice)
    pump.current().join(right, listener)
    left.send(b"ab")
    await wait_all_tasks_blocked()
    assert len(done) == 1
    pump.current().leave(right)


async def test_between_turns_of_the_pump_it_is_done_once_for_all_who_are_about_to_run(nursery):
    done = []

    def end():
        done.append(1)

    async def ask():
        pump.current().at_end(end)

    for count in (1, 2):
        for _ in range(3):
            nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        assert len(done) == count


async def test_somebody_with_very_much_to_say_does_not_keep_the_loop_to_itself(pair):
    left, right = pair
    listener = Listener(right)
    left.setblocking(False)
    left.send(bytes(2000))
    pump.current().join(right, listener)
    turns = 0
    while listener.calls < 2000:
        await trio.lowlevel.checkpoint()
        turns += 1
    assert turns > 2000 // pump.MAX_TURNS - 2
    pump.current().leave(right)
