"""Ansible through the gateway: modules over exec, files over sftp, on connections that it keeps open."""

import os
import subprocess

import pytest

pytestmark = [pytest.mark.need_sshd, pytest.mark.need_ansible]

POLICY = """\
version: 1
rules:
  - id: playbooks
    effect: allow
    who: {groups: [playbooks]}
    resource: web1
    do: [any]
"""


@pytest.fixture
def ansible(own_ssh_gateway, tmp_path):
    """Run one module on the target, and give what became of it."""
    gateway = own_ssh_gateway(policy=POLICY)
    options = " ".join(gateway.options(groups=("playbooks",)))
    inventory = tmp_path / "inventory"
    inventory.write_text(
        f"web1 ansible_host=127.0.0.1 ansible_port={gateway.port} ansible_user={gateway.user} "
        f"ansible_ssh_common_args='{options}' ansible_python_interpreter=/usr/bin/python3\n"
    )
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "near"),
        "ANSIBLE_REMOTE_TEMP": str(tmp_path / "far"),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(gateway.sockets),
        "ANSIBLE_NOCOLOR": "1",
    }

    def run(*words):
        command = ["ansible", "-i", str(inventory), "web1", "-m", *words]
        return subprocess.run(command, capture_output=True, timeout=100, check=False, env=environment, text=True)

    return run


def test_ansible_pings_copies_and_fetches(ansible, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(os.urandom(500_000))
    done = ansible("ping")
    assert (done.returncode, "pong" in done.stdout) == (0, True), done.stdout + done.stderr
    done = ansible("copy", "-a", f"src={source} dest={tmp_path}/there mode=0600")
    assert done.returncode == 0, done.stdout + done.stderr
    done = ansible("fetch", "-a", f"src={tmp_path}/there dest={tmp_path}/back flat=yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "back").read_bytes() == source.read_bytes()
