"""`doorward http`, as an operator runs it."""

import json

import pytest
import yaml

from doorward_core.policy.load import parse_policy

API = """\
openapi: 3.1.0
info: {title: "CRM\\u202e", version: "1"}
paths:
  /customers: {get: {responses: {}}, post: {responses: {}}}
  /customers/{id}: {get: {responses: {}}, delete: {responses: {}}}
  /search: {post: {operationId: searchCustomers, responses: {}}}
  /report: {post: {x-doorward-action: read, responses: {}}}
"""


@pytest.fixture
def api(tmp_path):
    path = tmp_path / "crm.yaml"
    path.write_text(API)
    return path


def test_a_description_becomes_a_proposal_that_loads(run, api):
    done = run("http", "import-openapi", api, "--resource", "crm")
    assert done.exit_code == 0
    assert "\u202e" not in done.output
    assert '#     - "POST /search"  # searchCustomers' in done.output
    proposed = yaml.safe_load(done.output)
    assert proposed["openapi"] == str(api)
    policy = parse_policy(json.dumps({"rules": proposed["rules"]}), "policy.yaml")
    assert {rule.id: str(rule.effect) for rule in policy.rules} == {"crm-reads": "permit", "crm-changes": "hold"}
    assert "POST /report" in proposed["rules"][0]["requests"]
    assert "DELETE /customers/*" in proposed["rules"][1]["requests"]


def test_what_was_read_can_be_had_as_json(run, api):
    told = json.loads(run("http", "import-openapi", api, "--json").output)
    assert told["actions"] == {"read": ["POST /report"]}
    assert "HEAD /customers" in told["requests"]


@pytest.mark.parametrize("text", ["openapi: 2.9", "", None])
def test_what_is_no_description_ends_with_words(run, tmp_path, text):
    path = tmp_path / "api.yaml"
    if text is not None:
        path.write_text(text)
    done = run("http", "import-openapi", path)
    assert done.exit_code != 0
    assert "api.yaml" in done.output
    assert "Traceback" not in done.output
