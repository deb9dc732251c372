"""Chunks handed over: order, holding back, waking, ends and failures; plain and under TLS."""

import socket

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from doorward_core.net import pump
from doorward_core.net.attend import Attention, Heed
from doorward_core.net.farewell import AT_ONCE
from doorward_core.net.link import CHUNK_BYTES, Link
from doorward_core.net.tls import client_context


@pytest.fixture(params=["plain", "tls"])
async def pair(request, server_tls, authorities):
    left, right = socket.socketpair()
    links = Link(left), Link(right)
    if request.param == "tls":
        async with trio.open_nursery() as nursery:
            nursery.start_soon(links[1].start_tls_server, server_tls.context)
            await links[0].start_tls_client(client_context(authorities, alpn=["postgresql"]), "gateway.test")
    yield links
    for link in links:
        link.close()


class Taker:
    """Takes chunks and says what it was told to say, MORE in the end."""

    def __init__(self, *says):
        self.taken = b""
        self.calls = 0
        self._says = list(says)

    def __call__(self, data):
        assert 0 < len(data) <= CHUNK_BYTES
        self.taken += data
        self.calls += 1
        said = self._says.pop(0) if self._says else Heed.MORE
        if isinstance(said, Exception):
            raise said
        return said


class Task:
    """Attends in a task of its own."""

    def __init__(self, nursery, attention, take):
        self.said = self.error = None
        self.scope = trio.CancelScope()
        nursery.start_soon(self._run, attention, take)

    async def _run(self, attention, take):
        with self.scope:
            try:
                self.said = await attention.attend(take)
            except (trio.ClosedResourceError, ValueError) as error:
                self.error = error


async def test_all_that_arrives_is_handed_over_in_order_until_the_end(pair, nursery):
    left, right = pair
    take = Taker()
    task = Task(nursery, Attention(right), take)
    sent = b"".join(number.to_bytes(4, "big") for number in range(200_000))
    await left.send_all(sent)
    await left.aclose(AT_ONCE)
    while task.said is None:
        await wait_all_tasks_blocked()
    assert (task.said, take.taken) == (False, sent)


async def test_the_task_wakes_when_it_is_asked_for_and_not_before(pair, nursery):
    left, right = pair
    take = Taker(Heed.MORE, Heed.WAKE)
    attention = Attention(right)
    task = Task(nursery, attention, take)
    await left.send_all(b"one")
    await wait_all_tasks_blocked()
    assert (take.taken, task.said) == (b"one", None)
    await left.send_all(b"two")
    await wait_all_tasks_blocked()
    assert (take.taken, task.said) == (b"onetwo", True)


async def test_what_arrives_while_nobody_attends_is_handed_to_the_next(pair, nursery):
    left, right = pair
    attention = Attention(right)
    first = Task(nursery, attention, Taker(Heed.WAKE))
    await left.send_all(b"one")
    await wait_all_tasks_blocked()
    assert first.said is True
    await left.send_all(b"two")
    await wait_all_tasks_blocked()
    take = Taker()
    Task(nursery, attention, take)
    await wait_all_tasks_blocked()
    assert take.taken == b"two"


async def test_while_held_nothing_is_read_and_resuming_goes_on(pair, nursery):
    left, right = pair
    attention, take = Attention(right), Taker(Heed.HOLD)
    task = Task(nursery, attention, take)
    await left.send_all(b"one")
    await wait_all_tasks_blocked()
    await left.send_all(b"two")
    await wait_all_tasks_blocked()
    assert take.taken == b"one"
    attention.resume()
    await wait_all_tasks_blocked()
    assert (take.taken, task.said) == (b"onetwo", None)


async def test_a_held_task_can_be_woken(pair, nursery):
    left, right = pair
    attention = Attention(right)
    task = Task(nursery, attention, Taker(Heed.HOLD))
    await left.send_all(b"one")
    await wait_all_tasks_blocked()
    attention.wake()
    await wait_all_tasks_blocked()
    assert task.said is True


async def test_a_client_that_fills_the_socket_while_held_is_held_back(nursery):
    left, right = socket.socketpair()
    links = Link(left), Link(right)
    Task(nursery, Attention(links[1]), Taker(Heed.HOLD))
    assert not links[0].offer([bytes(1 << 22)])
    await wait_all_tasks_blocked()
    assert links[0].unsent_bytes
    for link in links:
        link.close()


async def test_what_the_taker_raises_is_raised_in_its_task_alone(pair, nursery):
    left, right = pair
    task = Task(nursery, Attention(right), Taker(ValueError("no")))
    other_left, other_right = socket.socketpair()
    others = Link(other_left), Link(other_right)
    take = Taker()
    Task(nursery, Attention(others[1]), take)
    await left.send_all(b"one")
    await others[0].send_all(b"two")
    await wait_all_tasks_blocked()
    assert str(task.error) == "no"
    assert take.taken == b"two"
    for link in others:
        link.close()


async def test_closing_wakes_the_task(pair, nursery):
    _, right = pair
    task = Task(nursery, Attention(right), Taker())
    await wait_all_tasks_blocked()
    right.close()
    await wait_all_tasks_blocked()
    assert isinstance(task.error, trio.ClosedResourceError)


async def test_cancellation_loses_nothing(pair, nursery):
    left, right = pair
    attention = Attention(right)
    task = Task(nursery, attention, Taker())
    await wait_all_tasks_blocked()
    task.scope.cancel()
    await wait_all_tasks_blocked()
    await left.send_all(b"one")
    take = Taker(Heed.WAKE)
    assert await attention.attend(take)
    assert take.taken == b"one"


async def test_a_chunk_that_tls_held_back_is_handed_over_though_the_socket_is_empty(pair, nursery):
    left, right = pair
    attention = Attention(right)
    take = Taker(*[Heed.WAKE] * 40)
    sent = bytes(range(256)) * 1024
    nursery.start_soon(left.send_all, sent)
    while len(take.taken) < len(sent):
        assert await attention.attend(take)
    assert take.taken == sent


async def test_what_is_offered_leaves_at_once_or_is_left_for_the_one_who_waits(pair, nursery):
    left, right = pair
    assert left.offer([b"one", memoryview(b"two")])
    take = Taker()
    Task(nursery, Attention(right), take)
    await wait_all_tasks_blocked()
    assert take.taken == b"onetwo"
    assert not left.offer([bytes(1 << 23)])
    await left.send_all(())
    assert left.unsent_bytes == 0


async def test_a_broken_link_is_found_by_the_one_who_waits(pair):
    left, right = pair
    right.close()
    assert not left.offer([bytes(1 << 20)])
    with pytest.raises(trio.BrokenResourceError):
        await left.send_all(())


async def test_the_pump_is_one_for_each_run():
    assert pump.current() is pump.current()
