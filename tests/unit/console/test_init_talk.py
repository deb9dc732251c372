"""What an operator is told and asked: nothing from a database leads their terminal."""

from dataclasses import replace
from pathlib import Path

import pytest

from doorward_console.init_proposals import Proposal
from doorward_console.init_sample import Look
from doorward_console.init_talk import MAX_MISSED_SHOWN, CannotInit, chosen, program, tell_next, tell_seen
from doorward_console.init_target import Place
from doorward_core.sql.catalog import Catalog, Contents

EMPTY = Catalog(Contents((), (), (), (), (), frozenset()), database="app", server_version=150018, version="1")
EVIL = "\x1b[2Jevil\u202e"
PROPOSALS = (
    Proposal(f"public.{EVIL}.email", "email", "partial", "name"),
    Proposal("public.t.phone", "phone", "partial", "name"),
)


def test_names_cannot_lead_a_terminal(capsys):
    tell_seen(EMPTY, Look(missed={EVIL: "no right to read it"}), Place("db", 5432, EVIL, "app"))
    assert chosen(PROPOSALS, ask=False) == (PROPOSALS, ())
    said = capsys.readouterr().out
    assert "evil" in said
    assert not {"\x1b", "\u202e"} & set(said)


def test_what_was_not_sampled_is_named_as_far_as_one_reads(capsys):
    tell_seen(
        EMPTY, Look(missed={f"public.t{number}": "it was locked" for number in range(20)}), Place("d", 1, "a", "u")
    )
    said = capsys.readouterr().out
    assert said.count("it was locked") == MAX_MISSED_SHOWN
    assert "12 more" in said


def test_without_anything_to_hide_one_has_to_agree(monkeypatch):
    monkeypatch.setattr("typer.prompt", lambda *_, **__: "y")
    assert chosen((), ask=True) == ((), ())
    monkeypatch.setattr("typer.prompt", lambda *_, **__: "n")
    with pytest.raises(CannotInit):
        chosen((), ask=True)


def test_a_program_is_called_by_name_where_it_is_on_the_path_else_where_it_lies(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/doorward-x").touch(mode=0o755)
    python = tmp_path / "bin/python"
    monkeypatch.chdir("/proc")
    monkeypatch.setenv("PATH", "/nowhere")
    assert program("doorward-x", python) == str(tmp_path / "bin/doorward-x")
    monkeypatch.chdir(tmp_path)
    assert program("doorward-x", python) == "bin/doorward-x"
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert program("doorward-x", python) == "doorward-x"
    assert program("doorward-elsewhere", python) == "doorward-elsewhere"


def test_the_next_commands_are_told(capsys, wanted):
    tell_next(Path("a folder"), wanted, ["doorward.yaml"], ("a remark",))
    said = capsys.readouterr().out
    assert "doorward-postgres --config 'a folder/doorward.yaml'" in said
    assert "export SHOP_PASSWORD=" in said
    assert "host=localhost port=6432 dbname=shop user=app" in said
    assert "remark: a remark" in said


def test_a_gateway_that_needs_no_password_is_started_without(capsys, wanted):
    tell_next(Path(), replace(wanted, password={}, self_signed=""), [], ())
    said = capsys.readouterr().out
    assert "export" not in said
    assert "self-signed" not in said
