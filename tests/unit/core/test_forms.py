"""A form is a mapping of its base and of what varies."""

import pytest

from doorward_core.forms import Base, Form


def test_a_form_reads_as_the_map_of_both():
    form = Form(Base({"b": 2, "c": 3}), {"a": 1})
    assert dict(form) == {"a": 1, "b": 2, "c": 3}
    assert form == {"a": 1, "b": 2, "c": 3}
    assert len(form) == 3
    assert "a" in form
    assert "d" not in form
    with pytest.raises(KeyError):
        form["d"]


def test_a_base_is_no_longer_its_makers():
    fields = {"b": 2}
    form = Form(Base(fields), {"a": 1})
    fields["b"] = 3
    assert form["b"] == 2
