import stat

import pytest

from doorward_demo import stack
from doorward_demo.postgres import DemoError


def test_a_state_folder_of_an_earlier_run_is_made_anew(tmp_path):
    with stack.state_folder(tmp_path / "state") as folder:
        (folder / "log").mkdir()
        (folder / "log" / "old").touch()
    with stack.state_folder(tmp_path / "state") as folder:
        assert {path.name for path in folder.iterdir()} == {stack.STATE_FILE}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_with_somebody_elses_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(DemoError, match="not the demonstration's"), stack.state_folder(tmp_path):
        pass
    assert (tmp_path / "thesis.txt").exists()


def test_two_demonstrations_do_not_share_a_state_folder(tmp_path):
    with (
        stack.state_folder(tmp_path / "state"),
        pytest.raises(DemoError, match="another demonstration"),
        stack.state_folder(tmp_path / "state"),
    ):
        pass


def test_the_socket_folder_is_short_private_and_gone_in_the_end():
    with stack.socket_folder() as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert len(str(folder / ".s.PGSQL.65535")) < 108  # what a socket address holds
    assert not folder.exists()


def test_clients_are_told_to_verify_the_gateway_and_never_told_the_token(tmp_path):
    place = stack.Stack(tmp_path, tmp_path / "run", 6432, 9464, 8090)
    assert "sslmode=verify-full" in place.conninfo(tls=True)
    assert f"host={tmp_path / 'run'} " in place.conninfo(tls=False)
    assert "password" not in place.conninfo(tls=True) + place.conninfo(tls=False)


def test_tokens_are_taken_from_the_issuer_into_private_files(tmp_path):
    (tmp_path / "tokens").mkdir()
    place = stack.Stack(tmp_path, tmp_path / "run", 6432, 9464, 8090)
    with stack.issuer(place):
        assert place.issuer_url.startswith("http://127.0.0.1:")
        for subject in (stack.AGENT, stack.APPROVER):
            assert place.token(subject).count(".") == 2
            assert stat.S_IMODE(place.token_file(subject).stat().st_mode) == 0o600


def test_a_gateway_that_does_not_start_says_why(tmp_path, monkeypatch):
    """The configuration that is written here names a folder where a file must be."""
    place = stack.Stack(tmp_path, tmp_path / "run", 0, 0, 0, issuer_url="not a url")
    target = type("Target", (), {"port": 1, "passwords": {"app": "a", "reader": "r"}})()
    with pytest.raises(DemoError, match="ended with status"), stack.gateway(place, target):
        pass
