"""What the checks find: every fault of every file that a configuration names."""

import errno
import os
import re
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from doorward_console.checks import check_config, check_policy, load, target_models
from doorward_console.init_certificate import self_signed
from doorward_core.errors import ConfigError

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_a_good_configuration_has_no_faults(config):
    assert check_config(config, 0).faults == ()


def test_faults_of_all_the_files_it_names_are_told(config):
    (config.parent / "policy.yaml").write_text("version: 1\nrulez: []\n")
    (config.parent / "signers").write_text("dora\n")
    faults = check_config(config, 0).faults
    assert any("policy.yaml:2" in fault and "rulez" in fault for fault in faults)
    assert any("signers:1" in fault for fault in faults)


def test_a_configuration_that_is_wrong_names_file_line_and_key(config):
    config.write_text(config.read_text().replace("origin:", "orgin:"))
    (first, *_) = check_config(config, 0).faults
    assert f"{config}:" in first
    assert any("orgin" in fault for fault in check_config(config, 0).faults)


def test_a_recipient_that_is_none_is_a_fault(config):
    config.write_text(config.read_text().replace("keys: keys}", "keys: keys, recipients: [nonsense]}"))
    assert any("record.recipients: not a recipient" in fault for fault in check_config(config, 0).faults)


def test_a_fault_elsewhere_hides_none_of_a_target(config):
    config.write_text(config.read_text().replace("origin:", "orgin:").replace("host:", "hst:"))
    faults = check_config(config, 0).faults
    assert any("orgin" in fault for fault in faults)
    assert any("hst" in fault for fault in faults)


def test_targets_that_no_installed_proxy_knows_are_said_not_to_be_checked(config, monkeypatch):
    monkeypatch.setattr("doorward_console.checks.target_models", dict)
    assert any("not checked" in remark for remark in check_config(config, 0).remarks)


def test_a_protocol_that_is_misspelt_is_told_with_the_nearest(config):
    config.write_text(config.read_text().replace("protocol: postgres\n", "protocol: postgresql\n"))
    assert any(
        "postgresql is installed here; did you mean `postgres`?" in item for item in check_config(config, 0).remarks
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


class TestWhatTheFilesHold:
    """Of certificates, keys, authorities and secrets: what a start would refuse, and what it would warn of."""

    @pytest.fixture
    def secured(self, config):
        """The same configuration, reached by TLS under a certificate that is good."""
        certificate, key, _ = self_signed(("gateway.example",), NOW)
        (config.parent / "tls.crt").write_bytes(certificate)
        (config.parent / "tls.key").write_bytes(key)
        place = "{address: gateway.example, port: 6432, tls: {certificate: tls.crt, key: tls.key}}"
        config.write_text(re.sub(r"^listen:.*$", f"listen: [{place}]", config.read_text(), flags=re.MULTILINE))
        return config

    def test_what_a_start_would_take_has_neither_fault_nor_remark(self, secured):
        assert found(secured) == ((), ())

    def test_a_key_of_another_certificate_is_a_fault_at_its_line(self, secured):
        (secured.parent / "tls.key").write_bytes(self_signed(("other.example",), NOW)[1])
        ((fault,), _) = found(secured)
        assert re.match(rf"{secured}:\d+: listen\[0\]\.tls: .*tls\.key: tls: cannot be used: it is not the key", fault)

    @pytest.mark.parametrize("name", ["tls.crt", "tls.key"])
    def test_a_file_that_holds_none_is_a_fault(self, secured, name):
        (secured.parent / name).write_text("nothing\n")
        ((fault,), _) = found(secured)
        assert f"{name}: tls: cannot be used: there is no" in fault

    def test_one_that_cannot_be_read_is_a_fault(self, secured, monkeypatch):
        secret = secured.parent / "tls.key"
        inner = Path.read_bytes
        monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", refuses)
        monkeypatch.setattr(Path, "read_bytes", lambda path: refuses() if path == secret else inner(path))
        ((fault,), _) = found(secured)
        assert fault.endswith("tls.key: tls: cannot be read: Permission denied")

    @pytest.mark.parametrize(("days", "words"), [(80, "ends on "), (91, "ended on "), (-1, "is good only from ")])
    def test_its_age_is_a_remark(self, secured, days, words):
        faults, (remark,) = found(secured, NOW + timedelta(days=days))
        assert (faults, f"listen[0].tls: {secured.parent / 'tls.crt'}: the certificate {words}" in remark) == ((), True)

    def test_another_name_than_the_address_is_a_remark(self, secured):
        secured.write_text(secured.read_text().replace("address: gateway.example", "address: elsewhere.example"))
        faults, (remark,) = found(secured)
        assert (faults, "is for gateway.example: clients that reach it as elsewhere.example" in remark) == ((), True)

    def test_authorities_without_a_certificate_are_a_fault(self, secured):
        text = secured.read_text()
        assert "mode: disable" in text
        secured.write_text(text.replace("mode: disable", "mode: verify-full, ca: tls.key"))
        ((fault,), _) = found(secured)
        assert "resources.shop.target.tls.ca: " in fault
        assert "there is no certificate in it" in fault

    def test_a_secret_that_is_not_there_or_empty_is_a_remark(self, secured, monkeypatch):
        (secured.parent / "password").write_text("\n")
        faults, (remark,) = found(secured)
        assert (faults, "accounts.app.password: file " in remark, "password is empty here" in remark) == (
            (),
            True,
            True,
        )
        monkeypatch.setenv("SHOP_PASSWORD", "")
        secured.write_text(secured.read_text().replace("file: password", "env: SHOP_PASSWORD"))
        assert "environment variable SHOP_PASSWORD is empty here" in found(secured)[1][0]


def refuses(*_arguments, **_how):
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def found(config, now=NOW):
    findings = check_config(config, int(now.timestamp()) * 10**9)
    return findings.faults, findings.remarks
