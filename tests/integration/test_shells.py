"""What the analysis of a command line names, when it calls it complete, is what real shells execute."""

import random

import pytest
from shell_recorder import RECORDED, SHELLS, Recorder

from doorward_core.shell.analyze import analyze

STRAIGHT = [
    "a",
    "a b c",
    "a 'b c' \"d e\" f\\ g",
    "a \"\" ''",
    'r""m -rf /x',
    "\\rm x",
    "r'm' x",
    "a 'it'\\''s' \"it's\"",
    'a "\\$x \\` \\" \\\\ \\a" \'\\n\'',
    "a b; ls\nrm x & a",
    "a && b && ls -la",
    "a | b x | ls",
    "(a; b) && { ls; rm x; }",
    "! a; b",
    "if a; then b; fi",
    "a >f b; ls <f c 2>&1 d",
    "a 2>/dev/null >>f; ls >|f",
    "a # b\nls",
    "a b#c",
    "a {} = ! + % , : @ ^x",
    "LANG=C a; TZ=UTC b",
    "env a b; nice -n 5 ls; nohup rm x",
    "timeout -k 5 20 a b",
    "env TZ=UTC ls",
    "sh -c 'a b; ls' x",
    'sh -ec "sh -c \'a \\"b c\\"\'"',
    "eval a 'b; ls'",
    "command ls x; command -p true",
    "exec a b",
    "find . -maxdepth 0 -exec ls x ';'",
    "find . -maxdepth 0 -exec ls x \\; -exec a ';'",
    "a é 'ü ö' \"ß\"",
    "a -- -n --x=y 1 2.5 -3",
    "a if then fi; a while do done",
    "stdbuf -oL a b",
    "x.y x",
    "\n\n a \n\n b \n",
    "a\tb",
]
LOOSE = [
    "a $x b",
    'a "$x" "${x}y"',
    "a $(b c) d",
    'a "$(ls)" `rm x`',
    "a ~ *",
    "a $1 $# $? $$ $@",
    "a {b,c}",
    "a b=~ !x",
    "if a; then b; else ls; fi",
    "a || b",
    "if ! a; then b; elif ls; then rm; fi",
    "find . -maxdepth 0 -exec ls {} +",
    "xargs a",
    "xargs -n 1 a b",
    "xargs -I{} a x{} b",
    "[ -n x ] && a",
]
PIECES = [
    *("a", "b", "ls", "rm", "x.y", "a", "rm"),
    *(" ", " ", " ", " ", " ", "\t", "\n", ";", "&", "|", "&&", "||", "(", ")", "{", "}", " { ", "; }", "!", " ! "),
    *("'", "'", '"', '"', "\\", "\\\n", "`", "`", "$", "$(", ")", "$((", "${", "}", "$x", "${x}", "$'", '$"', "#", " #"),
    *(">f", "<f", ">", "<", ">>", "2>&1", ">&", "<&", "1", "2", ">&-", "&>", "|&", "<<", "<<<", ">|", "<>", "f", "-"),
    *("=", "A=", "LANG=C ", "TZ=", "IFS=", "~", "*", "?", "[", "]", "{a,b}", ",", "..", "%", "^", "+", ":", "@", "é"),
    *("if ", "; then ", "; fi", " else ", "case ", " in ", " esac", ";;", "function ", "time ", "do ", "done", "coproc "),
    *("env ", "nice ", "sh -c ", "eval ", "command ", "exec ", "xargs ", "timeout 9 ", "find . -exec ", "\\;", " + ", "{}"),
    *("-n", "-c", "--", "-", "/", "./", "\\'", '\\"', "\\$", "\\a", "\\ ", "''", '""', "\\\\", "f()", "alias ", "cd "),
]  # fmt: skip


@pytest.fixture(params=SHELLS)
def recorder(request, tmp_path):
    return Recorder.make(request.param, tmp_path / "place")


def test_there_is_a_shell_to_compare_with():
    assert SHELLS


@pytest.mark.parametrize("command", STRAIGHT)
def test_what_is_named_is_exactly_what_is_executed(recorder, command):
    analysis = analyze(command)
    assert analysis.complete, analysis.problem
    named = [(item.program, tuple(word.plain for word in item.arguments)) for item in analysis.commands]
    assert sorted(recorder.run(command)) == sorted(item for item in named if item[0] in RECORDED)


@pytest.mark.parametrize("command", LOOSE)
def test_what_is_executed_was_named_as_far_as_it_is_plain(recorder, command):
    analysis = analyze(command)
    assert analysis.complete, analysis.problem
    assert unnamed(analysis, recorder.run(command)) == []


@pytest.mark.slow
def test_nothing_is_executed_that_a_complete_analysis_did_not_name(recorder):
    complete = 0
    for command in made_up(random.Random(20261123), 8_000):
        analysis = analyze(command)
        if analysis.complete:
            complete += 1
            assert unnamed(analysis, recorder.run(command)) == [], command
    assert complete > 100


def test_the_comparison_can_fail(recorder):
    assert unnamed(analyze("a b"), recorder.run("a c")) == [("a", ("c",))]


def made_up(source, count):
    """Lines of pieces that mean something to some shell; short ones are readable more often."""
    for _ in range(count):
        yield "".join(source.choice(PIECES) for _ in range(source.randint(2, 9)))


def unnamed(analysis, executed):
    """What was executed without having been named."""
    return [entry for entry in executed if not any(_names(item, entry) for item in analysis.commands)]


def _names(command, entry):
    program, arguments = entry
    if command.program != program:
        return False
    plain = [word.plain for word in command.arguments]
    if None not in plain:
        return tuple(plain) == arguments
    first, last = plain.index(None), plain[::-1].index(None)
    before, after = plain[:first], plain[len(plain) - last :]
    return (
        list(arguments[:first]) == before
        and len(arguments) >= len(before) + len(after)
        and list(arguments[len(arguments) - len(after) :]) == after
    )
