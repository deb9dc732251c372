"""Which gateway, and whose token."""

import pytest
import typer

from doorward_console.asking import ask, reach, tell


def test_a_token_comes_from_a_file_before_the_argument(tmp_path, monkeypatch):
    (tmp_path / "token").write_text("  from-file\n")
    reached = reach("https://gw", "argument", tmp_path / "token", None)
    assert reached._token.reveal() == "from-file"


def test_without_a_token_only_what_is_public_is_asked(capsys):
    with pytest.raises(typer.Exit):
        reach("https://gw", "", None, None)
    assert "who are you?" in capsys.readouterr().err
    assert reach("https://gw", "", None, None, anonymous=True)


def test_a_token_file_that_is_not_there_is_said(tmp_path, capsys):
    with pytest.raises(typer.Exit):
        reach("https://gw", "", tmp_path / "none", None)
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize("way", [ask, lambda gateway, path: tell(gateway, path, {})])
def test_a_gateway_that_is_not_there_ends_the_command(way, tmp_path, capsys):
    gateway = reach(f"unix:{tmp_path / 'none'}", "x", None, None)
    with pytest.raises(typer.Exit) as caught:
        way(gateway, "/v1/whoami")
    assert (caught.value.exit_code, "cannot be reached" in capsys.readouterr().err) == (2, True)
