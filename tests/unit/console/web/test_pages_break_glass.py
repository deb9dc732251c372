import pytest

from doorward_core.net.control import Problem


async def test_a_review_at_a_gateway_that_is_not_there_is_refused(stand):
    client = await stand.login()
    csrf = stand.csrf((await client.get("/")).text)
    assert (await client.post("/break-glass/no/bg-1/review", data={"csrf": csrf, "words": "x"})).status_code == 404


async def test_a_review_that_the_gateway_did_not_hear_says_so(stand):
    stand.configure(more='  k8s: {control: "unix:nothing.sock"}\n')
    client = await stand.login()
    csrf = stand.csrf((await client.get("/")).text)
    answer = await client.post("/break-glass/k8s/bg-1/review", data={"csrf": csrf, "words": "x"})
    assert answer.status_code == 502
    assert "Look before you do it again" in answer.text


OWED = {
    "id": "bg-1", "subject": "dora", "display": "Dora", "resource": "shop", "reason": "orders <b>hang</b>",
    "opened_unix_ns": 1_700_000_000_000_000_000, "until_unix_ns": 1_700_000_900_000_000_000, "review": None,
}  # fmt: skip
SIGNED = {
    **OWED, "id": "bg-0", "review": {"reviewer": "tom", "issuer": "i", "words": "fine", "signed_unix_ns": 1_700_001_000_000_000_000},
}  # fmt: skip


async def test_what_is_owed_and_what_was_reviewed_is_shown_to_whoever_may_see_it(stand):
    stand.openings = [OWED, SIGNED]
    text = (await (await stand.login()).get("/break-glass")).text
    assert text.count("A review is owed") == 1
    assert "orders &lt;b&gt;hang&lt;/b&gt;" in text
    assert "by <strong>tom</strong>" in text
    assert "lets you: it is for people in a group" in text
    assert 'action="/break-glass"' not in text


async def test_a_review_that_was_signed_here_leads_back_here(stand):
    stand.openings = [OWED]
    client = await stand.login()
    csrf = stand.csrf((await client.get("/break-glass")).text)
    form = {"csrf": csrf, "words": "as announced", "back": "break-glass"}
    assert (await client.post("/break-glass/pg/bg-1/review", data=form)).headers["location"] == "/break-glass"


async def test_the_glass_is_broken_by_whom_a_gateway_lets(stand):
    client = await stand.login("olga")
    page = (await client.get("/break-glass")).text
    assert 'name="gateway" value="pg"' in page
    form = {"csrf": stand.csrf(page), "gateway": "pg", "resource": " shop ", "minutes": "15", "reason": "orders  hang"}
    assert (await client.post("/break-glass", data=form)).headers["location"] == "/break-glass"
    said = {"resource": "shop", "reason": "orders hang", "seconds": 900}
    assert stand.told == [("/v1/break-glass", "olga", said)]


@pytest.mark.parametrize(
    "change",
    [{"minutes": "0"}, {"minutes": "x"}, {"minutes": "99999"}, {"minutes": "\u0663"}, {"gateway": "moon"}, {"reason": " "}],
)  # fmt: skip
async def test_a_form_that_says_too_little_comes_back_as_it_was(stand, change):
    client = await stand.login("olga")
    csrf = stand.csrf((await client.get("/break-glass")).text)
    form = {"csrf": csrf, "gateway": "pg", "resource": "shop", "minutes": "15", "reason": "orders hang", **change}
    answer = await client.post("/break-glass", data=form)
    assert answer.status_code == 400
    assert 'role="alert">Say ' in answer.text
    assert 'value="shop"' in answer.text
    assert stand.told == []


async def test_the_gateways_no_is_told_and_the_form_kept(stand):
    stand.answers["/v1/break-glass"] = Problem(400, "seconds is a number from 1 to 300")
    client = await stand.login("olga")
    csrf = stand.csrf((await client.get("/break-glass")).text)
    form = {"csrf": csrf, "gateway": "pg", "resource": "shop", "minutes": "15", "reason": "orders hang"}
    answer = await client.post("/break-glass", data=form)
    assert (answer.status_code, "It is not broken: seconds is a number" in answer.text) == (400, True)
    assert 'value="orders hang"' in answer.text


async def test_a_gateway_that_is_down_is_named_and_one_that_refuses_is_not(stand):
    stand.configure(more='  k8s: {control: "unix:nothing.sock"}\n')
    text = (await (await stand.login("olga")).get("/break-glass")).text
    assert "k8s</strong> does not answer" in text


async def test_programs_see_break_and_review(stand):
    stand.openings = [OWED, SIGNED]
    headers = {"Authorization": f"Bearer {stand.issuer.issue('olga', 'human', ('ops', 'fire'))}"}
    client = stand.client()
    listed = (await client.get("/api/v1/break-glass?state=all", headers=headers)).json()
    assert [(one["id"], one["owed"], one["words"]) for one in listed["openings"]] == [
        ("bg-0", False, "fine"), ("bg-1", True, "")
    ]  # fmt: skip
    said = {"resource": "shop", "reason": "x", "seconds": 60}
    assert (await client.post("/api/v1/break-glass/pg", headers=headers, json=said)).status_code == 200
    assert stand.told == [("/v1/break-glass", "olga", said)]
    reviewed = await client.post("/api/v1/break-glass/pg/bg-1/review", headers=headers, json={"words": "fine"})
    assert reviewed.status_code == 200
    assert [one["id"] for one in stand.openings] == ["bg-0"]
    assert (await client.post("/api/v1/break-glass/moon", headers=headers, json=said)).status_code == 404
