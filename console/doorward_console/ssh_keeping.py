"""Where a login's key and certificate are kept: in the ssh-agent, or in files; and what the gateway's answer must be.

A certificate of an earlier login goes when a new one comes, so that ssh, which tries one key after the other and is let
try a few, never runs out of tries on old ones.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from doorward_console.ssh_agent import Agent, NewCertificate
from doorward_console.ssh_keyfiles import certificate_path, keep_certificate, key_at
from doorward_core.errors import AuthenticationError
from doorward_core.identity.ssh_certificate import NS_PER_S, read_certificate
from doorward_core.identity.ssh_keys import BadKey, blob


class NotOurs(Exception):
    """What the gateway answered is not a certificate for the key that it was sent."""


@dataclass(frozen=True, slots=True)
class Given:
    """A certificate as the gateway gave it."""

    line: str
    blob: bytes
    ends_unix_ns: int
    principals: tuple[str, ...]


class Keeper(Protocol):
    """One place for them."""

    def ends_unix_ns(self) -> int:
        """When what is kept there now ends; 0 where there is nothing."""

    def key(self) -> Ed25519PrivateKey:
        """The key to ask a certificate for."""

    def keep(self, key: Ed25519PrivateKey, given: Given) -> str:
        """Keep both; gives words for where."""


def read_given(document: dict[str, object], key: Ed25519PublicKey) -> Given:
    """Check the gateway's answer. Raises NotOurs."""
    line = document.get("certificate")
    if not isinstance(line, str) or "\n" in line:
        raise NotOurs("the gateway answered without a certificate")
    try:
        data = blob(line)
        read = read_certificate(data)
    except (AuthenticationError, BadKey):
        raise NotOurs("what the gateway answered is not a certificate") from None
    if read.public_key() != key:
        raise NotOurs("the gateway answered with a certificate for another key")
    principals = tuple(name.decode("ascii", "replace") for name in read.valid_principals)
    return Given(line, data, read.valid_before * NS_PER_S, principals)


def _ends(data: bytes) -> int:
    try:
        return read_certificate(data).valid_before * NS_PER_S
    except AuthenticationError:
        return 0


class InAgent:
    """In the ssh-agent, known by the gateway's address in its comment."""

    def __init__(self, gateway: str) -> None:
        self._comment = f"doorward {gateway}"

    def ends_unix_ns(self) -> int:
        """The latest end of those in the agent."""
        with Agent() as agent:
            return max((_ends(one.blob) for one in agent.held() if one.comment == self._comment), default=0)

    def key(self) -> Ed25519PrivateKey:
        """A new one: nobody else has ever seen it."""
        with Agent():  # whether there is an agent shows before the gateway is asked
            return Ed25519PrivateKey.generate()

    def keep(self, key: Ed25519PrivateKey, given: Given) -> str:
        """Put it in for as long as it lives, and take out what it replaces."""
        left_s = (given.ends_unix_ns - time.time_ns()) // NS_PER_S
        if left_s <= 0:
            raise NotOurs("the certificate has expired already: is this machine's clock right?")
        public = key.public_key().public_bytes_raw()
        with Agent() as agent:
            old = [one.blob for one in agent.held() if one.comment == self._comment]
            agent.add(NewCertificate(given.blob, public, key.private_bytes_raw(), self._comment, left_s))
            for one in old:
                agent.remove(one)
        return "in your ssh-agent"


class InFile:
    """In files."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ends_unix_ns(self) -> int:
        """When the certificate there ends, if its key is there too."""
        try:
            line = certificate_path(self._path).read_text(encoding="ascii")
            return _ends(blob(line.strip())) if self._path.exists() else 0
        except (OSError, UnicodeError, BadKey):
            return 0

    def key(self) -> Ed25519PrivateKey:
        """The one that is there, or a new one."""
        return key_at(self._path)

    def keep(self, key: Ed25519PrivateKey, given: Given) -> str:
        """Put the certificate beside its key."""
        del key  # it is in its file already
        return f"in {keep_certificate(self._path, given.line)}"
