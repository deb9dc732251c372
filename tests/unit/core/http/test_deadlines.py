"""One sweep keeps all deadlines, and lives no longer than what it watches."""

import socket

import pytest
import trio

from doorward_core.http.deadlines import Watch
from doorward_core.net.link import Link


@pytest.fixture
async def link():
    ours, theirs = socket.socketpair()
    link = Link(ours)
    yield link
    link.close()
    theirs.close()


async def test_a_link_whose_time_is_over_is_closed_and_its_waiter_woken(link, autojump_clock):
    watch = Watch(link)
    watch.receive_within(5)
    began = trio.current_time()
    with pytest.raises(trio.ClosedResourceError):
        await link.receive()
    assert 5 <= trio.current_time() - began <= 6
    assert watch.expired
    watch.forget()


async def test_what_is_lifted_or_forgotten_does_not_strike(link, autojump_clock):
    watch = Watch(link)
    watch.receive_within(5)
    watch.send_within(5)
    watch.receive_within(None)
    watch.send_within(None)
    await trio.sleep(10)
    watch.send_within(5)
    watch.forget()
    await trio.sleep(10)
    assert not watch.expired


async def test_sending_has_a_deadline_of_its_own(link, autojump_clock):
    watch = Watch(link)
    watch.send_within(5)
    watch.receive_within(None)
    await trio.sleep(10)
    assert watch.expired
    watch.forget()


async def test_an_idle_link_goes_when_the_gateway_does(link, autojump_clock):
    draining = trio.Event()
    watch = Watch(link, draining)
    draining.set()
    await trio.sleep(10)
    assert not watch.expired
    watch.idle = True
    await trio.sleep(1)
    assert watch.expired
    watch.forget()
