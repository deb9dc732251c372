"""Whatever is asked for, the two files load as the gateway would load them."""

from dataclasses import replace
from datetime import date

import pytest
import yaml

from doorward_console.init_folder import CONFIG, POLICY
from doorward_console.init_http_files import WantedHttp, config_text, policy_text
from doorward_console.init_http_target import Send, parse_target
from doorward_console.init_proposals import Proposal
from doorward_core.config import load_config
from doorward_core.policy.load import load_policy
from doorward_http.settings import HttpTarget

EMAIL = Proposal("$..email", "email", "partial", "name")


@pytest.fixture
def wanted(tmp_path):
    for name in ("tls.crt", "tls.key", "ca.pem"):
        (tmp_path / name).touch()
    (tmp_path / "api.yaml").write_text('openapi: "3.0.0"\npaths: {/customers: {get: {}}}\n')
    return WantedHttp(
        resource="crm", account="app", origin="http-gateway.test", issuer="https://idp.example",
        audiences=("doorward",), listen_at=("127.0.0.1", 8443), approvals_at=("127.0.0.1", 9465),
        admin_at=("127.0.0.1", 9464), certificate="tls.crt", key="tls.key", self_signed="", readers="crew",
        approvers="owners", made_on=date(2026, 1, 2), place=parse_target("https://crm.example/api"), at="/crm",
        send=Send("bearer"), credential={"env": "CRM"}, target_ca="", openapi="", perhaps_reads=(),
    )  # fmt: skip


@pytest.fixture
def loaded(wanted, tmp_path):
    def load(changed=wanted, kept=(EMAIL,), left_out=()):
        (tmp_path / CONFIG).write_text(config_text(changed))
        (tmp_path / POLICY).write_text(policy_text(changed, kept, left_out))
        return load_config(tmp_path / CONFIG, {"http": HttpTarget}), load_policy(tmp_path / POLICY)

    return load


def test_the_gateway_takes_what_is_written(loaded):
    config, policy = loaded()
    target = config.resources["crm"].target
    assert (target.at, target.url, target.send.bearer) == (("/crm",), "https://crm.example/api", True)
    assert [(rule.id, str(rule.effect)) for rule in policy.rules] == [
        ("reads", "permit"),
        ("changes-need-a-human", "hold"),
        ("nothing-is-deleted", "deny"),
        ("nothing-unknown", "deny"),
    ]
    assert policy.mask_rules[0].mask.columns == ("$..email",)


@pytest.mark.parametrize(
    "change",
    [
        {"send": Send("header", "X-Api-Key")},
        {"send": Send("basic")},
        {"send": Send("nothing"), "credential": {}},
        {"target_ca": "ca.pem"},
        {"place": parse_target("http://127.0.0.1:8080")},
        {"place": parse_target("http://crm.example:8080")},
        {"openapi": "api.yaml", "perhaps_reads": ("POST /customers/search",)},
        {"at": "crm.gateway.example/v1"},
        {"readers": "a group: {of} many"},
    ],
)
def test_every_variant_loads(loaded, wanted, change):
    config, _ = loaded(replace(wanted, **change))
    assert isinstance(config.resources["crm"].target, HttpTarget)


def test_what_only_reads_by_its_name_is_proposed_and_not_assumed(wanted):
    text = config_text(replace(wanted, openapi="api.yaml", perhaps_reads=("POST /customers/search",)))
    assert '#     - "POST /customers/search"' in text
    assert "actions" not in yaml.safe_load(text)["resources"]["crm"]["target"]


def test_a_way_without_protection_is_said_in_the_file(wanted):
    assert "WITHOUT TLS" in config_text(replace(wanted, place=parse_target("http://crm.example")))
    assert "WITHOUT TLS" not in config_text(wanted)


def test_no_probe_is_written_for_there_are_no_conditions_on_hidden_values(wanted):
    assert "probe" not in policy_text(wanted, (EMAIL, Proposal("$..token", "secret", "redact", "name")), ())


def test_what_was_left_in_clear_is_written_down(wanted):
    assert "#   $..email (name)" in policy_text(wanted, (), (EMAIL,))
