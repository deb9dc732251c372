"""The story's part on a host: the agent at a command line that is decided, held, masked and recorded.

What it is: four steps, played by OpenSSH's own ssh, each followed by a look at what is really there, past the gateway.
What it will not do: go on when a promise was broken.
"""

import os
import pty
import select
import subprocess
import termios
import time
from dataclasses import dataclass, field
from typing import Final

from doorward_console.player import MARGIN, Player
from doorward_console.recording import Piece
from doorward_demo.approver import Approver, doorward
from doorward_demo.dataset import customers
from doorward_demo.host import LOG_LINES, RESOURCE, Host
from doorward_demo.postgres import DemoError
from doorward_demo.stack import AGENT, Stack
from doorward_demo.terminal import ANSWER_WITHIN_S, READ_BYTES, Screen, Shell, request_id

REFUSED: Final = 126
REASON: Final = "agreed with operations"
TOOL_WITHIN_S: Final = 60
SIZE: Final = (24, 100)


@dataclass
class HostStory:
    """Everyone who appears in it."""

    screen: Screen
    stack: Stack
    host: Host
    approver: Approver
    agent: Shell = field(init=False)

    def __post_init__(self) -> None:
        self.agent = Shell(self.screen, "agent$ ")

    def play(self) -> None:
        """Play all four steps; raise DemoError where one does not end as it must."""
        self._masks()
        self._blocks()
        self._holds()
        self._replays()

    # --- the steps ---------------------------------------------------------------------------------------------------

    def _masks(self) -> None:
        self.screen.chapter("The same agent on a host: plain ssh, with a certificate for a quarter of an hour")
        self._logs_in()
        status, said = self._ssh(f"tail -n {LOG_LINES} {self.host.files}/shop.log")
        if status or said.count("shipped") != LOG_LINES:
            raise DemoError("the log should have been shown")
        self._shows_no_secret(said)
        self.screen.checked("the addresses are in the file, and not up there")

    def _blocks(self) -> None:
        self.screen.chapter("A command that is not allowed never reaches the host")
        status, said = self._ssh(f"rm -rf {self.host.files}")
        self.screen.say(f"(exit status {status})")
        if status != REFUSED or said.count("\n") != 1 or not (self.host.files / "shop.log").exists():
            raise DemoError("the command should have been refused, in one line, with exit status 126")
        self.screen.checked("exit status 126, one line that an agent can act on, and the files are there")

    def _holds(self) -> None:
        self.screen.chapter("A change on the host waits for a person, and then runs")
        wanted = self.host.files / "maintenance"
        command = self._words(f"touch {wanted}")
        self.screen.typed(self.agent.prompt, " ".join(command))
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as ssh:
            assert ssh.stderr is not None
            said = ssh.stderr.readline().rstrip()
            self.screen.printed(said)
            request = request_id(said)
            if not request or wanted.exists():
                ssh.kill()
                raise DemoError(f"the command should have been held: {said}")
            self.approver.approve(request, REASON, self.host.control)
            ssh.communicate(timeout=ANSWER_WITHIN_S)
        if ssh.returncode or not wanted.exists():
            raise DemoError("the command was approved, and did not run")
        self.screen.checked("held on its own connection, approved, run once")

    def _replays(self) -> None:
        self.screen.chapter("A shell is one decision, and is recorded whole")
        shown = self._types(f"tail -n 1 {self.host.files}/shop.log", "exit")
        self._shows_no_secret(shown)
        self.screen.say("\nLater, somebody looks at what happened there:")
        status, said = self.approver.shell.run(*doorward("replay", "last", "--log", str(self.host.log), "--no-wait"))
        if status or said.count("shipped") != 1:
            raise DemoError("the replay should have shown the shell")
        self._shows_no_secret(said)
        self.screen.checked("its output, its times, the lines that were typed; and no masked value is in the record")

    # --- what they rest on -------------------------------------------------------------------------------------------

    def _logs_in(self) -> None:
        """The agent gets a certificate, and the lines that ssh wants; the latter unseen, for they are many."""
        reach = ["--gateway", self.host.control]
        command, path = doorward("ssh-login", *reach, "--out", str(self.host.key))
        token = {"DOORWARD_TOKEN": self.stack.token(AGENT), **path}
        status, said = self.agent.run(command, token)
        if status:
            raise DemoError(f"the certificate was not given: {said.strip()}")
        known = self.host.state / "known_hosts"
        where = ["--host", "127.0.0.1", "--port", str(self.host.port), "--identity", str(self.host.key)]
        for part, file in (("known-hosts", known), ("config", self.host.settings)):
            told = subprocess.run(
                doorward("ssh-config", *reach, *where, "--resources", "--part", part)[0],
                env={**os.environ, **token}, capture_output=True, text=True, check=False, timeout=TOOL_WITHIN_S,
            )  # fmt: skip
            if told.returncode:
                raise DemoError(f"the lines for ssh were not given: {told.stderr.strip()}")
            file.write_text(told.stdout, encoding="utf-8")
        own = f"Host *\n  UserKnownHostsFile {known}\n  GlobalKnownHostsFile none\n  LogLevel ERROR\n  BatchMode yes\n"
        self.host.settings.write_text(f"{self.host.settings.read_text(encoding='utf-8')}\n{own}", encoding="utf-8")

    def _words(self, *command: str) -> list[str]:
        return ["ssh", "-F", str(self.host.settings), RESOURCE, *command]

    def _ssh(self, command: str) -> tuple[int, str]:
        return self.agent.run(self._words(command), {})

    def _types(self, *lines: str) -> str:
        """Open a shell in a terminal and type; shows what it shows, harmless."""
        self.screen.typed(self.agent.prompt, " ".join(self._words()))
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, SIZE)
        with subprocess.Popen(
            self._words(), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**os.environ, "TERM": "xterm"},
        ) as ssh:  # fmt: skip
            os.close(theirs)
            said = b""
            try:
                for line in lines:
                    said += _until_quiet(ours)
                    os.write(ours, f"{line}\n".encode())
                said += _until_quiet(ours)
                ssh.wait(ANSWER_WITHIN_S)
            finally:
                ssh.kill()
                os.close(ours)
        player = Player(1.0, 0.0)
        player.show(Piece(0, "resize", f"{SIZE[1]}x{SIZE[0]}".encode()))
        text = player.show(Piece(0, "stdout", said)) + player.end()
        for line in _settled(text):
            self.screen.printed(line.removeprefix(MARGIN))
        return text

    @staticmethod
    def _shows_no_secret(said: str) -> None:
        leaked = [one.email for one in customers(LOG_LINES) if one.email.lower() in said.lower()]
        if leaked:
            raise DemoError(f"a value that is masked was shown: {leaked[0]}")


def _until_quiet(descriptor: int, quiet_s: float = 0.4, within_s: float = 20.0) -> bytes:
    """What a terminal says until it waits for something, or is gone."""
    said, end = b"", time.monotonic() + within_s
    while time.monotonic() < end:
        if not select.select([descriptor], [], [], quiet_s if said else 1.0)[0]:
            if said:
                break
            continue
        try:
            data = os.read(descriptor, READ_BYTES)
        except OSError:  # how a terminal says that the other side is gone
            break
        said += data
        if not data:
            break
    return said


def _settled(text: str) -> list[str]:
    """The lines as they stand once every backspace is done."""
    done = []
    for row in text.splitlines():
        cells: list[str] = []
        at = 0
        for character in row:
            if character == "\b":
                at = max(0, at - 1)
                continue
            cells[at : at + 1] = [character]
            at += 1
        done.append("".join(cells).rstrip())
    return done
