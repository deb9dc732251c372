"""The policy at the desk: in words, explained, and tried on a real gateway's record."""

import pytest
import trio

from doorward_console.web.desk import Desk
from doorward_core.record.writer import Log

POLICY = """\
version: 1
rules:
  - {id: reads, effect: allow, who: {groups: [analysts]}, resource: shop, do: [read], reason: "<b>bold</b>"}
"""


@pytest.fixture
async def reading(stand, tmp_path, story_with_policy):
    """The desk of `stand`, with a gateway's policy and log."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    async with trio.open_nursery() as nursery:
        log = await Log.open(tmp_path / "gw" / "log", origin="gw", signer=tmp_path / "gw" / "key", nursery=nursery)
        for event, at in story_with_policy(POLICY, str(tmp_path / "policy.yaml")):
            log.append(event, at)
        await log.aclose()
    stand.configure(policy=f", policy: {tmp_path}/policy.yaml, log: {tmp_path}/gw/log")
    assert isinstance(stand.desk, Desk)
    return stand


async def test_the_rules_are_told_in_words_and_as_text(reading):
    client = await reading.login("ana")
    text = (await client.get("/policy")).text
    await client.aclose()
    assert "Whoever is in analysts may read on shop." in text
    assert "&lt;b&gt;bold&lt;/b&gt;" in text
    assert "<b>bold</b>" not in text
    assert [event.header["what"] for event in reading.kinds("desk.read")] == ["policy"]


async def test_a_sample_is_explained(reading):
    query = {"resource": "shop", "groups": "analysts", "kind": "agent", "do": "read", "on": "relation:public.x"}
    client = await reading.login("ana")
    assert "allow (rule)" in (await client.get("/policy", params=query)).text
    assert "block (no-rule)" in (await client.get("/policy", params={**query, "groups": ""})).text
    assert "kind:name" in (await client.get("/policy", params={**query, "on": "x"})).text
    await client.aclose()


async def test_a_changed_text_is_tried_and_comes_not_into_force(reading, tmp_path):
    client = await reading.login("ana")
    page = (await client.get("/policy")).text
    form = {"csrf": reading.csrf(page), "g": "pg", "since": "2020-01-01"}
    tried = await client.post("/policy/backtest", data={**form, "text": POLICY.replace("allow", "block")})
    assert "2 otherwise" in tried.text
    assert "SELECT 1 &lt;script&gt;" in tried.text
    same = await client.post("/policy/backtest", data={**form, "text": POLICY})
    assert "the very text that is in force" in same.text
    wrong = await client.post("/policy/backtest", data={**form, "text": "version: 1\nrulez: []\n"})
    assert "policy.yaml:2" in wrong.text
    await client.aclose()
    assert (tmp_path / "policy.yaml").read_text() == POLICY


async def test_approvers_and_strangers_do_not_see_it(reading):
    client = await reading.login("tom")
    assert (await client.get("/policy")).status_code == 403
    await client.aclose()
    async with reading.client() as client:
        assert (await client.get("/policy")).status_code == 303


async def test_a_gateway_that_is_none_is_not_there(reading):
    client = await reading.login("ana")
    assert (await client.get("/policy?g=nope")).status_code == 404
    await client.aclose()
