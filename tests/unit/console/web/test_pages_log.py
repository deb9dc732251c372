"""The Log page and its JSON: whose the logs are, and who stands behind them by the keys in the desk's settings."""

import re

import pytest
import trio
from cosigned_log import CosignedLog


@pytest.fixture
async def reading(stand, tmp_path):
    """A desk before a log that two witnesses have cosigned; `believe` puts their keys into its settings."""
    log = await trio.to_thread.run_sync(lambda: CosignedLog(tmp_path / "gw", count=5))
    log.put(log.line(0), log.line(1))
    base = f", log: {log.folder}, checkpoints: {log.second}/checkpoint, vkey: {log.root}/keys/log.vkey"

    def believe(keys=2, quorum=2):
        witnesses = f", witnesses: {{quorum: {quorum}, vkeys: {log.vkeys[:keys]}}}" if keys else ""
        stand.configure(policy=base + witnesses, more="index: index.sqlite\n")

    believe()
    return stand, log, believe


async def shown(stand):
    """What the page says, in one line of words."""
    client = await stand.login("ana")
    page = (await client.get("/log")).text
    await client.aclose()
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


async def asked(stand):
    token = stand.issuer.issue("ana", "human", ("auditors",))
    async with stand.client() as client:
        answer = await client.get("/api/v1/logs", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    return answer.json()


async def test_witnesses_whose_keys_are_here_are_verified_with_their_time(reading):
    stand, log, _ = reading
    page = await shown(stand)
    assert f"2 , and 2 must be, over {log.size} entries" in page
    assert len(re.findall(r"w[01]\.example [0-9a-f]{8} : verified, at 2027-01-15", page)) == 2
    answer = await asked(stand)
    (one,) = answer["logs"]
    assert [who["standing"] for who in one["witnessed"]["witnesses"]] == ["verified", "verified"]
    assert (one["witnessed"]["quorum"], one["witnessed"]["size"], one["witnessed"]["problem"]) == (2, log.size, "")
    assert answer["missing"] == [f"the log of desk is not at {stand.folder / 'log'}"]


async def test_names_without_keys_here_are_said_not_to_be_verified(reading):
    stand, _, believe = reading
    believe(0)
    page = await shown(stand)
    assert "none is verified: the settings name no key of theirs" in page
    assert len(re.findall(r"w[01]\.example [0-9a-f]{8} : not verified: no key here", page)) == 2
    believe(1, 1)
    page = await shown(stand)
    assert re.search(r"w0\.example [0-9a-f]{8} : verified, at", page)
    assert re.search(r"w1\.example [0-9a-f]{8} : not verified: no key here", page)


async def test_l_04_a_forged_cosignature_is_shown_as_wrong_by_page_and_json(reading):
    stand, log, _ = reading
    log.put(log.line(0), log.forged(1))
    page = await shown(stand)
    assert "the cosignature by w1.example is wrong" in page
    assert re.search(r"w1\.example [0-9a-f]{8} : wrong signature", page)
    (one,) = (await asked(stand))["logs"]
    assert [who["standing"] for who in one["witnessed"]["witnesses"]] == ["verified", "wrong signature"]


async def test_l_04_verify_now_holds_the_witnesses_against_the_settings(reading):
    stand, log, _ = reading
    assert "it holds" in await verified(stand)
    log.put(log.line(0), log.forged(1))
    said = await verified(stand)
    assert "it does NOT hold" in said
    assert "its witnesses: the cosignature by w1.example is wrong" in said
    assert "it did NOT hold" in said
    log.put(log.line(0))
    assert "its witnesses: cosigned by 1 of the 2 witnesses that are required" in await verified(stand)


async def verified(stand):
    client = await stand.login("ana")
    csrf = stand.csrf((await client.get("/log")).text)
    answer = await client.post("/log/pg/verify", data={"csrf": csrf})
    await client.aclose()
    assert answer.status_code == 200, answer.text
    return " ".join(re.sub(r"<[^>]*>", " ", answer.text).split())


async def test_a_name_that_would_be_markup_is_text(reading):
    stand, log, believe = reading
    believe(0)
    log.put("\N{EM DASH} <b>&x</b> AAAAAAAAAAAAAAAA\n".encode())
    client = await stand.login("ana")
    page = (await client.get("/log")).text
    await client.aclose()
    assert "&lt;b&gt;&amp;x&lt;/b&gt;" in page


async def test_logs_are_listed_for_those_who_read_alone_and_that_is_recorded_first(reading):
    stand, _, _ = reading
    token = stand.issuer.issue("tom", "human", ("dba",))
    async with stand.client() as client:
        answer = await client.get("/api/v1/logs", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 403
    assert not stand.kinds("desk.read")
    await asked(stand)
    assert [(event.header["subject"], event.header["what"]) for event in stand.kinds("desk.read")] == [("ana", "log")]
