"""What a terminal is sent, in parts: every character once, however it is cut."""

from hypothesis import given
from hypothesis import strategies as st

from doorward_console.escapes import MAX_SEQUENCE, Escapes, Part, Token

PIECES = st.lists(
    st.sampled_from(
        [
            "a",
            "é",
            "\x1b[31m",
            "\x1b[?2004h",
            "\x1b]0;t\x07",
            "\x1b]8;;x\x1b\\",
            "\r\n",
            "\x9b1K",
            "\x1b7",
            "\x1bPq\x9c",
            "\b",
        ]
    )
)


def parts(*texts):
    reader = Escapes()
    return [token for text in texts for token in reader.feed(text)]


def test_each_kind_is_told_from_the_others():
    assert parts("a\x1b[1;31mb\x1b]0;t\x07\b\x1b7") == [
        Token(Part.TEXT, "a"),
        Token(Part.CSI, "1;31", "m"),
        Token(Part.TEXT, "b"),
        Token(Part.OTHER, "\x1b]0;t\x07"),
        Token(Part.CONTROL, "\b"),
        Token(Part.OTHER, "\x1b7"),
    ]


@given(PIECES, st.integers(1, 4))
def test_where_it_is_cut_makes_no_difference(pieces, width):
    text = "".join(pieces)
    cut = parts(*(text[at : at + width] for at in range(0, len(text), width)))
    assert [token for token in cut if token.part is not Part.TEXT] == [
        token for token in parts(text) if token.part is not Part.TEXT
    ]
    assert _texts(cut) == _texts(parts(text))


def _texts(tokens):
    return "".join(token.text for token in tokens if token.part is Part.TEXT)


def test_what_never_ends_is_given_up_and_then_is_text():
    found = parts("\x1b]0;" + "x" * (MAX_SEQUENCE + 10))
    assert found[0] == Token(Part.CONTROL, "\x1b")
    assert "x" * 100 in found[1].text


def test_a_sequence_is_not_swallowed_by_a_string_before_it():
    assert Token(Part.CSI, "2", "J") in parts("\x1b]0;never ended\x1b[2J")


def test_a_parameter_that_is_no_number_has_its_default():
    assert [Token(Part.CSI, text, "C").number(7) for text in ("", "5;3", "?5", "9" * 9)] == [7, 5, 7, 7]
