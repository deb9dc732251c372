"""What the audience sees: people at their terminals, with the real programs' real output.

What it is: a psql that is typed into, line by line, while its output is shown as it comes; other commands that are run
and shown; and the frame around them.
What it will not do: make anything up. A line that is shown below a prompt was typed into that program, and everything
under it was printed by it.
"""

import contextlib
import itertools
import os
import pty
import re
import select
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from doorward_demo.postgres import DemoError

ANSWER_WITHIN_S = 60.0  # longer than any step takes, the waiting for the approver included
READ_BYTES = 64 * 1024

WAITS_AFTER_S = 0.3  # silence in the middle of an answer: psql waits for something

Waiting = Callable[[str], None]
"""Told what psql has printed so far, each time that it stops in the middle of an answer."""


@dataclass(frozen=True)
class Screen:
    """Where everything is shown. Steps are numbered as they come, whoever tells them."""

    console: Console
    steps: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def chapter(self, title: str) -> None:
        """Begin a step of the story."""
        self.console.print()
        self.console.print(Rule(Text(f"{next(self.steps)}. {title}", style="bold"), align="left", style="cyan"))

    def say(self, text: str) -> None:
        """Say something to the audience, in rich's markup."""
        self.console.print(text, highlight=False)

    def checked(self, text: str) -> None:
        """Say what was just proved."""
        self.console.print(f"[green]✓[/] {text}", highlight=False)

    def typed(self, prompt: str, text: str, indent: int = 0) -> None:
        """Show what somebody types at a prompt."""
        self.console.print(Text.assemble(" " * indent, (prompt, "bold blue"), (text, "bold")), soft_wrap=True)

    def printed(self, line: str, indent: int = 0) -> None:
        """Show a line that a program printed."""
        style = "red" if line.startswith("ERROR") else "yellow" if line.startswith("NOTICE") else ""
        self.console.print(Text(" " * indent + line, style=style), soft_wrap=True)


class Psql:
    """A psql that stays connected, as one person's terminal would.

    Its input is a pipe, so that it draws no prompt of its own; its output is a terminal, so that it does not wait.
    """

    def __init__(
        self, screen: Screen, program: Path, conninfo: str, environment: Mapping[str, str], prompt: str
    ) -> None:
        self._screen = screen
        self._prompt = prompt
        self._unread = ""
        self._last_line = ""
        self._typed = 0
        self._output, terminal = pty.openpty()
        command = [str(program), "--no-psqlrc", "--pset=pager=off", conninfo]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=terminal,
            stderr=terminal,
            env={**os.environ, "PGCONNECT_TIMEOUT": "10", "LC_ALL": "C.UTF-8", **environment},
            start_new_session=True,
        )
        os.close(terminal)

    def run(self, statement: str, waiting: Waiting = lambda _said: None, *, show: bool = True) -> str:
        """Type a statement, show the answer as it comes, and give it once psql is ready for the next."""
        if show:
            first, *rest = statement.split("\n")
            self._screen.typed(self._prompt, first)
            for more in rest:
                self._screen.typed(self._prompt.replace("=>", "->"), more)
        self._typed += 1
        marker = f"--answered-{self._typed}--"
        self._write(f"{statement}\n\\echo {marker}\n")
        lines: list[str] = []
        for line in self._lines_until(marker):
            if line is None:
                if lines:
                    waiting("\n".join(lines))
                continue
            self._last_line = line or self._last_line
            lines.append(line)
            if show:
                self._screen.printed(line)
        return "\n".join(lines)

    def _write(self, text: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(text.encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise DemoError(f"psql ended: {self._rest() or self._last_line}") from None

    def _lines_until(self, marker: str) -> Iterator[str | None]:
        """Give each line as it comes, and None once whenever it goes quiet before the end."""
        end = time.monotonic() + ANSWER_WITHIN_S
        told = False
        while True:
            while "\n" in self._unread:
                line, _, self._unread = self._unread.partition("\n")
                if line.rstrip("\r") == marker:
                    return
                yield line.rstrip("\r")
            if time.monotonic() > end:
                raise DemoError(f"psql gave no answer within {ANSWER_WITHIN_S:.0f} s")
            if not select.select([self._output], [], [], WAITS_AFTER_S)[0]:
                if not told:
                    yield None
                told = True
                continue
            told = False
            chunk = self._read()
            if not chunk:
                raise DemoError(f"psql ended: {self._unread.strip() or self._last_line}")
            self._unread += chunk

    def _read(self) -> str:
        """Read what there is; nothing once psql is gone (a terminal says so with an error)."""
        try:
            return os.read(self._output, READ_BYTES).decode(errors="replace")
        except OSError:
            return ""

    def _rest(self) -> str:
        text = self._unread
        while chunk := self._read():
            text += chunk
        return text.strip()

    def close(self) -> None:
        """Leave psql as Ctrl-D does."""
        with contextlib.suppress(BrokenPipeError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._output)


@dataclass(frozen=True)
class Shell:
    """A person's shell: commands are shown as typed, run, and their output shown."""

    screen: Screen
    prompt: str
    indent: int = 0

    def run(self, command: list[str], environment: Mapping[str, str], *, shown: str = "") -> tuple[int, str]:
        """Run a command to its end; give its exit status and what it printed."""
        self.screen.typed(self.prompt, shown or shlex.join(command), self.indent)
        done = subprocess.run(
            command,
            env={**os.environ, "COLUMNS": "110", "NO_COLOR": "1", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=ANSWER_WITHIN_S,
        )
        for line in done.stdout.rstrip().splitlines():
            self.screen.printed(line, self.indent)
        return done.returncode, done.stdout


def request_id(line: str) -> str:
    """The id of an approval request in a line, or nothing."""
    found = re.search(r"\bap-[a-z0-9]{6,32}\b", line)
    return found[0] if found else ""
