"""The story's part about an API: the same agent, with curl, before a small CRM.

What it is: steps played with the real curl, each followed by a look past the gateway, at the CRM itself.
What it will not do: go on when a promise was broken.
"""

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from doorward_demo.api import Api
from doorward_demo.approver import Approver, doorward
from doorward_demo.crm import BETWEEN_EVENTS_S, CUSTOMERS, EVENTS
from doorward_demo.dataset import customers
from doorward_demo.postgres import DemoError
from doorward_demo.stack import AGENT, Stack
from doorward_demo.story import find_leaks
from doorward_demo.terminal import ANSWER_WITHIN_S, Screen, Shell

PROMPT = "agent$ "
CUSTOMER = 42
NOTE = {"text": "asked for a call back on Tuesday"}
REASON = "the customer did ask"
AUTH = '-H "Authorization: Bearer $TOKEN"'


def curl_version() -> str:
    """What curl says of itself; empty where there is none."""
    if shutil.which("curl") is None:
        return ""
    done = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=False)
    return " ".join(done.stdout.split()[:2])


@dataclass
class ApiStory:
    """Everyone who appears in it."""

    screen: Screen
    stack: Stack
    api: Api
    approver: Approver
    agent: Shell = field(init=False)

    def __post_init__(self) -> None:
        self.agent = Shell(self.screen, PROMPT)

    def play(self) -> None:
        """Play all steps; raise DemoError where one does not end as it must."""
        self.screen.say(f"\nThe agent uses {curl_version()}; it has its token, and has never seen the CRM's own.")
        self.screen.typed(PROMPT, f"export CURL_CA_BUNDLE={self.stack.state / 'tls/ca.crt'}")
        self.screen.typed(PROMPT, f'TOKEN="$(cat {self.stack.token_file(AGENT)})"')
        self._masks()
        self._blocks()
        self._holds()
        self._streams()
        self._remembers()

    # --- the steps ---------------------------------------------------------------------------------------------------

    def _masks(self) -> None:
        self.screen.chapter("The same values from an API: JSON comes back masked, and stays the JSON that it was")
        said = self._curl(f"-s '{self.api.url('/customers?limit=3')}'")
        found = json.loads(said)
        _, true = self.api.past_the_gateway("/customers?limit=3")
        kept = [{name: one[name] for name in ("id", "country", "newsletter")} for one in found]
        if kept != [{name: one[name] for name in ("id", "country", "newsletter")} for one in json.loads(true)]:
            raise DemoError("what owes no mask should have come through as it was")
        self._shows_no_secret(said)
        self.screen.checked("numbers, booleans and the order of members are as the CRM sent them")

    def _blocks(self) -> None:
        self.screen.chapter("A request that is not allowed is answered with problem details that an agent can act on")
        said = self._curl(f"-s -i -X DELETE {self.api.url(f'/customers/{CUSTOMER}')}")
        status, _ = self.api.past_the_gateway(f"/customers/{CUSTOMER}")
        if " 403" not in said.splitlines()[0] or "application/problem+json" not in said or "ticket" not in said:
            raise DemoError("the deletion should have been refused, with the rule's reason")
        if status != 200:  # noqa: PLR2004 - HTTP's own number
            raise DemoError("the customer was deleted")
        self.screen.checked("the CRM never saw it: the customer is there")

    def _holds(self) -> None:
        self.screen.chapter("A change waits for a person, on the connection on which it was asked for")
        notes = f"/customers/{CUSTOMER}/notes"
        answer: list[str] = []
        body = f"-H 'Content-Type: application/json' -d '{json.dumps(NOTE)}'"
        asking = threading.Thread(
            target=lambda: answer.append(self._curl(f"-s -i {self.api.url(notes)} {body}", show=False)), daemon=True
        )
        asking.start()
        request = self.approver.until_something_waits(self.api.control)
        if self.api.past_the_gateway(notes)[1] != "[]":
            raise DemoError("the note was written before anyone had approved it")
        self.approver.approve(request, REASON, self.api.control)
        asking.join(ANSWER_WITHIN_S)
        for line in "".join(answer).splitlines():
            self.screen.printed(line)
        if not answer or " 201" not in answer[0].splitlines()[0]:
            raise DemoError("curl should have been held, and have been answered 201 once it was approved")
        if len(json.loads(self.api.past_the_gateway(notes)[1])) != 1:
            raise DemoError("the note should have been written, once")
        self.screen.checked("one note, once, answered where the question was asked")

    def _streams(self) -> None:
        self.screen.chapter("A stream of events is masked on the fly, in the middle of a sentence too")
        moments: list[float] = []
        said = self._curl(f"-s -N {self.api.url('/events')}", moments)
        self._shows_no_secret(said)
        if said.count("data:") != EVENTS or moments[-1] - moments[0] < BETWEEN_EVENTS_S:
            raise DemoError("the events should have come one by one")
        self.screen.checked("each event arrived when the CRM sent it, with the address and the card number masked")

    def _remembers(self) -> None:
        self.screen.chapter("And what it asked and saw is on record, in a log of this gateway's own")
        key = ("--key-file", str(self.api.state / "keys" / "log.vkey"))
        status, _ = self.agent.run(*doorward("verify", str(self.api.log), *key))
        if status != 0:
            raise DemoError("the record should have been found whole")
        held = self._session_with("POST")
        status, said = self.agent.run(*doorward("replay", held, "--log", str(self.api.log)))
        if status != 0 or f"POST /customers/{CUSTOMER}/notes" not in said or NOTE["text"] not in said:
            raise DemoError("the replay should have shown the request")
        self.screen.checked("the request, the vote, the answer; and who answers for the agent")

    # --- what they rest on -------------------------------------------------------------------------------------------

    def _curl(self, arguments: str, moments: list[float] | None = None, *, show: bool = True) -> str:
        """Type a curl, show its output as it comes, and give it; `moments` are when its lines came.

        Not to `show` is for one that somebody else's terminal would be shown in the middle of.
        """
        line = f"curl {arguments} {AUTH}"
        self.screen.typed(PROMPT, line)
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        environment |= {"CURL_CA_BUNDLE": str(self.stack.state / "tls/ca.crt"), "TOKEN": self.stack.token(AGENT)}
        said: list[str] = []
        with subprocess.Popen(
            ["sh", "-c", f"exec {line}"], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            for text in _lines(process):
                said.append(text)
                if moments is not None and text:
                    moments.append(time.monotonic())
                if show:
                    self.screen.printed(text)
        if process.returncode:
            raise DemoError(f"curl ended with status {process.returncode}")
        return "\n".join(said)

    def _session_with(self, verb: str) -> str:
        """The session in which this was asked: the one that held something."""
        command, path = doorward("sessions", "--log", str(self.api.log), "--json", "--subject", AGENT)
        done = subprocess.run(command, env={**os.environ, **path}, capture_output=True, text=True, check=False)
        found = [row for row in json.loads(done.stdout or "[]") if row["held"]]
        if not found:
            raise DemoError(f"no session on record has held a {verb}")
        return str(found[0]["session"])

    def _shows_no_secret(self, shown: str) -> None:
        secrets = (value for one in customers(CUSTOMERS) for value in (one.email, one.phone, one.card))
        leaked = find_leaks(shown, secrets)
        if leaked:
            raise DemoError(f"a value that is masked was shown: {leaked[0]}")


def _lines(process: subprocess.Popen[bytes]) -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        yield line.decode(errors="replace").rstrip("\r\n")
