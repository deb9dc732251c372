"""Patterns over methods and paths: exact where they allow, broad where they hold or block."""

import json

import pytest

from doorward_core.errors import ConfigError
from doorward_core.policy.load import parse_policy
from doorward_core.policy.requests import compile_requests, split_request


@pytest.mark.parametrize(
    ("pattern", "name", "allows", "blocks"),
    [
        ("GET /customers", "GET /customers", True, True),
        ("GET /customers", "HEAD /customers", False, False),
        ("GET /customers", "GET /customers/", False, True),
        ("GET /customers", "GET /customers/42", False, True),
        ("GET /customers", "GET /Customers", False, True),
        ("GET /customers", "get /customers", False, True),
        ("GET /customers", "GET /customersX", False, False),
        ("GET /customers/*", "GET /customers/42", True, True),
        ("GET /customers/*", "GET /customers/", False, True),
        ("GET /customers/*", "GET /customers", False, False),
        ("GET /customers/*", "GET /customers/42/cards", False, True),
        ("GET /customers/*/cards", "GET /customers/42/cards", True, True),
        ("GET /customers/**", "GET /customers", True, True),
        ("GET /customers/**", "GET /customers/42/cards/7", True, True),
        ("* /**", "PURGE /", True, True),
        ("GET,HEAD /v?/*.json", "HEAD /v1/a.json", True, True),
        ("GET,HEAD /v?/*.json", "HEAD /v1/a/b.json", False, False),
        ("GET /**/secret", "GET /a/b/secret", True, True),
        ("GET /**/secret", "GET /secret", True, True),
        ("GET /**/a/**/b", "GET /x/a/a/y/b", True, True),
        ("GET /**/a/**/b", "GET /x/a/a/y/c", False, False),
        ("POST /pkg.Service/*", "POST /pkg.Service/List", True, True),
        ("GET /", "GET /", True, True),
        ("GET /", "GET /x", False, False),
        ("GET /a/**", "GET /a/", True, True),
        ("GET /café/a b", "GET /caf%C3%A9/a%20b", True, True),
        ("GET /caf%C3%A9", "GET /caf%C3%A9", True, True),
        ("GET /admin", "GET /%EF%BD%81dmin", False, True),
        ("GET /admin", "GET /adm%C4%B0n", False, False),
        ("GET /admin", "GET /admin.json", False, True),
        ("GET /admin", "GET /Admin.x.json/", False, True),
        ("GET /admin/users", "GET /admin.json/users", False, False),
        ("GET /v1.2", "GET /v1.2.json", False, True),
        ("GET /admin/*", "GET /admin.json", False, False),
        ("GET /a.json", "GET /a", False, False),
    ],
)
def test_what_a_pattern_speaks_of(pattern, name, allows, blocks):
    requests = compile_requests([pattern])
    assert requests.match(name, allows=True) is allows
    assert requests.match(name, allows=False) is blocks


@pytest.mark.parametrize(
    ("name", "allows", "blocks"),
    [
        ("GET /customers", True, True),
        ("GET /admin", False, False),
        ("GET /ADMIN/users", False, True),
        ("GET /admin/users", False, True),
    ],
)
def test_exceptions_are_broad_in_an_allow_and_exact_in_a_block(name, allows, blocks):
    requests = compile_requests(["GET /**", "!GET /admin"])
    assert requests.match(name, allows=True) is allows
    assert requests.match(name, allows=False) is blocks


def test_many_stars_and_a_long_path_take_no_time_to_speak_of():
    requests = compile_requests(["GET /" + "**/a/" * 20 + "b"])
    assert not requests.match("GET " + "/a" * 4000, allows=True)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "/customers",
        "GET",
        "GET customers",
        "get /x",
        "GET  /x",
        "GET /a//b",
        "GET /a/../b",
        "GET /a**",
        "GET /a\\b",
        "GET /[a]",
        "GET /a#b",
        "GET /!a",
        "GET, /x",
        "!",
        "GET *",
    ],
)
def test_what_is_no_pattern_is_refused(pattern):
    with pytest.raises(ValueError, match=r".+"):
        split_request(pattern)


def _policy(**keys):
    return json.dumps({"rules": [{"id": "x", "effect": "allow", "resource": "crm", "do": ["read"], **keys}]})


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"requests": ["get /x"]}, "methods in capitals"),
        ({"requests": ["!GET /x"]}, "exceptions alone"),
        ({"requests": ["!!GET /x"]}, "one leading"),
        ({"requests": []}, "empty list"),
        ({"targets": {"request": ["GET /x"]}}, "write `requests:`"),
    ],
)
def test_a_policy_says_what_is_wrong_with_its_requests(keys, words):
    with pytest.raises(ConfigError, match=words):
        parse_policy(_policy(**keys), "policy.yaml")
