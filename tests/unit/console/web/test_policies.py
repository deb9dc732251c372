"""The policies of the desk's gateways, where they are not a page's own affair."""

import pytest

from doorward_console.settings import GatewaySettings
from doorward_console.web.library import Unreadable
from doorward_console.web.policies import Bounded, InForce, changed, in_force, policy_path
from doorward_core.errors import ConfigError
from doorward_core.policy.load import load_policy

CONTROL = "https://gw.example"


async def test_a_policy_is_found_directly_or_by_its_configuration(config):
    policy = config.parent / "policy.yaml"
    direct, by = GatewaySettings(control=CONTROL, policy=policy), GatewaySettings(control=CONTROL, config=config)
    assert policy_path(direct) == policy_path(by) == policy
    assert (await in_force("pg", by)).resources.keys() == {"shop"}
    with pytest.raises(Unreadable, match="name no `policy`"):
        await in_force("pg", GatewaySettings(control=CONTROL))


def test_a_changed_text_includes_only_what_is_in_force(tmp_path):
    (tmp_path / "policy.yaml").write_text("version: 1\ninclude: [more.yaml]\n")
    (tmp_path / "more.yaml").write_text("version: 1\n")
    (tmp_path / "secret.yaml").write_text("version: 1\n")
    standing = InForce("pg", tmp_path / "policy.yaml", load_policy(tmp_path / "policy.yaml"), {})
    assert changed(standing, "version: 1\ninclude: [more.yaml, safe-catalog]\n").rules
    with pytest.raises(ConfigError, match="not among the files"):
        changed(standing, "version: 1\ninclude: [secret.yaml]\n")


def test_reading_stops_when_time_is_up(log_entries):
    bounded = Bounded(log_entries, 0.0)
    assert (list(bounded), bounded.stopped) == ([], 0)
    bounded = Bounded(log_entries, float("inf"))
    assert (list(bounded), bounded.stopped) == (log_entries, -1)
