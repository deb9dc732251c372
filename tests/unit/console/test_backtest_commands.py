"""`doorward policy backtest`, as an operator runs it."""

import json

from doorward_console.backtest import UNTOLD_POLICY


def test_what_cannot_be_told_is_said(run, log, config):
    done = run("policy", "backtest", config.parent / "policy.yaml", "--log", log, "--config", config)
    assert done.exit_code == 0
    assert f"cannot be told: {UNTOLD_POLICY}" in done.output
    told = json.loads(run("policy", "backtest", config.parent / "policy.yaml", "--log", log, "--json").output)
    assert (told["operations"], told["cannot_be_told"]) == (4, {UNTOLD_POLICY: 4})


def test_a_policy_with_faults_ends_with_2(run, log, tmp_path):
    (tmp_path / "p.yaml").write_text("version: 1\nrulez: []\n")
    done = run("policy", "backtest", tmp_path / "p.yaml", "--log", log)
    assert (done.exit_code, "p.yaml:2" in done.stderr) == (2, True)
    assert run("policy", "backtest", tmp_path / "p.yaml", "--log", log, "--since", "whenever").exit_code == 2
