"""The nouns of a search."""

import pytest

from doorward_console.index.found import Search


def test_a_search_by_who_and_where_is_about_sessions_alone():
    assert not Search(identity="x", resource="y", since_unix_ns=1, live=True).about_operations


@pytest.mark.parametrize("name", ["text", "verdict", "table", "code", "action", "approver", "rule"])
def test_a_search_for_what_was_asked_is_about_operations(name):
    assert Search(**{name: "x"}).about_operations
