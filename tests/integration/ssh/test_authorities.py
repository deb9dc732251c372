"""The authorities' key files: made once, read back, and not used where they cannot be trusted any more."""

import stat
import subprocess

import pytest

from doorward_core.errors import ConfigError
from doorward_core.identity.ssh_keys import public_line
from doorward_core.rooms import authorities

NAMES = [
    "ssh-host-ca.key",
    "ssh-host-ca.pub",
    "ssh-login-ca.key",
    "ssh-login-ca.pub",
    "ssh-user-ca.key",
    "ssh-user-ca.pub",
]


def lines(keys):
    return [public_line(key.public_key()) for key in (keys.login, keys.user, keys.host)]


def test_three_keys_are_made_once_and_only_their_owner_reads_them(tmp_path):
    first = lines(authorities(tmp_path))
    assert lines(authorities(tmp_path)) == first
    assert len(set(first)) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == NAMES
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


@pytest.mark.need_ssh_keygen
def test_each_is_a_key_of_openssh_with_its_public_half_beside_it(tmp_path):
    authorities(tmp_path)
    for path in tmp_path.glob("*.key"):
        shown = subprocess.run(["ssh-keygen", "-y", "-f", path], capture_output=True, text=True, check=True).stdout
        assert path.with_suffix(".pub").read_text().split()[:2] == shown.split()[:2]


@pytest.mark.need_ssh_keygen
def test_an_operator_may_bring_a_key_and_its_public_half_follows(tmp_path):
    authorities(tmp_path)
    path = tmp_path / "ssh-user-ca.key"
    path.unlink()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    keys = authorities(tmp_path)
    assert path.with_suffix(".pub").read_text().split()[:2] == public_line(keys.user.public_key()).split()


def test_a_key_that_others_can_read_is_not_used(tmp_path):
    authorities(tmp_path)
    (tmp_path / "ssh-login-ca.key").chmod(0o640)
    with pytest.raises(ConfigError, match="others can read it"):
        authorities(tmp_path)


@pytest.mark.parametrize("content", [b"", b"0" * 32])
def test_a_key_that_was_changed_is_not_made_anew(tmp_path, content):
    authorities(tmp_path)
    (tmp_path / "ssh-host-ca.key").write_bytes(content)
    with pytest.raises(ConfigError, match=r"ssh-host-ca\.key: not an OpenSSH private key"):
        authorities(tmp_path)
    assert (tmp_path / "ssh-host-ca.key").read_bytes() == content


def test_a_draft_that_a_crash_left_is_written_anew(tmp_path):
    (tmp_path / "ssh-login-ca.new").write_text("half")
    (tmp_path / "ssh-login-ca.new").chmod(0o644)
    authorities(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == NAMES
    assert stat.S_IMODE((tmp_path / "ssh-login-ca.key").stat().st_mode) == 0o600
