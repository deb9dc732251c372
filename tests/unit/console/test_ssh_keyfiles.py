import stat
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from doorward_console.ssh_keyfiles import CannotKeep, certificate_path, keep_certificate, key_at
from doorward_core.identity.ssh_keys import public_line


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path):
    path = tmp_path / "folder" / "key"
    key = key_at(path)
    assert public_line(key_at(path).public_key()) == public_line(key.public_key())
    assert [stat.S_IMODE(one.stat().st_mode) for one in (path.parent, path)] == [0o700, 0o600]
    assert sorted(one.name for one in path.parent.iterdir()) == ["key", "key.pub"]


def test_a_certificate_is_replaced_in_one_step_and_the_key_stays(tmp_path):
    path = tmp_path / "key"
    key_at(path)
    before = path.read_bytes()
    (tmp_path / ".key-cert.pub.new").write_text("left by a crash")
    for line in ("first", "second"):
        assert keep_certificate(path, line) == certificate_path(path) == tmp_path / "key-cert.pub"
        assert certificate_path(path).read_text() == f"{line}\n"
    assert path.read_bytes() == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["key", "key-cert.pub", "key.pub"]


def test_a_key_that_others_can_read_is_not_used(tmp_path):
    path = tmp_path / "key"
    key_at(path)
    path.chmod(0o640)
    with pytest.raises(CannotKeep, match="read by others"):
        key_at(path)


@pytest.mark.parametrize("other", [b"", b"text", None])
def test_what_is_no_key_of_ours_is_left_alone(tmp_path, other):
    path = tmp_path / "key"
    path.touch(mode=0o600)
    made = ec.generate_private_key(ec.SECP256R1())
    content = made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()) if other is None else other
    path.write_bytes(content)
    with pytest.raises(CannotKeep, match="choose another"):
        key_at(path)
    assert path.read_bytes() == content


@pytest.mark.need_ssh_keygen
def test_ssh_keygen_reads_the_pair(tmp_path):
    key_at(tmp_path / "key")
    shown = subprocess.run(["ssh-keygen", "-y", "-f", tmp_path / "key"], capture_output=True, text=True, check=True)
    assert (tmp_path / "key.pub").read_text().split()[:2] == shown.stdout.split()[:2]
