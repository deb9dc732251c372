"""The psql that the story is told with: one that speaks TLS where the machine has it, else the embedded one.

What it is: a search, and, where it is allowed (as root, on a system with apt), an installation.
What it will not do: fail for want of a psql. The embedded PostgreSQL brings one without TLS, which then reaches the
gateway through its Unix socket.
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


def may_install() -> bool:
    """Whether a psql may be installed from here."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_psql() -> PsqlProgram | None:
    """Install Debian's psql; None where that did not work out."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    commands = (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "postgresql-client"],
    )
    try:
        for command in commands:
            subprocess.run(command, env=environment, check=True, capture_output=True, timeout=INSTALL_WITHIN_S)
    except (OSError, subprocess.SubprocessError):
        return None
    return installed_psql()
