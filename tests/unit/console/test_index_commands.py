"""`doorward index`."""

import json
import shutil

import index_stand
import pytest
from index_stand import NOW, NS


@pytest.fixture
def told_log(tmp_path):
    return index_stand.write(tmp_path / "log", index_stand.story())


def test_update_then_status_then_rebuild(run, told_log, tmp_path):
    first = run("index", "update", "--log", told_log)
    assert f"into {tmp_path / 'index.sqlite'}" in first.output
    assert "gw.example: 15 entries" in first.output
    assert run("index", "status", "--log", told_log).exit_code == 0
    index_stand.write(told_log, [index_stand.opened(index_stand.a_session(9))], at=NOW + 900 * NS)
    behind = run("index", "status", "--log", told_log, "--json")
    assert behind.exit_code == 1
    assert json.loads(behind.stdout)[0]["indexed"] == 15
    again = json.loads(run("index", "rebuild", "--log", told_log, "--json").stdout)
    assert (again["rebuilt"], again["events"]) == ("it was asked for", 18)
    assert "gw.example" in run("index", "status", "--log", told_log).output


def test_a_log_that_was_replaced_is_said_to_be(run, told_log):
    run("index", "update", "--log", told_log)
    shutil.rmtree(told_log)
    index_stand.write(told_log, [index_stand.opened(index_stand.a_session(3))])
    assert (
        "built anew: the log of gw.example is not the one that was indexed"
        in run("index", "update", "--log", told_log).output
    )


def test_several_logs_need_a_place_for_their_index(run, told_log, tmp_path):
    other = index_stand.write(tmp_path / "other" / "log", index_stand.story(), origin="other.example")
    both = ("--log", told_log, "--log", other)
    assert "where is the index?" in run("index", "update", *both).output
    done = run("index", "update", *both, "--index", tmp_path / "both.sqlite")
    assert "other.example: 15 entries" in done.output


def test_what_cannot_be_is_said(run, tmp_path):
    assert run("index", "update").exit_code == 2
    assert "there is no index" in run("index", "status", "--log", tmp_path, "--index", tmp_path / "x").output
    assert "there is no log" in run("index", "update", "--log", tmp_path / "none", "--index", tmp_path / "x").output
