"""The table of SQLSTATEs is whole, and a code outside it still gets words."""

from doorward_postgres.sqlstates import WORDING, wording


def test_codes_are_five_characters_and_no_wording_is_empty() -> None:
    assert all(len(code) == 5 and code.isascii() and code.isalnum() for code in WORDING)
    assert all(text.strip() for text in WORDING.values())
    assert len(WORDING) > 230


def test_an_unknown_code_says_what_its_class_says() -> None:
    assert wording("23505") == "unique violation"
    assert wording("23999") == "integrity constraint violation"
    assert wording("ZZ999") == wording("") == "an error of the target's own"
