"""The story: an agent works on the shop through Doorward, and a person answers for what it may change.

What it is: six steps, played by real clients, each followed by a look at what is really there: past the gateway, as
the database's own administrator.
What it will not do: go on when a promise was broken. A step whose check fails ends the story with an error.
"""

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from doorward_demo.approver import Approver, doorward
from doorward_demo.postgres import SUPERUSER, DemoError, Server
from doorward_demo.programs import PsqlProgram
from doorward_demo.stack import AGENT, Stack
from doorward_demo.terminal import ANSWER_WITHIN_S, Psql, Screen, Shell, request_id

FIRST = "SELECT id, name, email, card FROM customer ORDER BY id LIMIT 5;"
DISGUISES = (
    "SELECT id, email AS note FROM customer ORDER BY id LIMIT 2;",
    "SELECT email||'' AS joined FROM customer ORDER BY id LIMIT 2;",
    "WITH t(x) AS (SELECT email FROM customer) SELECT x||'' AS hidden FROM t LIMIT 1;",
    "SELECT c FROM customer c LIMIT 1;",
)
IN_CLEAR = "SELECT country, count(*) FROM customer GROUP BY country ORDER BY country;"
DROP = "DROP TABLE orders;"
HELD_ID, HELD_AGAIN_ID = 42, 44  # both take the newsletter, and have asked not to
UPDATE = "UPDATE customer SET newsletter = false WHERE id = 42;"
UPDATE_AGAIN = "UPDATE customer SET newsletter = false WHERE id = %s"
REASON = "both asked to be taken off the list"
TRUE_VALUES = "SELECT email, phone, card, iban FROM customer WHERE id <= 50"  # the steps show rows from among these


@dataclass
class Story:
    """Everyone who appears in it."""

    screen: Screen
    stack: Stack
    server: Server
    psql: PsqlProgram
    prompt: str = "shop=> "
    agent: Shell = field(init=False)
    approver: Approver = field(init=False)

    def __post_init__(self) -> None:
        self.agent = Shell(self.screen, "agent$ ")
        self.approver = Approver(self.screen, self.stack)

    def play(self) -> None:
        """Play all six steps; raise DemoError where one does not end as it must."""
        environment = {"PGPASSWORD": self.stack.token(AGENT)}
        conninfo = self.stack.conninfo(tls=self.psql.tls)
        self.screen.say(f"\nThe agent uses {self.psql.version}, unchanged; its password is its token.")
        self.screen.typed("agent$ ", f'psql "{conninfo}"')
        terminal = Psql(self.screen, self.psql.path, conninfo, environment, self.prompt)
        try:
            self._masks(terminal)
            self._disguises(terminal)
            self._blocks(terminal)
            self._holds(terminal)
        finally:
            terminal.close()
        self._holds_psycopg()
        self._verifies()
        self._replays()

    # --- the six steps -----------------------------------------------------------------------------------------------

    def _masks(self, terminal: Psql) -> None:
        self.screen.chapter("The agent reads, and does not see what it need not see")
        self._shows_no_secret(terminal.run(FIRST), rows_at_least=5)
        self.screen.checked("the true addresses and card numbers of these five are in the database, and not up there")

    def _disguises(self, terminal: Psql) -> None:
        self.screen.chapter("The same values under another name, in an expression, in a whole row")
        for statement in DISGUISES:
            self._shows_no_secret(terminal.run(statement))
        clear = terminal.run(IN_CLEAR)
        for country, count in self._ask("SELECT country, count(*) FROM customer GROUP BY country"):
            if not any({str(country), str(count)} <= set(line.split()) for line in clear.splitlines()):
                raise DemoError(f"the counts should have been shown in clear, and {country} was not")
        self.screen.checked("still masked; and what owes no mask is in clear, to the last digit")

    def _blocks(self, terminal: Psql) -> None:
        self.screen.chapter("A statement that is not allowed is answered with a reason that an agent can act on")
        said = terminal.run(f"\\set VERBOSITY verbose\n{DROP}\n\\set VERBOSITY default", show=False)
        self.screen.typed(self.prompt, DROP)
        for line in said.splitlines():
            self.screen.printed(line)
        if "42501" not in said or not self._ask("SELECT to_regclass('public.orders')")[0][0]:
            raise DemoError("the table should have been kept, and the refusal should have said 42501")
        self.screen.checked("the server never saw it: the table is there, and the session goes on")

    def _holds(self, terminal: Psql) -> None:
        self.screen.chapter("A change waits for a person, and goes on where it stood")
        held: list[str] = []

        def decide(said: str) -> None:
            found = request_id(said)
            if not found or held:
                return
            held.append(found)
            if not self._newsletter(HELD_ID):
                raise DemoError("the change was made before anyone had approved it")
            self._approve(found)

        answer = terminal.run(UPDATE, decide)
        if not held or answer.splitlines()[-1:] != ["UPDATE 1"]:
            raise DemoError("psql should have been held, and have printed UPDATE 1 once it was approved")
        if self._newsletter(HELD_ID):
            raise DemoError("the change was approved, and was not made")
        self.screen.checked("one row, once, and on the connection that had been waiting")

    def _holds_psycopg(self) -> None:
        self.screen.say("\nOnce more from a program: psycopg, which opens a transaction before everything.")
        for line in (
            "with psycopg.connect(conninfo) as connection:",
            "    cursor = connection.execute(",
            f'        "{UPDATE_AGAIN}", [{HELD_AGAIN_ID}])',
            "    print(cursor.statusmessage)",
        ):
            self.screen.typed(">>> " if not line.startswith(" ") else "... ", line)
        asked, held, answer = threading.Event(), list[str](), list[str]()

        def on_notice(notice: psycopg.errors.Diagnostic) -> None:
            fields = ((notice.severity, notice.message_primary), ("DETAIL", notice.message_detail))
            lines = [f"{name}:  {text}" for name, text in (*fields, ("HINT", notice.message_hint)) if text]
            held.extend(filter(None, map(request_id, lines)))
            for line in lines:
                self.screen.printed(line)
            asked.set()

        def work() -> None:
            try:
                answer.append(_update(self.stack, on_notice))
            except psycopg.Error as error:
                answer.append(f"ERROR:  {error}")
            finally:
                asked.set()

        program = threading.Thread(target=work, daemon=True)
        program.start()
        asked.wait(ANSWER_WITHIN_S)
        if held:
            self._approve(held[0])
        program.join(ANSWER_WITHIN_S)
        self.screen.printed(answer[0] if answer else "")
        if answer != ["UPDATE 1"] or self._newsletter(HELD_AGAIN_ID):
            raise DemoError("psycopg should have been held, and have made its change once it was approved")
        self.screen.checked("held inside its transaction, approved, committed")

    def _verifies(self) -> None:
        self.screen.chapter("The record can be checked by anyone, and cannot be changed unseen")
        key = ("--key-file", str(self.stack.state / "keys" / "log.vkey"))
        status, _ = self.agent.run(*doorward("verify", str(self.stack.log), *key))
        if status != 0:
            raise DemoError("the record should have been found whole")
        copy = self.stack.state / "log-with-one-bit-flipped"
        shutil.copytree(self.stack.log, copy)
        path, index = flip_one_bit(copy)
        self.screen.say(f"\nNow one bit is flipped in a copy: in entry {index}, in {path.relative_to(copy)}.")
        status, said = self.agent.run(*doorward("verify", str(copy), *key))
        if status == 0 or not re.search(rf"\bentry {index}\b", said):
            raise DemoError("the flipped bit should have been found, and the entry named")
        self.screen.checked("found, and the entry named")

    def _replays(self) -> None:
        self.screen.chapter("What the agent asked and saw, as it was")
        where = ("--log", str(self.stack.log))
        self.agent.run(*doorward("sessions", *where))
        status, said = self.agent.run(*doorward("replay", self._session_of_psql(), *where))
        if status != 0 or "UPDATE customer" not in said or "DROP TABLE" not in said:
            raise DemoError("the replay should have shown the whole session")
        self._shows_no_secret(said)
        self.screen.checked("every statement, every answer, the votes; and the record holds no masked value either")

    # --- what they rest on -------------------------------------------------------------------------------------------

    def _approve(self, request: str) -> None:
        self.approver.approve(request, REASON, self.stack.control)

    def _session_of_psql(self) -> str:
        """The session of the agent's psql: the first of its sessions that the record tells of."""
        command, environment = doorward("sessions", "--log", str(self.stack.log), "--json", "--subject", AGENT)
        done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise DemoError(f"the sessions could not be listed: {done.stderr.strip()}")
        return str(json.loads(done.stdout)[0]["session"])

    def _ask(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        """Ask the database itself, past the gateway, as its administrator."""
        with self.server.connect(SUPERUSER) as connection:
            return connection.execute(statement.encode(), parameters or None).fetchall()

    def _newsletter(self, customer: int) -> bool:
        return bool(self._ask("SELECT newsletter FROM customer WHERE id = %s", customer)[0][0])

    def _shows_no_secret(self, shown: str, rows_at_least: int = 0) -> None:
        secrets = self._ask(TRUE_VALUES)
        leaked = find_leaks(shown, (str(value) for row in secrets for value in row))
        if leaked:
            raise DemoError(f"a value that is masked was shown: {leaked[0]}")
        if shown.count("|") < rows_at_least or shown.startswith("ERROR"):
            raise DemoError("rows should have been shown")


def _update(stack: Stack, on_notice: object) -> str:
    """The agent's program: an ordinary one, but for saying aloud what it is told while it waits."""
    conninfo = f"{stack.conninfo(tls=True)} connect_timeout=10"
    with psycopg.connect(conninfo, password=stack.token(AGENT)) as connection:
        connection.add_notice_handler(on_notice)  # type: ignore[arg-type]  # psycopg's own type is not exported
        cursor = connection.execute(UPDATE_AGAIN, [HELD_AGAIN_ID])
        return cursor.statusmessage or ""


def find_leaks(shown: str, secrets: Iterable[str]) -> list[str]:
    """Give the secrets that can be read in what was shown, whatever the case."""
    text = shown.lower()
    return [secret for secret in secrets if secret.lower() in text]


def flip_one_bit(log: Path) -> tuple[Path, int]:
    """Flip one bit in the middle of the fullest bundle of entries; give the file and the index of the entry.

    A bundle is entries one after another, each behind its length in two bytes, big-endian (C2SP tlog-tiles).
    """
    bundles = [path for path in (log / "tile" / "entries").rglob("*") if path.is_file()]
    if not bundles:
        raise DemoError("the log has no entries to change")
    path = max(bundles, key=lambda item: (item.stat().st_size, str(item)))
    data = bytearray(path.read_bytes())
    start, index = 0, first_index(path.relative_to(log / "tile" / "entries"))
    while start + 2 + int.from_bytes(data[start : start + 2]) <= len(data) // 2:
        start += 2 + int.from_bytes(data[start : start + 2])
        index += 1
    data[start + 2 + int.from_bytes(data[start : start + 2]) // 2] ^= 1
    path.write_bytes(data)
    return path, index


def first_index(bundle: Path) -> int:
    """The index of a bundle's first entry, from its path: `x001/234.p/17` is bundle 1234, and a bundle holds 256."""
    digits = "".join(part.removeprefix("x") for part in str(bundle).partition(".p")[0].split("/"))
    return int(digits) * 256
