"""From a request to an operation: what it does, what it is bound to, and how people read it."""

from dataclasses import replace

import pytest

from doorward_core.http.messages import Head
from doorward_core.http.paths import canonical
from doorward_core.http.routes import Destination, Found
from doorward_core.model import Action
from doorward_core.policy.requests import compile_requests
from doorward_http.facts import Body
from doorward_http.operations import BODY_SHOWN_BYTES, Reader, Request, again, media_type, without_secrets
from doorward_http.settings import Actions

JSON = (b"content-type", b"application/json")
ACTIONS = Actions(read=("POST /search",), admin=("* /admin/**",), write=("GET /fire",), execute=("POST /jobs/*/run",))


def request(line="GET /customers/42", *headers, body=b"", upgrade="", coded=False):
    method, _, target = line.partition(" ")
    asked = canonical(target.encode())
    head = Head(method, target.encode(), "gateway.example", "https", headers, upgrade=upgrade)
    media = media_type(headers)
    return Request(head, asked, Found("crm", "/crm", asked.path), headers, Body(body, media, coded))


def reader(known=None, url="https://crm.internal/api"):
    return Reader(Destination.of(url), ACTIONS, compile_requests(known) if known else None)


def read(asked, *, wanted=(), **how):
    return reader(**how).read(asked, identifier=b"i", seq=3, account="app", wanted=wanted)


@pytest.mark.parametrize(
    ("line", "action", "pure"),
    [
        ("GET /customers", Action.READ, True),
        ("HEAD /customers", Action.READ, True),
        ("OPTIONS /customers", Action.READ, True),
        ("POST /customers", Action.WRITE, False),
        ("DELETE /customers/1", Action.WRITE, False),
        ("POST /search", Action.READ, False),
        ("POST /search/x", Action.WRITE, False),
        ("POST /SEARCH", Action.WRITE, False),
        ("GET /fire", Action.WRITE, False),
        ("GET /FIRE/x", Action.WRITE, False),
        ("GET /Admin/users", Action.ADMIN, False),
        ("POST /jobs/7/run", Action.EXECUTE, False),
        ("PURGE /x", Action.UNKNOWN, False),
        ("get /x", Action.UNKNOWN, False),
    ],
)
def test_what_a_request_does(line, action, pure):
    operation = read(request(line))
    assert (operation.action, operation.pure) == (action, pure)
    (atom,) = operation.atoms
    assert (atom.action, atom.target.kind, atom.target.name) == (action, "request", line)
    assert operation.complete
    assert operation.retry


def test_a_get_with_a_body_is_no_plain_read():
    assert not read(request(body=b"x")).pure
    assert not read(request(body=None)).pure


def test_an_upgrade_is_a_way_through_and_what_flows_there_is_unseen():
    operation = read(request("GET /live", upgrade="websocket"))
    assert (operation.action, operation.unseen, operation.pure) == (Action.FORWARD, ("frames",), False)


def test_what_the_description_does_not_have_is_unknown():
    known = ("GET /customers/*",)
    assert read(request(), known=known).action is Action.READ
    unknown = read(request("GET /internal"), known=known)
    assert unknown.action is Action.UNKNOWN
    assert "description" in unknown.attributes["problem"]


BASE = ("POST /orders?a=1&b=2", JSON, (b"x-tenant", b"a"))


@pytest.mark.parametrize(
    ("other", "how"),
    [
        (request("PUT /orders?a=1&b=2", *BASE[1:], body=b"{}"), {}),
        (request("POST /orders?b=2&a=1", *BASE[1:], body=b"{}"), {}),
        (request("POST /orders?a=1&b=3", *BASE[1:], body=b"{}"), {}),
        (request("POST /orders/1?a=1&b=2", *BASE[1:], body=b"{}"), {}),
        (request(BASE[0], JSON, (b"x-tenant", b"b"), body=b"{}"), {}),
        (request(BASE[0], JSON, body=b"{}"), {}),
        (request(*BASE, (b"x-tenant", b"b"), body=b"{}"), {}),
        (request(*BASE, body=b"{} "), {}),
        (request(*BASE, body=b""), {}),
        (request(*BASE, body=None), {}),
        (request(*BASE, body=b"{}", upgrade="websocket"), {}),
        (request(*BASE, body=b"{}"), {"url": "https://other.internal/api"}),
        (request(*BASE, body=b"{}"), {"url": "http://crm.internal/api"}),
    ],
)
def test_whatever_changes_the_meaning_changes_the_digest(other, how):
    assert read(request(*BASE, body=b"{}")).digest != read(other, **how).digest


def test_a_cookie_that_goes_on_changes_the_digest():
    cookies = [request(*BASE, (b"cookie", value)) for value in (b"session=a", b"session=b")]
    assert read(cookies[0]).digest != read(cookies[1]).digest


def test_the_account_changes_the_digest_and_what_varies_between_tries_does_not():
    asked = request(*BASE, body=b"{}")
    assert reader().digest(asked, "app") != reader().digest(asked, "admin")
    again = request(BASE[0], (b"x-tenant", b"a"), JSON, (b"user-agent", b"x"), (b"traceparent", b"y"), body=b"{}")
    assert read(asked).digest == read(again).digest


def test_people_read_what_is_meant_and_no_secret():
    headers = (JSON, (b"user-agent", b"x"), (b"x-secret", b"hidden"))
    operation = read(request("POST /orders?access_token=abc&n=1", *headers, body=b'{"n": 1}'))
    assert operation.text == (
        'POST /orders?access_token=…&n=1\ncontent-type: application/json\nuser-agent: x\n\n{"n": 1}'
    )
    assert not operation.text_truncated


@pytest.mark.parametrize(
    ("body", "coded", "words"),
    [(b"\xff\x00", False, "2 bytes of application/json"), (b"x", True, "1 bytes"), (None, False, "not looked at")],
)
def test_a_body_that_is_no_text_is_described(body, coded, words):
    assert words in read(request(*BASE, body=body, coded=coded)).text


def test_a_long_body_is_cut_for_people():
    operation = read(request(*BASE, body="é".encode() * BODY_SHOWN_BYTES))
    assert operation.text_truncated
    assert len(operation.text) < BODY_SHOWN_BYTES


def test_facts_that_policy_wants_are_found_and_kept_for_people():
    operation = read(request(*BASE, body=b'{"n": 7}'), wanted=("query.a", "body.$.n", "header.x-none"))
    assert operation.facts == {"query.a": ("1",), "body.$.n": ("7",), "header.x-none": ()}
    assert (operation.attributes["query.a"], operation.attributes["body.$.n"]) == ("1", "7")
    assert operation.attributes["target"] == "crm.internal"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("a=1&token=x", "a=1&token=…"),
        ("apiKey=x&api_key=y&API-KEY=z", "apiKey=…&api_key=…&API-KEY=…"),
        ("client_secret=x&Password=y&X-Amz-Signature=z", "client_secret=…&Password=…&X-Amz-Signature=…"),
        ("sig=1&code=2&key=3&monkey=4", "sig=…&code=…&key=…&monkey=4"),
        ("", ""),
        ("flag", "flag"),
    ],
)
def test_what_is_called_a_secret_is_cut_out_of_queries(query, shown):
    assert without_secrets(query) == shown


def test_a_media_type_that_is_said_twice_is_none():
    assert media_type((JSON, JSON)) == ""
    assert media_type(((b"content-type", b"Application/JSON; charset=utf-8"),)) == "application/json"


def test_an_operation_comes_again_under_another_name_and_number_alone():
    first = read(request("GET /customers?limit=9"), wanted=("query.limit",))
    second = again(first, b"2" * 16, 7)
    assert second == replace(first, id=b"2" * 16, seq=7)
    assert second.atoms is first.atoms  # what is written down of them once is known by them
