import pytest

from doorward_core.event import EventKind
from doorward_demo.issuer_login import Granted


async def test_a_person_logs_in_and_comes_back_to_where_they_were(stand):
    client = stand.client()
    answer = await client.get("/decided")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?back=%2Fdecided")
    answer = await client.get(await stand.choose(client, "tom", back="/decided"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/decided")
    assert "Tom" in (await client.get("/decided")).text
    assert stand.kinds(EventKind.DESK_LOGIN)[0].header["subject"] == "tom"


async def test_the_cookie_is_bound_to_this_host_and_out_of_scripts_reach(stand):
    client = stand.client()
    answer = await client.get(await stand.choose(client, "tom"))
    cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith("__Host-doorward="))
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "secure", "samesite=lax", "path=/"} <= parts
    assert not any(part.startswith("domain") for part in parts)


@pytest.mark.parametrize("back", ["https://evil.test/", "//evil.test", "/\\evil.test", "/\t/evil.test", "javascript:x"])
async def test_the_way_back_is_a_path_of_the_desk(stand, back):
    client = stand.client()
    answer = await client.get(await stand.choose(client, "tom", back=back))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_ap_05_a_login_cannot_be_finished_in_another_browser(stand):
    link = await stand.choose(stand.client(), "tom")
    victim = stand.client()
    answer = await victim.get(link)
    assert answer.status_code == 400
    assert "not begun in this browser" in answer.text
    assert len(stand.desk.sessions) == 0


async def test_id_04_a_code_works_once(stand):
    client = stand.client()
    link = await stand.choose(client, "tom")
    note = dict(client.cookies)
    assert (await client.get(link)).status_code == 303
    again = stand.client()
    again.cookies.update(note)
    assert (await again.get(link)).status_code == 403


@pytest.mark.parametrize(("who", "words", "reason"), [("sid", "none of your groups (sales)", "no-role")])
async def test_whoever_has_no_role_gets_no_session(stand, who, words, reason):
    client = stand.client()
    answer = await client.get(await stand.choose(client, who))
    assert answer.status_code == 403
    assert words in answer.text
    assert stand.kinds(EventKind.DESK_REFUSED)[0].header["reason"] == reason
    assert len(stand.desk.sessions) == 0


async def test_an_agents_login_gets_no_session(stand):
    client = stand.client()
    link = await stand.choose(client, "tom")
    code = next(iter(stand.issuer.logins._codes))
    held = stand.issuer.logins._codes[code]
    agents = Granted("crew-7", held.granted.client, held.granted.nonce, held.granted.auth_time_s)
    stand.issuer.logins._codes[code] = type(held)(agents, held.redirect_uri, held.challenge, held.made_unix_ns)
    answer = await client.get(link)
    assert answer.status_code == 403
    assert "Only people" in answer.text
    assert stand.kinds(EventKind.DESK_REFUSED)[0].header["reason"] == "not-a-person"


async def test_id_04_a_session_id_from_before_the_login_is_worth_nothing_after_it(stand):
    client = stand.client()
    client.cookies.set("__Host-doorward", "fixed-by-an-attacker")
    assert (await client.get(await stand.choose(client, "tom"))).status_code == 303
    attacker = stand.client()
    attacker.cookies.set("__Host-doorward", "fixed-by-an-attacker")
    assert (await attacker.get("/")).status_code == 303


async def test_a_second_login_ends_the_session_before_it(stand):
    client = await stand.login()
    old = client.cookies["__Host-doorward"]
    assert (await client.get(await stand.choose(client, "tom", fresh=True))).status_code == 303
    stale = stand.client()
    stale.cookies.set("__Host-doorward", old)
    assert (await stale.get("/")).status_code == 303
    assert stand.kinds(EventKind.DESK_LOGIN)[-1].header["fresh"] is True


async def test_logging_out_ends_the_session_and_a_get_does_not(stand):
    client = await stand.login()
    assert (await client.get("/logout")).status_code == 405
    csrf = stand.csrf((await client.get("/")).text)
    cookies = dict(client.cookies)
    assert (await client.post("/logout", data={"csrf": csrf})).status_code == 200
    client.cookies.update(cookies)
    assert (await client.get("/")).status_code == 303


async def test_a_refusal_at_the_provider_is_told_and_no_session_begins(stand):
    client = stand.client()
    link = await stand.choose(client, "tom")
    answer = await client.get(link.partition("?")[0] + "?error=access_denied&state=x")
    assert answer.status_code == 403
    assert len(stand.desk.sessions) == 0


async def test_the_login_page_begins_nothing_by_itself(stand):
    client = stand.client()
    answer = await client.get("/login?back=/x")
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert stand.issuer.requests == []
