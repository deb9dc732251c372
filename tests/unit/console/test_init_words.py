"""The vocabulary keeps to its own form: what is not folded could never be found."""

from doorward_console.init_words import ABOUT, ASKING, NAMES, PEOPLE, VOCABULARY, Kind


def test_every_word_is_folded_and_so_can_be_found():
    every = [*ABOUT, *ASKING, *NAMES, *PEOPLE]
    for entry in VOCABULARY:
        every += [*entry.within, *entry.words, *entry.alone]
    assert [word for word in every if not (word.isascii() and word.isalnum() and word == word.lower())] == []


def test_every_kind_has_words():
    assert {entry.kind for entry in VOCABULARY} == set(Kind)


def test_what_is_looked_for_within_a_name_is_too_long_to_be_met_by_chance():
    assert [word for entry in VOCABULARY for word in entry.within if len(word) < 5] == []
