"""The tables of the grammar: every kind of node is read or refused; tokens and places come out of trees."""

import pytest

from doorward_core.shell import parse as module
from doorward_core.shell.nouns import Unclear
from doorward_core.shell.parse import LANGUAGE, STDIN_ELSEWHERE, STDIN_SESSION, check, parse
from doorward_core.shell.scan import scan


def _kinds(*, named: bool) -> set[str]:
    numbers = range(LANGUAGE.node_kind_count)
    return {
        LANGUAGE.node_kind_for_id(number) or ""
        for number in numbers
        if LANGUAGE.node_kind_is_visible(number) and LANGUAGE.node_kind_is_named(number) is named
    }


def test_every_kind_of_node_is_read_or_refused_and_never_both():
    tables = [module.STRUCTURES, module.COMMANDS, module.WORDS, module.TESTS, frozenset(module.REFUSED)]
    assert set().union(*tables) - {"ERROR"} == _kinds(named=True)
    assert sum(map(len, tables)) == len(set().union(*tables))


def test_every_symbol_is_read_or_refused():
    tables = [module.SYMBOLS, module.KEYWORDS, module.REFUSED_SYMBOLS]
    assert set().union(*tables) == _kinds(named=False)
    assert sum(map(len, tables)) == len(set().union(*tables))


def test_the_enumeration_can_fail(monkeypatch):
    monkeypatch.setattr(module, "WORDS", module.WORDS - {"raw_string"})
    with pytest.raises(AssertionError):
        test_every_kind_of_node_is_read_or_refused_and_never_both()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("for i in a; do b; done", "`for`"),
        ("case a in b) c;; esac", "`case`"),
        ("f() { a; }", "function"),
        ("export A=b", "export"),
        ("cat <<E\na\nE", "here-document"),
        ("a <<< b", "here-string"),
        ("a <(b)", "process substitution"),
        ("a $((1))", "arithmetic"),
        ("[[ a = b ]]", "`[[`"),
        ("a && && b", "grammar"),
    ],
)
def test_what_is_not_read_is_said(text, problem):
    assert any(problem in said for _, said in parse(text.encode()).problems)


@pytest.mark.parametrize(
    ("text", "stdins"),
    [
        ("a", [STDIN_SESSION]),
        ("a | b | c", [STDIN_SESSION, STDIN_ELSEWHERE, STDIN_ELSEWHERE]),
        ("a | (b; c)", [STDIN_SESSION, STDIN_ELSEWHERE, STDIN_ELSEWHERE]),
        ("(a; b) < f", [STDIN_ELSEWHERE, STDIN_ELSEWHERE]),
        ("a 2< f", [STDIN_SESSION]),
        ("a 0< f", [STDIN_ELSEWHERE]),
        ("if a; then b; fi", [STDIN_SESSION, STDIN_SESSION]),
    ],
)
def test_where_standard_input_comes_from(text, stdins):
    assert [place.stdin for _, place in parse(text.encode()).commands] == stdins


def test_what_runs_in_the_background():
    assert [place.background for _, place in parse(b"a & b; (c; d) &").commands] == [True, False, True, True]


@pytest.mark.parametrize(
    "text",
    ["a b", "a 'b c' \"d $e\" f$(g h) `i`", "A=1 b >c 2>&1 d", "[ a = b -a ! c ] && { d; }", "a # b\nc", "! a | b >&-"],
)
def test_the_scan_and_the_tree_find_the_same_tokens(text):
    tree = parse(text.encode())
    assert tree.problems == []
    check(tree, scan(text))


def test_tokens_that_differ_are_refused():
    with pytest.raises(Unclear):
        check(parse(b"r\\\nm"), scan("r m"))
    with pytest.raises(Unclear):
        check(parse(b"a b"), scan("a b c"))
