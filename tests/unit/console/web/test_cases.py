from dataclasses import replace

import pytest

from doorward_console.web.cases import case
from doorward_console.web.reach import GatewayDown, GatewayRefused
from doorward_core.approvals.request import HeldRule

POLICY = """\
version: 1
rules:
  - id: writes
    effect: hold
    resource: app-db
    do: [write]
    approve: {by: {groups: [dba]}}
"""


async def seen(stand, request, subject="tom"):
    client = await stand.login(subject)
    session = stand.desk.sessions.find(client.cookies["__Host-doorward"])
    return await case(stand.desk, stand.desk.gateways["pg"], session.person, request.id)


async def test_what_is_shown_is_what_the_digest_covers(stand):
    request = stand.hold()
    found = await seen(stand, request)
    assert found.detail.content == stand.content(request)
    assert (found.request.text, found.text_lines, found.voting.why_not) == (request.text, 1, "")


async def test_the_rule_is_in_its_authors_words_where_the_settings_name_the_policy(stand):
    (stand.folder / "policy.yaml").write_text(POLICY)
    stand.configure(policy=", policy: policy.yaml")
    found = await seen(stand, stand.hold())
    assert found.holding[0].text.text.startswith("- id: writes")
    assert found.holding[0].text.same is False
    (stand.folder / "policy.yaml").write_text("rules: [")
    assert (await seen(stand, stand.hold(id="ap-0000000000aa"))).holding[0].text is None


async def test_a_preview_has_a_place_of_its_own_and_there_is_none_of_nothing(stand):
    client = await stand.login()
    told = stand.hold(context={"search_path": "public", "preview": "Update on customer: about 1 row, cost 8"})
    found = await seen(stand, told)
    assert (found.preview, found.context) == ("Update on customer: about 1 row, cost 8", {"search_path": "public"})
    page = (await client.get(f"/requests/pg/{told.id}")).text
    assert "<h2>Preview</h2>" in page
    assert "Update on customer: about 1 row, cost 8" in page
    silent = stand.hold(id="ap-0000000000ab")
    assert "Preview" not in (await client.get(f"/requests/pg/{silent.id}")).text


async def test_a_long_statement_is_laid_out_beside_itself(stand):
    request = stand.hold(
        text="SELECT a, b, c FROM one JOIN two ON one.id = two.id WHERE one.a > 5 AND two.b < 7 ORDER BY c"
    )
    found = await seen(stand, request)
    assert "\n" in found.laid_out
    assert found.request.text == request.text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sponsor": "tom"}, "nobody decides"),
        ({"rules": (HeldRule("w", b"h" * 32, frozenset({"dba"}), 1, "sshsig"),)}, "stronger proof"),
        ({"rules": (HeldRule("w", b"h" * 32, frozenset({"dba"}), 1, "webauthn"),)}, "stronger proof"),
    ],
)
async def test_why_somebody_cannot_vote_is_said_before_they_try(stand, changes, words):
    assert words in (await seen(stand, stand.hold(**changes))).voting.why_not


async def test_one_vote_each(stand):
    request = stand.hold(rules=(HeldRule("w", b"h" * 32, frozenset({"dba"}), 2),))
    client = await stand.login()
    csrf = stand.csrf((await client.get("/")).text)
    await client.post(f"/requests/pg/{request.id}/vote", data={"csrf": csrf, "verdict": "approve"})
    assert "already voted" in (await seen(stand, request)).voting.why_not
    assert (await seen(stand, request, "tina")).voting.why_not == ""


async def test_what_is_not_there_or_not_theirs_is_refused_by_the_gateway(stand):
    request = stand.hold()
    with pytest.raises(GatewayRefused):
        await seen(stand, replace(request, id="ap-zzzzzzzzzzzz"))
    with pytest.raises(GatewayRefused):
        await seen(stand, request, "ana")


async def test_a_gateway_whose_card_contradicts_its_digest_is_not_shown(stand, monkeypatch):
    request = stand.hold()
    gateway = stand.desk.gateways["pg"]
    real = gateway.get

    async def lying(token, *parts, **how):
        answer = await real(token, *parts, **how)
        if "request" in answer:
            answer["request"]["text"] = "SELECT 1"
        return answer

    monkeypatch.setattr(gateway, "get", lying)
    with pytest.raises(GatewayDown, match="cannot be trusted"):
        await seen(stand, request)
