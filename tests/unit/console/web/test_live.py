"""One stream, driven as a server drives it: what is sent when, and when it ends."""

from contextlib import asynccontextmanager

import pytest
import trio

from doorward_console.web.live import MAX_EACH, Stream, Streams


class Wire:
    """The browser's end: what it was sent, and when it goes away."""

    def __init__(self):
        self.sent = []
        self.gone = trio.Event()
        self.ended = trio.Event()
        self._came = trio.Event()

    async def receive(self):
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        await trio.lowlevel.checkpoint()
        self.sent.append(message)
        self._came.set()
        self._came = trio.Event()
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.ended.set()

    @property
    def text(self):
        return b"".join(message.get("body", b"") for message in self.sent).decode()

    async def until(self, words):
        with trio.fail_after(60):
            while words not in self.text:
                await self._came.wait()


@asynccontextmanager
async def watching(stand, piece, streams=None, method="GET"):
    client = await stand.login()
    session = stand.desk.sessions.find(client.cookies["__Host-doorward"])
    wire = Wire()
    async with trio.open_nursery() as nursery:
        stream = Stream(stand.desk, streams or Streams(), session, "inbox", piece)
        nursery.start_soon(stream, {"type": "http", "method": method}, wire.receive, wire.send)
        yield wire, session
        wire.gone.set()


def pieces(stand):
    async def piece():
        await trio.lowlevel.checkpoint()
        waiting = stand.store.list(None, 100)
        return len(waiting), f"<p>{len(waiting)} wait</p>\n<p>\r\nevent: forged</p>"

    return piece


async def test_a_piece_is_sent_at_once_and_again_when_something_changed(stand):
    async with watching(stand, pieces(stand)) as (wire, _):
        await wire.until("<p>0 wait</p>")
        stand.hold()
        await wire.until("<p>1 wait</p>")
        assert wire.text.count("wait</p>") == 2
    assert wire.sent[0]["status"] == 200


async def test_ap_04_no_text_can_begin_another_event(stand):
    async with watching(stand, pieces(stand)) as (wire, _):
        await wire.until("forged")
        lines = wire.text.splitlines()
        assert [line for line in lines if line.startswith("event:")] == ["event: inbox"]


@pytest.mark.parametrize("how", ["session", "desk", "browser"])
async def test_it_ends_with_whatever_ends_first(stand, how):
    async with watching(stand, pieces(stand)) as (wire, session):
        await wire.until("wait")
        {"session": session.ended, "desk": stand.desk.closing, "browser": wire.gone}[how].set()
        with trio.fail_after(60):
            await wire.ended.wait()


async def test_it_ends_with_the_token_that_it_asks_with(stand):
    stand.ahead_ns = 0
    async with watching(stand, pieces(stand)) as (wire, _):
        await wire.until("wait")
        stand.ahead_ns = 3600 * 10**9
        stand.hold()
        with trio.fail_after(60):
            await wire.ended.wait()


async def test_streams_are_bounded_and_counted_back(stand):
    streams = Streams()
    async with watching(stand, pieces(stand), streams) as (wire, session):
        await wire.until("wait")
        streams.open[id(session)] += MAX_EACH - 1
        assert streams.full(session)
        second = Wire()
        stream = Stream(stand.desk, streams, session, "inbox", pieces(stand))
        await stream({"type": "http", "method": "GET"}, second.receive, second.send)
        assert "retry: 60000" in second.text
        streams.open[id(session)] -= MAX_EACH - 1
    assert streams.open.total() == 0


async def test_a_head_is_no_stream(stand):
    async with watching(stand, pieces(stand), method="HEAD") as (wire, _):
        await wire.until("retry")
