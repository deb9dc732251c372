"""The nouns of the SQL room: frozen, and unproved unless said."""

import dataclasses

import pytest

from doorward_core.sql.analysis import Context, CopyInfo, OutputColumn


def test_a_context_remembers_for_itself_and_a_changed_one_starts_anew() -> None:
    first = Context(None)
    first.memo["x"] = 1
    assert dataclasses.replace(first, uncertain=True).memo == {}


def test_contexts_are_equal_whatever_they_remember() -> None:
    first, second = Context(None), Context(None)
    first.memo["x"] = 1
    assert first == second


def test_nothing_can_be_changed_afterwards() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        OutputColumn("a", clear=False).clear = True  # type: ignore[misc]  # the point of the test


def test_copy_defaults_are_the_servers_text_format() -> None:
    info = CopyInfo("out", "stdout")
    assert (info.format, info.delimiter, info.null, info.header) == ("text", "\t", "\\N", False)
