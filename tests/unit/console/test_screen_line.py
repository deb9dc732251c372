"""A line as it stood when it was sent, whatever was corrected in it."""

import pytest

from doorward_console.escapes import Escapes, Part
from doorward_console.screen_line import MAX_CHARACTERS, ScreenLine


def drawn(text, columns=80):
    line = ScreenLine()
    line.columns = columns
    for token in Escapes().feed(text):
        line.put(token.text) if token.part is Part.TEXT else line.control(token)
    return line


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("abc", "abc"),
        ("abc\b\bX", "aXc"),
        ("abc\rX", "Xbc"),
        ("lss\b \b", "ls "),
        ("lss\b\x1b[K", "ls"),
        ("abcd\x1b[2D\x1b[1PX", "abX"),
        ("ad\b\x1b[2@bc", "abcd"),
        ("abc\x1b[1GX", "Xbc"),
        ("a\x1b[3Cb", "a   b"),
        ("abc\x1b[2K", "   "),
        ("abc\b\x1b[1K", "   "),
        ("abc\r\x1b[2Xz", "z c"),
        ("abc\r\x1b[J", ""),
        ("a\tb", "a       b"),
        ("\x1b[31ma\x1b[0mb", "ab"),
    ],
)
def test_it_reads_as_a_terminal_shows_it(sent, text):
    assert drawn(sent).text == text


def test_a_line_that_was_wrapped_is_one():
    line = drawn("0123456789abc \rX", columns=10)
    assert line.text == "0123456789Xbc "


def test_what_goes_to_other_lines_says_so():
    assert drawn("a\x1b[5;5Hb").lost
    assert not drawn("a\x1b[?25h\x1b[1mb").lost


def test_it_is_bounded():
    assert len(drawn("x" * (MAX_CHARACTERS + 100)).text) == MAX_CHARACTERS
    assert len(drawn("\x1b[99999C\x1b[99999@x").text) <= MAX_CHARACTERS + 1
