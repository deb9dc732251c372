"""`make crew`: a real CrewAI crew works on a shop's database through Doorward, and its auditor looks at the record.

What it is: the demonstration's own stack (PostgreSQL, the development issuer, the gateway), the crew as a process in an
environment of its own, a person who approves, and a check after each step: past the gateway, as the database's own
administrator.
What it will not do: go on when a promise was broken. A step whose check fails ends it with status 1.

`STATE=FOLDER` puts the state folder elsewhere than `.doorward/crew`. Whatever was started is stopped at the end.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from doorward_demo import children, postgres, stack
from doorward_demo.postgres import SUPERUSER, DemoError, Server
from doorward_demo.stack import APPROVER, RESOURCE, Stack
from doorward_demo.story import find_leaks
from doorward_demo.terminal import Screen, Shell, request_id

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CREW_PYTHON = ROOT / ".venv-crew" / "bin" / "python"
DEFAULT_STATE = Path(".doorward/crew")
CREW = "crew-retention"
CUSTOMERS = 2_000
CUSTOMER = 46  # takes the newsletter, and has asked not to
REASON = "the customer wrote to us"
INDENT = 8  # how far to the right another person's terminal is shown
CREW_WITHIN_S = 150.0
MEASURE_WITHIN_S = 150.0
INTERRUPTED = 130  # what a shell says of a program that Ctrl-C ended
OLD_SUMMARY = "CREATE TABLE country_summary AS SELECT 'last winter'::text AS country, 0::bigint AS customers"
BY_COUNTRY = "SELECT country, count(*) FROM customer GROUP BY country ORDER BY country"
NEWEST = "SELECT id, name FROM customer ORDER BY created_at DESC, id DESC LIMIT 3"
TRUE_VALUES = "SELECT email, phone, card, iban FROM customer"


class Play:
    """The crew's run, the approver's part in it, and what the auditor sees of it."""

    def __init__(self, screen: Screen, place: Stack, server: Server) -> None:
        self.screen, self.place, self.server = screen, place, server
        self.said: list[str] = []
        self.held: list[str] = []
        self.tom = Shell(screen, "tom$ ", INDENT)
        self.auditor = Shell(screen, "auditor$ ")

    # --- the crew ------------------------------------------------------------------------------------------------

    def crew_works(self) -> None:
        """Run the crew to its end, show what it prints as it prints it, and approve what it is held for."""
        self.screen.chapter("The crew works: three tasks, one analyst, NL2SQLTool as it is shipped")
        environment = crew_environment(self.place)
        for name in ("DATABASE_URI", "PGSSLMODE", "PGSSLROOTCERT", "PGPASSFILE"):
            self.screen.typed("crew$ ", f"export {name}={environment[name]}")
        self.screen.typed("crew$ ", "python examples/crewai/crew.py")
        command = [str(CREW_PYTHON), "-B", str(HERE / "crew.py")]
        with running(command, environment, CREW_WITHIN_S) as process:
            assert process.stdout is not None
            for raw in process.stdout:
                line = raw.decode(errors="replace").rstrip("\n")
                self.said.append(line)
                self.screen.printed(line)
                found = request_id(line)
                if found and found not in self.held:
                    self.held.append(found)
                    self.approve(found)
        if process.returncode != 0:
            raise DemoError(f"the crew ended with status {process.returncode}")

    def approve(self, request: str) -> None:
        """Tom, a DBA, looks at what waits and approves it at a terminal of his own."""
        if not self.takes_newsletter():
            raise DemoError("the change was made before anyone had approved it")
        token = f"$(cat {self.place.token_file(APPROVER)})"
        identity = {"DOORWARD_GATEWAY": self.place.control, "DOORWARD_TOKEN": self.place.token(APPROVER)}
        self.screen.typed(self.tom.prompt, f"export DOORWARD_GATEWAY={self.place.control}", INDENT)
        self.screen.typed(self.tom.prompt, f'export DOORWARD_TOKEN="{token}"', INDENT)
        for arguments in (("list",), ("approve", request, "--yes", "--reason", REASON)):
            status, said = self.tom.run(["doorward", "approvals", *arguments], {**on_path(), **identity})
            if status != 0:
                raise DemoError(f"the approval was not taken: {said.strip()}")

    def check_run(self) -> None:
        """Hold the run against what is really in the database."""
        said = "\n".join(self.said)
        self.screen.chapter("What came of it, checked past the gateway")
        self._shows_no_secret(said)
        for number, name in self.ask(NEWEST):
            self._expect(f"=> {number} | {name} | " in said and "***" in said, f"{name} should have been shown, masked")
        self.screen.checked("the newest customers were listed, and no true address, number, card or account was shown")

        self._expect(
            "Schema changes go through migrations" in said, "DROP TABLE should have been refused with a reason"
        )
        kept = self.ask("SELECT country, customers FROM country_summary")
        self._expect(kept == [("last winter", 0)], "the old summary should have been left as it was")
        for country, count in self.ask(BY_COUNTRY):
            self._expect(f"=> {country} | {count}" in said, f"the count of {country} should have been answered")
        self.screen.checked(
            "DROP TABLE was refused, the table is untouched, and the crew found its figures another way"
        )

        self._expect(len(self.held) == 1, "one statement should have been held")
        self._expect(f"=> {CUSTOMER} | False" in said, "the crew should have seen that its change was made")
        self._expect(not self.takes_newsletter(), "the change was approved, and is not there")
        self.screen.checked("the UPDATE waited within NL2SQLTool's own transaction, was approved, and is committed")

    # --- the auditor ---------------------------------------------------------------------------------------------

    def auditor_looks(self) -> None:
        """Find the run by its crew, see who stood behind it, replay the session with the change, prove the log."""
        self.screen.chapter("What the auditor sees: which crew, which task, which agent, and who answers for it")
        log = str(self.place.log)
        mine = ("sessions", "--log", log, "--attribute", "crew=retention")
        self.auditor.run(["doorward", *mine], on_path())
        rows = json.loads(quietly("doorward", *mine, "--json"))
        told = {"crew": "retention", "task": "winter-review", "agent_role": "retention analyst"}
        whole = all(
            (row["subject"], row["sponsor"], row["principal"], row["attributes"]) == (CREW, "maria", "agent", told)
            for row in rows
        )
        self._expect(bool(rows) and whole, "every session should name crew, task, agent and sponsor")
        self._expect(sum(row["denied"] for row in rows) == 1, "one statement should have been denied")
        changed = [row["session"] for row in rows if row["held"]]
        self._expect(len(changed) == 1, "one session should have been held")
        self.screen.checked(f"{len(rows)} sessions, one a query: all of one crew, one task, one agent, and maria's")

        self.screen.say("\nThe session with the change, whole; SQLAlchemy's questions to the server come first.")
        status, said = self.auditor.run(["doorward", "replay", changed[0], "--log", log], on_path())
        committed = re.search(r"UPDATE: permitted.*COMMIT: permitted", said, re.DOTALL)
        self._expect(status == 0 and bool(committed), "the replay should show the change, and its COMMIT after it")
        for part in ("sponsor maria", "crew retention, task winter-review", f"{APPROVER} ", REASON):
            self._expect(re.sub(r"agent_role [^,]*, ", "", said).find(part) >= 0, f"the replay should tell: {part}")
        self._shows_no_secret(said)
        self.screen.checked("who asked, for whom, who approved and why; and the record holds no masked value either")

        key = ("--key-file", str(self.place.state / "keys" / "log.vkey"))
        status, _ = self.auditor.run(["doorward", "verify", log, *key], on_path())
        self._expect(status == 0, "the record should have been found whole")

    # --- what a connection costs ---------------------------------------------------------------------------------

    def measure(self) -> None:
        """Measure connecting through the gateway against connecting directly, and print the ratios."""
        self.screen.chapter("What a connection costs, for NL2SQLTool opens one a query")
        direct = f"host=127.0.0.1 port={self.server.port} dbname={postgres.DATABASE} user=app"
        unix = f"host={self.place.sockets} port={self.place.port} dbname={RESOURCE} user=app"
        secrets = self.place.state / "measure.pgpass"
        write_passfile(
            secrets,
            f"127.0.0.1:{self.server.port}:*:app:{self.server.passwords['app']}",
            f"*:{self.place.port}:*:app:{self.place.token(CREW)}",
        )
        places = {"direct": direct, "gateway": unix, "gateway, TLS": self.place.conninfo(tls=True)}
        places = {name: f"{info} passfile={secrets}" for name, info in places.items()}
        environment = crew_environment(self.place)
        del environment["PGSSLMODE"], environment["PGSSLROOTCERT"]
        command = [str(CREW_PYTHON), "-B", str(HERE / "connect_cost.py"), json.dumps(places), str(self.place.state)]
        with running(command, environment, MEASURE_WITHIN_S) as process:
            assert process.stdout is not None
            said = process.stdout.read().decode(errors="replace")
        if process.returncode != 0:
            raise DemoError(f"the measurement ended with status {process.returncode}:\n{said}")
        self._show_costs(json.loads(said.splitlines()[-1]))

    def _show_costs(self, measured: dict[str, Any]) -> None:
        self.screen.say("medians of 50 each, taking turns; record level payload, flushed before anything is released")
        self.screen.say(f"a flush of this disk takes {measured['flush_ms']:.1f} ms")
        for what, how in (
            ("psycopg", "connect, authenticate, first row"),
            ("NL2SQLTool", "one query, as the crew asks"),
        ):
            took = measured["took_ms"][what]
            self.screen.say(f"{what}: {how}")
            for name, ms in took.items():
                ratio = "" if name == "direct" else f"   {ms / took['direct']:.1f} times direct"
                self.screen.say(f"  {name:<14}{ms:8.1f} ms{ratio}")

    # --- what they rest on ---------------------------------------------------------------------------------------

    def ask(self, statement: str) -> list[tuple[object, ...]]:
        """Ask the database itself, past the gateway, as its administrator."""
        with self.server.connect(SUPERUSER) as connection:
            return connection.execute(statement.encode()).fetchall()

    def takes_newsletter(self) -> bool:
        """Whether the customer still gets the newsletter."""
        return bool(self.ask(f"SELECT newsletter FROM customer WHERE id = {CUSTOMER}")[0][0])  # noqa: S608 - a constant

    def _expect(self, held: bool, otherwise: str) -> None:
        if not held:
            raise DemoError(otherwise)

    def _shows_no_secret(self, shown: str) -> None:
        leaked = find_leaks(shown, (str(value) for row in self.ask(TRUE_VALUES) for value in row))
        self._expect(not leaked, f"a value that is masked was shown: {''.join(leaked[:1])}")


def crew_environment(place: Stack) -> dict[str, str]:
    """All that the crew is given: where the gateway is, whom to trust, its token; and nobody to report to."""
    passfile = place.state / "crew.pgpass"
    write_passfile(passfile, f"localhost:{place.port}:{RESOURCE}:app:{place.token(CREW)}")
    home = place.state / "crew-home"
    home.mkdir(exist_ok=True)
    return {
        "PATH": os.environ.get("PATH", ""),
        "LC_ALL": "C.UTF-8",
        "HOME": str(home),
        "CREWAI_STORAGE_DIR": str(home),
        "TMPDIR": str(home),  # crewai leaves lock files there
        "CREWAI_DISABLE_TELEMETRY": "true",
        "CREWAI_DISABLE_VERSION_CHECK": "true",
        "CREWAI_TRACING_ENABLED": "false",
        "OTEL_SDK_DISABLED": "true",
        "ANONYMIZED_TELEMETRY": "False",
        "OFFLINE": "1",
        "DATABASE_URI": f"postgresql+psycopg://app@localhost:{place.port}/{RESOURCE}",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": str(place.state / "tls" / "ca.crt"),
        "PGPASSFILE": str(passfile),
    }


def write_passfile(path: Path, *lines: str) -> None:
    """Write a libpq password file; a JSON Web Token holds none of the characters that would need escaping."""
    path.touch(mode=0o600)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


def on_path() -> dict[str, str]:
    """The folder of this Python on PATH, so that `doorward` is run as it is typed."""
    return {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def quietly(*command: str) -> str:
    """Run a command for what it prints."""
    done = subprocess.run(command, env={**os.environ, **on_path()}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DemoError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout


@contextlib.contextmanager
def running(command: list[str], environment: dict[str, str], within_s: float) -> Iterator["subprocess.Popen[bytes]"]:
    """A process whose output is read in the block; one that does not end in time is killed, and its output ends."""
    process = children.start(command, output=subprocess.PIPE, errors=subprocess.STDOUT, environment=environment)

    def too_long(_number: int, _frame: object) -> None:
        process.kill()

    signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, within_s)
    try:
        yield process
        process.wait()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def start(everything: contextlib.ExitStack, screen: Screen) -> Play:
    """Start the database, the issuer and the gateway; `everything` stops them."""
    if not CREW_PYTHON.exists():
        raise DemoError("the crew's environment is not installed; `make crew` installs it")
    began = time.monotonic()
    state = everything.enter_context(stack.state_folder(Path(os.environ.get("STATE") or DEFAULT_STATE)))
    server = everything.enter_context(postgres.running())
    postgres.load_shop(server, count=CUSTOMERS)
    with server.connect("app") as app:
        app.execute(OLD_SUMMARY)
    place = stack.make_stack(state, everything.enter_context(stack.socket_folder()))
    everything.enter_context(stack.issuer(place, (CREW, APPROVER)))
    everything.enter_context(stack.gateway(place, server))
    took_s = time.monotonic() - began
    screen.say(f"PostgreSQL, the issuer and the gateway are up after {took_s:.1f} s; state: {place.state}")
    return Play(screen, place, server)


def interrupt(_number: int, _frame: object) -> None:
    """End as on Ctrl-C."""
    raise KeyboardInterrupt


def main() -> None:
    """Play it, and exit with its status."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    screen = Screen(console)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        with contextlib.ExitStack() as everything:
            play = start(everything, screen)
            play.crew_works()
            play.check_run()
            play.auditor_looks()
            play.measure()
    except DemoError as error:
        console.print(f"\n[bold red]Stopped:[/] {error}", highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("\nStopped before the end; nothing is left running.")
        sys.exit(INTERRUPTED)
    screen.say(f"\n[bold green]Every check held.[/] Everything is stopped; the record stays in {play.place.log}")


if __name__ == "__main__":
    main()
