"""`doorward review`, as an operator runs it."""

import json


def test_a_review_is_told_and_given_as_json(run, log, config):
    policy = config.parent / "policy.yaml"
    done = run("review", "--log", log, "--policy", policy, "--since", "2027-01-01", "--until", "2027-12-31")
    assert done.exit_code == 0
    assert "crew-7" in done.output
    assert "never used: analysts-read" not in done.output
    reach = ("review", "--log", log, "--config", config, "--since", "2027-01-01", "--until", "2027-12-31", "--json")
    told = json.loads(run(*reach).output)
    assert (told["origin"], told["operations"], len(told["digest"])) == ("gw.example", 3, 64)
    assert told["digest"] in run(*reach[:-1]).output


def test_it_needs_a_policy(run, log):
    done = run("review", "--log", log)
    assert (done.exit_code, "--policy" in done.stderr) == (2, True)


def test_a_time_that_ends_before_it_begins_is_refused(run, log, config):
    done = run("review", "--log", log, "--config", config, "--since", "2027-06-01", "--until", "2027-05-01")
    assert (done.exit_code, "the time ends before it begins" in done.stderr) == (2, True)
