"""The lines that make plain ssh find its way: for ~/.ssh/config, and for known_hosts.

Source: ssh_config(5); sshd(8), section "SSH_KNOWN_HOSTS FILE FORMAT".
Pure. Every name in them has been checked, so that none of them adds a line or an option of its own.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SSH_PORT = 22
JUMP = "jump"
_HOST = re.compile(r"[A-Za-z0-9:][A-Za-z0-9.:_-]{0,254}")
_NAME = re.compile(r"(?P<account>[A-Za-z0-9][A-Za-z0-9_.-]{0,62})@(?P<resource>[A-Za-z0-9][A-Za-z0-9_.-]{0,62})")
_KEY = re.compile(r"ssh-ed25519 [A-Za-z0-9+/]+={0,2}( [!-~]+)?")


class Unfit(ValueError):
    """A name that has no place in these files."""


@dataclass(frozen=True, slots=True)
class Where:
    """How clients reach the gateway, and with which key file (None: the ssh-agent's)."""

    host: str
    port: int = SSH_PORT
    identity: Path | None = None


def known_hosts(where: Where, host_ca: str, names: Sequence[str] = ()) -> list[str]:
    """Trust the gateway's authority for the gateway itself, and for the resources that are reached through it."""
    if not _KEY.fullmatch(host_ca):
        raise Unfit("the gateway's host authority is not a key")
    resources = sorted({_split(name)[1] for name in names})
    return [f"@cert-authority {','.join([_marked(where), *resources])} {host_ca}"]


def config(where: Where, names: Sequence[str] = (), *, jump: bool = False) -> list[str]:
    """One block for the gateway as jump host, and one for each name (with `jump`, one for all of them).

    A resource with one account is called as it is, one with several `account.resource`.
    """
    lines = [f"Host {_host(where)}", f"    Port {where.port}", f"    User {JUMP}", *_identity(where)]
    split = [_split(name) for name in names]
    if jump and split:
        hosts = " ".join(sorted({resource for _, resource in split}))
        return [*lines, f"Host {hosts}", f"    ProxyJump {where.host}", *_identity(where)]
    accounts = Counter(resource for _, resource in split)
    for account, resource in split:
        alias = resource if accounts[resource] == 1 else f"{account}.{resource}"
        lines += [
            f"Host {alias}",
            f"    HostName {where.host}",
            f"    Port {where.port}",
            f"    User {account}@{resource}",
            *_identity(where),
        ]
    return lines


def _identity(where: Where) -> list[str]:
    if where.identity is None:
        return []
    path = str(where.identity)
    if not path.isprintable() or '"' in path:
        raise Unfit("the path of the key file cannot be written into ssh's configuration")
    return [f'    IdentityFile "{path}"', f'    CertificateFile "{path}-cert.pub"', "    IdentitiesOnly yes"]


def _host(where: Where) -> str:
    if not _HOST.fullmatch(where.host) or not 0 < where.port < 1 << 16:
        raise Unfit("the gateway's host is a name or an address, and its port a number below 65536")
    return where.host


def _marked(where: Where) -> str:
    host = _host(where)
    return host if where.port == SSH_PORT else f"[{host}]:{where.port}"


def _split(name: str) -> tuple[str, str]:
    match = _NAME.fullmatch(name)
    if match is None:
        raise Unfit("the gateway named an account in a way that ssh's configuration has no place for")
    return match["account"], match["resource"]
