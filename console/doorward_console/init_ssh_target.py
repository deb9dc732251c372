"""The SSH server that `doorward init ssh` is pointed at: how it is written, and which key it shows.

What it is: `parse_target`, and `scan`, which has OpenSSH's ssh-keyscan ask the server for its host keys.
What it will not do: log in, or believe what it was told: an operator compares fingerprints, or gives one beforehand.

Source: RFC 4253 section 6.6 (key blobs), OpenSSH's fingerprints (SHA-256, base64 without padding).
"""

import base64
import hashlib
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Final

from doorward_console.init_doors import MAX_PORT

DEFAULT_PORT: Final = 22
SCAN_S: Final = 5  # for each of the server's answers
WHY_CHARS: Final = 120  # of what ssh-keyscan says, on the line of an error
KINDS: Final = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
"""Best first."""
_SHAPE: Final = "--target is written as user@host or user@host:port (an IPv6 address in brackets)"
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,62}\Z")
_HOST: Final = re.compile(r"[A-Za-z0-9:][A-Za-z0-9_.:-]{0,253}\Z")
_WORDS: Final = 2  # of a key without its comment


class BadTarget(ValueError):
    """It is no target; the message says why."""


class CannotScan(Exception):
    """The server's key could not be asked for; the message says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """An account on a server."""

    user: str
    host: str
    port: int

    def __str__(self) -> str:
        """As an operator writes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}" + (f":{self.port}" if self.port != DEFAULT_PORT else "")


@dataclass(frozen=True, slots=True)
class HostKey:
    """A host key as one line of two words, and what people compare."""

    line: str
    fingerprint: str

    @property
    def kind(self) -> str:
        """Its algorithm's name."""
        return self.line.partition(" ")[0]


def parse_target(text: str) -> Place:
    """Read `user@host[:port]`. Raises BadTarget."""
    user, at, rest = text.removeprefix("ssh://").rpartition("@")
    bracketed = re.fullmatch(r"\[([0-9A-Fa-f:.%]+)\](?::([0-9]+))?", rest)
    if bracketed:
        host, port = bracketed[1], bracketed[2] or ""
    else:
        host, _, port = rest.partition(":")
    if not at or not _USER.match(user) or not _HOST.match(host) or (":" in host and not bracketed):
        raise BadTarget(_SHAPE)
    if port and not (
        port.isascii() and port.isdigit() and len(port) <= len(str(MAX_PORT)) and 0 < int(port) <= MAX_PORT
    ):
        raise BadTarget(_SHAPE)
    return Place(user, host, int(port) if port else DEFAULT_PORT)


def scan(place: Place) -> list[HostKey]:
    """The host keys that the server shows now, best first. Raises CannotScan."""
    program = shutil.which("ssh-keyscan")
    if program is None:
        raise CannotScan("ssh-keyscan is not installed (Debian: openssh-client)")
    command = [program, "-T", str(SCAN_S), "-p", str(place.port), "-t", "ed25519,ecdsa,rsa", "--", place.host]
    try:
        done = subprocess.run(  # noqa: S603 - found on PATH, and the host is checked and stands behind `--`
            command, capture_output=True, text=True, errors="replace", check=False, timeout=SCAN_S * 6
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotScan(f"{place} does not answer: {type(error).__name__}") from None
    found = read_scan(done.stdout)
    if not found:
        raise CannotScan(f"{place} shows no host key{_why(done.stderr)}: is it an SSH server, and the right port?")
    return found


def _why(said: str) -> str:
    """What ssh-keyscan said last, of what is no comment; the host's name before it is known already."""
    rows = [row for row in said.splitlines() if row.strip() and not row.startswith("#")]
    return f" ({rows[-1].rpartition(': ')[2][:WHY_CHARS]})" if rows else ""


def read_scan(text: str) -> list[HostKey]:
    """The keys in ssh-keyscan's output; what is no key is left out."""
    found: dict[str, HostKey] = {}
    for row in text.splitlines():
        words = row.split()
        key = read_key(words[1:]) if len(words) > _WORDS and not row.startswith("#") else None
        if key is not None:
            found.setdefault(key.kind, key)
    return sorted(found.values(), key=lambda key: KINDS.index(key.kind))


def read_key(words: list[str]) -> HostKey | None:
    """A key of two words, whose second says the same algorithm as the first; else None."""
    if len(words) < _WORDS or words[0] not in KINDS:
        return None
    try:
        blob = base64.b64decode(words[1], validate=True)
    except ValueError:
        return None
    if blob[4 : 4 + len(words[0])] != words[0].encode("ascii") or blob[:4] != len(words[0]).to_bytes(4, "big"):
        return None
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii").rstrip("=")
    return HostKey(f"{words[0]} {words[1]}", f"SHA256:{digest}")
