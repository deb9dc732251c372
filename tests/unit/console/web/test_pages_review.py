"""Access reviews at the desk: made, read, and signed by their digest."""

import re

import pytest
import trio

from doorward_core.record.writer import Log

POLICY = """\
version: 1
rules:
  - {id: reads, effect: allow, who: {groups: [analysts]}, resource: shop, do: [read]}
"""


@pytest.fixture
async def reading(stand, tmp_path, story_with_policy):
    (tmp_path / "policy.yaml").write_text(POLICY)
    async with trio.open_nursery() as nursery:
        log = await Log.open(tmp_path / "gw" / "log", origin="gw", signer=tmp_path / "gw" / "key", nursery=nursery)
        for event, at in story_with_policy(POLICY, str(tmp_path / "policy.yaml")):
            log.append(event, at)
        await log.aclose()
    stand.configure(policy=f", policy: {tmp_path}/policy.yaml, log: {tmp_path}/gw/log")
    return stand


async def test_a_review_is_made_and_signed(reading):
    client = await reading.login("ana")
    page = (await client.get("/review", params={"g": "pg", "since": "2020-01-01"})).text
    assert "crew-7" in page
    digest = re.search(r'name="digest" value="([0-9a-f]{64})"', page)[1]
    done = await client.post("/review/sign", data={"csrf": reading.csrf(page), "digest": digest, "words": "fine"})
    assert "Signed off" in done.text
    await client.aclose()
    (event,) = reading.kinds("review.signed")
    assert (event.header["subject"], event.header["log"], event.header["digest"].hex()) == ("ana", "gw", digest)
    assert event.payload == {"words": "fine"}


async def test_nothing_is_signed_that_was_not_shown_or_without_words(reading):
    client = await reading.login("ana")
    page = (await client.get("/review", params={"g": "pg", "since": "2020-01-01"})).text
    digest = re.search(r'name="digest" value="([0-9a-f]{64})"', page)[1]
    form = {"csrf": reading.csrf(page), "digest": "0" * 64, "words": "x"}
    assert (await client.post("/review/sign", data=form)).status_code == 409
    assert (await client.post("/review/sign", data={**form, "digest": digest, "words": " "})).status_code == 400
    assert (await client.post("/review/sign", data={**form, "csrf": "x"})).status_code == 403
    await client.aclose()
    assert not reading.kinds("review.signed")


async def test_what_cannot_be_made_is_said(reading):
    client = await reading.login("ana")
    assert "is no time" in (await client.get("/review", params={"g": "pg", "since": "whenever"})).text
    assert (await client.get("/review", params={"g": "no"})).status_code == 404
    await client.aclose()
    client = await reading.login("tom")
    assert (await client.get("/review")).status_code == 403
    await client.aclose()
