"""How long a goodbye lasts: bounds in time, in silence and in bytes."""

import pytest
import trio

from doorward_core.net.farewell import SHORT, UPLOADING, Farewell, drop_until_gone

BOUNDS = Farewell(whole_s=20, silent_s=5, dropped_bytes=10)


class _Peer:
    """Sends `pieces`, one each `every_s` seconds; then it has ended, or says nothing more."""

    def __init__(self, pieces, every_s=0.0, *, ends=False):
        self.pieces = pieces
        self.every_s = every_s
        self.ends = ends
        self.hung_up = trio.Event()
        self.waited_for = False

    async def receive(self, max_bytes):
        if self.pieces:
            await trio.sleep(self.every_s)
            return self.pieces.pop(0)[:max_bytes]
        if not self.ends:
            await trio.sleep_forever()
        return b""

    async def hangup(self):
        self.waited_for = True
        await self.hung_up.wait()


async def test_it_ends_when_the_peer_has_ended_its_side():
    peer = _Peer([b"12345", b"123"], ends=True)
    await drop_until_gone(BOUNDS, peer.receive, peer.hangup)
    assert not peer.pieces
    assert not peer.waited_for


async def test_silence_ends_it_before_its_time(autojump_clock):
    peer = _Peer([b"12"] * 3, every_s=4)
    before = trio.current_time()
    await drop_until_gone(BOUNDS, peer.receive, peer.hangup)
    assert trio.current_time() - before == 3 * 4 + 5


async def test_past_its_bound_nothing_is_read_and_the_peer_may_still_look(autojump_clock):
    peer = _Peer([b"12345"] * 4)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drop_until_gone, BOUNDS, peer.receive, peer.hangup)
        await trio.sleep(100)
        assert peer.pieces == [b"12345"] * 2
        assert nursery.child_tasks
        peer.hung_up.set()


@pytest.mark.parametrize("bounds", [SHORT, UPLOADING])
def test_silence_is_never_allowed_for_longer_than_all_of_it(bounds):
    assert 0 < bounds.silent_s <= bounds.whole_s
