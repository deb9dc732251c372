"""The analysis as a whole: atoms, commands, the first program, standard input, bounds."""

import pytest

from doorward_core.model import Action, Atom, Target
from doorward_core.shell import analyze as module
from doorward_core.shell.analyze import MAX_COMMAND_BYTES, MAX_COMMANDS, MAX_SHELLS, analyze, analyze_words


def _execute(program, detail=""):
    return Atom(Action.EXECUTE, Target("command", program, (), detail))


def test_a_command_its_arguments_and_its_files():
    analysis = analyze("/usr/bin/tail -n 5 'a b' $x <in >>/var/tmp/out 2>/dev/null &")
    assert analysis.complete
    assert analysis.problem == ""
    assert analysis.verb == "tail"
    assert analysis.atoms == (
        _execute("tail", "-n 5 'a b' $"),
        Atom(Action.READ, Target("path", "./in")),
        Atom(Action.WRITE, Target("path", "/var/tmp/out")),
    )
    (command,) = analysis.commands
    assert command.background
    assert [word.plain for word in command.arguments] == ["-n", "5", "a b", None]
    assert [item.operator for item in command.redirections] == ["<", ">>", ">"]
    assert analysis.unseen == ()


def test_a_wrapper_and_what_it_runs_stand_side_by_side():
    analysis = analyze("sudo env LANG=C sh -c 'uptime; ls /x'")
    assert [item.program for item in analysis.commands] == ["sudo", "env", "sh", "uptime", "ls"]
    assert [item.wraps for item in analysis.commands] == [True, True, True, False, False]
    assert _execute("ls", "/x") in analysis.atoms
    assert _execute("sh", "-c 'uptime; ls /x'") in analysis.atoms


def test_the_same_atom_stands_once():
    assert analyze("ls; ls").atoms == (_execute("ls"),)


@pytest.mark.parametrize(
    ("command", "unseen"),
    [
        ("uptime", ()),
        ("cat", ("stdin",)),
        ("cat /etc/hosts", ()),
        ("ls | cat", ()),
        ("cat < /x", ()),
        ("cat | ls", ("stdin",)),
        ("(ls; cat) < /x", ()),
        ("sudo cat", ("stdin",)),
        ("sh -c cat", ("stdin",)),
        ("ls | sh -c cat", ()),
        ("xargs ls", ("stdin",)),
        ("ls | xargs rm", ()),
        ("echo $(cat)", ("stdin",)),
    ],
)
def test_standard_input_that_is_not_decided_on_is_said(command, unseen):
    assert analyze(command).unseen == unseen


def test_what_is_known_is_named_where_not_all_is():
    analysis = analyze("for x in a; do rm /y; done")
    assert not analysis.complete
    assert "`for`" in analysis.problem
    assert _execute("rm", "/y") in analysis.atoms
    assert analyze("$x y").verb == ""
    assert analyze("A=$(rm x)").atoms == (_execute("rm", "x"),)


@pytest.mark.parametrize("command", ["", " ", "\n", "# nothing", ";", "A=1"])
def test_a_line_without_a_program_is_not_complete(command):
    assert not analyze(command).complete
    assert analyze(command).atoms == ()


def test_bounds():
    assert analyze("ls " + "a" * (MAX_COMMAND_BYTES - 3)).complete
    assert not analyze("ls " + "a" * (MAX_COMMAND_BYTES - 2)).complete
    assert not analyze_words(["ls", "a" * MAX_COMMAND_BYTES]).complete
    assert len(analyze("ls\n" * (MAX_COMMANDS + 1)).commands) == MAX_COMMANDS
    assert not analyze("ls\n" * (MAX_COMMANDS + 1)).complete
    assert analyze("eval " * MAX_SHELLS + "ls").complete
    assert not analyze("eval " * (MAX_SHELLS + 1) + "ls").complete
    assert analyze("nice " * 8 + "ls").complete
    assert not analyze("nice " * 9 + "ls").complete


def test_a_problem_is_short_and_holds_no_control_characters():
    for command in ("env --" + "x" * 5000 + " ls", "sh -c 'ls\x1b'", "`" * 9):
        assert len(analyze(command).problem) <= module.MAX_PROBLEM_CHARS
        assert analyze(command).problem.isprintable()


def test_where_the_tree_and_the_scan_differ_the_line_is_named_and_not_complete(monkeypatch):
    real = module.scan
    monkeypatch.setattr(module, "scan", lambda text: real(text.replace("x", "y z")))
    analysis = analyze("ls x")
    assert not analysis.complete
    assert analysis.commands[0].program == "ls"
