"""One name for a program, and which programs run what they are told."""

import pytest

from doorward_core.shell.nouns import Unclear, Word
from doorward_core.shell.programs import canonical, canonical_path, look_into, reads_stdin


def _words(*values):
    return tuple(Word(str(value), value) for value in values)


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("ls", "ls"),
        ("/bin/ls", "ls"),
        ("//usr/./local//bin/ls", "ls"),
        ("/tmp/ls", "/tmp/ls"),
        ("./ls", "./ls"),
        ("x/ls", "./x/ls"),
        ("[", "["),
        ("python3.11", "python3.11"),
    ],
)
def test_a_program_has_one_name(program, name):
    assert canonical(program) == name


@pytest.mark.parametrize(
    "program", ["", "-x", "%1", "a=b", "=a", "/bin/../x", "/bin/", "/bin/.", "a b", "(", "!", "/x/-y"]
)
def test_what_shells_would_not_all_look_for_is_refused(program):
    with pytest.raises(Unclear):
        canonical(program)


def test_paths_are_written_one_way():
    assert [canonical_path(path) for path in ("/", "//a/./b/", "a", "./a", ".")] == ["/", "/a/b", "./a", "./a", "."]
    with pytest.raises(Unclear):
        canonical_path("/a/../b")


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("python3", ["/srv/x.py", "-c", None]),
        ("python3", ["--version"]),
        ("python3", ["-V"]),
        ("bash", ["x.sh"]),
        ("awk", ["-f", "x.awk", "y"]),
        ("sed", ["-n", "-e", "1,5p", "-e", "$d", "x"]),
        ("sed", ["s|a|b|g", "x"]),
        ("sed", ["-n", "/error/p", "x"]),
        ("tar", ["czf", "x", "y"]),
        ("git", ["status", "--short"]),
        ("sort", ["-k2", "-n"]),
        ("[", ["-f", "x", "]"]),
        ("make", ["all"]),
        ("anything", [None]),
    ],
)
def test_what_is_understood(program, arguments):
    look_into(program, _words(*arguments))


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("python3", []),
        ("python3", [None]),
        ("python3", ["-c", "x"]),
        ("python3", ["/dev/fd/3"]),
        ("bash", ["-V"]),
        ("awk", ["x"]),
        ("awk", ["-f", "x", "a=b"]),
        ("awk", ["-f", "x", None]),
        ("sed", ["x\ny"]),
        ("sed", ["1e", "x"]),
        ("sed", ["s/a/b/w f"]),
        ("sed", ["--expression=1e", "x"]),
        ("sed", ["p", None]),
        ("sed", []),
        ("tar", ["xf", "x", "--to-comm=y"]),
        ("tar", ["xIf", "y", "x"]),
        ("tar", ["x", None]),
        ("git", ["config", "a", "b"]),
        ("git", ["-ccore.pager=x", "log"]),
        ("sort", ["--compress=x"]),
        ("test", ["-v", "x"]),
        ("trap", ["x"]),
        ("vim", []),
        ("ld-linux-x86-64.so.2", ["x"]),
        ("fish", ["-c", "x"]),
    ],
)
def test_what_runs_what_it_is_told_is_refused(program, arguments):
    with pytest.raises(Unclear):
        look_into(program, _words(*arguments))


@pytest.mark.parametrize(
    ("program", "arguments", "reads"),
    [
        ("uptime", [], False),
        ("ls", ["-l"], False),
        ("ls", ["-"], True),
        ("ls", [None], True),
        ("date", ["-f", "/dev/stdin"], True),
        ("cat", [], True),
        ("cat", ["x"], False),
        ("cat", ["-"], True),
        ("cat", ["/dev/stdin"], True),
        ("grep", ["x", "y"], True),
        ("unheard-of", [], True),
    ],
)
def test_what_may_read_standard_input(program, arguments, reads):
    assert reads_stdin(program, _words(*arguments)) is reads
