import json
import re
from dataclasses import replace

import pytest

from doorward_core.approvals.request import HeldRule
from doorward_core.event import EventKind


async def _page(stand, client, request):
    return await client.get(f"/requests/pg/{request.id}")


async def _vote(stand, client, request, **fields):
    csrf = stand.csrf((await client.get("/")).text)
    form = {"csrf": csrf, "verdict": "approve", "content": stand.content(request), **fields}
    return await client.post(f"/requests/pg/{request.id}/vote", data=form)


async def test_the_page_shows_the_whole_request(stand):
    client, request = await stand.login(), stand.hold(unseen=("copy-data",))
    text = (await _page(stand, client, request)).text
    for shown in (request.text, "public.customer", "writes", "Writes need a DBA.", "sam", "copy-data", "$1", "NULL"):
        assert shown in text, shown
    assert stand.kinds(EventKind.DESK_READ)[0].header["name"] == request.id


async def test_an_approval_counts_and_its_words_are_kept(stand):
    client, request = await stand.login(), stand.hold()
    answer = await _vote(stand, client, request, reason="as agreed")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/requests/pg/{request.id}")
    case = stand.store.get(request.id)
    assert (case.state.value, case.votes[0].approver_subject, case.votes[0].reason) == ("granted", "tom", "as agreed")


CHOICES = {"false": "Approve once", "true": "Approve, and an identical retry"}


async def test_where_the_rule_allows_a_retry_the_page_offers_both_and_once_is_what_enter_means(stand):
    client, request = await stand.login(), stand.hold(retry=True)
    text = (await _page(stand, client, request)).text
    buttons = re.findall(r'<button class="approve[^"]*" name="retry" value="(\w+)">([^<]*)', text)
    assert [(value, words.strip()) for value, words in buttons] == list(CHOICES.items())
    assert "waits no longer" not in text
    plain = (await _page(stand, client, stand.hold(id="ap-0000000000aa"))).text
    assert 'name="retry"' not in plain


@pytest.mark.parametrize("chosen", ["true", "false", ""])
async def test_what_was_chosen_of_a_retry_is_the_vote(stand, chosen):
    client, request = await stand.login(), stand.hold(retry=True)
    assert (await _vote(stand, client, request, **({"retry": chosen} if chosen else {}))).status_code == 303
    assert stand.store.get(request.id).votes[0].retry is (chosen == "true")
    text = (await _page(stand, client, request)).text
    assert ("and an identical retry" in text) is (chosen == "true")
    assert (", for one identical retry" in text) is (chosen == "true")


async def test_a_retry_that_the_rule_does_not_allow_is_refused_by_the_gateway(stand):
    client, request = await stand.login(), stand.hold()
    answer = await _vote(stand, client, request, retry="true")
    assert (answer.status_code, "allows no identical retry" in answer.text) == (403, True)
    assert (await _vote(stand, client, request, retry="maybe")).status_code == 400
    assert stand.store.get(request.id).votes == ()


async def test_where_nobody_waits_the_page_says_so_and_offers_what_helps(stand):
    client, request = await stand.login(), stand.hold(retry=True, attended=False)
    text = (await _page(stand, client, request)).text
    assert "waits no longer" in text
    assert re.findall(r'name="retry" value="(\w+)"', text) == ["true"]
    assert "asker gone" in (await client.get("/")).text
    state = await client.get(f"/requests/pg/{request.id}/state")
    assert state.json() == {"state": "pending", "votes": 0, "attended": False}
    refused = await _vote(stand, client, request, retry="false")
    assert (refused.status_code, "only an approval that allows" in refused.text) == (403, True)
    assert (await _vote(stand, client, request, retry="true")).status_code == 303
    assert "for an identical retry" in (await client.get("/decided")).text


async def test_once_one_approval_is_narrow_the_page_offers_nothing_wider(stand):
    rules = (HeldRule("writes", b"h" * 32, frozenset({"dba"}), 2),)
    client, request = await stand.login(), stand.hold(retry=True, rules=rules)
    await _vote(stand, client, request, retry="false")
    text = (await _page(stand, await stand.login("tina"), request)).text
    assert re.findall(r'name="retry" value="(\w+)"', text) == ["false"]
    assert "an approval before yours says so" in text


async def test_a_passkey_signs_what_was_chosen(stand):
    client, request = await stand.login(), stand.hold(retry=True)
    form = {"csrf": stand.csrf((await client.get("/")).text), "verdict": "approve", "reason": ""}
    for chosen in ("true", "false"):
        answer = await client.post(f"/requests/pg/{request.id}/statement", data={**form, "retry": chosen})
        assert f"retry: {chosen}" in answer.json()["statement"].splitlines()


async def test_a_rejection_needs_a_reason(stand):
    client, request = await stand.login(), stand.hold()
    answer = await _vote(stand, client, request, verdict="reject", reason="  ")
    assert answer.status_code == 400
    assert "Say why" in answer.text
    assert (await _vote(stand, client, request, verdict="reject", reason="no")).status_code == 303
    assert stand.store.get(request.id).state.value == "rejected"


async def test_ap_07_a_vote_is_for_the_card_that_was_shown(stand):
    client, request = await stand.login(), stand.hold()
    other = stand.content(replace(request, text="DROP TABLE customer"))
    answer = await _vote(stand, client, request, content=other)
    assert answer.status_code == 409
    assert stand.store.get(request.id).votes == ()


async def test_ap_01_nobody_votes_on_their_own_even_with_a_form_of_their_own(stand):
    client, request = await stand.login(), stand.hold(sponsor="tom")
    text = (await _page(stand, client, request)).text
    assert "nobody decides on what they asked for" in text
    assert 'name="verdict"' not in text
    answer = await _vote(stand, client, request)
    assert answer.status_code == 403
    assert "nobody decides on what they asked for" in answer.text


async def test_a_rule_that_wants_a_fresh_login_gets_one(stand):
    rules = (HeldRule("writes", b"h" * 32, frozenset({"dba"}), 1, "token", 300),)
    client = await stand.login()
    stand.ahead_ns += 600 * 1_000_000_000
    request = stand.hold(rules=rules)
    text = (await _page(stand, client, request)).text
    assert "Log in again to approve" in text
    refused = await _vote(stand, client, request)
    assert refused.status_code == 403
    path = f"/requests/pg/{request.id}"
    assert (await client.get(await stand.choose(client, "tom", back=path, fresh=True))).headers["location"] == path
    assert "Log in again to approve" not in (await _page(stand, client, request)).text
    assert (await _vote(stand, client, request)).status_code == 303
    assert stand.store.get(request.id).state.value == "granted"


async def test_a_rule_that_wants_a_passkey_says_so_to_whoever_has_none(stand):
    client, request = (
        await stand.login(),
        stand.hold(rules=(HeldRule("w", b"h" * 32, frozenset({"dba"}), 1, "webauthn"),)),
    )
    assert "stronger proof: webauthn" in (await _page(stand, client, request)).text
    assert (await _vote(stand, client, request)).status_code == 403


async def test_what_a_passkey_would_sign_is_the_gateways_own_statement(stand):
    client, request = await stand.login(), stand.hold()
    csrf = stand.csrf((await client.get("/")).text)
    answer = await client.post(
        f"/requests/pg/{request.id}/statement", data={"csrf": csrf, "verdict": "approve", "reason": "ok"}
    )
    told = answer.json()
    assert told["content"] == stand.content(request)
    assert told["cast_unix_ns"].isdigit()
    assert 'approver: "tom"' in told["statement"]


@pytest.mark.parametrize("proof", ["{", "[]", "{}", json.dumps({"kind": "webauthn", "cast_unix_ns": "x"}), "1" * 10])
async def test_a_proof_that_is_none_is_refused_before_it_is_sent_on(stand, proof):
    client, request = await stand.login(), stand.hold()
    assert (await _vote(stand, client, request, proof=proof)).status_code == 400
    assert stand.store.get(request.id).votes == ()


@pytest.mark.parametrize(
    "path", ["/requests/pg/ap-zzzzzzzzzzzz", "/requests/pg/nonsense", "/requests/no/ap-0123456789ab"]
)
async def test_what_is_not_there_is_not_there(stand, path):
    answer = await (await stand.login()).get(path)
    assert answer.status_code == 404
    assert "No such request" in answer.text


async def test_a_request_of_others_is_not_there_for_an_auditor_without_a_deciding_group(stand):
    request = stand.hold()
    assert (await _page(stand, await stand.login("ana"), request)).status_code == 404


async def test_a_link_in_a_message_finds_its_gateway(stand):
    client, request = await stand.login(), stand.hold()
    answer = await client.get(f"/approvals/{request.id.upper()}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/requests/pg/{request.id}")
    assert (await client.get("/approvals/ap-zzzzzzzzzzzz")).status_code == 404


HOSTILE = (
    '"><script>alert(1)</script><img src=x onerror=alert(1)>',
    "</pre></main><form action=https://evil.test><button>Approve",
    "{{ 7 * 7 }}{% include 'base.html' %}",
    "javascript:alert(1) [click](javascript:alert(1))",
    "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m",
    "\u202eevorppa\u2066\u200b\ufeff\u00ad",
    "data: x\n\nevent: inbox\ndata: <b>forged</b>",
)


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_ap_04_whatever_a_requester_writes_stays_text(stand, hostile):
    client = await stand.login()
    request = stand.hold(
        text=hostile,
        parameters=(hostile,),
        reason=hostile,
        context={"search_path": hostile, "stands_for": hostile, "preview": hostile},
        attributes={"crew": hostile},
        display=hostile,
        sponsor=hostile,
        verb=hostile,
        unseen=(hostile,),
    )
    for path in ("/", f"/requests/pg/{request.id}", "/decided"):
        text = (await client.get(path)).text
        for never in (
            "<script>alert",
            "<img src=x",
            "<form action=https",
            "<b>forged",
            "\x1b",
            "\x9b",
            "\u202e",
            "\u200b",
        ):
            assert never not in text, (path, never)


async def test_ap_04_the_end_of_a_long_text_is_on_the_page(stand):
    client = await stand.login()
    request = stand.hold(
        text="SELECT 1" + " " * 50_000 + "AS x" + "\n" * 5_000 + "-- " + "x" * 45_000 + "; DROP TABLE customer"
    )
    text = (await _page(stand, client, request)).text
    assert "; DROP TABLE customer</pre>" in text
    assert "50,000 blanks" in text
    assert "empty lines" in text
    assert "5,001 lines" in text


async def test_what_the_same_agent_asked_before_is_beside_it(stand):
    client = await stand.login()
    first = stand.hold(id="ap-0000000000aa", text="UPDATE a SET b = 1")
    await _vote(stand, client, first, verdict="reject", reason="no")
    stand.hold(id="ap-0000000000bb", subject="another", text="UPDATE of somebody else")
    request = stand.hold()
    text = (await _page(stand, client, request)).text
    assert "UPDATE a SET b = 1" in text
    assert "1 rejected" in text
    assert "UPDATE of somebody else" not in text


async def test_an_open_page_learns_that_its_request_is_over_or_was_voted_on(stand):
    client, request = await stand.login(), stand.hold()
    page = (await _page(stand, client, request)).text
    assert f'data-state="/requests/pg/{request.id}/state" data-votes="0"' in page
    read = len(stand.kinds(EventKind.DESK_READ))
    path = f"/requests/pg/{request.id}/state"
    assert (await client.get(path)).json() == {"state": "pending", "votes": 0, "attended": True}
    await _vote(stand, client, request)
    assert (await client.get(path)).json() == {"state": "granted", "votes": 1, "attended": True}
    assert len(stand.kinds(EventKind.DESK_READ)) == read
    assert (await (await stand.login("ana")).get(path)).status_code == 404
    assert (await stand.client().get(path)).status_code == 303
