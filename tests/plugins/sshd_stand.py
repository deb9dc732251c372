"""A target that trusts the gateway: OpenSSH's sshd with TrustedUserCAKeys, and ssh to reach it.

ssh starts sshd by itself (ProxyCommand, `sshd -i`), so that there is no port, and nothing to stop.
"""

import getpass
import shlex
import subprocess
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from doorward_core.identity.ssh_certificate import issue_host, issue_upstream
from doorward_core.identity.ssh_keys import Authorities, public_line

SSHD = "/usr/sbin/sshd"
CONFIG = """\
HostKey {folder}/host
HostCertificate {folder}/host-cert.pub
TrustedUserCAKeys {folder}/user-ca.pub
AuthorizedKeysFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PidFile none
StrictModes no
PermitRootLogin prohibit-password
LogLevel VERBOSE
"""


class Stand:
    """One target named `name`; `key` is the public half of the key that `connect` shows, with a certificate for it."""

    def __init__(self, folder, name="web1"):
        self.folder, self.name = folder, name
        self.account = getpass.getuser()
        self.keys = Authorities(*(Ed25519PrivateKey.generate() for _ in range(3)))
        self.now_unix_ns = time.time_ns()
        self._private = Ed25519PrivateKey.generate()
        self.key = self._private.public_key()
        host = Ed25519PrivateKey.generate()
        self._secret("host", host)
        self._secret("key", self._private)
        certificate = issue_host(
            self.keys.host, host.public_key(), [name], key_id=name, serial=1, now_unix_ns=self.now_unix_ns
        )
        self._write("host-cert.pub", certificate.line)
        self._write("user-ca.pub", public_line(self.keys.user.public_key()))
        self._write("known_hosts", f"@cert-authority {name} {public_line(self.keys.host.public_key())}")
        self._write("sshd_config", CONFIG.format(folder=folder))

    def upstream(self, who, session=b"\x07" * 16, account="", **options):
        """The certificate that the gateway would show for a session of `who`."""
        return issue_upstream(
            self.keys.user,
            self.key,
            who,
            session,
            account or self.account,
            serial=9,
            now_unix_ns=self.now_unix_ns,
            **options,
        )

    def connect(self, certificate, command="echo in", known_hosts="known_hosts"):
        """Run a command at the target, with this certificate (a line) and nothing else to log in with."""
        self._write("key-cert.pub", certificate)
        return subprocess.run(
            [*self.ssh(known_hosts), "-i", self.folder / "key", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
             f"{self.account}@{self.name}", command],
            capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def ssh(self, known_hosts="known_hosts"):
        """The words that ssh starts with, to reach the target with no settings but these."""
        proxy = shlex.join([SSHD, "-i", "-f", str(self.folder / "sshd_config"), "-E", str(self.folder / "sshd.log")])
        return ["ssh", "-F", "none", "-o", f"ProxyCommand={proxy}", "-o", "BatchMode=yes",
                "-o", f"UserKnownHostsFile={self.folder / known_hosts}", "-o", "GlobalKnownHostsFile=none",
                "-o", "StrictHostKeyChecking=yes", "-o", "HostKeyAlgorithms=ssh-ed25519-cert-v01@openssh.com"]  # fmt: skip

    def log(self):
        """What sshd wrote down."""
        return (self.folder / "sshd.log").read_text()

    def _secret(self, name, key):
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))

    def _write(self, name, line):
        (self.folder / name).write_text(line.rstrip("\n") + "\n")
