"""What a real shell really runs: a folder of recorders in place of programs, an empty place to run in, no environment.

The recorders write down their names and arguments, and succeed. Wrappers that the analysis sees through are the real
ones. Nothing else is on the PATH, so that a line made of these names can do no harm.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

RECORDED = ("a", "b", "ls", "rm", "x.y", "systemctl")
REAL = ("env", "nice", "timeout", "nohup", "setsid", "stdbuf", "xargs", "find", "sh", "dash")
SHELLS = tuple(name for name in ("bash", "dash", "ksh", "mksh", "zsh", "busybox") if shutil.which(name))
_RECORDER = """#!/bin/sh
printf '%s\\0' "$#" "${{0##*/}}" "$@" >>{log}
"""


@dataclass
class Recorder:
    """A shell with recorders on its PATH. `run` gives what was executed, as (program, arguments)."""

    shell: str
    folder: Path

    @classmethod
    def make(cls, shell: str, folder: Path) -> "Recorder":
        """Lay out the folder."""
        programs = folder / "bin"
        programs.mkdir(parents=True)
        (folder / "empty").mkdir()
        for name in RECORDED:
            script = programs / name
            script.write_text(_RECORDER.format(log=folder / "log"))
            script.chmod(0o755)
        for name in REAL:
            real = shutil.which(name)
            if real:
                (programs / name).symlink_to(real)
        return cls(shutil.which(shell) or shell, folder)

    def run(self, command: str) -> list[tuple[str, tuple[str, ...]]]:
        """Run one line as sshd would, in an empty folder, until everything that it started has ended."""
        log, here = self.folder / "log", self.folder / "empty"
        log.write_bytes(b"")
        for left in here.iterdir():
            left.unlink()
        reading, writing = os.pipe()
        os.set_inheritable(writing, True)
        name = ["sh"] if self.shell.endswith("busybox") else []
        with subprocess.Popen(
            [self.shell, *name, "-c", command],
            cwd=here,
            env={"PATH": str(self.folder / "bin")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[writing],
        ) as process:
            os.close(writing)
            process.wait(120)
            while os.read(reading, 4096):
                pass
        os.close(reading)
        return list(_entries(log.read_bytes()))


def _entries(content: bytes):
    words = content.decode("utf-8", "surrogateescape").split("\0")
    at = 0
    while words[at]:
        count = int(words[at])
        yield words[at + 1], tuple(words[at + 2 : at + 2 + count])
        at += 2 + count
