"""The two versions of the format: what each field holds, and how time counts."""

import json

import pytest

from doorward_console.asciicast import asciicast
from doorward_console.recording import Piece, Recording

S = 1_000_000_000


@pytest.fixture
def recording():
    pieces = [
        Piece(100 * S, "resize", b"100x30"),
        Piece(100 * S + S // 2, "stdout", b"caf\xc3"),
        Piece(101 * S, "stdout", b"\xa9\r\n"),
        Piece(103 * S, "resize", b"80x24"),
        Piece(104 * S, "stdout", b"\xff\x1b[2J"),
    ]
    return Recording(
        b"s" * 16, b"o" * 16, "crew-7", "deploy@web1", "shell", "an interactive shell", "xterm", 99 * S, 105 * S, "7",
        pieces=pieces,
    )  # fmt: skip


def lines(recording, version):
    return [json.loads(text) for text in asciicast(recording, version)]


def test_version_2_counts_from_the_beginning(recording):
    header, *events = lines(recording, 2)
    assert (header["version"], header["width"], header["height"], header["timestamp"]) == (2, 100, 30, 100)
    assert header["env"] == {"TERM": "xterm"}
    assert "command" not in header
    assert events == [
        [0.5, "o", "caf"], [1.0, "o", "é\r\n"], [3.0, "r", "80x24"], [4.0, "o", "\ufffd\x1b[2J"],
    ]  # fmt: skip


def test_version_3_counts_from_the_event_before_and_knows_the_exit(recording):
    header, *events = lines(recording, 3)
    assert header["term"] == {"cols": 100, "rows": 30, "type": "xterm"}
    assert [event[0] for event in events] == [0.5, 0.5, 2.0, 1.0, 1.0]
    assert events[-1] == [1.0, "x", "7"]


@pytest.mark.parametrize("version", [2, 3])
def test_the_file_is_plain_ascii_with_an_event_a_line(recording, version):
    for text in asciicast(recording, version):
        assert text.isascii()
        assert text.isprintable()


def test_time_never_goes_back(recording):
    recording.pieces[2] = Piece(50 * S, "stdout", b"\xa9")
    assert [event[0] for event in lines(recording, 2)[1:]] == [0.5, 0.5, 3.0, 4.0]
    assert min(event[0] for event in lines(recording, 3)[1:]) == 0


def test_without_a_terminal_lines_end_as_a_terminal_wants(recording):
    recording.term, recording.pieces = "", [Piece(S, "stdout", b"a\nb\n"), Piece(S, "stderr", b"c\n")]
    header, *events = lines(recording, 2)
    assert header["command"] == "an interactive shell"
    assert [event[2] for event in events] == ["a\r\nb\r\n", "c\r\n"]
