"""Following a log: everything at least once, in order, whatever fails."""

import contextlib

import trio
import trio.testing

from doorward_console.follow.loop import FIRST_WAIT_S, follow
from doorward_console.follow.senders import NotDelivered, Sender
from doorward_core.record.reader import LogReader


class Picky(Sender):
    """Takes every batch but those at the places that it is told to refuse."""

    def __init__(self, refused=()) -> None:
        super().__init__("gw.example", content=False)
        self.refused = set(refused)
        self.calls = 0
        self.got: list[int] = []

    async def send(self, batch) -> None:
        await trio.lowlevel.checkpoint()
        self.calls += 1
        if self.calls in self.refused:
            raise NotDelivered("not now")
        self.got += [entry.index for entry in batch]


async def test_everything_is_shipped_once_and_then_only_what_is_new(tmp_path, log, log_entries):
    sender, reader = Picky(), LogReader(log)
    assert await follow(reader, "gw.example", sender, tmp_path / "c", once=True) == len(log_entries)
    assert sender.got == [entry.index for entry in log_entries]
    assert await follow(reader, "gw.example", sender, tmp_path / "c", once=True) == 0


async def test_what_was_refused_comes_again(tmp_path, log, log_entries, autojump_clock):
    told: list[str] = []
    sender = Picky(refused={1, 2})
    await follow(LogReader(log), "gw.example", sender, tmp_path / "c", once=True, tell=told.append)
    assert sender.got == [entry.index for entry in log_entries]
    assert trio.current_time() >= FIRST_WAIT_S * 3
    assert [words.partition(":")[0] for words in told][-1] == "delivered again"


async def test_cut_off_before_the_cursor_is_written_it_comes_again(tmp_path, log, log_entries):
    class Dying(Picky):
        async def send(self, batch) -> None:
            await super().send(batch)
            raise KeyboardInterrupt  # it was delivered, and nobody wrote that down

    sender = Dying()
    with contextlib.suppress(KeyboardInterrupt):
        await follow(LogReader(log), "gw.example", sender, tmp_path / "c", once=True)
    again = Picky()
    await follow(LogReader(log), "gw.example", again, tmp_path / "c", once=True)
    assert again.got == sender.got == [entry.index for entry in log_entries]


async def test_it_waits_for_more(tmp_path, log, nursery):
    class Telling(Picky):
        async def send(self, batch) -> None:
            await super().send(batch)
            came.set()

    came, sender = trio.Event(), Telling()
    nursery.start_soon(follow, LogReader(log), "gw.example", sender, tmp_path / "c")
    await came.wait()
    await trio.testing.wait_all_tasks_blocked(0.05)
    assert sender.calls == 1
    nursery.cancel_scope.cancel()
