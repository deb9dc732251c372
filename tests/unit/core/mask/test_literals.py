import pytest

from doorward_core.mask.detect import Detectors
from doorward_core.mask.literals import WithLiterals, lines_of
from doorward_core.mask.stream import TextWindow

KEY = bytes(32)


def test_a_known_text_is_hidden_wherever_it_stands_and_however_it_arrives():
    window = TextWindow(WithLiterals(None, [b"hunter2hunter2"]), KEY)
    text = b"pw=hunter2hunter2;hunter2hunter2\nnothing\n"
    out = b"".join(window.feed(text[at : at + 5]) for at in range(0, len(text), 5)) + window.end()
    assert b"hunter2" not in out
    assert out.endswith(b"nothing\n")
    assert window.masked == {"secret": 2}


def test_it_stands_beside_what_detectors_find_and_the_longer_text_goes_first():
    found = WithLiterals(Detectors(["email"]), [b"correct-horse", b"correct-horse-battery"])
    out, labels = found.mask(b"ann@shop.example correct-horse-battery correct-horse", key=KEY)
    assert b"horse" not in out
    assert b"battery" not in out
    assert sorted(labels) == ["email", "secret", "secret"]


def test_one_within_what_a_detector_finds_hides_both_whole():
    found = WithLiterals(Detectors(["email"]), [b"ann-secret"])
    out, _ = found.mask(b"to ann-secret@shop.example.", key=KEY)
    assert b"ann" not in out
    assert b"shop" not in out


def test_short_texts_are_not_looked_for():
    base = Detectors(["email"])
    assert WithLiterals(base, [b"root"]).spans(b"root root") == []
    with pytest.raises(ValueError, match="nothing to look for"):
        WithLiterals(None, [b"root"])


def test_special_characters_are_plain():
    assert WithLiterals(None, [b"a.*b[c]$(d)"]).mask(b"aXXb[c]$(d) a.*b[c]$(d)", key=KEY)[0].startswith(b"aXXb[c]$(d) ")


def test_a_key_is_known_by_its_lines():
    assert lines_of("-----BEGIN X-----\n" + "A" * 70 + "\n" + "B" * 10 + "\n-----END X-----\n") == (b"A" * 70,)
