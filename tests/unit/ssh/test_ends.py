"""The two channels of one session: when the client hears that there is no more."""

import asyncio

import pytest

from doorward_ssh import ends
from doorward_ssh.ends import ClientEnd, Ends
from doorward_ssh.streams import StreamRelay


class Channel:
    """A client's channel that keeps what is done with it."""

    def __init__(self):
        self.done = []
        self.ended = asyncio.Event()

    def is_closing(self):
        return self.ended.is_set()

    def write(self, data, datatype=None):
        self.done.append(data)

    def write_eof(self):
        self.done.append("eof")
        self.ended.set()

    def exit(self, status):
        self.done.append(status)

    def resume_reading(self):
        pass

    pause_reading = resume_reading


@pytest.fixture
def joined(monkeypatch):
    """Both ends of a channel through which bytes pass; how long an end waits for the exit status is no time here."""
    monkeypatch.setattr(ends, "STATUS_S", 0)

    def make():
        client = ClientEnd(lambda *_: None, lambda _: None)
        client.channel = Channel()
        both = client.ends = Ends(client)
        both.begin(StreamRelay(both, None))
        return both, client.channel

    return make


async def passed():
    """What was to be done by now has been done: timers come in their order."""
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(0.001, over.set)
    await over.wait()


def test_a_target_that_ends_its_output_and_goes_on_is_told_at_once(joined):
    async def run():
        both, channel = joined()
        both.target.data_received(b"out", None)
        both.target.eof_received()
        await channel.ended.wait()
        assert channel.done == [b"out", "eof"]

    asyncio.run(run())


def test_the_exit_status_comes_with_the_end_however_late_it_is_told(joined):
    async def run():
        both, channel = joined()
        both.target.exit_status_received(7)
        both.target.eof_received()
        both.target.connection_lost(None)
        await passed()
        assert channel.done == []
        both.finish_client()
        assert channel.done == ["eof", 7]

    asyncio.run(run())


def test_words_about_a_target_that_was_lost_find_the_channel_open_however_long_their_record_takes(joined):
    async def run():
        both, channel = joined()
        both.target.connection_lost(ConnectionResetError())
        await passed()
        both.client.say("lost")
        assert channel.done == [b"lost\n"]

    asyncio.run(run())
