import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from doorward_console.web.guard import CSP, Guard

SITE = "https://desk.test"


@pytest.mark.parametrize("path", ["/login", "/", "/nowhere", "/static/app.css", "/api/openapi.json", "/healthz"])
async def test_ap_05_every_answer_keeps_browsers_from_doing_more_than_show_it(stand, path):
    headers = (await stand.client().get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["strict-transport-security"].startswith("max-age=")
    if not path.startswith("/static"):
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "http://desk.test"},
        {"Origin": "https://desk.test.evil.test"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {},
    ],
)
async def test_ap_05_a_change_that_comes_from_elsewhere_is_refused(stand, headers):
    client, request = await stand.login(), stand.hold()
    csrf = stand.csrf((await client.get("/")).text)
    del client.headers["origin"]
    path = f"/requests/pg/{request.id}/vote"
    answer = await client.post(path, data={"csrf": csrf, "verdict": "approve"}, headers=headers)
    assert answer.status_code == 403
    assert stand.store.get(request.id).votes == ()


async def test_a_browser_that_names_no_origin_but_where_it_comes_from_is_taken(stand):
    client = stand.client()
    del client.headers["origin"]
    answer = await client.post("/login", data={"back": "/"}, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 200


@pytest.mark.parametrize("host", ["evil.test", "desk.test.evil.test", "127.0.0.1", ""])
async def test_another_host_name_is_not_answered(stand, host):
    answer = await stand.client().get("/login", headers={"Host": host})
    assert answer.status_code == 421


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
async def test_other_methods_are_refused(stand, method):
    assert (await stand.client().request(method, "/")).status_code == 405


async def test_ap_05_a_scanner_that_follows_every_link_changes_nothing(stand):
    """What a mail or chat server does with a link: GET and HEAD, logged in or not."""
    client, request = await stand.login(), stand.hold()
    paths = [route.path for route in stand.app._app.routes if hasattr(route, "path")]
    filled = [path.replace("{gateway}", "pg").replace("{id}", request.id) for path in paths]
    for path in filled:
        if not path.startswith(("/live", "/login", "/static")):
            for method in ("HEAD", "GET"):
                await client.request(method, path)
    case = stand.store.get(request.id)
    assert (case.state.value, case.votes) == ("pending", ())
    assert len(stand.desk.sessions) == 1


async def test_a_websocket_is_not_spoken(stand):
    sent = []

    async def send(message):
        sent.append(message)

    await stand.app({"type": "websocket"}, None, send)
    assert sent == []


async def test_a_looser_policy_is_for_the_page_that_asks_for_it(stand):
    async def loose(_request):
        return Response(headers={"Content-Security-Policy": "default-src 'self'"})

    async def usual(_request):
        return Response()

    stand.app = Guard(Starlette(routes=[Route("/loose", loose), Route("/usual", usual)]), site=SITE)
    client = stand.client()
    assert (await client.get("/loose")).headers["content-security-policy"] == "default-src 'self'"
    assert (await client.get("/usual")).headers["content-security-policy"] == CSP
