"""`doorward init ssh` as an operator runs it, against a real sshd, and every way to be told no."""

import stat

import pytest
from ssh_stack import Sshd

from doorward_console.init_doors import target_name
from doorward_console.init_folder import CONFIG
from doorward_core.config import load_config
from doorward_demo.postgres import free_port

ISSUER = "https://idp.example"


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    server = Sshd(tmp_path_factory.mktemp("sshd"), "/nonexistent")
    yield server
    server.close()


@pytest.fixture
def init(run, tmp_path):
    def call(target, *options, **how):
        return run("init", "ssh", "--target", target, "--issuer", ISSUER, "--folder", tmp_path / "gw", *options, **how)

    return call


@pytest.mark.need_sshd
def test_a_confirmed_key_is_written_and_the_lines_for_the_target_are_shown(init, run, sshd, tmp_path):
    done = init(f"deploy@127.0.0.1:{sshd.port}", input="y\n")
    assert done.exit_code == 0, done.output
    config = load_config(tmp_path / "gw" / CONFIG)
    assert config.resources["127.0.0.1"].target["host_key"] == sshd.host_key
    assert run("config", "check", tmp_path / "gw" / CONFIG).output == "ok\n"
    authority = (tmp_path / "gw/state/keys/ssh-user-ca.pub").read_text().split()[1]
    assert f"echo 'ssh-ed25519 {authority} doorward-user-ca@" in done.output
    assert "TrustedUserCAKeys /etc/ssh/doorward-user-ca.pub" in done.output
    for name in ("user", "host", "login"):
        assert stat.S_IMODE((tmp_path / f"gw/state/keys/ssh-{name}-ca.key").stat().st_mode) == 0o600


@pytest.mark.need_sshd
@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_a_key_that_nobody_confirms_is_not_written(init, sshd, tmp_path, answer):
    done = init(f"deploy@127.0.0.1:{sshd.port}", input=answer)
    assert (done.exit_code, (tmp_path / "gw").exists()) == (2, False)


@pytest.mark.need_sshd
def test_a_fingerprint_is_compared_for_the_operator(init, sshd, tmp_path):
    other = init(f"deploy@127.0.0.1:{sshd.port}", "--fingerprint", "SHA256:else", "--yes")
    assert (other.exit_code, "somebody may stand in between" in other.output) == (2, True)
    assert not (tmp_path / "gw").exists()
    shown = next(word for word in other.output.split() if word.startswith("SHA256:"))
    assert init(f"deploy@127.0.0.1:{sshd.port}", "--fingerprint", shown).exit_code == 0


@pytest.mark.need_sshd
def test_yes_believes_what_was_shown_and_says_so(init, sshd):
    assert "! nobody compared the key" in init(f"deploy@127.0.0.1:{sshd.port}", "--yes").output


@pytest.mark.parametrize(("target", "words"), [("web1", "user@host"), ("a@127.0.0.1:{free}", "shows no host key")])
def test_what_cannot_be_asked_is_said(init, tmp_path, target, words):
    done = init(target.format(free=free_port()), "--yes")
    assert (done.exit_code, words in done.output, (tmp_path / "gw").exists()) == (2, True, False)


@pytest.mark.parametrize(
    ("host", "name"),
    [("web1.example", "web1"), ("10.0.0.5", "10.0.0.5"), ("2001:db8::1", "2001-db8--1"), ("web1", "web1")],
)
def test_a_server_is_called_by_its_name(host, name):
    assert target_name(host) == name
