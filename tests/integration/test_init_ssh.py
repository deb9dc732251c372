"""From an SSH server to a gateway before it: `doorward init ssh`, the lines that it prints, and plain ssh through it."""

import getpass
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from ssh_stack import Sshd

from doorward_demo.issuer import DevelopmentIssuer
from doorward_demo.postgres import free_port

pytestmark = pytest.mark.need_sshd


def doorward(*words, **environment):
    command = [sys.executable, "-m", "doorward_console", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **environment}
    )


@pytest.fixture
def place(tmp_path):
    """An sshd that trusts the file to which the printed line goes, an issuer, and the gateway that init made."""
    trust, folder, home = tmp_path / "trusted.pub", tmp_path / "gateway", tmp_path / "home"
    sshd = Sshd(tmp_path / "sshd", trust)
    ports = [free_port() for _ in range(3)]
    with DevelopmentIssuer() as issuer:
        doors = zip(("--listen", "--approvals", "--admin"), (f"127.0.0.1:{port}" for port in ports), strict=True)
        target = f"{getpass.getuser()}@127.0.0.1:{sshd.port}"
        made = doorward(
            "init", "ssh", "--target", target, "--issuer", issuer.url, "--folder", folder, "--resource", "web1",
            "--origin", "127.0.0.1", "--yes", *(word for pair in doors for word in pair),
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        printed = next(line for line in made.stdout.splitlines() if line.strip().startswith("echo 'ssh-"))
        trust.write_text(shlex.split(printed)[1] + "\n")
        command = [sys.executable, "-m", "doorward_ssh", "--config", str(folder / "doorward.yaml")]
        gateway = subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        try:
            _wait(gateway, ports[2])
            home.mkdir()
            yield issuer, folder, ports, home
        finally:
            gateway.send_signal(signal.SIGTERM)
            gateway.communicate(timeout=120)
            sshd.close()


def _wait(gateway, admin):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=120) as answer:
                assert answer.status == 200
                return
        except (urllib.error.URLError, ConnectionError):
            assert gateway.poll() is None, gateway.stderr.read()
            time.sleep(0.05)
    raise AssertionError("the gateway did not become ready")


def test_from_a_server_to_a_command_that_is_decided(place):
    issuer, folder, (port, control, _), home = place
    reach = ("--gateway", f"https://127.0.0.1:{control}", "--ca-file", folder / "tls/gateway.crt")
    token = issuer.issue("crew-7", "agent", ("crew-operators",))
    name = f"{getpass.getuser()}@web1"
    assert doorward("ssh-login", *reach, "--out", home / "key", DOORWARD_TOKEN=token).returncode == 0
    lines = doorward("ssh-config", *reach, "--host", "127.0.0.1", "--port", port, "--part", "known-hosts")
    (home / "known_hosts").write_text(lines.stdout)
    ssh = [
        "ssh", "-F", "none", "-p", str(port), "-i", str(home / "key"), "-o", "IdentitiesOnly=yes",
        "-o", "IdentityAgent=none", "-o", f"UserKnownHostsFile={home / 'known_hosts'}", "-o", "BatchMode=yes",
        f"{name}@127.0.0.1",
    ]  # fmt: skip
    looked = subprocess.run([*ssh, "uname"], capture_output=True, text=True, timeout=120, check=False)
    assert (looked.returncode, looked.stdout) == (0, "Linux\n"), looked.stderr
    refused = subprocess.run([*ssh, "curl x"], capture_output=True, text=True, timeout=120, check=False)
    assert (refused.returncode, refused.stdout) == (126, "")
    with subprocess.Popen([*ssh, f"touch {home}/made"], stderr=subprocess.PIPE, text=True) as held:
        request = re.search(r"ap-[0-9a-z]+", held.stderr.readline())[0]
        assert not (home / "made").exists()
        voter = issuer.issue("olga", "human", ("ops",))
        voted = doorward("approvals", "approve", request, "--yes", *reach, DOORWARD_TOKEN=voter)
        assert voted.returncode == 0, voted.stderr
        held.communicate(timeout=120)
    assert (held.returncode, (home / "made").exists()) == (0, True)
