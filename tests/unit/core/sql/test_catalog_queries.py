"""The loader's questions are themselves pure reads of the system catalogues, by our own analysis."""

import pytest
from sql_stand import actions, look

from doorward_core.model import Action
from doorward_core.sql import catalog_queries

QUESTIONS = ("RELATIONS", "FUNCTIONS", "OPERATORS", "CASTS", "TYPES", "SCHEMAS", "VERSION")


@pytest.mark.parametrize("version", [15, 18])
@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_only_reads(name: str, version: int) -> None:
    found = look(getattr(catalog_queries, name), version, search_path=())
    assert found.complete, found.problem
    assert found.pure
    assert actions(found) <= {Action.READ, Action.SESSION}
    assert all(atom.target.name.startswith("pg_catalog.") for atom in found.atoms if atom.action is Action.READ)
