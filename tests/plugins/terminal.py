"""A program at a pseudo-terminal, for tests that type at it and wait for what it answers."""

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import time

WITHIN_S = 120
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Za-z0-9]|[=>])|[\x07\r]")


class Terminal:
    """Types at a program and reads its screen as plain text. Use it as a context: leaving ends the program."""

    def __init__(self, command, **environment):
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # noqa: PLW1509 - makes it the controlling terminal, so that Ctrl-C is a signal
            env={**os.environ, "TERM": "dumb", "COLUMNS": "200", "LINES": "100", "PAGER": "cat", **environment},
        )
        os.close(slave)
        self._unread = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGHUP)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self._master)

    def type(self, text):
        os.write(self._master, text.encode())

    def until(self, *wanted):
        """Read until one of these is on the screen; everything up to and with it."""
        end = time.monotonic() + WITHIN_S
        while True:
            found = [(self._unread.index(one), one) for one in wanted if one in self._unread]
            if found:
                start, one = min(found)
                seen, self._unread = self._unread[: start + len(one)], self._unread[start + len(one) :]
                return seen
            left = end - time.monotonic()
            assert left > 0, f"waited for {wanted}, saw {self._unread!r}"
            if select.select([self._master], [], [], left)[0]:
                data = b""
                with contextlib.suppress(OSError):
                    data = os.read(self._master, 65536)
                assert data, f"waited for {wanted}, and it ended after {self._unread!r}"
                self._unread = ESCAPES.sub("", self._unread + data.decode(errors="replace"))
