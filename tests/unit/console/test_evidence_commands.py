import json
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
        (("--from", "2027-01-01", "--keys", "x", "--keys", "y"), "as many"),
        (("--from", "2026-01-01", "--archive", "x", "--archive", "y"), "as many"),
    ],
)
def test_what_cannot_be_done_is_said(told, tmp_path, arguments, words):
    done = _run("--log", str(told.folder), "-o", str(tmp_path / "e.zip"), *arguments)
    assert done.exit_code == 2
    assert words in done.output
    assert not (tmp_path / "e.zip").exists()
