"""One person under several names."""

import pytest

from doorward_core.people import fold, people


@pytest.mark.parametrize(
    ("one", "other"), [("Dora", "dora"), ("ｄｏｒａ", "dora"), ("do\u00adra ", "dora"), ("STRASSE", "straße")]
)
def test_spellings_of_one_name_fold_together(one, other):
    assert fold(one) == fold(other)


def test_a_mail_address_that_is_shown_is_a_name_too_and_a_mere_name_is_not():
    assert people("4711", "Sam@Example.com") == {"4711", "sam@example.com"}
    assert people("4711", "Sam") == {"4711"}
    assert people("", "") == frozenset()
