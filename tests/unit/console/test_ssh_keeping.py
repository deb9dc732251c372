"""What the gateway's answer must be before anything is kept."""

import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_console.ssh_agent import Agent
from doorward_console.ssh_keeping import InAgent, InFile, NotOurs, read_given
from doorward_core.identity.ssh_certificate import issue_upstream
from doorward_core.identity.ssh_keys import public_line
from doorward_core.model import AuthMethod, Identity, PrincipalKind

S = 1_000_000_000
WHO = Identity("crew-7", "https://id.example", PrincipalKind.AGENT, frozenset(), AuthMethod.JWT, "jti", 0, 2**62)
CA = Ed25519PrivateKey.generate()


def certificate(key, now_unix_ns):
    return issue_upstream(CA, key.public_key(), WHO, b"", "deploy", serial=1, now_unix_ns=now_unix_ns)


def test_an_answer_is_a_certificate_for_the_key_that_was_sent():
    key = Ed25519PrivateKey.generate()
    issued = certificate(key, time.time_ns())
    given = read_given({"certificate": issued.line}, key.public_key())
    assert (given.blob, given.principals) == (issued.blob, ("deploy",))
    assert given.ends_unix_ns == issued.valid_before_unix_ns


@pytest.mark.parametrize(
    "line",
    [None, 7, "", "x", "ssh-ed25519 AAAA", pytest.param(public_line(CA.public_key()), id="a key"), "a\nb", "other"],
)
def test_any_other_answer_is_refused(line):
    key = Ed25519PrivateKey.generate()
    answer = certificate(Ed25519PrivateKey.generate(), time.time_ns()).line if line == "other" else line
    with pytest.raises(NotOurs):
        read_given({"certificate": answer}, key.public_key())


@pytest.mark.need_sshd
def test_the_agent_holds_one_for_each_gateway(ssh_agent, monkeypatch):
    monkeypatch.setenv("SSH_AUTH_SOCK", ssh_agent)
    here, there = InAgent("https://a"), InAgent("https://b")
    assert here.ends_unix_ns() == 0
    for keeper in (here, there, here):
        key = keeper.key()
        given = read_given({"certificate": certificate(key, time.time_ns()).line}, key.public_key())
        assert keeper.keep(key, given) == "in your ssh-agent"
        assert keeper.ends_unix_ns() == given.ends_unix_ns
    with Agent() as agent:
        assert sorted(one.comment for one in agent.held()) == ["doorward https://a", "doorward https://b"]


@pytest.mark.need_sshd
def test_a_certificate_that_is_over_is_not_put_in(ssh_agent, monkeypatch):
    monkeypatch.setenv("SSH_AUTH_SOCK", ssh_agent)
    keeper = InAgent("https://a")
    key = keeper.key()
    given = read_given({"certificate": certificate(key, time.time_ns() - 900 * S).line}, key.public_key())
    with pytest.raises(NotOurs, match="clock"):
        keeper.keep(key, given)


def test_files_say_when_their_certificate_ends(tmp_path):
    keeper = InFile(tmp_path / "key")
    assert keeper.ends_unix_ns() == 0
    key = keeper.key()
    given = read_given({"certificate": certificate(key, time.time_ns()).line}, key.public_key())
    assert keeper.keep(key, given) == f"in {tmp_path / 'key-cert.pub'}"
    assert keeper.ends_unix_ns() == given.ends_unix_ns
    for content in ("", "ssh-ed25519", "ssh-ed25519 AAAA", "\xff"):
        (tmp_path / "key-cert.pub").write_text(content, encoding="latin-1")
        assert keeper.ends_unix_ns() == 0
