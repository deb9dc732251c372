"""The test's side of the slow writer (tests/plugins/slow_writer): hold its next flush, hear that it began, let it go."""

import contextlib
import os
from pathlib import Path

SLOW_WRITER = Path(__file__).parent / "slow_writer"


class SlowDisk:
    """One for each test: it has the folder that the writer knows as TMPDIR."""

    def __init__(self, folder, monkeypatch):
        self._hold, self._begun, self._go = (folder / name for name in ("hold", "begun", "go"))
        os.mkfifo(self._begun)
        os.mkfifo(self._go)
        monkeypatch.setenv("TMPDIR", str(folder))
        paths = filter(None, (str(SLOW_WRITER), os.environ.get("PYTHONPATH")))
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))

    def hold(self):
        """The next flush begins, and does not end."""
        self._hold.touch()

    def wait(self):
        """Until that flush has begun; blocks."""
        self._begun.read_bytes()

    def let_go(self):
        """It ends, and those after it are quick."""
        self._hold.unlink()
        self._go.open("wb").close()  # waits for the flush to listen, which it does once it has told that it began

    def end(self):
        """Nothing of ours holds the writer up any more, wherever the test ended."""
        self._hold.unlink(missing_ok=True)
        for pipe, way in ((self._begun, os.O_RDONLY), (self._go, os.O_WRONLY)):
            with contextlib.suppress(OSError):
                os.close(os.open(pipe, way | os.O_NONBLOCK))
