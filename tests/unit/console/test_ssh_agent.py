"""The agent protocol, against OpenSSH's own ssh-agent, and against what is none."""

import socket
import struct
import subprocess
import threading
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_console.ssh_agent import Agent, Held, NewCertificate, NoAgent
from doorward_core.identity.ssh_certificate import issue_upstream
from doorward_core.model import AuthMethod, Identity, PrincipalKind

WHO = Identity("crew-7", "https://id.example", PrincipalKind.AGENT, frozenset(), AuthMethod.JWT, "jti", 0, 2**62)


def certificate(comment="doorward gw", lifetime_s=300):
    key = Ed25519PrivateKey.generate()
    issued = issue_upstream(
        Ed25519PrivateKey.generate(), key.public_key(), WHO, b"", "deploy", serial=1, now_unix_ns=time.time_ns()
    )
    return NewCertificate(
        issued.blob, key.public_key().public_bytes_raw(), key.private_bytes_raw(), comment, lifetime_s
    )


@pytest.mark.need_sshd
def test_what_is_put_in_is_there_and_can_be_taken_out(ssh_agent):
    first, second = certificate("doorward a"), certificate("doorward b")
    with Agent(ssh_agent) as agent:
        assert agent.held() == ()
        agent.add(first)
        agent.add(second)
        assert agent.held() == (Held(first.blob, "doorward a"), Held(second.blob, "doorward b"))
        agent.remove(first.blob)
        agent.remove(first.blob)
        assert agent.held() == (Held(second.blob, "doorward b"),)


@pytest.mark.need_sshd
def test_ssh_add_sees_a_certificate(ssh_agent, monkeypatch):
    monkeypatch.setenv("SSH_AUTH_SOCK", ssh_agent)
    with Agent() as agent:
        agent.add(certificate())
    listed = subprocess.run(["ssh-add", "-l"], capture_output=True, text=True, check=True).stdout
    assert "doorward gw (ED25519-CERT)" in listed


@pytest.mark.need_sshd
def test_a_locked_agent_is_said(ssh_agent):
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(ssh_agent)
        link.sendall(struct.pack(">IBI", 6, 22, 1) + b"x")  # SSH_AGENTC_LOCK
        assert link.recv(5) == struct.pack(">IB", 1, 6)
    with Agent(ssh_agent) as agent, pytest.raises(NoAgent, match="did not take"):
        agent.add(certificate())


def test_without_an_agent_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(NoAgent, match="--out"), Agent():
        pass
    with pytest.raises(NoAgent, match="cannot be reached"), Agent(str(tmp_path / "none")):
        pass


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0\0",
        struct.pack(">I", 0),
        struct.pack(">I", 2**31),
        struct.pack(">IB", 100, 12),
        struct.pack(">IB", 1, 12),
        struct.pack(">IBI", 5, 12, 1),
        struct.pack(">IBII", 9, 12, 1, 2**32 - 1),
        struct.pack(">IBI", 5, 12, 2**32 - 1),
        struct.pack(">IB", 1, 5),
    ],
)
def test_what_is_no_agent_is_said_to_be_none(tmp_path, answer):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def serve():
            link, _ = listener.accept()
            with link:
                link.recv(5)
                link.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with Agent(path) as agent, pytest.raises(NoAgent):
            agent.held()
        thread.join()


def test_a_private_key_does_not_show():
    made = certificate()
    assert made.seed.hex() not in repr(made)
    assert repr(made.seed) not in repr(made)
