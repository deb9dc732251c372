"""Statements laid out for people: never instead of the text, and never another statement."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward_core.sql.layout import LONGEST_CHARACTERS, layout

LONG = "UPDATE customer SET newsletter = false, country = 'DE' WHERE id = 42 AND name IN (SELECT name FROM orders)"


def test_a_long_line_is_laid_out_and_says_the_same():
    laid = layout(LONG)
    assert laid is not None
    assert laid.count("\n") >= 3
    assert laid.split() == LONG.split()


@pytest.mark.parametrize(
    "text", ["select 1", "select 1\nfrom t where a = 'this one has been laid out by whoever wrote it, and stays so'"]
)
def test_what_needs_no_layout_gets_none(text):
    assert layout(text) is None


def test_a_text_that_would_take_long_gets_none():
    assert layout("select " + "a, " * LONGEST_CHARACTERS) is None


@given(st.text(min_size=60, max_size=300))
def test_it_never_raises_and_never_changes_more_than_white_space(text):
    laid = layout(text)
    assert laid is None or "".join(laid.split()) == "".join(text.split())
