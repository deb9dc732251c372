"""Requests as operations: read by the proxy of their protocol, as an entry point names it."""

from pathlib import Path

import pytest

from doorward_console.requests import request_reader
from doorward_core.errors import ConfigError
from doorward_core.model import Action, Resource
from doorward_core.policy.load import parse_policy
from doorward_core.policy.test_cases import Asked

POLICY = parse_policy(
    '{"rules": [{"id": "r", "effect": "allow", "resource": "crm", "do": ["read"], "when": {"query.limit": ["10"]}}]}',
    "p",
)


def test_the_installed_proxy_reads_it_with_the_facts_that_policy_wants():
    read = request_reader(POLICY, None, Path())
    operation = read(Asked("GET /customers?limit=10", {}), Resource("crm", "http"))
    assert (operation.action, operation.facts) == (Action.READ, {"query.limit": ("10",)})


def test_a_protocol_that_has_no_requests_is_told():
    with pytest.raises(ConfigError, match="cannot be read here"):
        request_reader(POLICY, None, Path())(Asked("GET /", {}), Resource("shop", "postgres"))
