"""A host and the SSH gateway before it, for the demonstration: their files, their processes, how to reach them.

What it is: what `doorward_demo.stack` is for the shop: an SSH server on loopback (sshd where there is one, else one of
the demonstration's own), and the gateway as an operator would configure it.
What it will not do: reach into the gateway, open the host to any other login, or touch this machine's own sshd.

Invariant: whatever was started here is stopped here.
"""

import contextlib
import getpass
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from doorward_demo.beside import Place, folder_of, guarding
from doorward_demo.dataset import customers
from doorward_demo.postgres import DemoError, free_port
from doorward_demo.stack import POLL_S, READY_WITHIN_S, Stack, choose_port, process

ORIGIN: Final = "demo-ssh-gateway.example"
RESOURCE: Final = "web1"
ACCOUNT: Final = "deploy"
PREFERRED_PORT: Final = 2222
LOG_LINES: Final = 3

CONFIG = """\
# Written by the demonstration; the words are those of docs/config.md and docs/ssh.md.
version: 1
origin: {origin}
listen:
  - {{address: 127.0.0.1, port: {port}}}
admin: {{address: 127.0.0.1, port: {admin_port}}}
approvals:
  store: approvals.sqlite
  listen: {{unix: {sockets}/ssh-approvals.sock}}
operators: {{groups: [dba]}}
identity:
  issuers:
    - issuer: {issuer}
      audience: [{audience}]
      max_age: 1h
      attributes: [crew, task, agent_role]
record:
  folder: log
  keys: keys
  level: shape
  checkpoint_interval: 1s
policy: policy.yaml
resources:
  {resource}:
    protocol: ssh
    labels: {{env: demo}}
    target:
      host: 127.0.0.1
      port: {target_port}
      host_key: {host_key}   # pinned: no other server is taken for it
    accounts:
      {account}: {{user: {user}}}  # by a certificate for each session: the host has `TrustedUserCAKeys`
"""

POLICY = """\
# Who may do what on the host. Nothing that is not allowed here is let through.
version: 1
rules:
  - id: analysts-look
    effect: allow
    who: {{groups: [crew-analysts]}}
    resource: web1
    do: [execute]
    commands: ["uptime", "tail {folder}/*", "tail -n ? {folder}/*"]
  - id: changes-need-a-human
    effect: hold
    who: {{groups: [crew-analysts]}}
    resource: web1
    do: [execute]
    commands: ["touch"]
    approve: {{by: {{groups: [dba]}}, quorum: 1, within: 10m, grant: 5m}}
  - id: nothing-is-removed
    effect: block
    resource: web1
    do: [execute]
    commands: ["rm"]
    reason: Files are removed by the clean-up job at night. Move it to /srv/old instead.
  - id: shells
    effect: allow
    who: {{groups: [crew-analysts]}}
    resource: web1
    do: [execute]
    targets: {{shell: [deploy]}}
masks:
  - id: pii
    resource: web1
    detect: [email, card]  # wherever such values stand in what a command prints
    with: partial
"""

SSHD_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host.key
TrustedUserCAKeys {trusted}
AuthorizedKeysFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PidFile none
StrictModes no
PermitRootLogin prohibit-password
PrintMotd no
PrintLastLog no
"""


@dataclass
class Host(Place):
    """What runs, and where. `ours` says that the server is the demonstration's own, for want of sshd."""

    kind = "ssh"

    target_port: int
    ours: bool

    @property
    def files(self) -> Path:
        """What lies on the host: its log, and what is done to it."""
        return self.state / "srv"

    @property
    def key(self) -> Path:
        """The agent's key, with its certificate beside it."""
        return self.state / "agent"

    def command(self, *words: str) -> str:
        """What the agent types, for whoever goes on by hand; its certificate is good for a quarter of an hour."""
        return " ".join(("ssh", "-F", str(self.settings), RESOURCE, *words))

    @property
    def settings(self) -> Path:
        """The agent's ssh_config."""
        return self.state / "ssh_config"


@contextlib.contextmanager
def running(stack: Stack, sshd: Path | None) -> Iterator[Host]:
    """The host and the gateway before it, until the end of the block."""
    folder = folder_of(Host.kind, stack)
    host = Host(folder, stack.sockets, choose_port(PREFERRED_PORT), free_port(), sshd is None)
    _fill(host)
    values = {
        "origin": ORIGIN,
        "resource": RESOURCE,
        "account": ACCOUNT,
        "target_port": host.target_port,
        "host_key": _host_key(folder / "host.key"),
        "user": getpass.getuser(),
    }
    # The server trusts an authority that the gateway has made once it is ready.
    with (
        guarding(host, stack, CONFIG, values, POLICY.format(folder=host.files)),
        process(_server(host, sshd), folder / "sshd.log") as behind,
    ):
        _wait_until_heard(host, behind)
        yield host


def _fill(host: Host) -> None:
    host.files.mkdir()
    lines = [
        f"10:0{n} order {n + 1041} of {one.name} <{one.email}> shipped" for n, one in enumerate(customers(LOG_LINES))
    ]
    (host.files / "shop.log").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _host_key(path: Path) -> str:
    """Make the server's key; gives its public half as one line."""
    key = Ed25519PrivateKey.generate()
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")


def _server(host: Host, sshd: Path | None) -> list[str]:
    trusted = host.state / "keys" / "ssh-user-ca.pub"
    if sshd is None:
        where = ["--port", str(host.target_port), "--key", str(host.state / "host.key"), "--trusted", str(trusted)]
        return [sys.executable, "-m", "doorward_demo.ssh_server", *where]
    settings = host.state / "sshd_config"
    settings.write_text(SSHD_CONFIG.format(port=host.target_port, folder=host.state, trusted=trusted), encoding="utf-8")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # its privilege separation wants it
    return [str(sshd), "-D", "-e", "-f", str(settings)]


def _wait_until_heard(host: Host, server: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + READY_WITHIN_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", host.target_port), timeout=2):
            return
        if server.poll() is not None or time.monotonic() > end:
            said = (host.state / "sshd.log").read_text(encoding="utf-8", errors="replace")
            raise DemoError(f"the SSH server did not start:\n{said.strip()}")
        time.sleep(POLL_S)
