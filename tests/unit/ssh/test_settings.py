"""The `target` block of an SSH resource."""

import asyncssh
import pytest
from pydantic import ValidationError

from doorward_ssh.settings import SshTarget


@pytest.fixture(scope="module")
def key():
    return asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()


def test_a_pinned_key_is_enough(key):
    target = SshTarget(host="web1.example", host_key=key)
    assert (target.port, target.connect_timeout, target.keys) == (22, 15.0, {})


def test_its_listeners_need_no_tls():
    assert SshTarget.encrypts_itself


@pytest.mark.parametrize("more", [{}, {"host_ca": True}])
def test_exactly_one_thing_says_which_server_it_is(key, more):
    given = {"host_ca": key, "host_key": key} if more else {}
    with pytest.raises(ValidationError, match="exactly one of"):
        SshTarget(host="web1.example", **given)


@pytest.mark.parametrize("text", ["", "ssh-ed25519 AAAA", "SHA256:abc", "ssh-ed25519"])
def test_a_host_key_is_a_public_key(text):
    with pytest.raises(ValidationError, match="OpenSSH's format"):
        SshTarget(host="web1.example", host_key=text)
