from doorward_console.evidence import verify as standalone
from doorward_console.evidence.controls import CONTROLS, FIRST, SECTIONS, TABLE_WORDS, WORDS
from doorward_console.evidence.figures import Counter


def test_every_figure_has_words_and_a_place_and_no_other_is_named():
    counter = Counter()
    named = {name for section in SECTIONS for name in (*section.figures, *section.exceptions)}
    assert named == set(counter.figures) == set(WORDS)
    assert {name for section in SECTIONS for name in section.tables} == set(counter.tables) == set(TABLE_WORDS)


def test_what_stands_among_the_exceptions_is_one():
    figures = Counter().figures
    assert all(figures[name].exception for section in SECTIONS for name in section.exceptions)


def test_the_three_artifacts_come_first_and_then_the_controls_in_order():
    assert [section.id for section in FIRST] == ["first.access", "first.approvals", "first.recordings"]
    assert [section.id for section in CONTROLS] == [
        "A.5.3", "A.5.15", "A.5.16", "A.5.17", "A.5.18", "A.5.28", "A.5.33", "A.8.2", "A.8.3", "A.8.5", "A.8.11",
        "A.8.12", "A.8.15", "A.8.16", "A.8.17", "A.8.32",
    ]  # fmt: skip


def test_the_sections_are_those_that_the_verifier_looks_for():
    assert " ".join(section.id for section in SECTIONS) == standalone.CONTROLS


def test_what_a_section_needs_is_among_its_figures():
    assert all(name in section.figures for section in SECTIONS for name, _ in section.needs)


def test_tables_have_a_heading_for_each_column():
    for name, table in Counter().tables.items():
        _, keys, columns = TABLE_WORDS[name]
        assert (len(keys), len(columns)) == (len(table.keys), len(table.columns))
