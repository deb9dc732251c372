"""What the checks find: every fault of every file that a configuration names."""

import pytest

from doorward_console.checks import check_config, check_policy, load, target_models
from doorward_core.errors import ConfigError


def test_a_good_configuration_has_no_faults(config):
    assert check_config(config).faults == ()


def test_faults_of_all_the_files_it_names_are_told(config):
    (config.parent / "policy.yaml").write_text("version: 1\nrulez: []\n")
    (config.parent / "signers").write_text("dora\n")
    faults = check_config(config).faults
    assert any("policy.yaml:2" in fault and "rulez" in fault for fault in faults)
    assert any("signers:1" in fault for fault in faults)


def test_a_configuration_that_is_wrong_names_file_line_and_key(config):
    config.write_text(config.read_text().replace("origin:", "orgin:"))
    (first, *_) = check_config(config).faults
    assert f"{config}:" in first
    assert any("orgin" in fault for fault in check_config(config).faults)


def test_a_recipient_that_is_none_is_a_fault(config):
    config.write_text(config.read_text().replace("keys: keys}", "keys: keys, recipients: [nonsense]}"))
    assert any("record.recipients: not a recipient" in fault for fault in check_config(config).faults)


def test_a_fault_elsewhere_hides_none_of_a_target(config):
    config.write_text(config.read_text().replace("origin:", "orgin:").replace("host:", "hst:"))
    faults = check_config(config).faults
    assert any("orgin" in fault for fault in faults)
    assert any("hst" in fault for fault in faults)


def test_targets_that_no_installed_proxy_knows_are_said_not_to_be_checked(config, monkeypatch):
    monkeypatch.setattr("doorward_console.checks.target_models", dict)
    assert any("not checked" in remark for remark in check_config(config).remarks)


def test_a_protocol_that_is_misspelt_is_told_with_the_nearest(config):
    config.write_text(config.read_text().replace("protocol: postgres\n", "protocol: postgresql\n"))
    assert any(
        "postgresql is installed here; did you mean `postgres`?" in item for item in check_config(config).remarks
    )


def test_models_of_targets_come_from_the_proxies_that_are_installed():
    assert all(isinstance(name, str) for name in target_models())


def test_a_policy_is_checked_with_and_without_a_configuration(config):
    policy = config.parent / "policy.yaml"
    assert check_policy(policy, None, 0).faults == ()
    assert check_policy(None, config, 0).faults == ()
    policy.write_text(policy.read_text() + "\n  - {id: nothing, resource: nowhere, columns: [x], with: partial}\n")
    assert any("nowhere" in remark for remark in check_policy(None, config, 0).remarks)
    policy.write_text("rules: 7")
    assert check_policy(policy, None, 0).faults


def test_neither_a_policy_nor_a_configuration_is_nothing_to_load():
    with pytest.raises(ConfigError):
        load(None, None)
