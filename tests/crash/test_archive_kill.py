"""kill -9 at every step of archiving and freeing: no entry is ever in neither place, and the next start completes it (L-06)."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from doorward_core.record import journal
from doorward_core.record.archive import Archiver, Terms
from doorward_core.record.archive_places import FolderPlace
from doorward_core.record.archive_source import verify_archive
from doorward_core.record.encode import encode
from doorward_core.record.engine import Engine, Settings
from doorward_core.record.reader import LogReader
from doorward_core.record.verify import verify

NOW = 1_800_000_000_000_000_000
ORIGIN = "gateway.example/a"
ENTRIES = 700


def settings(root: Path) -> Settings:
    return Settings(root / "log", ORIGIN, root / "keys/log.key", root / "keys/payload")


def made(root: Path) -> None:
    """A log of several bundles whose journal begins behind them, and an archive of its first part."""
    engine = Engine(settings(root))
    engine.open(NOW)
    for number in range(ENTRIES):
        engine.add(
            engine.size,
            NOW + number,
            "operation.decided",
            b"",
            b"",
            head=encode({"n": number}),
            body=encode({"text": "x"}),
        )
        if number == 300:
            engine.checkpoint()
            (root / "archive").mkdir()
            one = archiver(root)
            one.resume()
            one.advance(1)
    engine.close(NOW + ENTRIES)


def archiver(root: Path) -> Archiver:
    return Archiver(root / "log", FolderPlace(root / "archive"), ORIGIN, Terms())


def go_on(root: Path) -> None:
    """What a gateway does at its start: open the log, bring the archive up to date, free what it has."""
    engine = Engine(settings(root))
    engine.open(NOW + 2 * ENTRIES)
    one = archiver(root)
    one.resume()
    one.sweep()
    one.advance(1)
    below = one.freeable(NOW * 2)
    if below > one.freed():
        head = encode({"archive": "archive", "archived": one.size, "below": below})
        engine.add(engine.size, engine.last_at, "log.freed", b"", b"", head=head, body=b"")
        engine.checkpoint()
        one.free(below)
    engine.close(NOW + 3 * ENTRIES)


class Fuse:
    """Kills this process at the n-th step: before it where n is even, else behind it."""

    def __init__(self, at: int) -> None:
        self.left = at

    def around(self, call):
        def stepped(*arguments, **named):
            self.burn()
            found = call(*arguments, **named)
            self.burn()
            return found

        return stepped

    def burn(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def killed(root: Path, at: int) -> bool:
    """Go on in a process of its own until step `at`; give whether it came to that."""
    child = os.fork()
    if child == 0:
        fuse = Fuse(at)
        FolderPlace.put = fuse.around(FolderPlace.put)
        FolderPlace.get = fuse.around(FolderPlace.get)
        Path.unlink = fuse.around(Path.unlink)
        os.link = fuse.around(os.link)
        journal.replace_file = fuse.around(journal.replace_file)
        try:
            go_on(root)
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    root = tmp_path_factory.mktemp("base")
    made(root)
    return root


def whole(root: Path) -> None:
    """Each part verifies, and between them they have every entry."""
    vkey = (root / "keys/log.vkey").read_text()
    for report in (
        verify(root / "log", public_key=vkey),
        verify_archive(FolderPlace(root / "archive"), public_key=vkey),
    ):
        assert report.ok, report.problems
    place = FolderPlace(root / "archive")

    def fetch(path):
        kept = place.get(path, 10**8)
        return kept and kept.data

    entries = LogReader(root / "log", archive=fetch).entries()
    numbers = [entry.header["n"] for entry in entries if entry.kind == "operation.decided"]
    assert numbers == list(range(ENTRIES))


def test_l_06_killed_at_any_step_of_archiving_and_freeing_nothing_is_lost(base, tmp_path):
    at = 0
    while True:
        at += 3  # coprime to the two ends of each step, so that both are met
        root = tmp_path / str(at)
        shutil.copytree(base, root)
        more = killed(root, at)
        whole(root)
        go_on(root)
        whole(root)
        assert LogReader(root / "log").freed == 512
        shutil.rmtree(root)
        if not more:
            break
    assert at > 60, "it was killed at few steps only: the fuse is not where the work is"
