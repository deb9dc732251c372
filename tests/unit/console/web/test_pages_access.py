"""Access: what stands and what is revoked is shown, and taken away at the gateways."""

import pytest

from doorward_core.net.control import Problem

DOWN = '  k8s: {control: "unix:nothing.sock"}\n'
HOSTILE = "<script>alert(1)</script>\u202etxt"
STANDS = {
    "id": "ap-7f3k2m9q4c1d", "subject": HOSTILE, "sponsor": "sam", "resource": "shop", "account": "app",
    "actions": ["read", "write"], "reason": HOSTILE, "by": ["tom"], "until_unix_ns": 2**62,
}  # fmt: skip
REVOKED = {
    "id": "rv-1f2e3d4c5b6a", "what": "subject", "value": HOSTILE, "reason": HOSTILE, "operator": "olga",
    "made_unix_ns": 1_700_000_000_000_000_000,
}  # fmt: skip
GIVEN = {"id": "rv-1", "what": "subject", "sessions": 1, "gone": 1, "problem": ""}


@pytest.fixture
async def at(stand):
    """A page of the desk, as somebody; and their form's token."""

    async def opened(subject="olga", path="/access"):
        client = await stand.login(subject)
        text = (await client.get(path)).text
        return client, text, stand.csrf(text)

    return opened


@pytest.fixture
def filled(stand):
    stand.listed["access"], stand.listed["revocations"] = [STANDS], [REVOKED]
    return stand


async def test_operators_see_all_of_it_and_hostile_words_do_no_harm(filled, at):
    _, text, _ = await at()
    assert "<script>" not in text
    assert "\u202e" not in text
    assert text.count("U+202E</span>") == 4
    assert "approved by tom" in text
    assert 'action="/access/pg/ap-7f3k2m9q4c1d/revoke"' in text
    assert 'name="which" value="pg:rv-1f2e3d4c5b6a"' in text
    assert 'action="/access/revoke"' in text


async def test_auditors_read_and_have_no_form(filled, at):
    _, text, _ = await at("ana")
    assert "approved by tom" in text
    assert "to its operators alone" in text
    assert text.count("<form") == 1  # logging out


async def test_approvers_take_standing_access_back(filled, at):
    client, text, csrf = await at("tom")
    assert 'action="/access/revoke"' not in text
    answer = await client.post("/access/pg/ap-7f3k2m9q4c1d/revoke", data={"csrf": csrf, "reason": " it is  done "})
    assert (answer.status_code, answer.headers["location"]) == (303, "/access")
    assert filled.told == [("/v1/access/ap-7f3k2m9q4c1d/revoke", "tom", {"reason": "it is done"})]


async def test_the_gateways_no_is_told_in_its_words(filled, at):
    filled.answers["/v1/access/{id}/revoke"] = Problem(409, "it does not stand: the request is used")
    client, _, csrf = await at("tom")
    answer = await client.post("/access/pg/ap-7f3k2m9q4c1d/revoke", data={"csrf": csrf, "reason": "x"})
    assert answer.status_code == 409
    assert "It stands as before: it does not stand: the request is used." in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [("/access/no/ap-1/revoke", 404), ("/access/k8s/ap-1/revoke", 502)],
)
async def test_a_gateway_that_is_not_there_or_silent_took_nothing_back(stand, at, path, status):
    stand.configure(more=DOWN)
    client, _, csrf = await at("tom")
    assert (await client.post(path, data={"csrf": csrf, "reason": "x"})).status_code == status


async def test_a_revocation_is_made_at_every_gateway_and_the_silent_one_is_named_in_red(stand, at):
    stand.configure(more=DOWN)
    stand.answers["/v1/revocations"] = GIVEN
    client, text, csrf = await at()
    assert "k8s</strong> does not answer" in text
    form = {"csrf": csrf, "what": "subject", "value": " crew-7 ", "reason": "it runs wild"}
    answer = await client.post("/access/revoke", data=form)
    assert answer.status_code == 200
    assert "Revoked, and not everywhere" in answer.text
    assert "1 session ended" in answer.text
    assert '<p class="note bad" role="alert"><strong>k8s: not revoked there.</strong>' in answer.text
    assert 'name="at" value="k8s"' in answer.text
    assert stand.told == [("/v1/revocations", "olga", {"what": "subject", "value": "crew-7", "reason": "it runs wild"})]
    again = await client.post("/access/revoke", data={**form, "at": "k8s"})
    assert again.status_code == 502
    assert "<h1>Not revoked</h1>" in again.text
    assert len(stand.told) == 1


async def test_everything_is_revoked_only_by_whoever_writes_the_word(stand, at):
    stand.listed["sessions"] = [{"session": "a" * 32}, {"session": "b" * 32}]
    client, text, csrf = await at(path="/access/everything")
    assert "2 sessions open now" in text
    form = {"csrf": csrf, "what": "everything", "value": "x", "reason": "incident 4711"}
    for sure in ("", "yes"):
        asked = await client.post("/access/revoke", data={**form, "sure": sure})
        assert "Nothing is revoked yet" in asked.text
        assert 'value="incident 4711"' in asked.text
    assert stand.told == []
    stand.answers["/v1/revocations"] = {**GIVEN, "what": "everything", "sessions": 2}
    done = await client.post("/access/revoke", data={**form, "sure": " Everything"})
    assert "1 told to end, and has not yet" in done.text
    assert stand.told == [("/v1/revocations", "olga", {"what": "everything", "value": "", "reason": "incident 4711"})]


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"what": "moon", "value": "x", "reason": "y"}, 400),
        ({"what": "subject", "value": " ", "reason": "y"}, 400),
        ({"what": "subject", "value": "x" * 1001, "reason": "y"}, 400),
        ({"what": "subject", "value": "x", "reason": " "}, 400),
        ({"what": "subject", "value": "x", "reason": "y" * 1001}, 400),
        ({"what": "subject", "value": "x", "reason": "y", "at": "moon"}, 404),
    ],
)
async def test_what_cannot_be_meant_is_refused_before_anybody_is_told(stand, at, form, status):
    client, _, csrf = await at()
    assert (await client.post("/access/revoke", data={"csrf": csrf, **form})).status_code == status
    assert stand.told == []


async def test_a_revocation_is_lifted_wherever_it_is(filled, at):
    client, _, csrf = await at()
    form = {"csrf": csrf, "which": "pg:rv-1 pg:rv-2", "reason": "mended"}
    assert (await client.post("/access/lift", data=form)).headers["location"] == "/access"
    assert [path for path, _, _ in filled.told] == ["/v1/revocations/rv-1/lift", "/v1/revocations/rv-2/lift"]
    assert (await client.post("/access/lift", data={**form, "which": "x"})).status_code == 400
    filled.answers["/v1/revocations/{id}/lift"] = Problem(404, "there is no such revocation, or it was lifted")
    refused = await client.post("/access/lift", data=form)
    assert refused.status_code == 502
    assert "not lifted at pg (it refused: there is no such revocation" in refused.text


async def test_ap_05_nothing_changes_without_the_forms_token_or_for_another_role(filled, at):
    client, _, csrf = await at("tom")
    revoke = {"what": "everything", "sure": "everything", "reason": "x"}
    for path, form in (("/access/revoke", revoke), ("/access/lift", {"which": "pg:rv-1", "reason": "x"})):
        assert (await client.post(path, data={"csrf": csrf, **form})).status_code == 403
    assert (await client.get("/access/everything")).status_code == 403
    olga, _, _ = await at()
    assert (await olga.post("/access/revoke", data=revoke)).status_code == 403
    auditor, _, csrf = await at("ana")
    answer = await auditor.post("/access/pg/ap-7f3k2m9q4c1d/revoke", data={"csrf": csrf, "reason": "x"})
    assert answer.status_code == 403
    assert filled.told == []


async def test_following_a_link_fills_the_form_and_does_nothing(stand, at):
    _, text, _ = await at(path="/access?what=sponsor&value=%22%3E%3Cb%3E")
    assert '<option value="sponsor" selected>' in text
    assert 'value="&#34;&gt;&lt;b&gt;"' in text
    assert stand.told == []


# --- the JSON API -----------------------------------------------------------------------------------------------------


@pytest.fixture
def api(stand):
    async def call(method, path, subject="olga", **body):
        principal = stand.issuer.principals[subject]
        token = stand.issuer.issue(principal.subject, principal.kind, principal.groups)
        headers = {"Authorization": f"Bearer {token}"}
        answer = await stand.client().request(method, f"/api{path}", headers=headers, json=body or None)
        return answer.status_code, answer.json()

    return call


async def test_programs_see_and_do_the_same(filled, api):
    status, found = await api("GET", "/v1/access")
    assert (status, found["access"][0]["by"], found["revocations"][0]["at"]) == (
        200, ["tom"], [{"gateway": "pg", "id": "rv-1f2e3d4c5b6a"}]
    )  # fmt: skip
    filled.answers["/v1/revocations"] = GIVEN
    status, done = await api("POST", "/v1/revocations", what="subject", value="crew-7", reason="wild")
    assert (status, done["outcomes"][0]["done"], done["outcomes"][0]["gone"]) == (200, True, 1)
    assert (await api("POST", "/v1/revocations/pg/rv-1/lift", reason="mended"))[0] == 200
    assert (await api("POST", "/v1/access/pg/ap-1/revoke", reason="done"))[0] == 200
    assert [path for path, _, _ in filled.told] == [
        "/v1/revocations", "/v1/revocations/rv-1/lift", "/v1/access/ap-1/revoke"
    ]  # fmt: skip


async def test_programs_are_refused_the_same(stand, api):
    assert (await api("POST", "/v1/revocations", "tom", what="subject", value="x", reason="y"))[0] == 403
    for body in (
        {"what": "moon", "reason": "y"},
        {"what": [], "reason": "y"},
        {"what": "subject", "value": 7, "reason": "y"},
        {"what": "subject", "value": "x"},
        {"what": "subject", "value": "x", "reason": "y", "at": "pg"},
        {"what": "subject", "value": "x", "reason": "y", "at": ["moon"]},
        {"what": "subject", "value": "x", "reason": "y", "more": 1},
    ):
        assert (await api("POST", "/v1/revocations", **body))[0] == 400, body
    assert (await api("POST", "/v1/revocations/moon/rv-1/lift", reason="x"))[0] == 404
    assert stand.told == []
