import pytest

from doorward_console.web.answers import number_of, text_of, texts_of

ANSWER = {"name": "a", "count": 3, "names": ["a", 1, None, "b"], "nothing": None, "said": True}


def test_a_field_is_read_as_what_it_is():
    assert (text_of(ANSWER, "name"), number_of(ANSWER, "count"), texts_of(ANSWER, "names")) == ("a", 3, ("a", "b"))


@pytest.mark.parametrize("name", ["nothing", "absent"])
def test_what_is_not_there_is_empty(name):
    assert (text_of(ANSWER, name), number_of(ANSWER, name), texts_of(ANSWER, name)) == ("", 0, ())


def test_what_is_something_else_is_empty():
    assert (text_of(ANSWER, "count"), number_of(ANSWER, "name"), texts_of(ANSWER, "name")) == ("", 0, ())
    assert number_of(ANSWER, "said") == 0
