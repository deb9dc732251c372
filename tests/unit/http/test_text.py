"""Text and markup."""

import pytest

from doorward_core.errors import UnreadableBody
from doorward_core.mask.detect import Detectors
from doorward_http.text import CUT, FLUSH_S, TIMED, Markup, Text

KEY = b"k" * 32


def shown(content: Text, body: bytes, size: int = 1) -> bytes:
    return b"".join([*(content.feed(body[at : at + size]) for at in range(0, len(body), size)), content.end()])


def test_lines_leave_when_they_are_whole() -> None:
    text = Text(Detectors(["email"]), KEY)
    assert text.feed(b"one\njane@exam") == b"one\n"
    assert text.feed(b"ple.com\n") == b"j***@***.com\n"
    assert text.masked == {"email": 1}


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
@pytest.mark.parametrize(
    ("body", "after"),
    [
        (b"<p>jane&#64;example&#x2E;com</p>", b"<p>j***@***.com</p>"),
        (b"<p>jane&#0000064;example&period;com</p>", b"<p>j***@***.com</p>"),
        (b"jane&commat;example.com", b"j***@***.com"),
        (b"jane&#64example.com", b"j***@***.com"),
        (b"a &lt; b &amp; c &copy; &#60; &#x3c;", b"a &lt; b &amp; c &copy; &#60; &#x3c;"),
        (b"AT&T & R&D &", b"AT&T & R&D &"),
        (b"&#x26;#64;", b"&#x26;#64;"),
    ],
)
def test_references_are_seen_as_a_reader_sees_them(body: bytes, after: bytes, size: int) -> None:
    assert shown(Markup(Detectors(["email"]), KEY), body, size) == after


def test_what_is_held_leaves_when_its_reader_has_waited_and_that_is_told() -> None:
    text = Text(Detectors(["email"]), KEY)
    assert text.flush_after_s is None
    assert text.feed(b"working jane@example.com ... ") == b""
    assert text.flush_after_s == FLUSH_S
    assert (text.flush(), text.flush_after_s) == (b"working j***@***.com ... ", None)
    assert text.coverage == (TIMED,)


def test_a_strict_mask_waits_for_the_end_of_the_line() -> None:
    text = Markup(Detectors(["email"]), KEY, strict=True)
    text.feed(b"half a li")
    assert (text.flush_after_s, text.coverage) == (None, ())


def test_a_line_longer_than_a_window_is_told() -> None:
    text = Text(Detectors(["email"]), KEY)
    assert text.feed(b"x" * 100_000)
    assert text.coverage == (CUT,)


def test_nul_and_endless_references_are_refused() -> None:
    with pytest.raises(UnreadableBody):
        Text(Detectors(["email"]), KEY).feed(b"jane\0@example.com")
    with pytest.raises(UnreadableBody):
        shown(Markup(Detectors(["email"]), KEY), b"&#" + b"0" * 100 + b"64;")
