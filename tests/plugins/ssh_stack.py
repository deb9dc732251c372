"""A whole SSH gateway for tests: a real sshd, a development issuer, the gateway as a process, a recorder between.

The recorder stands where the gateway dials its target, so that "nothing reached the target" is checked there.
Clients log in as people do: with a certificate that the gateway gave for a token, by the real ssh.
"""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest
from gateway_stack import Gateway, Recorder, own

from doorward_demo.issuer import DevelopmentIssuer
from doorward_demo.postgres import free_port

SSHD = "/usr/sbin/sshd"
SFTP_SERVER = "/usr/lib/openssh/sftp-server"
RESOURCE = "web1"
ACCOUNT = "deploy"

SSHD_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
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
AcceptEnv *
MaxStartups 200
MaxSessions 100
AllowTcpForwarding yes
AllowStreamLocalForwarding yes
X11Forwarding yes
Subsystem sftp {sftp}
LogLevel VERBOSE
"""

POLICY = """\
version: 1
rules:
  - id: operators-look
    effect: allow
    who: {groups: [crew-operators]}
    resource: web1
    do: [execute]
    commands: ["uptime", "echo *", "id *", "printf *", "true", "sleep *"]
  - id: restarts-need-a-human
    effect: hold
    who: {groups: [crew-operators]}
    resource: web1
    do: [execute]
    commands: ["touch"]
    approve: {by: {groups: [dba]}, quorum: 1, within: 10m, grant: 5m}
  - id: no-removal
    effect: block
    resource: web1
    do: [execute]
    commands: ["rm"]
    reason: Files are removed by the pipeline.
  - id: anything
    effect: allow
    who: {groups: [anything]}
    resource: web1
    do: [any]
masks:
  - id: pii
    resource: web1
    detect: [email, card]
    with: partial
    except: {groups: [anything]}
"""

CONFIG = """\
version: 1
origin: gateway.test
listen:
  - {{address: 127.0.0.1, port: {port}}}
admin: {{address: 127.0.0.1, port: {admin}}}
approvals:
  store: approvals.sqlite
  listen: {{unix: {sockets}/approvals.sock}}
identity:
  issuers:
    - {{issuer: {issuer}, audience: [doorward], max_age: 1h, attributes: [crew, task]}}
record: {{folder: log, keys: keys, level: {level}, checkpoint_interval: 1s}}
policy: policy.yaml
resources:
  web1:
    protocol: ssh
    target: {{host: 127.0.0.1, port: {target}, {known}}}
    accounts:
      deploy: {{user: {user}}}
      root: {{user: {user}}}
    account: deploy
"""


class Sshd:
    """A real sshd on loopback, with a host key of its own; it trusts the user authority in the file `trusted`."""

    def __init__(self, folder, trusted):
        self.folder, self.port = folder, free_port()
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host")], check=True)
        self.host_key = " ".join((folder / "host.pub").read_text().split()[:2])
        config = SSHD_CONFIG.format(port=self.port, folder=folder, trusted=trusted, sftp=SFTP_SERVER)
        (folder / "sshd_config").write_text(config)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # its privilege separation wants it
        self.process = subprocess.Popen(
            [SSHD, "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "sshd.log")], stdin=subprocess.DEVNULL
        )
        end = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=60):
                return
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < end, self.log()
            time.sleep(0.02)

    def log(self):
        return (self.folder / "sshd.log").read_text()

    def close(self):
        self.process.terminate()
        self.process.wait(60)


RENEW_S = 240
"""A certificate is good for a quarter of an hour at most, and a gateway of a whole module of tests may live longer."""


@dataclass
class SshGateway(Gateway):
    """A running SSH gateway, and how to reach it. `target` is the sshd past it."""

    module: str = "doorward_ssh"

    @property
    def user(self):
        return f"{ACCOUNT}@{RESOURCE}"

    def certificate(self, name="key", groups=("crew-operators",), subject="crew-1", token=None, **who):
        """The path of a fresh private key whose certificate lies beside it, as `doorward ssh-login --out` leaves it."""
        path = self.state / "clients" / f"{name}-{subject}-{'-'.join(groups)}"
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
        shown = path.with_name(f"{path.name}-cert.pub")
        if not shown.exists() or time.time() - shown.stat().st_mtime > RENEW_S:
            token = token or self.token(subject=subject, groups=groups, **who)
            public = path.with_name(f"{path.name}.pub").read_text()
            status, answer = self.call("POST", "/v1/ssh/certificate", token, {"public_key": public})
            assert status == 200, answer
            draft = shown.with_suffix(".new")
            draft.write_text(answer["certificate"] + "\n")
            draft.replace(shown)  # a client that starts may be reading it
        return path

    def known_hosts(self):
        """A known_hosts file that trusts the gateway's host authority."""
        path = self.state / "known_hosts"
        line = (self.state / "keys" / "ssh-host-ca.pub").read_text().strip()
        text = f"@cert-authority [127.0.0.1]:{self.port} {line}\n"
        if not path.exists() or path.read_text() != text:  # a client that starts may be reading it
            path.write_text(text)
        return path

    def options(self, key=None, **who):
        """What ssh, scp and sftp take to reach the gateway with no settings but these."""
        given = {
            "IdentityFile": key or self.certificate(**who),
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "BatchMode": "yes",
            "UserKnownHostsFile": self.known_hosts(),
            "GlobalKnownHostsFile": "none",
            "StrictHostKeyChecking": "yes",
            "HostKeyAlgorithms": "ssh-ed25519-cert-v01@openssh.com",
            "LogLevel": "ERROR",
        }
        return ["-F", "none", *(word for name, value in given.items() for word in ("-o", f"{name}={value}"))]

    def command(self, *words, user=None, options=(), **who):
        """The words of an ssh command line."""
        return ["ssh", *self.options(**who), *options, "-p", str(self.port), f"{user or self.user}@127.0.0.1", *words]

    def ssh(self, *words, user=None, options=(), stdin=b"", timeout=90, **who):
        """Run ssh to its end: status, stdout and stderr as bytes."""
        return subprocess.run(
            self.command(*words, user=user, options=options, **who),
            input=stdin, capture_output=True, timeout=timeout, check=False,
        )  # fmt: skip

    def popen(self, *words, user=None, options=(), **who):
        """Start ssh with pipes; it is ended with the test."""
        process = subprocess.Popen(
            self.command(*words, user=user, options=options, **who),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.clients.append(_Ended(process))
        return process

    async def connected(self, groups=("anything",), **how):
        """A connection of asyncssh's, with a certificate, to be misused."""
        key = self.certificate(groups=groups)
        given = {
            "username": self.user,
            "client_keys": [(asyncssh.read_private_key(key), asyncssh.read_certificate(f"{key}-cert.pub"))],
            "known_hosts": str(self.known_hosts()),
        }
        return await asyncssh.connect("127.0.0.1", self.port, config=None, agent_path=None, **{**given, **how})


@dataclass
class _Ended:
    process: subprocess.Popen

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.close()


@contextlib.contextmanager
def started(folder, *, policy=POLICY, level="shape", config=CONFIG, known=None):
    """Start an sshd and a gateway before it, with a state folder of their own, and stop both at the end."""
    sockets = Path(tempfile.mkdtemp(prefix="dw-"))
    sshd = Sshd(folder / "sshd", folder / "keys" / "ssh-user-ca.pub")
    recorder = Recorder(sshd.port)
    try:
        with DevelopmentIssuer() as issuer:
            gateway = SshGateway(folder, sockets, free_port(), free_port(), issuer, sshd, recorder)
            gateway.write(
                policy,
                config,
                target=recorder.port,
                user=getpass.getuser(),
                level=level,
                known=known or f"host_key: {sshd.host_key}",
            )
            gateway.environment = {}
            try:
                gateway.start({})
                yield gateway
            finally:
                for client in gateway.clients:
                    client.close()
                gateway.stop()
    finally:
        recorder.close()
        sshd.close()
        shutil.rmtree(sockets, ignore_errors=True)


@pytest.fixture(scope="session")
def _shared_ssh_gateway(tmp_path_factory):
    with started(tmp_path_factory.mktemp("ssh-gateway")) as gateway:
        yield gateway


@pytest.fixture
def ssh_gateway(_shared_ssh_gateway):
    """The gateway that tests share; ask for it together with `need_sshd`."""
    _shared_ssh_gateway.recorder.settle()
    yield _shared_ssh_gateway
    while _shared_ssh_gateway.clients:
        _shared_ssh_gateway.clients.pop().close()
    _shared_ssh_gateway.nothing_waits()


@pytest.fixture
def own_ssh_gateway(tmp_path):
    """A maker of gateways of one's own: for policies, levels and faults."""
    with own(started, tmp_path, "gateway") as make:
        yield make
