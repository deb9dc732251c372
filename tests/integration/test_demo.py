"""`make demo` as a person runs it: the whole story, and nothing left behind but the folder that it names."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import trio

from doorward_console.exchanges import exchanges
from doorward_console.har import har
from doorward_console.index import query
from doorward_console.index.found import Search
from doorward_console.recording import recordings
from doorward_console.replay import Replay
from doorward_console.replay_cast import cast
from doorward_console.settings import load_settings
from doorward_console.web.library import Library
from doorward_console.web.timeline import timeline
from doorward_console.witnessed import witnessed
from doorward_demo import prod

pytestmark = [pytest.mark.slow, pytest.mark.need_embedded_postgres]

STORY_WITHIN_S = 500  # three minutes are promised, of a machine that does nothing else


def _start(state, temporary, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "doorward_demo"],
        env={**os.environ, "STATE": str(state), "TMPDIR": str(temporary), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _mentioning(*folders):
    """Processes whose command line names one of these folders."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if any(str(folder) in words for folder in folders):
            found.append(words.replace("\0", " "))
    return found


@pytest.fixture
def temporary():
    """A folder for everything temporary, with a path short enough for sockets, that everyone may pass through."""
    with tempfile.TemporaryDirectory(prefix="dw-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def test_the_story_is_told_whole_and_leaves_nothing_but_its_state(tmp_path, temporary):
    state = tmp_path / "state"
    with _start(state, temporary, ONCE="1") as demo:
        said, _ = demo.communicate(timeout=STORY_WITHIN_S)
    assert demo.returncode == 0, said
    positions = [said.index(f"\n{number}. ") for number in range(1, 22 if prod.streams() else 18)]
    assert positions == sorted(positions)
    for line in (
        "UPDATE 1",
        "42501",
        "HTTP/2 403",
        "HTTP/2 201",
        "event: message",
        "approved by dba-tom",
        "OK: everything",
        "held.",
    ):
        assert line in said
    assert list(temporary.iterdir()) == []
    assert _mentioning(state, temporary) == []
    assert (state / "log" / "checkpoint").exists()
    assert (state / "evidence.zip").exists()
    trio.run(_shown_at_the_desk, state)
    found = witnessed("shop", state / "log", load_settings(state / "desk" / "desk.yaml"))
    assert ([one.name for one in found.verified], found.problem) == (["demo-witness.example"], "")


async def _shown_at_the_desk(state):
    """The logs of real gateways of every kind, through all that the desk makes of them."""
    library = Library(load_settings(state / "desk" / "desk.yaml"))
    assert (await library.bring_up()).notes == ()
    rows = (await library.ask(lambda index: query.sessions(index, Search(), limit=200))).rows
    found = dict.fromkeys(("postgres", "ssh", "http", *(["k8s"] if prod.streams() else [])), 0)
    casts, requests = set(), 0
    for row in (row for row in rows if row.state != "refused"):
        kept = (await library.kept(row, chunks=True)).entries
        found[row.protocol] += len(timeline(kept, row.opened_unix_ns).items)
        assert row.subject in "\n".join(Replay(100).lines(kept))
        requests += len(har(exchanges(kept), session=row.session, about={}, version="1")["log"]["entries"])
        for recording in recordings(kept):
            lines = [json.loads(line) for line in cast(recording, ())]
            assert "\x1b]" not in "".join(str(line) for line in lines)
            casts |= {row.protocol} if recording.terminal and len(lines) > 1 else set()
    assert all(found.values()), found
    assert (casts >= {"ssh"}, requests > 0) == (True, True)
    changes = await library.ask(lambda index: query.who_changed(index, "customer", "42", limit=9))
    assert {vote.approver for row in changes.page.rows for vote in row.approval.votes} == {"dba-tom"}


def test_a_signal_stops_everything_that_was_started(tmp_path, temporary):
    state = tmp_path / "state"
    with _start(state, temporary) as demo:
        for line in demo.stdout:
            if "Ctrl-C stops everything" in line:
                break
        assert _mentioning(state, temporary) != []
        demo.send_signal(signal.SIGTERM)
        said, _ = demo.communicate(timeout=120)
    assert demo.returncode == 0, said
    assert list(temporary.iterdir()) == []
    assert _mentioning(state, temporary) == []
