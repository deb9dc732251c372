"""Words and runs: boundaries, quotes, and what is left to the target's shell or refused."""

import pytest

from doorward_core.shell.nouns import Unclear
from doorward_core.shell.scan import MAX_NESTING, MAX_PIECES, MAX_TOKENS, read_word, scan


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a", "a"),
        ("''", ""),
        ("a'b c'd", "ab cd"),
        ('a"b c"d', "ab cd"),
        ('"\\$ \\` \\" \\\\ \\a"', '$ ` " \\ \\a'),
        ("\\a\\ b\\'", "a b'"),
        ("'\\'", "\\"),
        ("{}", "{}"),
        ("a{}b", "a{}b"),
        ("=", "="),
        ("!", "!"),
        ("[", "["),
        ("a=b", "a=b"),
        ("a#b", "a#b"),
        ("\u00c3\u00a9", "é"),
        ("$x", None),
        ("${x}", None),
        ("a$", None),
        ('"$x"', None),
        ('"a!"', None),
        ('"a\\!"', None),
        ("'a!'", "a!"),
        ("a!", None),
        ("*", None),
        ("a?", None),
        ("[a]", None),
        ("~", None),
        ("a=~", None),
        ("{a,b}", None),
        ("=ls", None),
        ("a b", None),
        ("", None),
        ("'a", None),
        ("$((1))", None),
    ],
)
def test_one_word(text, plain):
    assert read_word(text).plain == plain


def _runs(text):
    return [[word.plain for word in run.words] for run in scan(text).runs]


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("a b; c\nd & e | f && g || h", [["a", "b"], ["c"], ["d"], ["e"], ["f"], ["g"], ["h"]]),
        ("if ! a; then { b; }; fi > f", [["a"], ["b"], []]),
        ("(a) > f", [["a"], []]),
        ("A=1 B=$x a C=2", [["a", "C=2"]]),
        ("a $(b $(c) d) `e`", [["c"], ["b", None, "d"], ["e"], ["a", None, None]]),
        ("a > b c 2>&1 < d e", [["a", "c", "e"]]),
        ("# x ; y\na # b", [["a"]]),
        ("", []),
    ],
)
def test_runs_are_what_stands_between_operators(text, runs):
    assert _runs(text) == runs


def test_redirections_keep_their_descriptor_and_target():
    found = scan("a 2>b <'c d' >&- 3<&1").runs[0].redirections
    assert [(item.descriptor, item.operator, item.target.plain) for item in found] == [
        (2, ">", "b"),
        (-1, "<", "c d"),
        (-1, ">&", "-"),
        (3, "<&", "1"),
    ]


@pytest.mark.parametrize(
    "text",
    ["a\\\nb", "a \\", "'a", '"a', "$(a", "`a", "(a", "$'a'", '$"a"', "${x:-y}", "$((1))", "$[1]", "((a))", "a(b)",
     "a <<b", "a <<<b", "a <(b)", "a &>b", "a |& b", "a <>b", "a >&b", "a >& -", "a 12>b", "a {x}>b", "a <1-2>b", ">a",
     "a >", "case a", "for a", "{ a; } b", "fi a", "a;;", "`a\\b`", '"`a "b"`"'],
)  # fmt: skip
def test_what_shells_read_differently_is_refused(text):
    with pytest.raises(Unclear):
        scan(text)


def test_sizes_are_bounded():
    with pytest.raises(Unclear, match="nest"):
        scan("$(" * (MAX_NESTING + 1) + ")" * (MAX_NESTING + 1))
    with pytest.raises(Unclear, match="more than"):
        scan("a " * (MAX_TOKENS + 1))
    with pytest.raises(Unclear, match="parts"):
        scan("''" * (MAX_PIECES + 1))
    assert scan("a " * MAX_TOKENS)
