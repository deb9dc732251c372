import json

import pytest

from doorward_console.web.app import api_entries
from doorward_core.event import EventKind


def token(stand, subject="tom", groups=("dba",), kind="human"):
    return {"Authorization": f"Bearer {stand.issuer.issue(subject, kind, groups)}"}


async def test_a_list_is_that_of_the_page(stand):
    request = stand.hold()
    client = stand.client()
    answer = await client.get("/api/v1/approvals", headers=token(stand))
    assert answer.status_code == 200
    rows = answer.json()["rows"]
    assert [(row["id"], row["gateway"], row["rules"]) for row in rows] == [(request.id, "pg", ["writes"])]
    assert answer.json()["down"] == []


async def test_one_request_is_whole_and_its_reading_is_on_record(stand):
    request = stand.hold()
    answer = await stand.client().get(f"/api/v1/approvals/pg/{request.id}", headers=token(stand))
    assert answer.json()["request"]["text"] == request.text
    assert answer.json()["content"] == stand.content(request)
    assert stand.kinds(EventKind.DESK_READ)[0].header["name"] == request.id


async def test_a_vote_goes_on_with_the_callers_own_token(stand):
    request = stand.hold()
    body = {"verdict": "approve", "reason": "ok", "content": stand.content(request)}
    answer = await stand.client().post(f"/api/v1/approvals/pg/{request.id}/vote", headers=token(stand), json=body)
    assert answer.json()["state"] == "granted"
    assert stand.store.get(request.id).votes[0].approver_subject == "tom"


async def test_the_cookie_of_a_login_means_nothing_here(stand):
    client = await stand.login()
    answer = await client.get("/api/v1/approvals")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ({"Authorization": "Bearer nonsense"}, 401),
        ({"Authorization": "Basic dG9tOnRvbQ=="}, 401),
        ({}, 401),
    ],
)
async def test_no_token_no_answer(stand, who, status):
    assert (await stand.client().get("/api/v1/approvals", headers=who)).status_code == status


async def test_an_agent_has_no_role_here(stand):
    answer = await stand.client().get("/api/v1/approvals", headers=token(stand, "crew-7", kind="agent"))
    assert answer.status_code == 403


async def test_a_form_of_another_site_cannot_be_a_call(stand):
    request = stand.hold()
    path, body = f"/api/v1/approvals/pg/{request.id}/vote", json.dumps({"verdict": "approve"})
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = await stand.client().post(path, content=body, headers={**token(stand), "Content-Type": kind})
        assert answer.status_code == 415
    answer = await stand.client().post(path, json={}, headers={**token(stand), "Origin": "https://evil.test"})
    assert answer.status_code == 403
    assert stand.store.get(request.id).votes == ()


@pytest.mark.parametrize("query", ["?state=nonsense", "?unknown=1", "?state=all&state=pending"])
async def test_a_query_is_what_is_described(stand, query):
    assert (await stand.client().get(f"/api/v1/approvals{query}", headers=token(stand))).status_code == 400


async def test_what_is_described_is_there_and_what_is_there_is_described(stand):
    described = (await stand.client().get("/api/openapi.json")).json()
    listed = {(method.upper(), path) for path, one in described["paths"].items() for method in one}
    served = {
        (method, route.path)
        for route in stand.app._app.routes
        if route.path.startswith("/api/v1/")
        for method in route.methods - {"HEAD"}
    }
    assert listed == served
    assert len(listed) == len(api_entries()) > 0


async def test_a_gateway_that_is_down_is_a_problem_of_its_own(stand):
    stand.configure(more='  k8s: {control: "unix:nothing.sock"}\n')
    client = stand.client()
    listed = (await client.get("/api/v1/approvals", headers=token(stand))).json()
    assert [one["gateway"] for one in listed["down"]] == ["k8s"]
    assert (await client.get("/api/v1/approvals/k8s/ap-0123456789ab", headers=token(stand))).status_code == 502
