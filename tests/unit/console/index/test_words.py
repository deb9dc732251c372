"""Words and facets, as the search has them."""

import sqlite3

import pytest

from doorward_console.index.words import (
    MAX_ALTERNATIVES,
    MAX_WORDS,
    all_of,
    any_facet,
    facet,
    phrases,
    words_expression,
)


@pytest.fixture
def search():
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE search USING fts5 (text, parameters, about, facets, content = '')")
    rows = [
        (1, "DELETE FROM customer", "42", "crew", facet("verdict", "deny")),
        (2, "delete nothing", "", "customer", facet("verdict", "permit")),
    ]
    database.executemany("INSERT INTO search (rowid, text, parameters, about, facets) VALUES (?, ?, ?, ?, ?)", rows)

    def run(expression):
        found = database.execute("SELECT rowid FROM search WHERE search MATCH ? ORDER BY rowid", (expression,))
        return [row[0] for row in found]

    yield run
    database.close()


def test_every_word_must_be_there_in_whatever_column(search):
    assert search(words_expression("customer 42")) == [1]
    assert search(words_expression("customer")) == [1, 2]
    assert search(words_expression("CUST*")) == [1, 2]
    assert search(words_expression('"from customer"')) == [1]
    assert search(words_expression('"customer from"')) == []


@pytest.mark.parametrize(
    "hostile",
    ["customer OR nothing", "NOT customer", "facets : x", "customer) OR (nothing", "NEAR(a b)", "text : customer",
     'customer" OR "nothing', "^customer - x", "customer + x", "{facets} : x", "a AND b", "\x00customer", "*", "'; --"],
)  # fmt: skip
def test_syntax_is_words_like_any_other(search, hostile):
    expression = words_expression(hostile)
    assert not expression or search(expression) in ([], [1], [1, 2])
    assert search(words_expression(f"{hostile} zzz")) == []


def test_a_facet_is_found_by_its_filter_alone(search):
    assert search(any_facet((facet("verdict", "deny"),))) == [1]
    assert search(all_of((any_facet((facet("verdict", "PERMIT"),)), words_expression("customer")))) == [2]
    assert search(words_expression(facet("verdict", "deny"))) == []
    assert search(any_facet(())) == []


def test_kinds_do_not_meet():
    assert facet("rule", "deny") != facet("verdict", "deny")


def test_what_has_no_letter_is_not_looked_for_and_long_ones_are_cut():
    assert phrases('-- "" *** \u202e') == []
    assert words_expression("---") == ""
    assert len(phrases("word " * 100)) == MAX_WORDS
    assert any_facet(["x"] * 1000).count("OR") == MAX_ALTERNATIVES - 1
