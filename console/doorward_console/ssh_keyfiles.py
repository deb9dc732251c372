"""A key and its certificate in files, as ssh reads them: FILE, FILE.pub, FILE-cert.pub.

For what has no ssh-agent: agents, CI jobs, services.
A key that is there already is used again, and only its certificate is replaced, in one step: an ssh that starts at that
moment finds the old pair or the new one.
"""

import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from doorward_core.identity.ssh_keys import BadKey, public_line, read_authority


class CannotKeep(Exception):
    """The files cannot be used; the message says why."""


def certificate_path(path: Path) -> Path:
    """Where ssh looks for the certificate of a key."""
    return path.with_name(f"{path.name}-cert.pub")


def key_at(path: Path) -> Ed25519PrivateKey:
    """The key in this file, made where there is none. Raises CannotKeep, OSError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return _make(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise CannotKeep(f"{path} can be read by others; remove it, and a new one is made")
    try:
        return read_authority(data)
    except BadKey:
        raise CannotKeep(f"{path} is not an Ed25519 key without a pass phrase; choose another --out") from None


def keep_certificate(path: Path, line: str) -> Path:
    """Put the certificate beside its key; gives its path. Raises OSError."""
    target = certificate_path(path)
    _replace(target, f"{line}\n".encode("ascii"))
    return target


def _make(path: Path) -> Ed25519PrivateKey:
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _replace(path, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    _replace(path.with_name(f"{path.name}.pub"), f"{public_line(key.public_key(), 'doorward')}\n".encode("ascii"))
    return key


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)
