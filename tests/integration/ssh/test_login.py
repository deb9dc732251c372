"""From a token to a shell prompt, as docs/ssh.md says it: doorward ssh-login, doorward ssh-config, and plain ssh."""

import base64
import json
import os
import subprocess
import sys
import threading
import time

import paramiko
import pytest
from asyncssh.constants import MSG_USERAUTH_REQUEST
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_console.ssh_agent import Agent, NewCertificate
from doorward_core.identity.ssh_certificate import issue_upstream
from doorward_core.model import AuthMethod, Identity, PrincipalKind
from doorward_ssh import refusals

pytestmark = pytest.mark.need_sshd


class Desk:
    """A person's machine: a home of its own, an ssh-agent, and the `doorward` command."""

    def __init__(self, gateway, home, agent):
        self.gateway, self.home = gateway, home
        (home / ".ssh").mkdir(mode=0o700)
        (home / "token").write_text(gateway.token(groups=("crew-operators",)))
        self.environment = {
            **os.environ,
            "HOME": str(home),
            "SSH_AUTH_SOCK": agent,
            "DOORWARD_GATEWAY": f"unix:{gateway.sockets / 'approvals.sock'}",
        }

    def doorward(self, *words):
        return self.run(sys.executable, "-m", "doorward_console", *words)

    def ssh(self, *words):
        ssh = self.home / ".ssh"
        return self.run("ssh", "-F", ssh / "config", "-o", f"UserKnownHostsFile={ssh / 'known_hosts'}",
                        "-o", "GlobalKnownHostsFile=none", "-o", "BatchMode=yes", *words)  # fmt: skip

    def configure(self, *words):
        here = ("--host", "127.0.0.1", "--port", self.gateway.port, *words)
        for part, name in (("known-hosts", "known_hosts"), ("config", "config")):
            done = self.doorward("ssh-config", *here, "--part", part)
            assert done.returncode == 0, done.stderr
            (self.home / ".ssh" / name).write_text(done.stdout)

    def run(self, *words):
        return subprocess.run(
            [str(word) for word in words], env=self.environment, capture_output=True, text=True, timeout=60,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip


@pytest.fixture
def ssh_agent(tmp_path):
    path = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.PIPE) as agent:
        agent.stdout.readline()
        yield str(path)
        agent.terminate()


@pytest.fixture
def desk(ssh_gateway, tmp_path, ssh_agent):
    home = tmp_path / "home"
    home.mkdir()
    return Desk(ssh_gateway, home, ssh_agent)


def test_a_person_logs_in_with_the_agent_and_knows_the_gateway_by_its_authority(desk):
    desk.configure()
    login = desk.doorward("ssh-login", "--token-file", desk.home / "token")
    assert login.returncode == 0, login.stderr
    done = desk.ssh("-p", desk.gateway.port, "deploy@web1@127.0.0.1", "echo", "hello")
    assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr


def test_an_agent_of_another_kind_logs_in_from_files_by_the_short_name(desk):
    key = desk.home / "keys" / "doorward"
    token = ("--token-file", desk.home / "token")
    desk.configure("--resources", "--identity", key, *token)
    assert desk.doorward("ssh-login", *token, "--out", key, "--quiet").returncode == 0
    done = desk.ssh("deploy.web1", "echo", "hello")
    assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr


def test_the_record_leads_from_a_session_to_its_certificate_and_its_token(desk):
    token = (desk.home / "token").read_text()
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    desk.configure()
    login = desk.doorward("ssh-login", "--token-file", desk.home / "token", "deploy@web1")
    assert login.returncode == 0, login.stderr
    assert desk.ssh("-p", desk.gateway.port, "deploy@web1@127.0.0.1", "true").returncode == 0
    issued = desk.gateway.entries("credential.issued")[-1]
    opened = desk.gateway.entries("session.opened")[-1]
    assert issued.header["credential"] == claims["jti"]
    assert issued.payload["principals"] == ["deploy@web1", "jump"]
    assert opened.header["method"] == "ssh-certificate"
    assert opened.header["credential"] == f"{issued.header['serial']}:{claims['jti']}"
    assert (opened.header["subject"], opened.header["account"]) == ("crew-1", "deploy")
    assert opened.header["expires_unix_ns"] >= claims["exp"] * 10**9 > issued.header["expires_unix_ns"]


def test_certificates_of_others_in_the_agent_are_no_failed_logins(desk):
    """An agent holds what it holds: the gateway says no to each of them, and takes its own, however many come before."""
    who = Identity("x", "https://x.example", PrincipalKind.HUMAN, frozenset(), AuthMethod.JWT, "x", 0, 2**62)
    with Agent(desk.environment["SSH_AUTH_SOCK"]) as agent:
        for number in range(8):
            key = Ed25519PrivateKey.generate()
            other = issue_upstream(
                Ed25519PrivateKey.generate(),
                key.public_key(),
                who,
                b"",
                "deploy@web1",
                serial=1,
                now_unix_ns=time.time_ns(),
            )
            public = key.public_key().public_bytes_raw()
            agent.add(NewCertificate(other.blob, public, key.private_bytes_raw(), f"other {number}", 300))
    desk.configure()
    assert desk.doorward("ssh-login", "--token-file", desk.home / "token", "-q").returncode == 0
    done = desk.ssh("-p", desk.gateway.port, "deploy@web1@127.0.0.1", "echo", "hello")
    assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr


def test_a_host_that_another_authority_vouches_for_is_not_talked_to(desk):
    desk.configure()
    known = desk.home / ".ssh" / "known_hosts"
    other = (desk.gateway.state / "keys" / "ssh-user-ca.pub").read_text().split()[1]
    words = known.read_text().split()
    known.write_text(" ".join([*words[:-2], other]) + "\n" if len(words) > 4 else "")
    desk.doorward("ssh-login", "--token-file", desk.home / "token", "-q")
    done = desk.ssh("-p", desk.gateway.port, "deploy@web1@127.0.0.1", "true")
    assert done.returncode == 255
    assert "Host key verification failed" in done.stderr


class TestWhatAStrangerHears:
    """How a user name is written, and what logs in: the words of docs/ssh.md, whoever asks and whatever there is."""

    def heard(self, gateway, user, *options, **environment):
        """What plain ssh says when it does not get in."""
        words = ["ssh", "-o", "PubkeyAuthentication=no", "-o", "LogLevel=INFO", *options, *gateway.options(key="none")]
        done = subprocess.run(
            [*words, "-p", str(gateway.port), f"{user}@127.0.0.1", "true"], env={**os.environ, **environment},
            capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 255
        return done.stderr.replace(f"{user}@127.0.0.1", "USER")

    def banner_for(self, transport, name):
        """Ask for another name on the same connection; paramiko itself begins each time from the start."""
        handler = transport.auth_handler
        handler.banner, handler.auth_event = None, threading.Event()
        request = paramiko.Message()
        request.add_byte(bytes([MSG_USERAUTH_REQUEST]))
        for word in (name, "ssh-connection", "none"):
            request.add_string(word)
        transport._send_message(request)
        assert handler.auth_event.wait(60)
        return handler.banner

    def test_a_user_name_without_a_resource_is_told_how_one_is_written(self, ssh_gateway):
        heard = self.heard(ssh_gateway, "root")
        assert heard.count("doorward: the user name says which account on which resource") == 1
        assert heard.count("doorward ssh-login") == 1
        assert heard == self.heard(ssh_gateway, "deploy") == self.heard(ssh_gateway, "no-such-name")

    def test_a_name_that_can_be_read_is_told_nothing_whatever_there_is_by_it(self, ssh_gateway):
        heard = self.heard(ssh_gateway, "deploy@web1")
        assert "doorward" not in heard
        assert heard == self.heard(ssh_gateway, "deploy@nowhere") == self.heard(ssh_gateway, "jump")

    def test_it_is_said_once_for_each_connection_however_many_names_are_tried(self, ssh_gateway):
        with paramiko.Transport(("127.0.0.1", ssh_gateway.port)) as transport:
            transport.start_client(timeout=60)
            with pytest.raises(paramiko.AuthenticationException):
                transport.auth_none("root")
            said = [transport.get_banner(), *(self.banner_for(transport, name) for name in ("admin", "deploy#web1"))]
            assert transport.is_active()
        assert said == [refusals.names(inner=False).encode(), None, None]

    def test_the_prompt_says_once_that_a_token_is_the_password(self, ssh_gateway, tmp_path):
        asking = tmp_path / "askpass"
        asking.write_text("#!/bin/sh\necho wrong\n")
        asking.chmod(0o700)
        options = ("-o", "BatchMode=no", "-o", "PreferredAuthentications=keyboard-interactive")
        given = {"SSH_ASKPASS": str(asking), "SSH_ASKPASS_REQUIRE": "force"}
        heard = self.heard(ssh_gateway, "deploy@web1", *options, **given)
        assert heard.count("Your access token is the password here.") == 1
        assert heard == self.heard(ssh_gateway, "deploy@nowhere", *options, **given)
