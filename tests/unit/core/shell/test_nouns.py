"""Arguments in one spelling: different lists never share one."""

import itertools

import pytest

from doorward_core.shell.nouns import Redirection, Word, names, spell


def test_arguments_are_quoted_where_they_must_be_and_unknown_ones_are_a_bare_dollar():
    assert spell([Word.of("-n"), Word.of("a b"), Word("$x", None), Word.of("$"), Word.of("")]) == "-n 'a b' $ '$' ''"
    assert spell([]) == ""


def test_different_arguments_have_different_spellings():
    values = [None, "", "$", "a", "a b", "'", '"', "$ $", "\n"]
    words = [Word("x", value) for value in values]
    lists = [items for count in range(3) for items in itertools.product(words, repeat=count)]
    assert len({spell(items) for items in lists}) == len(lists)


@pytest.mark.parametrize(
    ("operator", "descriptor", "feeds"), [("<", -1, True), ("<", 0, True), ("<", 3, False), (">", 0, False)]
)
def test_what_feeds_standard_input(operator, descriptor, feeds):
    assert Redirection(operator, Word.of("f"), descriptor).feeds_stdin is feeds


def test_tables_are_written_with_blanks():
    assert names(" a\n b ") == {"a", "b"}
