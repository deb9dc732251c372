"""Evidence of a log that a real gateway's writer process made, checked by every Python that is at hand."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from evidence_stand import VERIFY, Stand, bundle, check, story

OLDEST = (3, 9)


def _interpreters() -> list[str]:
    """Every Python from 3.9 on that can be found by its usual name, or that a version manager keeps."""
    found = {sys.executable}
    managed = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    places = [*(str(path) for path in managed.glob("3.*/bin/python"))]
    places += [path for minor in range(9, 16) if (path := shutil.which(f"python3.{minor}"))]
    for place in places:
        done = subprocess.run(
            [place, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True, check=False
        )
        if done.returncode == 0 and tuple(map(int, done.stdout.split())) >= OLDEST:
            found.add(place)
    return sorted(found)


@pytest.mark.parametrize("python", _interpreters(), ids=lambda place: re.sub(r".*versions/|/bin/python$", "", place))
def test_every_python_at_hand_checks_a_bundle(python, tmp_path):
    stand = story(Stand(tmp_path / "a")).close()
    bundle(stand, tmp_path / "e.zip", vkeys=(stand.vkey,))
    done = check(tmp_path / "e.zip", "--key", stand.vkey, python=python)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "signed by key" in done.stdout
    data = bytearray((tmp_path / "e.zip").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "e.zip").write_bytes(data)
    done = check(tmp_path / "e.zip", python=python)
    assert (done.returncode, done.stderr) == (1, "")


def test_the_verifier_imports_the_standard_library_alone():
    text = VERIFY.read_text(encoding="utf-8")
    names = set(re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE))
    assert names <= sys.stdlib_module_names
    compile(text, "verify.py", "exec", dont_inherit=True)
    assert "doorward_core" not in text
