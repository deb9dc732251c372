"""Signing with ssh-keygen: a signature, or the reason why there is none."""

import subprocess

import pytest

from doorward_console.signing import CannotSign, sign
from doorward_core.approvals.sshsig import parse_armour


@pytest.mark.need_ssh_keygen
def test_a_key_signs_in_the_namespace_of_votes(tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    assert parse_armour(sign(tmp_path / "key", b"text").encode()).namespace == b"doorward-vote@1"


@pytest.mark.need_ssh_keygen
def test_what_is_no_key_makes_no_signature(tmp_path, capfd):
    (tmp_path / "key").write_text("nothing")
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(CannotSign, match="no signature"):
        sign(tmp_path / "key", b"text")


def test_a_key_that_is_not_there_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _: "/bin/false")
    with pytest.raises(CannotSign, match="not a file"):
        sign(tmp_path / "key", b"text")


def test_without_ssh_keygen_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(CannotSign, match="openssh-client"):
        sign(tmp_path / "key", b"text")
