"""Rows AP-04 and AP-06 for a gateway, or whoever stands in its place, that answers the desk with anything at all."""

import json

import pytest
import trio

from doorward_console.web.live import BETWEEN_S, Stream, Streams
from doorward_console.web.reach import Told
from doorward_console.web.views import clock, moment, stamp
from doorward_console.web.visits import BODY_S, Refusal, read_form
from doorward_console.web.waiting import gathered
from doorward_console.web.watching import Watching

NS = 1_000_000_000
FAR = (10**40, -(10**40), 253_402_300_800 * NS, -1, True)


@pytest.mark.parametrize("at", FAR)
def test_ap_04_a_time_that_no_calendar_has_takes_no_page_away(at):
    assert moment(at).endswith(" UTC")
    assert clock(at).count(":") == 2
    assert stamp(at).endswith("Z")


@pytest.mark.parametrize("name", ["../../logout", "x?y", "x#y", "//evil.test", "a b", "\u202e"])
def test_ap_04_an_id_leads_to_no_other_page(name):
    row = gathered([Told("pg", {"approvals": [{"id": name}]})], ()).rows[0]
    assert row.path.startswith("/requests/pg/")
    assert not set("?# /\\\u202e") & set(row.path.removeprefix("/requests/pg/"))


class Hasty:
    """A gateway that never waits, and always says that something has changed."""

    def __init__(self, answer):
        self.answer, self.asked = answer, 0
        self.name = "pg"

    async def get(self, *_parts, **_how):
        await trio.lowlevel.checkpoint()
        self.asked += 1
        return self.answer


class Session:
    """Somebody who is logged in, and stays so."""

    def __init__(self):
        self.ended = trio.Event()
        identity = type("Identity", (), {"expires_unix_ns": 1 << 62})
        self.person = type("Person", (), {"token": None, "identity": identity})


class Nowhere:
    """A desk with one gateway."""

    def __init__(self, gateway):
        self.gateways = {"pg": gateway}
        self.closing = trio.Event()

    @staticmethod
    def clock():
        return 0


async def _for_ten_seconds(answer):
    async def receive():
        await trio.sleep_forever()

    async def send(_message):
        await trio.lowlevel.checkpoint()

    with trio.move_on_after(10):
        await answer({"type": "http", "method": "GET"}, receive, send)


@pytest.mark.parametrize("version", [1, {"a": 1}, "x", None, 1e308])
async def test_ap_06_a_gateway_that_never_waits_is_asked_a_few_times_a_second(autojump_clock, version):
    gateway = Hasty({"version": version, "changed": True, "approvals": []})

    async def piece():
        await trio.lowlevel.checkpoint()
        return None, ""

    await _for_ten_seconds(Stream(Nowhere(gateway), Streams(), Session(), "inbox", piece))
    assert 2 <= gateway.asked <= 10 / BETWEEN_S + 2


@pytest.mark.parametrize(
    "answer", [{}, {"pieces": 5, "from": "x"}, {"pieces": [1, None, {"data": "%%%", "number": -1}]}]
)
async def test_ap_06_nor_is_one_that_is_watched_asked_without_end(autojump_clock, answer):
    gateway = Hasty(answer)
    await _for_ten_seconds(Watching(Nowhere(gateway), gateway, Session(), "01" * 16))
    assert 2 <= gateway.asked <= 103


def _lies():
    """Every place of the answers with something else in it."""
    row = {
        "id": "ap-aaaaaaaaaaaa", "opened_unix_ns": 10**40, "expires_unix_ns": -(10**40), "text": ["x"], "flags": "zz",
        "attributes": {"<b>": "<script>alert(1)</script>"}, "missing": {"a": 10**30}, "sponsor": 1.5e308,
        "state": '"><script>alert(1)</script>', "resource": "<img src=x onerror=alert(1)>", "subject": "\u202e<b>",
    }  # fmt: skip
    return {"approvals": [row, None, {"id": 5}, 7], "more": -5, "openings": [{"id": "x"}, 7], "version": {"a": 1}}


def test_ap_04_rows_of_the_wrong_types_are_text_and_nothing_else():
    found = gathered([Told("pg", json.loads(json.dumps(_lies())))], ())
    assert [(row.id, row.text, row.flags) for row in found.rows] == [("ap-aaaaaaaaaaaa", "", ())]


class HalfASender:
    """A request whose body never ends."""

    def __init__(self, *chunks):
        self.headers, self._chunks = {"content-type": "application/x-www-form-urlencoded"}, chunks

    async def stream(self):
        for chunk in self._chunks:
            await trio.lowlevel.checkpoint()
            yield chunk
        while True:
            await trio.sleep(1)
            yield b"a"


@pytest.mark.parametrize("sent", [(), (b"back=",)])
async def test_ap_06_half_a_form_is_not_waited_for_without_end(autojump_clock, sent):
    with trio.fail_after(BODY_S + 1), pytest.raises(Refusal) as caught:
        await read_form(HalfASender(*sent))
    assert caught.value.status == 408
