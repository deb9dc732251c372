import html
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward_console.web.marks import LONGEST_BLANKS, MAX_MARKS, marked

ODD = {"\u202e": "U+202E", "\u200b": "U+200B", "\x1b": "U+001B", "\x00": "U+0000", "\ufeff": "U+FEFF", "\r": "U+000D"}


@pytest.mark.parametrize(("character", "code"), ODD.items())
def test_ap_04_what_cannot_be_seen_is_written_out(character, code):
    shown = marked(f"a{character}b")
    assert character not in shown
    assert f">{code}<" in shown


def test_ap_04_a_letter_that_is_not_what_it_looks_like_keeps_its_shape_and_has_its_name():
    shown = marked("\u0430dmin")
    assert 'class="odd confusable"' in shown
    assert "CYRILLIC SMALL LETTER A" in shown
    assert ">\u0430<" in shown


def test_markup_is_text():
    assert "<script>" not in marked("<script>alert(1)</script>" + "\u200b")
    assert marked('"&<>') == "&#34;&amp;&lt;&gt;"


def test_long_runs_of_nothing_are_counted_and_not_shown():
    assert "1,000 blanks" in marked("a" + " " * 1_000 + "b")
    assert "499 empty lines" in marked("a" + "\n" * 500 + "b")
    assert "odd" not in marked("a" + " " * LONGEST_BLANKS + "b\n\n\nc")


def test_a_text_in_another_alphabet_stays_bounded():
    shown = marked("\u4e2d" * (MAX_MARKS * 3))
    assert shown.count("<span") == MAX_MARKS
    assert shown.count("\u4e2d") == MAX_MARKS * 3


def test_ap_04_a_flood_of_invisible_characters_stays_bounded_and_written_out():
    shown = marked("a\u200b" * (MAX_MARKS * 2))
    assert shown.count("<span") == MAX_MARKS
    assert shown.count("&lt;U+200B&gt;") == MAX_MARKS
    assert "\u200b" not in shown


@given(st.text(alphabet=st.characters(max_codepoint=sys.maxunicode), max_size=60))
def test_nothing_is_lost_and_nothing_can_be_obeyed(text):
    shown = str(marked(text))
    bare = re.sub(r'<span class="odd [a-z]+" title="[^"]*">(U\+[0-9A-F]{4,6}|.)</span>', r"\1", shown, flags=re.DOTALL)
    assert "<" not in bare
    assert not any(ord(one) < 32 and one not in "\n\t" for one in bare)
    plain = [one for one in text if one.isascii() and one.isalnum()]
    assert [one for one in html.unescape(bare) if one in plain][: len(plain)] or not plain
