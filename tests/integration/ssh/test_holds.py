"""Held commands: hang-ups, drains, and masks in one connection beside others."""

import re
import signal
import time

import pytest
from ssh_stack import CONFIG, POLICY

pytestmark = pytest.mark.need_sshd


def pending(gateway):
    return gateway.call("GET", "/v1/approvals?state=pending", gateway.approver())[1]["approvals"]


def until(condition, within_s=60):
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_hang_up_withdraws_and_runs_nothing(ssh_gateway, tmp_path):
    client = ssh_gateway.popen("touch", str(tmp_path / "x"))
    request = ssh_gateway.waiting()[0]
    client.send_signal(signal.SIGKILL)
    until(lambda: not pending(ssh_gateway))
    assert ssh_gateway.vote(request["id"])[0] != 200
    assert not (tmp_path / "x").exists()


def test_the_client_is_told_each_step_on_stderr(own_ssh_gateway, tmp_path):
    gateway = own_ssh_gateway(policy=POLICY.replace("quorum: 1", "quorum: 2"))
    client = gateway.popen("touch", str(tmp_path / "x"))
    (request,) = gateway.waiting()
    assert b"waiting at most" in client.stderr.readline()
    assert gateway.vote(request["id"])[0] == 200
    said = client.stderr.readline().decode()
    assert re.fullmatch(rf"doorward: 1 of 2 have approved; waiting at most \d+ s \[{request['id']}\]\n", said)
    assert gateway.vote(request["id"], token=gateway.approver("eve"))[0] == 200
    assert client.wait(60) == 0
    assert (client.stdout.read(), client.stderr.read()) == (b"", b"")


def test_others_on_the_same_connection_go_on_while_one_is_held(ssh_gateway, tmp_path):
    shared = ("-o", "ControlMaster=auto", "-o", f"ControlPath={tmp_path / 'c'}", "-o", "ControlPersist=20")
    assert ssh_gateway.ssh("true", options=shared).returncode == 0
    client = ssh_gateway.popen("touch", str(tmp_path / "x"), options=shared)
    request = ssh_gateway.waiting()[0]
    assert ssh_gateway.ssh("echo", "on", options=shared).stdout == b"on\n"
    assert ssh_gateway.ssh("rm", "x", options=shared).returncode == 126
    assert ssh_gateway.vote(request["id"])[0] == 200
    assert client.wait(60) == 0
    assert (tmp_path / "x").exists()
    ssh_gateway.ssh("x", options=(*shared, "-O", "exit"))


def test_going_down_withdraws_what_is_held_and_lets_what_runs_end(own_ssh_gateway, tmp_path):
    gateway = own_ssh_gateway(config=CONFIG + "limits: {{drain: 300s}}\n")
    running = gateway.popen("echo up; read word; echo done", groups=("anything",))
    assert running.stdout.readline() == b"up\n"
    held = gateway.popen("touch", str(tmp_path / "x"))
    gateway.waiting()
    gateway.process.send_signal(signal.SIGTERM)
    assert held.wait(60) == 255
    assert b"going down" in held.stderr.read()
    running.stdin.write(b"go\n")
    running.stdin.flush()
    assert running.wait(60) == 0
    assert running.stdout.read() == b"done\n"
    assert gateway.process.wait(60) == 0
    assert not (tmp_path / "x").exists()
    assert {entry.header["reason"] for entry in gateway.entries("session.closed")} == {"the gateway is going down"}


def test_an_approval_is_for_these_bytes_and_used_once(ssh_gateway, tmp_path):
    first = ssh_gateway.popen("touch", str(tmp_path / "a"))
    request = ssh_gateway.waiting()[0]
    assert str(tmp_path / "a") in request["text"]
    assert ssh_gateway.vote(request["id"])[0] == 200
    assert first.wait(60) == 0
    second = ssh_gateway.popen("touch", str(tmp_path / "a"))
    again = ssh_gateway.waiting()[0]
    assert again["id"] != request["id"]
    second.kill()


def test_output_is_masked_on_both_streams_and_counted(own_ssh_gateway):
    gateway = own_ssh_gateway(policy=MASKED)
    done = gateway.ssh("printf 'to %s@example.com\\n' ann; printf 'cc %s@example.com' bob >&2")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"to [masked:email]\n"
    assert done.stderr == b"cc [masked:email]"
    until(lambda: gateway.entries("operation.finished"))
    ended = gateway.entries("operation.finished")[0]
    assert ended.header["masked"] == {"email": 2}
    assert b"ann@" not in ended.payload["shown"]


MASKED = """\
version: 1
rules:
  - {id: all, effect: allow, who: {groups: [crew-operators]}, resource: web1, do: [any]}
masks:
  - {id: pii, resource: web1, detect: [email], with: redact}
"""
