"""The search in the browser."""

import index_stand
import pytest
import trio


@pytest.fixture
async def reading(stand, tmp_path):
    await trio.to_thread.run_sync(lambda: index_stand.write(tmp_path / "gw" / "log", index_stand.story(), origin="gw"))
    stand.configure(policy=f", log: {tmp_path}/gw/log", more="index: index.sqlite\n")
    return stand


async def test_the_auditors_question_is_answered_and_recorded_first(reading):
    client = await reading.login("ana")
    empty = (await client.get("/search")).text
    assert "For example" in empty
    assert not reading.kinds("desk.read")
    page = (await client.get("/search", params={"q": "who changed customer 42, and who approved it"})).text
    await client.aclose()
    assert "UPDATE customer SET name = $1 WHERE id = $2" in page
    assert "<strong>dora</strong>" in page
    assert "1 more change" in page
    assert "Ulm" not in page
    (event,) = reading.kinds("desk.read")
    assert (event.header["subject"], event.header["what"]) == ("ana", "search")
    assert event.payload == {"words": "q: who changed customer 42, and who approved it"}


async def test_filters_and_pages(reading, monkeypatch):
    monkeypatch.setattr("doorward_console.web.pages_search.PAGE", 1)
    client = await reading.login("ana")
    page = (await client.get("/search", params={"who": "crew", "action": "read"})).text
    assert "Older ones" not in page
    page = (await client.get("/search", params={"who": "crew"})).text
    assert "Older ones" in page
    denied = (await client.get("/search", params={"verdict": "deny"})).text
    assert "\u202e" not in denied
    assert "U+202E" in denied
    assert "is no time" in (await client.get("/search", params={"since": "soon"})).text
    assert "Nothing is on record" in (await client.get("/search", params={"q": "zzz"})).text
    await client.aclose()


async def test_nothing_is_found_where_nothing_can_be_recorded(reading):
    client = await reading.login("ana")
    reading.log.fail("the disk is full")
    answer = await client.get("/search", params={"q": "customer"})
    await client.aclose()
    assert (answer.status_code, "UPDATE" in answer.text) == (503, False)


async def test_an_approver_alone_does_not_search(reading):
    client = await reading.login("tom")
    assert (await client.get("/search", params={"q": "customer"})).status_code == 403
    await client.aclose()


async def test_programs_ask_the_same_with_a_token(reading):
    token = reading.issuer.issue("ana", "human", ("auditors",))
    headers = {"Authorization": f"Bearer {token}"}
    async with reading.client() as client:
        answer = (await client.get("/api/v1/search", params={"q": "who changed customer 42"}, headers=headers)).json()
        (row,) = answer["found"]
        assert (row["subject"], row["approval"]["votes"][0]["approver"], answer["read_as"]["table"]) == (
            "crew-7", "dora", "customer",
        )  # fmt: skip
        assert answer["changes_that_do_not_name_it"]["count"] == 1
        sessions = (await client.get("/api/v1/sessions", params={"who": "crew-7"}, headers=headers)).json()
        (session,) = sessions["found"]
        one = (await client.get(f"/api/v1/sessions/{session['session']}", headers=headers)).json()
        assert [operation["seq"] for operation in one["operations"]] == [1, 2]
        assert (await client.get("/api/v1/sessions/zz", headers=headers)).status_code == 404
        assert (await client.get("/api/v1/search", params={"since": "soon"}, headers=headers)).status_code == 400
        assert (await client.get("/api/v1/search", params={"q": "x"})).status_code == 401
        described = (await client.get("/api/openapi.json")).json()["paths"]
        assert "/api/v1/search" in described
    assert len(reading.kinds("desk.read")) == 4
