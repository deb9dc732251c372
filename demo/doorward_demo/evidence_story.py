"""The end of the story: an auditor asks who changed a customer, and takes the evidence away to check it alone.

What it is: a question to the record, one file with everything in it, and its verifier under a bare Python.
What it will not do: go on when the verifier is not satisfied, or is satisfied with a file that was changed.
"""

import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from doorward_demo.approver import doorward
from doorward_demo.postgres import DemoError
from doorward_demo.stack import AGENT, APPROVER, Stack
from doorward_demo.story import HELD_ID
from doorward_demo.terminal import Screen, Shell

PROMPT = "auditor$ "
QUESTION = f"who changed customer {HELD_ID} today, and who approved it"


@dataclass
class EvidenceStory:
    """`logs` are the state folders of the gateways, by name."""

    screen: Screen
    stack: Stack
    logs: Mapping[str, Path]
    auditor: Shell = field(init=False)

    def __post_init__(self) -> None:
        self.auditor = Shell(self.screen, PROMPT)

    @property
    def bundle(self) -> Path:
        """The file that the auditor takes away."""
        return self.stack.state / "evidence.zip"

    def play(self) -> None:
        """Play both steps; raise DemoError where one does not end as it must."""
        self._asks()
        self._takes_away()

    def _asks(self) -> None:
        self.screen.chapter("An auditor asks who changed a customer, and who approved it")
        status, said = self.auditor.run(*doorward("find", QUESTION, "--log", str(self.stack.log)))
        if status != 0 or AGENT not in said or APPROVER not in said:
            raise DemoError("the search should have found who changed the customer, and who approved it")
        self.screen.checked("one question, one answer: the statement, who asked, who answers for them, who approved")

    def _takes_away(self) -> None:
        self.screen.chapter("And takes the evidence away: one file, checked with nothing but Python")
        logs = [word for folder in self.logs.values() for word in ("--log", str(folder / "log"))]
        keys = [word for folder in self.logs.values() for word in ("--key", str(folder / "keys" / "log.vkey"))]
        command, path = doorward("evidence", "--from", "1d", *logs, *keys, "-o", str(self.bundle))
        status, _ = self.auditor.run(command, path)
        if status != 0:
            raise DemoError("the evidence should have been written")
        verifier = self.stack.state / "verify.py"
        with zipfile.ZipFile(self.bundle) as bundle:
            verifier.write_bytes(bundle.read("verify.py"))
        if self._verified(self.bundle, keys) != 0:
            raise DemoError("the verifier should have found everything in order")
        self.screen.checked(
            "every entry, proof, signature, policy and figure of the report holds, without our programs"
        )
        if self._verified(self._changed(), keys, show=False) == 0:
            raise DemoError("the verifier should have noticed that one bit was changed")
        self.screen.checked("and with one bit changed in it, it does not")
        self.screen.say(f"the report is report.html in {self.bundle}")

    def _verified(self, bundle: Path, keys: list[str], *, show: bool = True) -> int:
        """Run the verifier as an offline laptop would: no package of ours, no environment, no site packages."""
        verifier = self.stack.state / "verify.py"
        told = [Path(word).read_text(encoding="utf-8").strip() if word != "--key" else word for word in keys]
        command = [sys.executable, "-I", "-S", str(verifier), str(bundle), *told]
        if show:
            status, _ = self.auditor.run(command, {}, shown=f"python3 -I -S verify.py {bundle.name} --key ...")
            return status
        done = subprocess.run(command, env={"PATH": os.environ.get("PATH", "")}, capture_output=True, check=False)
        return done.returncode

    def _changed(self) -> Path:
        """The same file with one bit flipped in the middle."""
        data = bytearray(self.bundle.read_bytes())
        data[len(data) // 2] ^= 1
        path = self.stack.state / "changed.zip"
        path.write_bytes(data)
        return path
