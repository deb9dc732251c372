"""A terminal's recording for a player: what draws stays, and nothing else."""

import json

import pytest

from doorward_console.recording import Piece, Recording
from doorward_console.replay_cast import MAX_LABEL, Marker, cast, harmless

NS = 1_000_000_000


def a_recording(*pieces, **changes):
    made = Recording(b"s" * 16, b"o" * 16, "crew-9", "app@host-1", "shell", "", "xterm", NS, 9 * NS, "0", **changes)
    made.pieces += [Piece((second + 1) * NS, stream, data) for second, (stream, data) in enumerate(pieces)]
    return made


def drawn(*pieces):
    made = harmless(a_recording(*(("stdout", piece) for piece in pieces)))
    return "".join(piece.data.decode() for piece in made.pieces)


@pytest.mark.parametrize(
    "kept",
    [
        "plain",
        "\x1b[31;1mred\x1b[0m",
        "\x1b[2J\x1b[H",
        "\x1b[?1049h\x1b[?25l",
        "a\r\n\tb\b",
        "\x1b7\x1b[3;9r\x1b8",
        "grün",
    ],
)
def test_what_draws_stays(kept):
    assert drawn(kept.encode()) == kept


@pytest.mark.parametrize(
    "hostile",
    ["\x1b]0;title\x07", "\x1b]52;c;aGk=\x07", "\x1b]8;;http://x\x1b\\", "\x1bP+q544e\x1b\\", "\x1b[c", "\x1b[6n", "\x1b[21t",
     "\x1b[?1000h", "\x1b[?2004h", "\x1b[>4;1m", "\x1bc", "\x07", "\x0e", "\x9b6n", "\x1b_x\x1b\\", "\x1b[?1000;1006h",
     "\x1b[" + "9" * 500 + "b", "\x05", "\x1b[!p", "\x1b#8"],
)  # fmt: skip
def test_what_does_more_is_left_out_whole_or_in_pieces(hostile):
    data = f"a{hostile}b".encode()
    assert drawn(data) == "ab"
    assert drawn(*(bytes((byte,)) for byte in data)) == "ab"


def test_what_misleads_the_eye_is_written_out():
    assert "\u202e" not in drawn("x\u202ey\u200bz".encode())


def test_markers_lie_among_events_in_the_order_of_time():
    recording = a_recording(("resize", b"80x24"), ("stdout", b"one"), ("stdout", b"two"))
    markers = [Marker(10 * NS, "late"), Marker(3 * NS, f"\x1b]0;{'x' * 200}"), Marker(0, "early")]
    head, *lines = [json.loads(line) for line in cast(recording, markers)]
    assert (head["version"], head["width"]) == (2, 80)
    assert [line[:2] for line in lines] == [[0.0, "m"], [1.0, "o"], [2.0, "m"], [2.0, "o"], [9.0, "m"]]
    assert "\x1b" not in lines[2][2]
    assert len(lines[2][2]) == MAX_LABEL


def test_what_is_said_about_it_is_harmless_too():
    made = harmless(a_recording(missing=2, cut=True))
    assert (made.missing, made.cut) == (2, True)
    hostile = a_recording()
    hostile.who = "x\x1b[2J\u202e"
    assert harmless(hostile).who.isascii()
