import io
import os
import sys

import pytest
from rich.console import Console

from doorward_demo.postgres import DemoError
from doorward_demo.terminal import Psql, Screen, Shell, request_id

# Stands in for psql where only the conversation with it is tested: it echoes, and knows \echo.
FAKE = """#!{python}
import pathlib, sys
for line in sys.stdin:
    line = line.rstrip("\\n")
    if line.startswith("\\\\echo "):
        print(line[6:], flush=True)
    elif line == "hold":
        print("NOTICE:  held", "HINT:  ask", sep="\\n", flush=True)
        sys.stdin.readline()  # what marks the end of the answer, which comes once somebody has acted
        pathlib.Path(__file__).with_name("granted").read_bytes()
        print("done\\n--answered-1--", flush=True)
    elif line == "crash":
        sys.exit("psql: connection lost")
    else:
        print("saw", line, flush=True)
"""


@pytest.fixture
def screen():
    return Screen(Console(file=io.StringIO(), width=100, force_terminal=False))


@pytest.fixture
def psql(screen, tmp_path):
    program = tmp_path / "psql"
    program.write_text(FAKE.format(python=sys.executable))
    program.chmod(0o755)
    terminal = Psql(screen, program, "dbname=x", {}, "x=> ")
    yield terminal
    terminal.close()


def shown(screen):
    return screen.console.file.getvalue()


def test_a_statement_and_its_answer_are_shown_under_the_prompt(psql, screen):
    assert psql.run("SELECT 1;") == "saw SELECT 1;"
    assert shown(screen).splitlines() == ["x=> SELECT 1;", "saw SELECT 1;"]


def test_each_answer_belongs_to_its_own_statement(psql):
    assert [psql.run("first"), psql.run("second")] == ["saw first", "saw second"]


def test_whoever_watches_is_told_once_that_psql_waits_with_all_it_said(psql, screen, tmp_path):
    told = []

    def act(said):
        told.append((said, shown(screen).splitlines()[-1]))
        (tmp_path / "granted").write_bytes(b"")  # a named pipe: whoever reads it goes on

    os.mkfifo(tmp_path / "granted")
    assert psql.run("hold", act).splitlines() == ["NOTICE:  held", "HINT:  ask", "done"]
    assert told == [("NOTICE:  held\nHINT:  ask", "HINT:  ask")]


def test_what_is_not_to_be_shown_is_not(psql, screen):
    psql.run("quiet", show=False)
    assert shown(screen) == ""


def test_a_psql_that_ends_is_an_error_with_its_last_words(psql):
    with pytest.raises(DemoError, match="connection lost"):
        psql.run("crash")


def test_a_shell_gives_status_and_output_of_both_streams(screen):
    code = "import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(3)"
    status, said = Shell(screen, "$ ").run([sys.executable, "-c", code], {}, shown="program")
    assert (status, said) == (3, "out\nerr\n")
    assert shown(screen).splitlines() == ["$ program", "out", "err"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("NOTICE:  held: request ap-7f3k2m9q waits for dba", "ap-7f3k2m9q"),
        ("nothing here", ""),
        ("map-7f3k2m9q", ""),
        ("ap-", ""),
    ],
)
def test_the_id_of_a_request_is_found_in_a_line(line, expected):
    assert request_id(line) == expected
