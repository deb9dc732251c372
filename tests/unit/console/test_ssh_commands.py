"""`doorward ssh-login` and `doorward ssh-config` against the gateway's own routes."""

import json
import subprocess
import time

import pytest
from certificate_room import ControlThread

from doorward_console.ssh_agent import Agent
from doorward_core.identity.ssh_keys import blob, public_line


@pytest.fixture
def gateway(tmp_path):
    with ControlThread(tmp_path, time.time_ns) as thread:
        yield thread


@pytest.fixture
def login(run, gateway):
    def call(*arguments, token="ops"):
        return run("ssh-login", *arguments, "--gateway", gateway.url, "--token", token)

    return call


@pytest.fixture
def config(run, gateway):
    def call(*arguments, token="ops"):
        return run("ssh-config", "--host", "ssh.example", *arguments, "--gateway", gateway.url, "--token", token)

    return call


@pytest.mark.need_sshd
def test_a_token_becomes_a_key_in_the_agent(login, ssh_agent, monkeypatch):
    monkeypatch.setenv("SSH_AUTH_SOCK", ssh_agent)
    done = login()
    assert done.exit_code == 0, done.output
    assert done.output.startswith("in your ssh-agent, good for 13 min 5")
    assert "postgres@db1, deploy@web1, root@web1, deploy@web2, jump" in done.output
    with Agent() as agent:
        (held,) = agent.held()
    listed = subprocess.run(["ssh-add", "-L"], capture_output=True, text=True, check=True).stdout
    assert blob(listed.strip()) == held.blob


@pytest.mark.need_sshd
def test_a_second_login_replaces_the_first_and_may_be_spared(login, ssh_agent, monkeypatch):
    monkeypatch.setenv("SSH_AUTH_SOCK", ssh_agent)

    def held():
        with Agent() as agent:
            return [one.blob for one in agent.held()]

    login("--quiet")
    first = held()
    assert login("--unless-valid", 60).output == ""
    assert held() == first
    login("--unless-valid", 3600)
    assert len(held()) == 1
    assert held() != first


@pytest.mark.need_ssh_keygen
def test_without_an_agent_it_goes_into_files(login, monkeypatch, tmp_path):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    done = login()
    assert (done.exit_code, "--out" in done.output) == (2, True)
    out = tmp_path / "id" / "agent"
    assert login("--out", out, "deploy@web1", "--source", "10.0.0.0/8").exit_code == 0
    assert sorted(one.name for one in out.parent.iterdir()) == ["agent", "agent-cert.pub", "agent.pub"]
    shown = subprocess.run(
        ["ssh-keygen", "-L", "-f", f"{out}-cert.pub"], capture_output=True, text=True, check=True
    ).stdout
    assert "source-address 10.0.0.0/8" in shown
    assert "deploy@web1" in shown
    assert "web2" not in shown


def test_json_is_for_programs(login, tmp_path):
    before_ns = time.time_ns()
    document = json.loads(login("--out", tmp_path / "key", "deploy@web2", "--json", "--life", 120).output)
    assert document["principals"] == ["deploy@web2", "jump"]
    assert before_ns + 58 * 10**9 < document["valid_before_unix_ns"] <= time.time_ns() + 60 * 10**9


def test_what_is_not_granted_is_refused_in_the_gateways_words(login, tmp_path):
    done = login("--out", tmp_path / "key", "root@web2")
    assert (done.exit_code, "'root@web2' is not granted to maria" in done.output) == (1, True)
    done = login("--out", tmp_path / "key", token="strangers")
    assert (done.exit_code, "no rule grants maria anything" in done.output) == (1, True)
    assert login("--out", tmp_path / "key", token="nobody").exit_code == 1
    assert not (tmp_path / "key-cert.pub").exists()


def test_a_gateway_that_is_not_there_is_said(run, tmp_path):
    done = run("ssh-login", "--out", tmp_path / "key", "--gateway", f"unix:{tmp_path / 'none'}", "--token", "x")
    assert (done.exit_code, "cannot be reached" in done.output) == (2, True)


def test_whom_to_trust_is_told_without_a_token(run, gateway):
    ca = public_line(gateway.room.keys.host.public_key(), "doorward-host-ca@ssh.example")
    done = run("ssh-config", "--host", "ssh.example", "--port", 2222, "--gateway", gateway.url)
    assert done.output.splitlines() == [
        "# ~/.ssh/known_hosts",
        f"@cert-authority [ssh.example]:2222 {ca}",
        "# ~/.ssh/config",
        "Host ssh.example",
        "    Port 2222",
        "    User jump",
    ]
    assert run("ssh-config", "--host", "gw", "--gateway", gateway.url, "--resources").exit_code == 2


def test_a_host_that_its_certificate_does_not_name_is_warned_of(run, gateway):
    done = run("ssh-config", "--host", "gw.example", "--gateway", gateway.url)
    assert done.exit_code == 0
    assert "its certificate names ssh.example, 10.0.0.9" in done.stderr
    assert run("ssh-config", "--host", "ssh.example", "--gateway", gateway.url).stderr == ""


def test_each_part_can_be_had_alone(config):
    assert config("--part", "known-hosts").output.count("\n") == 2
    assert "cert-authority" not in config("--part", "config").output
    assert config("--part", "x").exit_code == 2


def test_resources_get_entries_of_their_own(config, tmp_path):
    lines = config("--resources", "--identity", tmp_path / "key").output.splitlines()
    assert [line for line in lines if line.startswith("Host ")] == [
        "Host ssh.example", "Host db1", "Host deploy.web1", "Host root.web1", "Host web2",
    ]  # fmt: skip
    assert f'    CertificateFile "{tmp_path / "key"}-cert.pub"' in lines
    jumping = config("--jump").output.splitlines()
    assert "Host db1 web1 web2" in jumping
    assert any(line.startswith("@cert-authority ssh.example,db1,web1,web2 ") for line in jumping)


def test_a_host_that_is_more_than_a_name_is_refused(run, gateway):
    done = run("ssh-config", "--host", "gw\nProxyCommand x", "--gateway", gateway.url)
    assert (done.exit_code, "ProxyCommand" in done.output) == (2, False)
