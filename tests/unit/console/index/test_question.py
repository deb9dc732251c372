"""Questions as people type them."""

import pytest

from doorward_console.index.found import Search
from doorward_console.index.question import read
from doorward_console.index.times import NS

NOW = 1_800_000_000 * NS
MIDNIGHT = NOW - 8 * 3_600 * NS
DAY = 86_400 * NS


def asked(question, search=None):
    return read(question, NOW, lambda name: name in {"customer", "orders"}, search)


def test_the_auditors_question_is_read_as_it_is_meant():
    reading = asked("Who changed customer 42 yesterday, and who approved it?")
    assert reading.search == Search(
        text="42", table="customer", action="change", since_unix_ns=MIDNIGHT - DAY, until_unix_ns=MIDNIGHT
    )
    assert reading.told == (("action", "changed"), ("table", "customer"), ("words", "42"), ("time", "yesterday"))


@pytest.mark.parametrize(
    ("question", "search"),
    [
        ("customer 42", Search(text="customer 42")),
        ("denied drop last week", Search(text="drop", verdict="deny", since_unix_ns=NOW - 7 * DAY)),
        ("held 24h", Search(verdict="held", since_unix_ns=NOW - DAY)),
        ("who read orders 2027-01-14", Search(
            action="read", table="orders", since_unix_ns=MIDNIGHT - DAY, until_unix_ns=MIDNIGHT)),
        ("changed invoices", Search(text="invoices", action="change")),
        ("2026", Search(text="2026")),
        ("20260101 customer", Search(text="20260101 customer")),
        ("", Search()),
    ],
)  # fmt: skip
def test_known_words_are_filters_and_the_rest_is_looked_for(question, search):
    assert asked(question).search == search


def test_a_text_in_quotes_is_looked_for_as_it_is():
    assert asked('"who changed it yesterday"').search == Search(text='"who changed it yesterday"')


def test_filters_that_are_given_win():
    given = Search(verdict="permit", since_unix_ns=5, action="read", table="orders")
    reading = asked("denied customer yesterday changed", given)
    assert reading.search == Search(
        text="denied customer yesterday changed", verdict="permit", since_unix_ns=5, action="read", table="orders"
    )
