"""What is odd about a text, and how it is shown without being obeyed."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward_core.approvals.flags import FlagKind, flags, visible


@pytest.mark.parametrize("text", ["", "SELECT 1", "SELECT 1\n\tFROM x", "a\r\nb"])
def test_plain_text_has_no_flags(text):
    assert flags(text) == ()


@pytest.mark.parametrize(
    ("text", "kind", "first"),
    [
        ("a\x1b[2Jb", FlagKind.CONTROL, 1),
        ("safe\rDROP", FlagKind.CONTROL, 4),
        ("x\x9b31m", FlagKind.CONTROL, 1),
        ("x\x00", FlagKind.CONTROL, 1),
        ("admin\u202e drop", FlagKind.BIDI, 5),
        ("\u2066x", FlagKind.BIDI, 0),
        ("de\u200blete", FlagKind.INVISIBLE, 2),
        ("a\u00a0b", FlagKind.INVISIBLE, 1),
        ("a\u2028b", FlagKind.INVISIBLE, 1),
        ("a\u3164b", FlagKind.INVISIBLE, 1),
        ("a\U000e0041", FlagKind.INVISIBLE, 1),
        ("a\ufe0f", FlagKind.INVISIBLE, 1),
        ("cust\u043emer", FlagKind.CONFUSABLE, 4),
        ("\uff44\uff52\uff4f\uff50", FlagKind.CONFUSABLE, 0),
        ("Müller", FlagKind.NON_ASCII, 1),
        ("привет", FlagKind.NON_ASCII, 0),
    ],
)
def test_what_misleads_is_flagged_where_it_is(text, kind, first):
    found = flags(text)
    assert (found[0].kind, found[0].first) == (kind, first)
    assert f"U+{ord(text[first]):04X}" in found[0].words


def test_the_worst_comes_first_and_each_character_counts_once():
    found = flags("ä\u200b\u202e\x1b cust\u043emer")
    assert [flag.kind for flag in found] == [*list(FlagKind)[:3], FlagKind.CONFUSABLE, FlagKind.NON_ASCII]
    assert all(flag.count == 1 for flag in found)


def test_many_characters_are_named_up_to_a_bound():
    assert flags("".join(map(chr, range(0xC0, 0xF0))))[0].characters[-1] == "..."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]52;c;aGk=\x07", "<U+001B>]52;c;aGk=<U+0007>"),
        ("a\nb\tc", "a\nb\tc"),
        ("a\r\nb", "a\nb"),
        ("a\rb", "a<U+000D>b"),
        ("\u202egnp", "<U+202E>gnp"),
        ("Müller", "Müller"),
        ("\ud800", "<U+D800>"),
    ],
)
def test_what_would_be_obeyed_is_written_out(text, shown):
    assert visible(text) == shown


def test_within_a_line_there_are_no_line_breaks():
    assert visible("a\nApproved by: admin", lines=False) == "a<U+000A>Approved by: admin"


@given(st.text())
def test_whatever_is_shown_obeys_nothing_and_stays_so(text):
    shown = visible(text)
    assert all(c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for c in shown)
    assert visible(shown) == shown
    assert {flag.kind for flag in flags(shown)} <= {FlagKind.CONFUSABLE, FlagKind.NON_ASCII}
