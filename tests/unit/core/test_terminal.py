"""Output: masked, counted, kept."""

import hashlib

from doorward_core import terminal
from doorward_core.mask.detect import Detectors
from doorward_core.model import RecordLevel
from doorward_core.terminal import Screen, Tape

KEY = b"k" * 32
EMAIL = Detectors(["email"])


def test_without_masks_bytes_pass_at_once():
    screen = Screen(None, KEY, pty=False)
    assert screen.feed(b"ann@example.com", stderr=False) == b"ann@example.com"
    assert screen.flush_after_s is None
    assert screen.coverage == ()


def test_a_value_cut_by_the_transport_is_masked():
    screen = Screen(EMAIL, KEY, pty=False)
    first = screen.feed(b"to ann@exa", stderr=False)
    second = screen.feed(b"mple.com\n", stderr=False)
    assert b"ann@example.com" not in first + second
    assert screen.masked == {"email": 1}
    assert screen.coverage == ()


def test_the_two_streams_have_windows_of_their_own():
    screen = Screen(EMAIL, KEY, pty=False)
    assert screen.feed(b"out", stderr=False) == b""
    assert screen.feed(b"err\n", stderr=True) == b"err\n"
    assert screen.end() == (b"out", b"")


def test_a_line_that_does_not_end_is_let_go_by_the_timer_and_said():
    screen = Screen(EMAIL, KEY, pty=False)
    screen.feed(b"prompt> ", stderr=False)
    assert screen.flush_after_s == terminal.FLUSH_S
    assert screen.flush() == (b"prompt> ", b"")
    assert screen.coverage == (terminal.TIMED,)


def test_a_strict_mask_has_no_timer():
    screen = Screen(EMAIL, KEY, pty=False, strict=True)
    screen.feed(b"prompt> ", stderr=False)
    assert screen.flush_after_s is None


def test_what_a_terminal_echoes_is_never_held_back():
    screen = Screen(EMAIL, KEY, pty=True)
    assert screen.feed(b"l", stderr=False) == b"l"
    assert screen.coverage == (terminal.BEST_EFFORT,)


def test_a_command_keeps_its_beginning_and_a_digest_of_all():
    tape = Tape(RecordLevel.SHAPE, pty=False)
    data = b"x" * 100_000
    tape.output(data, 1, stderr=False)
    assert tape.take() == []
    assert tape.shown == data[: terminal.SHOWN_BYTES]
    assert tape.truncated
    assert tape.digest == hashlib.sha256(data).digest()


def test_at_level_payload_frames_keep_more_of_a_command_and_not_everything():
    tape = Tape(RecordLevel.PAYLOAD, pty=False)
    for _ in range(40):
        tape.output(b"x" * 65_536, 7, stderr=True)
    frames = tape.take()
    assert sum(len(frame.data) for frame in frames) == terminal.WHOLE_BYTES
    assert all(len(frame.data) <= terminal.FRAME_BYTES for frame in frames)
    assert [frame.offset for frame in frames] == list(range(0, terminal.WHOLE_BYTES, terminal.FRAME_BYTES))
    assert {(frame.stream, frame.unix_ns) for frame in frames} == {("stderr", 7)}


def test_a_terminal_is_kept_whole_with_its_sizes_in_order():
    tape = Tape(RecordLevel.SHAPE, pty=True)
    tape.resized(80, 24, 1)
    tape.output(b"$ ", 2, stderr=False)
    tape.resized(132, 50, 3)
    tape.output(b"ls\r\n", 4, stderr=False)
    found = [(frame.stream, frame.offset, frame.data, frame.unix_ns) for frame in tape.take()]
    assert found == [
        ("resize", 0, b"80x24", 1),
        ("stdout", 0, b"$ ", 2),
        ("resize", 5, b"132x50", 3),
        ("stdout", 2, b"ls\r\n", 4),
    ]
    assert tape.pending_bytes == 0
    assert tape.shown == b""


def test_at_level_decision_nothing_that_was_said_is_kept():
    for pty in (False, True):
        tape = Tape(RecordLevel.DECISION, pty=pty)
        tape.output(b"secret", 1, stderr=False)
        assert (tape.take(), tape.shown) == ([], b"")


def test_a_secret_of_the_gateway_s_own_is_hidden_where_no_mask_is():
    screen = Screen(None, KEY, pty=False)
    screen.hide((b"hunter2hunter2",))
    assert screen.feed(b"pw hunter2hunter2\nrest", stderr=True) == b"pw [masked:secret]\n"
    assert screen.end() == (b"", b"rest")
    plain = Screen(None, KEY, pty=False)
    plain.hide(())
    plain.hide((b"short",))
    assert plain.feed(b"a hunter2", stderr=False) == b"a hunter2"
