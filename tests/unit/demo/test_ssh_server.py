"""The server for a machine without sshd: it believes one authority, for one user, and runs what it is asked to."""

import contextlib
import getpass
import socket
import subprocess
import sys
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_core.identity.ssh_certificate import issue_upstream
from doorward_core.identity.ssh_keys import public_line, read_public
from doorward_core.model import AuthMethod, Identity, PrincipalKind
from doorward_demo.host import _host_key
from doorward_demo.postgres import free_port

pytestmark = pytest.mark.need_sshd  # for ssh, which comes with it
USER = getpass.getuser()
WHO = Identity("crew-7", "https://id.example", PrincipalKind.AGENT, frozenset(), AuthMethod.JWT, "j", 0, 2**62)


@pytest.fixture
def ssh(tmp_path):
    """Run ssh to a server that trusts one authority; `authority` is the one that signs."""
    ours, port = Ed25519PrivateKey.generate(), free_port()
    (tmp_path / "ca.pub").write_text(public_line(ours.public_key()) + "\n")
    (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{port} {_host_key(tmp_path / 'host.key')}\n")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    command = [sys.executable, "-m", "doorward_demo.ssh_server", "--port", str(port)]
    server = subprocess.Popen([*command, "--key", tmp_path / "host.key", "--trusted", tmp_path / "ca.pub"])
    end = time.monotonic() + 120
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            break
        time.sleep(0.05)

    def call(*words, authority=ours, account=USER, options=()):
        key = read_public((tmp_path / "key.pub").read_text())
        issued = issue_upstream(authority, key, WHO, b"s" * 16, account, serial=1, now_unix_ns=time.time_ns())
        (tmp_path / "key-cert.pub").write_text(issued.line + "\n")
        given = ["-i", tmp_path / "key", "-o", f"UserKnownHostsFile={tmp_path / 'known_hosts'}", "-p", str(port)]
        fixed = ["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]
        return subprocess.run(
            ["ssh", *fixed, *given, *options, f"{getpass.getuser()}@127.0.0.1", *words],
            input=b"in\n", capture_output=True, timeout=120, check=False,
        )  # fmt: skip

    yield call
    server.terminate()
    server.wait(120)


def test_a_command_runs_with_its_streams_and_its_status(ssh):
    done = ssh("cat; echo err >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, b"in\n")
    assert b"err\n" in done.stderr


def test_a_terminal_is_given_where_one_is_asked_for(ssh):
    assert b"a terminal" in ssh("test -t 1 && echo a terminal", options=["-tt"]).stdout


def test_other_authorities_and_other_names_are_refused(ssh):
    assert ssh("true", authority=Ed25519PrivateKey.generate()).returncode == 255
    assert ssh("true", account="somebody-else").returncode == 255
