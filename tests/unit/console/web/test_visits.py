import pytest

from doorward_core.event import EventKind

MINUTE_NS = 60 * 1_000_000_000


async def test_a_page_of_another_role_is_refused_in_words_and_on_record(stand):
    client = await stand.login("ana")
    request = stand.hold()
    text = (await client.get("/decided")).text
    answer = await client.post(f"/requests/pg/{request.id}/vote", data={"csrf": stand.csrf(text), "verdict": "approve"})
    assert answer.status_code == 403
    assert "role approver" in answer.text
    assert stand.kinds(EventKind.DESK_REFUSED)[0].header["reason"] == "page"
    assert stand.store.get(request.id).votes == ()


@pytest.mark.parametrize("token", ["", "wrong"])
async def test_ap_05_a_form_without_the_sessions_own_token_changes_nothing(stand, token):
    client, request = await stand.login(), stand.hold()
    answer = await client.post(f"/requests/pg/{request.id}/vote", data={"csrf": token, "verdict": "approve"})
    assert answer.status_code == 403
    assert stand.store.get(request.id).votes == ()


async def test_ap_05_another_sessions_token_is_not_taken(stand):
    client, other, request = await stand.login("tom"), await stand.login("tina"), stand.hold()
    foreign = stand.csrf((await other.get("/")).text)
    answer = await client.post(f"/requests/pg/{request.id}/vote", data={"csrf": foreign, "verdict": "approve"})
    assert answer.status_code == 403
    assert stand.store.get(request.id).votes == ()


async def test_whoever_is_logged_out_is_told_that_nothing_was_done(stand):
    request = stand.hold()
    answer = await stand.client().post(f"/requests/pg/{request.id}/vote", data={"verdict": "approve"})
    assert answer.status_code == 401
    assert "not done" in answer.text


async def test_a_token_is_renewed_before_it_ends_and_the_session_goes_on(stand):
    client = await stand.login()
    before = next(iter(stand.desk.sessions._kept.values())).person.token.reveal()
    stand.ahead_ns += 16 * MINUTE_NS
    assert (await client.get("/")).status_code == 200
    session = next(iter(stand.desk.sessions._kept.values()))
    assert session.person.token.reveal() != before
    assert session.person.identity.subject == "tom"


async def test_a_session_ends_with_a_token_that_cannot_be_renewed(stand):
    client = await stand.login()
    stand.issuer.logins._refresh.clear()
    stand.ahead_ns += 16 * MINUTE_NS
    assert (await client.get("/")).status_code == 303
    assert len(stand.desk.sessions) == 0


async def test_a_page_within_a_page_is_told_where_to_log_in(stand):
    answer = await stand.client().get("/", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/login?back=%2F")


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"csrf=x&csrf=y", "application/x-www-form-urlencoded", 400),
        (b"a=" + b"x" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"{}", "application/json", 415),
        (b"&".join(b"a%d=1" % number for number in range(80)), "application/x-www-form-urlencoded", 400),
        (b"a=%ff", "application/x-www-form-urlencoded", 400),
    ],
)
async def test_a_form_is_bounded_and_says_each_thing_once(stand, content, kind, status):
    client = await stand.login()
    answer = await client.post("/logout", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert len(stand.desk.sessions) == 1


async def test_what_cannot_be_recorded_is_not_shown(stand):
    client, request = await stand.login(), stand.hold()
    stand.log.fail("no space")
    answer = await client.get(f"/requests/pg/{request.id}")
    assert answer.status_code == 503
    assert request.text not in answer.text
