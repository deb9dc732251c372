"""The gateway's own host key, and the certificate by which clients know it.

What it is: the shell that keeps one Ed25519 key in the keys folder, made at first start, and has it certified by the
gateway's host authority for the names under which clients reach it.
What it will not do: keep a certificate: it is made anew at each start and reload, and before it runs out.

Invariants: the key file has mode 0600, and one that others can read is not used.
"""

import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import asyncssh
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from doorward_core.errors import ConfigError
from doorward_core.identity.ssh_certificate import MAX_SERIAL, issue_host
from doorward_core.identity.ssh_keys import Authorities, BadKey, new_authority, public_line, read_authority

FILE = "ssh-host.key"


@dataclass(frozen=True, slots=True)
class HostKey:
    """A host key, and its certificate as one line."""

    key: Ed25519PrivateKey
    certificate: str

    def pair(self) -> tuple[asyncssh.SSHKey, asyncssh.SSHCertificate]:
        """The two as asyncssh takes them."""
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        return asyncssh.import_private_key(pem), asyncssh.import_certificate(self.certificate)

    @property
    def line(self) -> str:
        """The public key, as known_hosts has it."""
        return public_line(self.key.public_key())


def load(folder: Path, authorities: Authorities, names: tuple[str, ...], origin: str) -> HostKey:
    """Read the key, made at first start, and certify it for `names`. Raises ConfigError."""
    path = folder / FILE
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        text = _made(path)
    if path.stat().st_mode & 0o077:
        raise ConfigError((f"{path}: others can read it; replace it, or chmod 600 it if nobody has",))
    try:
        key = read_authority(text)
    except BadKey as error:
        raise ConfigError((f"{path}: {error}",)) from None
    issued = issue_host(
        authorities.host,
        key.public_key(),
        names,
        key_id=f"doorward-host {origin}",
        serial=secrets.randbelow(MAX_SERIAL) + 1,
        now_unix_ns=time.time_ns(),
    )
    return HostKey(key, issued.line)


def _made(path: Path) -> bytes:
    """Make the key. A crash before the renaming leaves a draft, which the next start writes anew."""
    text = new_authority()
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, text)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.replace(path)
    return text
