"""A terminal that is watched: plain text, until there is no more."""

import base64
import json

import pytest
import trio

from doorward_console.web.reach import GatewayDown
from doorward_console.web.watching import Watching

NAME = "01" * 16


class Scripted:
    """A gateway that says these things, one after the other, and then nothing more."""

    def __init__(self, *answers):
        self.asked = []
        self._answers = [*answers]

    async def get(self, _token, *parts, query=None, extra_s=0):
        await trio.lowlevel.checkpoint()
        self.asked.append((parts, query))
        if not self._answers:
            await trio.sleep_forever()
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def pieces(*shown, ended=""):
    told = [
        {"number": number, "unix_ns": 5, "stream": stream, "data": base64.b64encode(data).decode()}
        for number, stream, data in shown
    ]
    return {"pieces": told, "ended": ended}


class Browser:
    def __init__(self):
        self.sent = []
        self.gone = trio.Event()
        self.over = trio.Event()

    async def receive(self):
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        await trio.lowlevel.checkpoint()
        self.sent.append(message)
        if b"event: " in message.get("body", b""):
            self.over.set()

    @property
    def events(self):
        text = b"".join(message.get("body", b"") for message in self.sent).decode("ascii")
        found = [part.split("\n") for part in text.split("\n\n") if part]
        return [(event.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for event, data in found]


@pytest.fixture
async def session(stand):
    client = await stand.login()
    yield stand.desk.sessions.find(client.cookies["__Host-doorward"])
    await client.aclose()


async def run(stand, session, gateway, *, method="GET"):
    browser = Browser()
    with trio.fail_after(60):
        await Watching(stand.desk, gateway, session, NAME)({"method": method}, browser.receive, browser.send)
    return browser


async def test_what_is_shown_is_plain_text_and_the_end_is_said(stand, session):
    hostile = b"\x1b]52;c;aGk=\x07$ ls \xe2\x80\xae\x1b[31m<b>\r\n"
    gateway = Scripted(
        {"from": 3}, pieces((4, "stdout", hostile), (9, "stdout", b"x"), (10, "resize", b"80x24"), ended="it is over")
    )
    browser = await run(stand, session, gateway)
    (shown, text), (over, words) = browser.events
    assert (shown, over, words) == ("show", "over", "it is over")
    assert "<b>" in text
    assert "4 pieces were too quick" in text
    assert not set(text) & {"\x1b", "\x07", "\u202e"}
    assert gateway.asked == [
        (("sessions", NAME, "stream"), None),
        (("sessions", NAME, "stream"), {"after": "3"}),
    ]


async def test_a_gateway_that_goes_away_is_said(stand, session):
    browser = await run(stand, session, Scripted({"from": 0}, GatewayDown("it cannot be reached")))
    assert browser.events == [("over", "the gateway says no more: it cannot be reached")]


async def test_it_ends_with_the_login_and_with_the_browser(stand, session):
    for end in ("login", "browser"):
        browser = Browser()
        gateway = Scripted({"from": 0}, pieces((1, "stdout", b"x")))
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                watching = Watching(stand.desk, gateway, session, NAME)
                nursery.start_soon(watching, {"method": "GET"}, browser.receive, browser.send)
                await browser.over.wait()
                if end == "browser":
                    browser.gone.set()
                else:
                    stand.desk.closing.set()
        assert browser.sent[-1]["body"] == b""
        stand.desk.closing = trio.Event()


async def test_a_head_and_an_answer_that_is_none_do_no_harm(stand, session):
    assert len((await run(stand, session, Scripted(), method="HEAD")).sent) == 2
    odd = {"pieces": [7, {"number": "x", "data": "!!"}], "ended": "x"}
    assert (await run(stand, session, Scripted({}, odd))).events[-1] == ("over", "x")
