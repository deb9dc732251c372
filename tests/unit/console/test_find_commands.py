"""`doorward find`."""

import json

import index_stand
import pytest
from index_stand import NOW


@pytest.fixture
def told_log(tmp_path):
    return index_stand.write(tmp_path / "log", index_stand.story())


@pytest.fixture(autouse=True)
def a_clock(monkeypatch):
    monkeypatch.setattr("time.time_ns", lambda: NOW + 60 * index_stand.NS)


def test_the_auditors_question_is_answered(run, told_log):
    done = run("find", "who changed customer 42 today, and who approved it", "--log", told_log)
    assert done.exit_code == 0, done.output
    assert "read as: action changed; table customer; words 42; time today" in done.output
    assert "crew-7 for sam  app@shop  permitted, ok, 1 rows" in done.output
    assert "UPDATE customer SET name = $1 WHERE id = $2" in done.output
    assert "values: 'x', '42'" in done.output
    assert "approved by dora at" in done.output
    assert '(proof: token): "looks fine"' in done.output
    assert "and 1 changes of customer that do not name 42" in done.output


def test_the_same_by_filters_and_for_programs(run, told_log):
    done = run("find", "--changed", "customer", "--text", "42", "--since", "today", "--log", told_log, "--json")
    answer = json.loads(done.stdout)
    (row,) = answer["found"]
    assert (row["subject"], row["approval"]["votes"][0]["approver"]) == ("crew-7", "dora")
    assert answer["changes_that_do_not_name_it"] == {"count": 1, "or_more": False}
    assert answer["search"]["table"] == "customer"


def test_yesterday_has_nothing(run, told_log):
    done = run("find", "--changed", "customer", "--since", "yesterday", "--until", "yesterday", "--log", told_log)
    assert done.output.strip() == "nothing is in the index about that"


def test_hostile_texts_are_shown_harmlessly(run, told_log):
    done = run("find", "drop", "--log", told_log)
    assert "DENIED" in done.output
    assert "\x1b" not in done.output
    assert "\u202e" not in done.output


def test_sessions_are_listed(run, told_log):
    done = run("find", "--sessions", "--who", "crew-7", "--log", told_log)
    assert "010101010101" in done.output
    assert "crew-8" not in done.output
    live = run("find", "--live", "--log", told_log, "--json")
    assert [row["subject"] for row in json.loads(live.stdout)["found"]] == ["crew-8"]


def test_there_is_more_where_there_is(run, told_log):
    done = run("find", "--log", told_log, "--limit", 1)
    number = done.output.rpartition("--before ")[2].strip()
    assert "DROP TABLE" in run("find", "--log", told_log, "--limit", 1, "--before", number).output


def test_an_index_is_asked_as_it_is_without_its_logs(run, told_log, tmp_path):
    assert run("index", "update", "--log", told_log).exit_code == 0
    assert "UPDATE customer" in run("find", "42", "--index", tmp_path / "index.sqlite").output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("find", "x"), "which log?"),
        (("find", "x", "--log", "/nowhere/log", "--index", "/tmp/nowhere/index"), "there is no log"),
        (("find", "x", "--index", "/nowhere/index.sqlite"), "there is no index"),
        (("find", "x", "--since", "soon"), "is no time"),
    ],
)
def test_what_is_missing_is_said(run, arguments, words):
    done = run(*arguments)
    assert done.exit_code == 2
    assert words in done.output


def test_sealed_content_is_told_to_be_sealed(run, tmp_path):
    import pyrage  # noqa: PLC0415 - here alone

    recipient = str(pyrage.x25519.Identity.generate().to_public())
    log = index_stand.write(tmp_path / "gw" / "log", index_stand.story(), recipients=[recipient])
    done = run("find", "--verdict", "deny", "--log", log)
    assert "(sealed: what was said can be read with an auditor's key only)" in done.output


def test_an_index_that_had_to_be_made_anew_is_told_of(run, told_log, tmp_path):
    (tmp_path / "index.sqlite").write_bytes(b"no database, and long enough to be taken for one" * 99)
    done = run("find", "42", "--log", told_log)
    assert done.exit_code == 0
    assert "was built anew" in done.stderr
