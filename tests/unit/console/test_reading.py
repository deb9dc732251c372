"""SQL as an operation, for explaining: what cannot be read is unknown, and never less."""

import pytest

from doorward_console.reading import read_sql
from doorward_core.model import Action


def test_without_a_catalogue_a_read_is_not_proved():
    operation = read_sql("SELECT * FROM customer", None, ())
    assert (operation.complete, operation.action) == (False, Action.UNKNOWN)
    assert operation.attributes["problem"]


@pytest.mark.parametrize("text", ["SELEKT 1", "SELECT '\0'", "SELECT (" * 500])
def test_what_cannot_be_parsed_is_unknown(text):
    operation = read_sql(text, None, ())
    assert (operation.verb, operation.complete, operation.action) == ("UNREADABLE", False, Action.UNKNOWN)


def test_an_empty_text_asks_for_nothing():
    assert read_sql(" -- nothing", None, ()).action is Action.SESSION


def test_the_strictest_statement_of_a_text_names_it():
    operation = read_sql("BEGIN; DROP TABLE x; COMMIT", None, ())
    assert operation.verb == "BEGIN; DROP; COMMIT" or "DROP" in operation.verb
    assert any(atom.action is Action.DEFINE for atom in operation.atoms)


def test_a_search_path_that_is_none_is_refused():
    with pytest.raises(ValueError, match="search_path"):
        read_sql("SELECT 1", None, (), search_path='"unclosed')
