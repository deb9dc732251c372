"""The real kubectl, each version that is on this machine, run against a cluster or a gateway in front of one.

What it is: where the programs are, and one way to run them: a kubeconfig, a home of their own, a bound in time.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

CLIENTS = Path(__file__).resolve().parents[2] / ".clients"  # what .ci/kubernetes-clients has put there
_VERSION = re.compile(r"v1\.(\d+)\.")
OLDEST_WITH_WEBSOCKETS = 31  # by default, for exec and port-forward alike
_RUN_S = 300.0


@lru_cache(maxsize=1)
def programs() -> dict[int, str]:
    """Every kubectl there is, by its minor version: on PATH, beside it, and in `CLIENTS`."""
    found = shutil.which("kubectl")
    if found is None:
        return {}
    real = Path(found).resolve()
    beside = sorted(path for path in real.parent.glob("kubectl.1.*") if os.access(path, os.X_OK))
    ours = sorted(path for path in CLIENTS.glob("kubectl*") if os.access(path, os.X_OK))
    versions: dict[int, str] = {}
    for program in [*beside, real, *ours]:
        command = [program, "version", "--client"]
        told = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_RUN_S)
        version = _VERSION.search(told.stdout)
        if version is not None:
            versions.setdefault(int(version[1]), str(program))
    return versions


@lru_cache(maxsize=1)
def newest() -> str:
    """The kubectl that tests use: 1.32 where it is there, for which this was written, else the newest."""
    found = programs()
    return found.get(32) or found[max(found)]


def usable() -> bool:
    """Whether there is one that streams over WebSocket."""
    return any(minor >= OLDEST_WITH_WEBSOCKETS for minor in programs())


def helm() -> str | None:
    """The helm to use: the one that is named in the environment, or on PATH."""
    return os.environ.get("HELM") or shutil.which("helm")


@dataclass(frozen=True)
class Kubectl:
    """kubectl with one kubeconfig. Calling it runs it."""

    kubeconfig: Path
    home: Path
    program: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """What it is run with; nothing of whoever runs the tests."""
        return {"PATH": os.defpath, "HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig)}

    def command(self, *arguments: str) -> list[str]:
        """What is run."""
        return [self.program or newest(), *arguments]

    def __call__(self, *arguments: str, stdin: str = "", timeout_s: float = _RUN_S) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            check=False, env=self.environment, cwd=self.home, input=stdin, capture_output=True, text=True,
            timeout=timeout_s,
        )  # fmt: skip

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """The same in the background: for watches, logs and port-forwards."""
        return subprocess.Popen(
            self.command(*arguments), env=self.environment, cwd=self.home, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
