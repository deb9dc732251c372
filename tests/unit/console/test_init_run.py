"""The parts of the course that a whole run does not show: passwords, and prompts."""

import sys

import pytest

from doorward_console import init_run
from doorward_console.catalogue import TargetFault, Trouble
from doorward_console.init_doors import CannotInit
from doorward_console.init_run import Way
from doorward_console.init_target import Place

PLACE = Place("db.example", 5432, "shop", "app")


@pytest.mark.parametrize("content", ["", "\n", "two\nlines\n", "nul\0"])
def test_a_password_file_holds_a_password_and_nothing_else(tmp_path, content):
    (tmp_path / "pw").write_text(content)
    with pytest.raises(CannotInit):
        init_run._from_file(tmp_path / "pw")


class Dialled:
    """Stands for a target that wants this password."""

    def __init__(self, password):
        self.password = password

    def __call__(self, login):
        if login.password is None or login.password.reveal() != self.password:
            raise TargetFault(Trouble.REFUSED, sqlstate="28P01")
        return self

    def close(self):
        pass


@pytest.fixture
def terminal(monkeypatch):
    """An operator at a terminal, who types this; none of their passwords from elsewhere."""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(init_run, "find_password", lambda *_: None)
    monkeypatch.setattr(init_run, "connect", Dialled("right"))

    def types(text):
        monkeypatch.setattr(init_run.typer, "prompt", lambda *_, hide_input: text if hide_input else None)

    return types


def test_at_a_terminal_a_password_is_asked_for_unseen(terminal, tmp_path):
    terminal("right")
    login, source = init_run._logged_in(PLACE, Way("", "disable", None, "NAME", None), tmp_path, ask=True)
    assert (login.password.reveal(), source) == ("right", {"env": "NAME"})


def test_it_is_asked_for_once(terminal, tmp_path):
    terminal("wrong")
    with pytest.raises(CannotInit, match="does not accept"):
        init_run._logged_in(PLACE, Way("", "disable", None, "NAME", None), tmp_path, ask=True)


def test_a_target_that_wants_no_password_gets_no_reference_to_one(terminal, tmp_path, monkeypatch):
    monkeypatch.setattr(init_run, "connect", lambda _login: Dialled(""))
    _, source = init_run._logged_in(PLACE, Way("", "disable", None, "NAME", None), tmp_path, ask=True)
    assert source == {}
