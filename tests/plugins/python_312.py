"""A Python of version 3.12, for what runs on nothing older: on PATH, or where pyenv keeps its own."""

import functools
import shutil
import subprocess
from pathlib import Path


@functools.cache
def found() -> str | None:
    """The interpreter's path; None where there is none that starts."""
    candidates = [shutil.which("python3.12"), *map(str, sorted(Path.home().glob(".pyenv/versions/3.12*/bin/python")))]
    for candidate in candidates:
        if candidate is None:
            continue
        asked = [candidate, "-c", "import sys, ensurepip; print(sys.version_info[:2] == (3, 12))"]
        if subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() == "True":
            return candidate
    return None
