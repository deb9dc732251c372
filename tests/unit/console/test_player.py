"""A recording as it went by: nothing of it is obeyed, and none of it passes for ours."""

import string

from hypothesis import given
from hypothesis import strategies as st

from doorward_console.player import MARGIN, WHOLE_SCREEN, Player
from doorward_console.recording import Piece

S = 1_000_000_000


def played(*texts, stream="stdout"):
    player = Player(1.0, 2.0)
    return "".join(player.show(Piece(0, stream, text.encode("utf-8", "replace"))) for text in texts) + player.end()


def settled(text):
    """What stands on the screen in the end: backspaces done."""
    rows = [[]]
    at = 0
    for character in text:
        if character == "\n":
            rows.append([])
            at = 0
        elif character == "\b":
            at -= 1
        else:
            rows[-1][at : at + 1] = [character]
            at += 1
    return ["".join(row).rstrip() for row in rows]


def test_lines_stand_behind_a_margin():
    assert played("a\r\nb\r\n") == f"{MARGIN}a\n{MARGIN}b\n"
    assert played("a\n\nb") == f"{MARGIN}a\n{MARGIN}\n{MARGIN}b\n"


def test_a_line_that_is_drawn_again_is_drawn_again():
    assert settled(played("lss", "\b\x1b[K", " -l\r\n")) == [f"{MARGIN}ls -l", ""]
    assert settled(played("10%", "\r20%", "\r100%\n")) == [f"{MARGIN}100%", ""]


@given(st.lists(st.text(st.sampled_from("ab\x1b[]0;7mKJH\r\n\b\x07\x9b\u202e\x00?2h\t")), max_size=12))
def test_only_what_is_harmless_leaves(texts):
    out = played(*texts)
    assert set(out) <= {*string.printable[:95], "\n", "\b"}
    assert all(not row or row.startswith(MARGIN.rstrip()) for row in settled(out))


def test_a_full_screen_program_is_said_and_not_drawn():
    out = played("$ vi\r\n\x1b[?1049h\x1b[2Jsession closed: all good\r\n", "more\x1b[?1049l$ \r\n")
    assert out == f"{MARGIN}$ vi\n{MARGIN}{WHOLE_SCREEN}\n{MARGIN}$ \n"


def test_pauses_are_as_they_were_but_for_speed_and_a_limit():
    player = Player(2.0, 3.0)
    times = [S, 2 * S, 100 * S, 50 * S]
    assert [player.pause_s(Piece(at, "stdout", b"")) for at in times] == [0.0, 0.5, 3.0, 0.0]


def test_a_size_is_never_output():
    assert Player(1.0, 1.0).show(Piece(0, "resize", b"0x0")) == ""


def test_a_character_in_two_pieces_is_one():
    player = Player(1.0, 0.0)
    player.show(Piece(0, "stdout", b"caf\xc3"))
    assert "é" in player.show(Piece(0, "stdout", b"\xa9"))
