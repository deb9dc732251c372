"""The target's credential: put into a request, had with client credentials, forgotten when it is refused."""

import base64
import json
from urllib.parse import parse_qs

import pytest
import trio
from http_stand import started

from doorward_core.config import Account
from doorward_core.config_secrets import SecretSource
from doorward_core.errors import UpstreamUnavailable
from doorward_core.http.dial import UpstreamSettings
from doorward_core.http.messages import ResponseHead, get
from doorward_core.http.upstream import UpstreamPool
from doorward_core.net.secrets import SecretKeeper
from doorward_http.credentials import Credentials
from doorward_http.settings import Send

NS = 1_000_000_000


@pytest.fixture
def account(monkeypatch):
    monkeypatch.setenv("CRM_PASSWORD", "s3cret")
    return Account(user="doorward", password=SecretSource(env="CRM_PASSWORD"))


class Clock:
    def __init__(self):
        self.now = 1000 * NS

    def __call__(self):
        return self.now


def credentials(send, pool=None, clock=None):
    clock = clock or Clock()
    return Credentials(Send.model_validate(send), SecretKeeper(clock), clock, pool)


@pytest.mark.parametrize(
    ("send", "lines"),
    [
        ("bearer", ((b"authorization", b"Bearer s3cret"),)),
        ("basic", ((b"authorization", b"Basic " + base64.b64encode(b"doorward:s3cret")),)),
        ("nothing", ()),
        ({"header": {"name": "X-Api-Key", "prefix": "key "}}, ((b"x-api-key", b"key s3cret"),)),
    ],
)
async def test_an_account_is_shown_as_the_target_wants_it(account, send, lines):
    made = credentials(send)
    assert await made.headers("app", account) == lines
    assert b"authorization" in made.names


async def test_the_header_that_carries_it_is_never_the_clients(account):
    assert credentials({"header": {"name": "X-Api-Key"}}).names == (b"authorization", b"x-api-key")


async def test_an_account_without_a_password_has_nothing_to_show():
    with pytest.raises(UpstreamUnavailable, match="no password"):
        await credentials("bearer").headers("app", Account(user="x"))


@pytest.mark.parametrize("secret", ["two\r\nlines: x", "é"])
async def test_a_secret_that_breaks_its_line_is_not_sent_and_not_shown(account, monkeypatch, secret):
    monkeypatch.setenv("CRM_PASSWORD", secret)
    with pytest.raises(UpstreamUnavailable) as refused:
        await credentials("bearer").headers("app", account)
    assert secret not in str(refused.value)


class Endpoint:
    """A token endpoint that gives one token after the other, and keeps what it was asked."""

    def __init__(self):
        self.asked = []
        self.answer = None
        self.status = 200

    async def __call__(self, exchange):
        body = b"".join([piece async for piece in exchange.body()])
        self.asked.append((exchange.head, parse_qs(body.decode())))
        answer = self.answer or {"access_token": f"t{len(self.asked)}", "token_type": "Bearer", "expires_in": 100}
        text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        await exchange.respond(ResponseHead(self.status, ((b"content-type", b"application/json"),)), text)


@pytest.fixture
async def endpoint(nursery):
    made = Endpoint()
    stand = await started(nursery, made)
    made.port = stand.port
    made.pool = UpstreamPool(UpstreamSettings("127.0.0.1", stand.port))
    yield made
    made.pool.close()


def oauth(endpoint, clock, **more):
    send = {"oauth": {"token_url": f"http://127.0.0.1:{endpoint.port}/token", **more}}
    return credentials(send, endpoint.pool, clock)


async def test_a_token_is_had_once_and_again_before_it_ends(endpoint, account):
    clock = Clock()
    made = oauth(endpoint, clock, scope="crm.read", audience="crm")
    found = []

    async def ask():
        found.append(await made.headers("app", account))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask)
    assert found == [((b"authorization", b"Bearer t1"),)] * 5
    ((head, fields),) = endpoint.asked
    assert (head.method, head.target) == ("POST", b"/token")
    assert get(head.headers, b"authorization") == b"Basic " + base64.b64encode(b"doorward:s3cret")
    assert fields == {"grant_type": ["client_credentials"], "scope": ["crm.read"], "audience": ["crm"]}
    clock.now += 69 * NS
    assert await made.headers("app", account) == found[0]
    clock.now += 2 * NS
    assert await made.headers("app", account) == ((b"authorization", b"Bearer t2"),)
    made.forget("app", account)
    assert await made.headers("app", account) == ((b"authorization", b"Bearer t3"),)


async def test_client_and_secret_may_stand_in_the_form(endpoint, account):
    await oauth(endpoint, Clock(), client_in="form").headers("app", account)
    ((head, fields),) = endpoint.asked
    assert get(head.headers, b"authorization") is None
    assert (fields["client_id"], fields["client_secret"]) == (["doorward"], ["s3cret"])


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (400, {"error": "invalid_client"}),
        (200, b"not json"),
        (200, {"access_token": "x", "token_type": "mac"}),
        (200, {"token_type": "Bearer"}),
        (200, {"access_token": 7, "token_type": "Bearer"}),
        (200, {"access_token": "x\r\ny: z", "token_type": "Bearer"}),
        (200, b"x" * 70_000),
        (302, b""),
    ],
)
async def test_what_is_no_token_is_told_and_not_quoted(endpoint, account, status, answer):
    endpoint.status, endpoint.answer = status, answer
    with pytest.raises(UpstreamUnavailable) as refused:
        await oauth(endpoint, Clock()).headers("app", account)
    assert "s3cret" not in str(refused.value)
    assert "xxxx" not in str(refused.value)


async def test_an_endpoint_that_is_not_there_is_told(account, endpoint):
    endpoint.pool.settings = UpstreamSettings("127.0.0.1", 1)
    with pytest.raises(UpstreamUnavailable, match="no access token"):
        await oauth(endpoint, Clock()).headers("app", account)
