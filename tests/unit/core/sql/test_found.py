"""What handlers hand back is plain and immutable."""

import dataclasses

import pytest

from doorward_core.sql.found import Found


def test_nothing_is_the_default() -> None:
    assert Found() == Found(shape=None, effect=None, copy=None, inner="")


def test_it_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Found().inner = "x"  # type: ignore[misc]  # the point of the test
