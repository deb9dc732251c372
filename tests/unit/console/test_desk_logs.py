"""`doorward logs --config`: the logs of a desk, with the keys and witnesses that stand in its settings."""

import json

import pytest
from cosigned_log import CosignedLog

SETTINGS = """\
version: 1
url: https://desk.example
listen: {{unix: desk.sock}}
login: {{issuer: "https://id.example", client_id: desk}}
roles: {{auditor: [auditors]}}
gateways:
  shop:
    control: "unix:control.sock"
    log: log
    vkey: keys/log.vkey
    checkpoints: second/checkpoint
    witnesses: {trusted}
  far: {{control: "https://far.example:9465"}}
record: {{folder: desk/log, keys: desk/keys, origin: desk.example}}
"""


@pytest.fixture
def desk(tmp_path):
    """A desk's settings, and the two logs that it knows: a gateway's, which two witnesses cosigned, and its own."""
    log = CosignedLog(tmp_path, count=5)
    own = CosignedLog(tmp_path / "desk", count=2)
    trusted = f"{{quorum: 2, vkeys: {log.vkeys}}}"
    (tmp_path / "desk.yaml").write_text(SETTINGS.format(trusted=trusted))
    log.put(log.line(0), log.line(1))
    return log, own, tmp_path / "desk.yaml"


def test_each_log_is_verified_with_what_the_settings_name(run, desk):
    log, _, config = desk
    done = run("logs", "--config", config)
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "2 of 2" in said
    assert "w0.example" in said
    assert "verified, at 2027-01-15" in said
    answer = json.loads(run("logs", "--config", config, "--json").output)
    shop, own = answer["logs"]
    assert (shop["origin"], shop["key_from_outside"], shop["checkpoint_from_outside"]) == (
        "gateway.example/a", True, True,
    )  # fmt: skip
    assert (shop["quorum"], sorted(shop["cosigned"]), shop["witnessed"]["size"]) == (
        2, ["w0.example", "w1.example"], log.size,
    )  # fmt: skip
    assert [one["standing"] for one in shop["witnessed"]["witnesses"]] == ["verified"] * 2
    assert (own["quorum"], own["witnessed"]["witnesses"]) == (0, [])


def test_a_forged_cosignature_makes_the_log_bad(run, desk):
    log, _, config = desk
    log.put(log.line(0), log.forged(1))
    done = run("logs", "--config", config)
    assert done.exit_code == 1
    assert "its witnesses: the cosignature by w1.example is wrong" in done.output
    assert "wrong signature" in done.output
    answer = json.loads(run("logs", "--config", config, "--json").output)
    shop = answer["logs"][0]
    assert (answer["ok"], shop["ok"], [one["standing"] for one in shop["witnessed"]["witnesses"]]) == (
        False, False, ["verified", "wrong signature"],
    )  # fmt: skip


def test_a_log_that_is_not_there_is_named_and_the_others_are_shown(run, desk):
    _, own, config = desk
    own.folder.rename(own.root / "gone")
    done = run("logs", "--config", config)
    assert done.exit_code == 1
    assert "gateway.example/a" in done.output
    assert "the log of desk is not at" in done.output


def test_settings_alone_say_which_logs_and_keys_are_meant(run, desk):
    log, _, config = desk
    done = run("logs", log.folder, "--config", config)
    assert (done.exit_code, "give it alone" in done.output) == (2, True)
