"""Tom, who decides what waits: at a terminal of his own, with the `doorward` command.

What it will not do: decide by another way than a person has.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from doorward_demo.postgres import DemoError
from doorward_demo.stack import APPROVER, POLL_S, Stack
from doorward_demo.terminal import ANSWER_WITHIN_S, Screen, Shell

INDENT = 8  # how far to the right another person's terminal is shown


def doorward(*arguments: str) -> tuple[list[str], dict[str, str]]:
    """The `doorward` command, with the folder of this Python on PATH so that it is shown as it is typed."""
    folder = Path(sys.executable).parent
    return ["doorward", *arguments], {"PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"}


@dataclass
class Approver:
    """Tom's terminal. `_there` is the gateway that its environment names."""

    screen: Screen
    stack: Stack
    shell: Shell = field(init=False)
    _there: str = ""

    def __post_init__(self) -> None:
        self.shell = Shell(self.screen, "tom$ ", INDENT)

    def approve(self, request: str, reason: str, control: str) -> None:
        """Look at what waits at this gateway, and approve it."""
        prompt = self.shell.prompt
        if self._there != control:
            self.screen.typed(prompt, f"export DOORWARD_GATEWAY={control}", INDENT)
        if not self._there:
            token = f'"$(cat {self.stack.token_file(APPROVER)})"'
            self.screen.typed(prompt, f"export DOORWARD_TOKEN={token}", INDENT)
        self._there = control
        for arguments in (("list",), ("approve", request, "--yes", "--reason", reason)):
            command, path = doorward("approvals", *arguments)
            status, said = self.shell.run(command, {**path, **self._identity(control)})
            if status != 0:
                raise DemoError(f"the approval was not taken: {said.strip()}")

    def until_something_waits(self, control: str) -> str:
        """The id of what waits at this gateway, as soon as something does."""
        command, path = doorward("approvals", "list", "--json")
        end = time.monotonic() + ANSWER_WITHIN_S
        while time.monotonic() < end:
            done = subprocess.run(
                command,
                env={**os.environ, **path, **self._identity(control)},
                capture_output=True,
                text=True,
                check=False,
                timeout=ANSWER_WITHIN_S,
            )
            waiting = json.loads(done.stdout)["approvals"] if done.returncode == 0 else []
            if waiting:
                return str(waiting[0]["id"])
            time.sleep(POLL_S)
        raise DemoError("nothing has come to be decided")

    def _identity(self, control: str) -> dict[str, str]:
        return {"DOORWARD_GATEWAY": control, "DOORWARD_TOKEN": self.stack.token(APPROVER)}
