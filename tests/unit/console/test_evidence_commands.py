import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from evidence_stand import Stand, check, story
from typer.testing import CliRunner

from doorward_console import evidence_commands

app = typer.Typer()
app.command()(evidence_commands.evidence)


@pytest.fixture
def told(tmp_path: Path) -> Stand:
    return story(Stand(tmp_path / "a")).close()


def _run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def test_a_bundle_is_written_and_how_to_check_it_is_said(told, tmp_path):
    out = tmp_path / "e.zip"
    key_file = told.root / "keys" / "log.vkey"
    done = _run(
        "--from", "2027-01-01", "--to", "2027-02-01", "--log", str(told.folder), "--key", str(key_file), "-o", str(out)
    )
    assert done.exit_code == 0, done.output
    assert "28 events" in done.output
    assert "python3 verify.py" in done.output
    assert check(out, "--key", told.vkey).returncode == 0


def test_a_program_gets_the_figures(told, tmp_path):
    done = _run(
        "--from", "2027-01-01", "--to", "2027-02-01", "--log", str(told.folder), "-o", str(tmp_path / "e.zip"), "--json"
    )
    assert json.loads(done.output)["figures"]["access.opened"] == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--from", "soon"), "no moment"),
        (("--from", "2027-02-01", "--to", "2027-01-01"), "ends before"),
        (("--from", "2026-01-01", "--key", "a+b"), "not a vkey"),
        (("--from", "2027-02-01", "--to", "2027-01-01"), "from 2027-02-01 00:00:00"),
        (("--from", "2027-01-01", "--keys", "x", "--keys", "y"), "as many"),
        (("--from", "2027-01-01", "--keys", "x"), "--keys opens nothing without --identity"),
        (("--from", "2027-01-01", "-o", "/nonexistent/e.zip"), "there is no folder /nonexistent"),
        (("--from", "2026-01-01", "--archive", "x", "--archive", "y"), "as many"),
    ],
)
def test_what_cannot_be_done_is_said(told, tmp_path, arguments, words):
    done = _run("--log", str(told.folder), "-o", str(tmp_path / "e.zip"), *arguments)
    assert done.exit_code == 2
    assert words in done.output
    assert not (tmp_path / "e.zip").exists()


PERIOD = ("--from", "2027-01-01", "--to", "2027-02-01")
LAST_NS = int(datetime(2027, 2, 1, tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(("now", "doubted"), [(LAST_NS - 1, True), (LAST_NS, False)])
def test_a_period_that_is_not_over_is_said_to_be_none(told, tmp_path, monkeypatch, now, doubted):
    monkeypatch.setattr(evidence_commands.time, "time_ns", lambda: now)
    done = _run(*PERIOD, "--log", str(told.folder), "-o", str(tmp_path / "e.zip"))
    assert done.exit_code == 0, done.output
    assert ("! the period ends at 2027-02-01 00:00:00" in done.output) == doubted


@pytest.mark.parametrize("scope", [("--resource", "shopp"), ("--subject", "crew-77")])
def test_a_scope_that_nothing_is_of_is_doubted(told, tmp_path, scope):
    done = _run(*PERIOD, "--log", str(told.folder), "-o", str(tmp_path / "e.zip"), *scope)
    assert done.exit_code == 0, done.output
    what = " ".join(scope).removeprefix("--")
    assert f"! nothing in the period is of {what}: is it written so in the log?" in " ".join(done.output.split())


def test_a_scope_that_something_is_of_is_not(told, tmp_path):
    done = _run(*PERIOD, "--log", str(told.folder), "-o", str(tmp_path / "e.zip"), "--resource", "shop")
    assert "nothing in the period" not in done.output
