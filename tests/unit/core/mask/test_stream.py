"""The window over streaming text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward_core.mask.detect import Detectors
from doorward_core.mask.stream import TextWindow
from doorward_core.model import Transform

KEY = b"k" * 32
DETECTORS = Detectors(["email", "card", "private-key"], {"private-key": Transform.REDACT})
PEM = b"-----BEGIN RSA " + b"PRIVATE KEY-----\nMIIabc\nMIIdef\n-----END RSA PRIVATE KEY-----\n"


def window(size: int = 1024) -> TextWindow:
    return TextWindow(DETECTORS, KEY, window_bytes=size)


def run(one: TextWindow, text: bytes, size: int) -> bytes:
    return b"".join([one.feed(text[at : at + size]) for at in range(0, len(text), size)]) + one.end()


TEXT = b"hello jane@example.com\nand 4111 1111 1111 1111 too\n\nno newline joe@example.org"


@pytest.mark.parametrize("size", [1, 2, 7, 23, 1000])
def test_the_output_does_not_depend_on_the_cut(size: int) -> None:
    one = window()
    assert run(one, TEXT, size) == b"hello j***@***.com\nand **** **** **** 1111 too\n\nno newline j***@***.org"
    assert one.masked == {"email": 2, "card": 1}
    assert (one.flushes, one.cuts) == (0, 0)


def test_a_line_is_held_until_its_end() -> None:
    one = window()
    assert one.feed(b"to jane@exam") == b""
    assert one.holding
    assert one.feed(b"ple.com\nnext") == b"to j***@***.com\n"
    assert one.end() == b"next"
    assert not one.holding


def test_a_flush_gives_what_there_is_and_is_counted() -> None:
    one = window()
    assert one.flush() == b""
    assert one.flushes == 0
    one.feed(b"prompt> ")
    assert one.flush() == b"prompt> "
    assert one.flushes == 1


def test_a_line_longer_than_the_window_leaves_but_for_an_overlap() -> None:
    one = window(100)
    out = one.feed(b"x " * 40 + b"jane@example.com" + b" y" * 10)
    assert one.cuts == 1
    out += one.end()
    assert out == b"x " * 40 + b"j***@***.com" + b" y" * 10


def test_a_finding_that_never_ends_leaves_masked_all_the_same() -> None:
    one = window(100)
    out = b"".join(one.feed(b"j" * 60) for _ in range(10)) + one.feed(b"@example.com\n")
    assert out.endswith(b"***@***.com\n")
    assert len(one._held) <= 100


@pytest.mark.parametrize("size", [1, 5, 31, 32, 40, 1000])
def test_a_private_key_is_hidden_over_its_lines(size: int) -> None:
    text = b"before\n" + PEM + b"after jane@example.com\n" + PEM + b"end"
    one = window()
    expected = b"before\n[masked:private-key]\nafter j***@***.com\n[masked:private-key]\nend"
    assert run(one, text, size) == expected
    assert one.masked["private-key"] == 2


def test_a_private_key_that_does_not_end_is_hidden_to_the_end() -> None:
    one = window()
    assert run(one, PEM[:45] + b"\nMII\nMII", 9) == b"[masked:private-key]"


@given(
    st.lists(st.sampled_from([b"a ", b"\n", b"jane@example.com", b"4111111111111111 ", b"\xff", b"@", PEM])), st.data()
)
def test_however_it_is_cut(parts: list[bytes], data) -> None:
    text = b"".join(parts)
    whole = run(window(1 << 20), text, len(text) or 1)
    one, out, position = window(1 << 20), b"", 0
    while position < len(text):
        size = data.draw(st.integers(1, 40))
        out += one.feed(text[position : position + size])
        position += size
    assert out + one.end() == whole
    assert b"jane@" not in whole or b"\xffjane" in text
    assert b"MIIabc" not in whole
