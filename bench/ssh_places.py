"""What the SSH rows compare: an sshd, the same through `ssh -J` and another sshd, and the same through Doorward.

The client is OpenSSH's own everywhere, with the same key exchange, cipher and client key for all; Doorward's login is a
certificate, and it logs in at the target with another. Everything is on loopback.
"""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.places import ROOT, _children, _process, _wait
from doorward_demo.issuer import DevelopmentIssuer
from doorward_demo.postgres import free_port

KEX = "curve25519-sha256"
CIPHER = "aes128-gcm@openssh.com"
GROUPS = ("plain", "scanned")

SSHD = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {home}/host
TrustedUserCAKeys {trusted}
AuthorizedKeysFile {keys}
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PidFile none
StrictModes no
PermitRootLogin prohibit-password
PrintMotd no
PrintLastLog no
MaxStartups 500
MaxSessions 500
Subsystem sftp internal-sftp
"""

POLICY = """\
version: 1
rules:
  - id: work
    effect: allow
    who: {groups: [plain, scanned]}
    resource: web1
    do: [execute, read, write]
    commands: ["true", "cat", "cat *", "dd *"]
    targets: {shell: ["*"], subsystem: [sftp], path: ["/*"]}
  - {id: nothing-else, effect: block, resource: web1, do: [define, admin, unknown, forward]}
masks:
  - {id: content, who: {groups: [scanned]}, resource: web1, detect: [email, card, iban], with: partial}
"""

CONFIG = """\
version: 1
origin: bench.gateway
listen: [{{address: 127.0.0.1, port: {port}}}]
admin: {{address: 127.0.0.1, port: {admin}}}
approvals: {{store: approvals.sqlite, listen: {{unix: {home}/approvals.sock}}}}
identity:
  issuers: [{{issuer: {issuer}, audience: [doorward], max_age: 1h}}]
record: {{folder: log, keys: keys, level: shape, checkpoint_interval: 1s}}
policy: policy.yaml
resources:
  web1:
    protocol: ssh
    target: {{host: 127.0.0.1, port: {target}, host_key: {host_key}}}
    accounts: {{deploy: {{user: {user}}}}}
"""


@dataclass(frozen=True)
class SshPlace:
    """Somewhere to log in. `options` are ssh's and scp's; `host` is what stands behind them; `pids` are the proxy's."""

    name: str
    options: tuple[str, ...]
    host: str
    pids: tuple[int, ...] = ()
    groups: tuple[str, ...] = ("plain",)
    state: Path = Path()

    def given(self, group: str = "plain") -> list[str]:
        """The options of somebody in that group."""
        return [word.replace("{group}", group) for word in self.options]

    def ssh(self, *words: str, group: str = "plain", extra: tuple[str, ...] = ()) -> list[str]:
        """An ssh command line."""
        return ["ssh", *extra, *self.given(group), self.host, *words]


@contextlib.contextmanager
def _sshd(name: str, home: Path, trusted: Path, keys: Path) -> Iterator[tuple[int, str]]:
    """Run one; give its port and its host key."""
    program = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        raise FileNotFoundError("sshd")
    home.mkdir()
    _key(home / "host")
    port = free_port()
    (home / "sshd_config").write_text(SSHD.format(port=port, home=home, trusted=trusted, keys=keys))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    log = home / "said.log"
    with _process([program, "-D", "-e", "-f", str(home / "sshd_config")], log):

        def ready() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return True
            return False

        _wait(name, ready, log)
        yield port, " ".join((home / "host.pub").read_text().split()[:2])


def _key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


@contextlib.contextmanager
def _doorward(folder: Path, port: int, host_key: str, issuer: DevelopmentIssuer) -> Iterator[tuple[int, int]]:
    """Start a gateway with identity, policy and record; give its port and pid."""
    home, own, admin = folder / "doorward", free_port(), free_port()
    (home / "policy.yaml").write_text(POLICY)
    (home / "gateway.yaml").write_text(
        CONFIG.format(
            home=home, port=own, admin=admin, issuer=issuer.url, target=port, host_key=host_key, user=getpass.getuser()
        )
    )
    log = folder / "doorward.log"
    command = [sys.executable, "-m", "doorward_ssh", "--config", str(home / "gateway.yaml")]
    with _process(command, log, cwd=ROOT) as pid:

        def ready() -> bool:
            with contextlib.suppress(OSError):
                return bool(urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=5).status == 200)
            return False

        _wait("the SSH gateway", ready, log)
        for group in GROUPS:
            _certified(home, home / f"key-{group}", issuer.issue(f"crew-{group}", "agent", (group,), lifetime_s=3600))
        yield own, pid


def _certified(home: Path, key: Path, token: str) -> None:
    """Log in as people do; a certificate ends after a quarter of an hour, which is longer than these rows take."""
    command = [sys.executable, "-m", "doorward_console", "ssh-login", "--out", str(key)]
    environment = {**os.environ, "DOORWARD_GATEWAY": f"unix:{home}/approvals.sock", "DOORWARD_TOKEN": token}
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def ssh_places(folder: Path) -> Iterator[list[SshPlace]]:
    """All places, direct first."""
    folder.mkdir()
    folder.chmod(0o711)
    (folder / "doorward").mkdir()
    _key(folder / "key")
    trusted, keys, known = folder / "doorward/keys/ssh-user-ca.pub", folder / "key.pub", folder / "known_hosts"
    fixed = (
        *("-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"),
        *("-o", f"UserKnownHostsFile={known}", "-o", "GlobalKnownHostsFile=none", "-o", "LogLevel=ERROR"),
        *("-o", f"KexAlgorithms={KEX}", "-o", f"Ciphers={CIPHER}", "-o", "StrictHostKeyChecking=yes"),
    )
    user = getpass.getuser()
    with contextlib.ExitStack() as stack:
        try:
            port, host_key = stack.enter_context(_sshd("the target", folder / "target", trusted, keys))
            jump, jump_key = stack.enter_context(_sshd("the jump host", folder / "jump", trusted, keys))
        except FileNotFoundError:
            raise SystemExit("bench: the SSH rows need OpenSSH's server; see bench/README.md") from None
        issuer = stack.enter_context(DevelopmentIssuer())
        own, pid = stack.enter_context(_doorward(folder, port, host_key, issuer))
        authority = (folder / "doorward/keys/ssh-host-ca.pub").read_text().strip()
        rows = (f"[127.0.0.1]:{port} {host_key}", f"[127.0.0.1]:{jump} {jump_key}")
        known.write_text("\n".join((*rows, f"@cert-authority [127.0.0.1]:{own} {authority}\n")))
        direct = (*fixed, "-i", str(folder / "key"), "-o", f"Port={port}")
        # What -J stands for, with the same options on the way to the jump host.
        through = " ".join(
            ("ssh", *fixed, "-i", str(folder / "key"), "-p", str(jump), "-W", "%h:%p", f"{user}@127.0.0.1")
        )
        ours = (*fixed, "-i", f"{folder}/doorward/key-{{group}}", "-o", f"Port={own}", "-o", "User=deploy@web1")
        yield [
            SshPlace("direct", direct, f"{user}@127.0.0.1"),
            SshPlace("ssh -J", (*direct, "-o", f"ProxyCommand={through}"), f"{user}@127.0.0.1"),
            SshPlace("doorward", ours, "127.0.0.1", (pid, *_children(pid)), GROUPS, folder / "doorward"),
        ]
