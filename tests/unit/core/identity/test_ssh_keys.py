import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from doorward_core.identity.ssh_keys import (
    Authorities,
    BadKey,
    blob,
    fingerprint,
    new_authority,
    public_line,
    read_authority,
    read_public,
)

KEY = Ed25519PrivateKey.generate()
LINE = public_line(KEY.public_key())


def test_an_authority_is_read_back_and_shows_nothing_of_itself():
    keys = [read_authority(new_authority()) for _ in range(3)]
    assert len({public_line(key.public_key()) for key in keys}) == 3
    assert repr(Authorities(*keys)) == "Authorities()"


def private(key, form=PrivateFormat.OpenSSH):
    return key.private_bytes(Encoding.PEM, form, NoEncryption())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 32,
        LINE.encode(),
        private(ec.generate_private_key(ec.SECP256R1())),
        private(KEY, PrivateFormat.PKCS8),
    ],
)
def test_what_is_no_authority_is_refused_without_being_quoted(data):
    with pytest.raises(BadKey) as caught:
        read_authority(data)
    assert len(data) < 20 or data.splitlines()[1 % len(data.splitlines())].decode() not in str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
        rsa.generate_private_key(65537, 2048),
    ],
)
@pytest.mark.parametrize("ending", ["", " a comment of several words", "\n", " comment\n"])
def test_a_line_of_a_public_key_file_is_read(key, ending):
    line = public_line(key.public_key())
    assert read_public(line + ending) == key.public_key()


def small_rsa():
    return public_line(rsa.generate_private_key(65537, 1024).public_key())


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ssh-ed25519",
        LINE.replace(" ", "  "),
        f" {LINE}",
        f"{LINE}\n{LINE}",
        f"{LINE} a\nb",
        f'command="x" {LINE}',
        LINE[:-8],
        LINE + "AAAA",
        LINE.replace("ssh-ed25519", "ssh-rsa"),
        LINE.replace("ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com"),
        LINE.replace("ssh-ed25519", "sk-ssh-ed25519@openssh.com"),
        "ssh-ed25519 " + "A" * 9000,
        small_rsa(),
    ],
)
def test_what_is_no_plain_and_sound_public_key_is_refused(line):
    with pytest.raises(BadKey):
        read_public(line)


def test_dsa_is_refused():
    with pytest.raises(BadKey, match="plain Ed25519"):
        read_public("ssh-dss AAAAB3NzaC1kc3MAAACBAPT")


@pytest.mark.need_ssh_keygen
def test_ssh_keygen_reads_our_keys_and_agrees_on_fingerprints(tmp_path):
    path = tmp_path / "ca.key"
    path.touch(mode=0o600)
    path.write_bytes(new_authority())
    shown = subprocess.run(["ssh-keygen", "-y", "-f", path], capture_output=True, text=True, check=True).stdout.strip()
    line = public_line(read_authority(path.read_bytes()).public_key())
    assert shown.split()[:2] == line.split()
    public = tmp_path / "ca.pub"
    public.write_text(line)
    listed = subprocess.run(["ssh-keygen", "-l", "-f", public], capture_output=True, text=True, check=True).stdout
    assert fingerprint(blob(line)) in listed


@pytest.mark.parametrize("line", ["", "ssh-ed25519", "ssh-ed25519 ###"])
def test_a_line_without_a_key_has_no_blob(line):
    with pytest.raises(BadKey):
        blob(line)
