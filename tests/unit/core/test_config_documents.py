"""What the operators' documents show is what the gateway takes."""

import re
from pathlib import Path

import pytest

from doorward_core.config import Config, Limits, ResourceSettings, load_config
from doorward_core.config_approvals import PasskeySettings, Receiver
from doorward_core.config_identity import Issuer
from doorward_core.config_record import ArchiveSettings, RecordSettings, RetentionSettings
from doorward_core.model import Action
from doorward_core.policy.lint import remarks
from doorward_core.policy.load import parse_policy
from doorward_core.policy.rules import Approval, MaskRule, Rule
from doorward_core.policy.test_cases import parse_cases, run_cases

ROOT = Path(__file__).parents[3]
POLICY = (ROOT / "docs/policy.md").read_text()
CONFIG = (ROOT / "docs/config.md").read_text()


def blocks(text):
    return re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", [item for item in blocks(POLICY) if not item.startswith("# cases")])
def test_every_policy_shown_loads_and_says_what_it_means(text):
    policy = parse_policy(text, "docs/policy.md")
    assert policy.rules or policy.mask_rules
    assert remarks(policy, {}) == ()


def test_the_cases_shown_pass_against_the_policy_shown():
    (cases,) = (item for item in blocks(POLICY) if item.startswith("# cases"))
    policy = parse_policy(blocks(POLICY)[0], "docs/policy.md")
    results = run_cases(policy, parse_cases(cases, "docs/policy.md"))
    assert [result.name for result in results if not result.passed] == ["analysts read customers"]  # asks with SQL


def test_the_policy_in_the_readme_loads():
    (text,) = blocks((ROOT / "README.md").read_text())
    assert parse_policy(text, "README.md").mask_rules


@pytest.mark.parametrize("text", blocks(CONFIG))
def test_every_configuration_shown_loads(tmp_path, text):
    for name in ("tls.crt", "tls.key", "policy.yaml", "allowed_signers"):
        (tmp_path / name).touch()
    (tmp_path / "doorward.yaml").write_text(text)
    assert load_config(tmp_path / "doorward.yaml").origin == "pg-gateway.example"


@pytest.mark.parametrize(
    ("model", "text"),
    [
        *((model, POLICY) for model in (Rule, MaskRule, Approval)),
        *((model, CONFIG) for model in (Config, Issuer, Limits, RecordSettings, ResourceSettings)),
        *((model, CONFIG) for model in (ArchiveSettings, RetentionSettings)),
        *((model, CONFIG) for model in (PasskeySettings, Receiver)),
    ],
)
def test_every_key_is_described(model, text):
    keys = {field.alias or name for name, field in model.model_fields.items()}
    rows = {
        key for line in text.splitlines() if line.startswith("|") for key in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    assert keys <= rows


def test_every_action_is_described():
    rows = set(re.findall(r"^\| `(\w+)` \|", POLICY, re.MULTILINE))
    assert {str(action) for action in Action} <= rows


def test_a_limit_that_follows_another_is_described_as_the_share_that_it_is():
    (shown,) = re.findall(r"^\| `sessions_per_identity` \|[^|]*\| ([^|]+) \|$", CONFIG, re.MULTILINE)
    assert shown == "half of `connections`"
    assert Limits(connections=80).each_identity == 40


@pytest.mark.parametrize("name", sorted(Limits.model_fields.keys() - {"sessions_per_identity"}))
def test_every_default_limit_is_the_one_described(name):
    value = getattr(Limits(), name)
    (shown,) = re.findall(rf"^\| `{name}` \|[^|]*\| (\S+) \|$", CONFIG, re.MULTILINE)
    units = {"s": 1, "h": 3600, "MiB": 1024**2, "": 1}
    number, unit = re.fullmatch(r"(\d+)(\w*)", shown).groups()
    assert value == int(number) * units[unit]
