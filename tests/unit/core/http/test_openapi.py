"""An API's own description, read for which requests there are."""

import json

import pytest

from doorward_core.errors import ConfigError
from doorward_core.http.openapi import read_api
from doorward_core.policy.requests import split_request

YAML = """\
openapi: 3.1.0
info: {title: CRM, version: "1"}
paths:
  /customers:
    get: {operationId: listCustomers, responses: {200: {description: ok}}}
    post: {operationId: addCustomer, responses: {}}
  /customers/{id}/notes/{note}.json:
    parameters: [{name: id, in: path}]
    delete: {responses: {}}
  /search:
    post: {operationId: searchCustomers, responses: {}}
  /report:
    x-doorward-action: read
    post: {responses: {}}
    put: {x-doorward-action: admin, responses: {}}
  x-internal: {anything: true}
"""


def test_requests_are_methods_with_patterns():
    api = read_api(YAML, "crm.yaml")
    assert api.title == "CRM"
    assert api.patterns() == (
        "GET /customers",
        "POST /customers",
        "DELETE /customers/*/notes/*.json",
        "POST /search",
        "POST /report",
        "PUT /report",
        "HEAD /customers",
    )
    assert api.actions() == {"admin": ("PUT /report",), "read": ("POST /report",)}
    assert [request.text for request in api.requests if request.perhaps_reads] == ["POST /search"]
    for pattern in api.patterns():
        split_request(pattern)


def test_json_and_swagger_are_read_alike():
    text = json.dumps({"swagger": "2.0", "paths": {"/a/{b}": {"get": {"responses": {}}}}})
    assert read_api(text, "a.json").patterns() == ("GET /a/*", "HEAD /a/*")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "not an OpenAPI document"),
        ("openapi: 3.0.0", "no `paths`"),
        ("paths: {}", "expected `openapi: 3.x`"),
        ("openapi: 3.0.0\npaths: {customers: {}}", "no path"),
        ("openapi: 3.0.0\npaths: {/a/../b: {}}", "no path"),
        ('openapi: 3.0.0\npaths: {"/a//b": {}}', "no path"),
        ('openapi: 3.0.0\npaths: {"/a{b": {}}', "no path"),
        ("openapi: 3.0.0\npaths: {/a: []}", "no path"),
        ("openapi: 3.0.0\npaths: {/a: {get: {x-doorward-action: fly}}}", "expected one of"),
        ("openapi: 3.0.0\npaths: {/a: {}, /a: {}}", "/a"),
    ],
)
def test_what_is_no_description_is_refused(text, words):
    with pytest.raises(ConfigError, match=words):
        read_api(text, "api.yaml")


def test_getting_and_setting_are_told_apart_by_whole_words():
    text = json.dumps(
        {
            "openapi": "3.0.0",
            "paths": {f"/{name}": {"post": {"operationId": name}} for name in ("getaway", "getUser", "find")},
        }
    )
    assert [request.name for request in read_api(text, "a.json").requests if request.perhaps_reads] == [
        "getUser",
        "find",
    ]
