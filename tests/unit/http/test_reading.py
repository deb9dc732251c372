"""A request as a person writes it down, read as a gateway would."""

import pytest

from doorward_core.errors import ConfigError
from doorward_core.model import Action, Resource
from doorward_core.policy.test_cases import Asked
from doorward_http.reading import read_request

CRM = Resource("crm", "http")
TARGET = {"at": ["/crm"], "url": "https://crm.internal", "send": "bearer", "actions": {"read": ["POST /search"]}}


def read(line, headers=None, body="", *, wanted=(), target=None, folder=None):
    return read_request(Asked(line, headers or {}, body), CRM, wanted=wanted, target=target, folder=folder)


@pytest.mark.parametrize(
    ("line", "target", "action", "name"),
    [
        ("GET /customers/42?view=full", None, Action.READ, "GET /customers/42"),
        ("DELETE /customers/42", None, Action.WRITE, "DELETE /customers/42"),
        ("POST /search", None, Action.WRITE, "POST /search"),
        ("POST /search", TARGET, Action.READ, "POST /search"),
        ("GET /café/a b", None, Action.READ, "GET /caf%C3%A9/a%20b"),
    ],
)
def test_a_line_is_an_operation(line, target, action, name):
    operation = read(line, target=target)
    assert (operation.action, operation.complete) == (action, True)
    assert operation.atoms[0].target.name == name


@pytest.mark.parametrize("line", ["GET /a/../b", "GET /%2e%2e/b", "POST /x?_method=DELETE"])
def test_what_a_gateway_would_not_read_is_not_complete_and_says_why(line):
    operation = read(line)
    assert not operation.complete
    assert operation.attributes["problem"].startswith("a gateway answers 400")
    assert operation.atoms == ()  # it stands for itself, once


@pytest.mark.parametrize("line", ["GET", "GET customers", "/customers", "https://crm.internal/customers"])
def test_what_is_no_request_says_what_one_is(line):
    with pytest.raises(ConfigError, match="such as `GET /customers/42`"):
        read(line)


def test_facts_are_found_in_all_of_it():
    operation = read(
        "POST /orders?n=1",
        {"X-Tenant": "a"},
        '{"status": "new"}',
        wanted=("query.n", "header.x-tenant", "body.$.status"),
    )
    assert operation.facts == {"query.n": ("1",), "header.x-tenant": ("a",), "body.$.status": ("new",)}
    form = read("POST /o", {"Content-Type": "application/x-www-form-urlencoded"}, "a=1", wanted=("form.a", "body.$.a"))
    assert form.facts == {"form.a": ("1",)}


def test_the_resources_own_description_is_read_beside_its_configuration(tmp_path):
    (tmp_path / "api.yaml").write_text("openapi: 3.0.0\npaths: {/customers: {get: {responses: {}}}}")
    target = {**TARGET, "openapi": "api.yaml"}
    assert read("GET /customers", target=target, folder=tmp_path).action is Action.READ
    assert read("GET /internal", target=target, folder=tmp_path).action is Action.UNKNOWN


def test_a_target_with_faults_is_told():
    with pytest.raises(ConfigError, match="config check"):
        read("GET /", target={"at": ["/crm"]})
