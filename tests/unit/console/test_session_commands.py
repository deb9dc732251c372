"""`doorward sessions`: what a log tells of; what is open now is asked of a gateway (tests/integration/test_operators.py)."""

import json

import pytest

SESSION = "0123456789abcdef0123456789abcdef"


def test_the_sessions_are_listed_with_those_that_were_refused(run, log):
    done = run("sessions", "--log", log)
    assert done.exit_code == 0
    assert SESSION[:12] in done.output
    assert "refused" in done.output


def test_sessions_in_json_have_whole_ids_and_can_be_filtered(run, log):
    listed = json.loads(run("sessions", "--log", log, "--json").output)
    assert [row["state"] for row in listed] == ["closed", "refused"]
    assert listed[0]["session"] == SESSION
    assert len(json.loads(run("sessions", "--log", log, "--subject", "crew-7", "--json").output)) == 1
    assert run("sessions", "--log", log, "--resource", "other").output == "no sessions\n"


def test_sessions_of_a_crew_are_found_by_its_attributes(run, log):
    (row,) = json.loads(run("sessions", "--log", log, "--attribute", "task=mail", "--json").output)
    assert (row["session"], row["sponsor"], row["attributes"]["task"]) == (SESSION, "sam", "mail")
    several = ("--attribute", "task=mail", "--attribute", "crew=other")
    assert run("sessions", "--log", log, *several).output == "no sessions\n"
    assert run("sessions", "--log", log, "--attribute", "crew").exit_code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "which log?"),
        (("--live",), "which gateway?"),
        (("watch", "abcdef"), "which gateway?"),
        (("end", "abcdef", "--reason", "x"), "which gateway?"),
        (("end", "last", "--reason", "x"), "another one by now"),
        (("end", "abcdef", "--reason", "x", "--gateway", "unix:/nonexistent", "--token", "t"), "cannot be reached"),
    ],
)
def test_what_is_missing_is_said(run, words, said):
    done = run("sessions", *words)
    assert (done.exit_code, said in done.output) == (2, True)


def test_an_end_needs_a_reason(run):
    assert run("sessions", "end", "abcdef", "--gateway", "unix:/nonexistent").exit_code == 2
