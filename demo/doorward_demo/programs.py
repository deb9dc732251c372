"""The programs that the story is told with: a psql that speaks TLS where the machine has one, and OpenSSH.

What it is: a search, and, where it is allowed (as root, on a system with apt), an installation.
What it will not do: fail for want of a psql. The embedded PostgreSQL brings one without TLS, which then reaches the
gateway through its Unix socket; without sshd the demonstration has a server of its own.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from doorward_demo.postgres import embedded_programs

INSTALL_WITHIN_S = 120.0


@dataclass(frozen=True)
class PsqlProgram:
    """A psql, and whether it speaks TLS."""

    path: Path
    tls: bool

    @property
    def version(self) -> str:
        """What it says of itself, such as `psql (PostgreSQL) 15.18`."""
        done = subprocess.run([str(self.path), "--version"], capture_output=True, text=True, check=False)
        return " ".join(done.stdout.split()[:3])


def installed_psql() -> PsqlProgram | None:
    """The system's psql, if there is one: distributions build it with TLS."""
    path = shutil.which("psql")
    return PsqlProgram(Path(path), tls=True) if path else None


def embedded_psql() -> PsqlProgram:
    """The psql that came with the embedded PostgreSQL."""
    return PsqlProgram(embedded_programs() / "psql", tls=False)


def has_ssh() -> bool:
    """Whether there is OpenSSH's client."""
    return shutil.which("ssh") is not None


def installed_ssh() -> Path | None:
    """The system's sshd, if both it and the client are there."""
    path = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
    return Path(path) if path and shutil.which("ssh") else None


def install_ssh() -> Path | None:
    """Install Debian's OpenSSH for its programs alone: a server that its package starts was not asked for."""
    guard = Path("/usr/sbin/policy-rc.d")
    ours = not guard.exists()
    if ours:
        guard.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
        guard.chmod(0o755)
    try:
        _apt_get("openssh-client", "openssh-server")
    finally:
        if ours:
            guard.unlink()
    return installed_ssh()


def may_install() -> bool:
    """Whether a psql may be installed from here."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_psql() -> PsqlProgram | None:
    """Install Debian's psql; None where that did not work out."""
    _apt_get("postgresql-client")
    return installed_psql()


def _apt_get(*packages: str) -> None:
    """Install packages, if that works out."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
    ):
        try:
            subprocess.run(command, env=environment, check=True, capture_output=True, timeout=INSTALL_WITHIN_S)
        except (OSError, subprocess.SubprocessError):
            return
