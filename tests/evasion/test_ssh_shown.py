"""What people are shown of SSH sessions: nothing of it leads their terminal, or passes for what the gateway says."""

import json

import pytest

from doorward_console.asciicast import asciicast
from doorward_console.output import line, shown
from doorward_console.player import MARGIN, Player
from doorward_console.recording import Piece, Recording
from doorward_console.replay import Replay
from doorward_console.typed import TypedReader
from doorward_core.model import Action, Denial, Operation, ReasonCode
from doorward_core.record.reader import Content, Entry
from doorward_ssh import refusals

# What a program at the target may print, and what each of them would do to a terminal that obeyed.
HOSTILE = {
    "clears the screen": "\x1b[2J\x1b[1;1H",
    "writes the clipboard": "\x1b]52;c;cm0gLXJmIC8=\x07",
    "sets the title": "\x1b]0;harmless\x07",
    "answers as if typed": '\x1b[6n\x1b[c\x1bP$q"p\x1b\\',
    "goes up and writes over": "\x1b[5A\x1b[2Ksession closed: all of it was seen",
    "hides what follows": "\x1b[8msecret\x1b[28m",
    "a link that says another": "\x1b]8;;https://evil.example\x1b\\https://good.example\x1b]8;;\x1b\\",
    "C1 controls": "\x9b2J\x9d0;x\x9c\x90q\x9c",
    "never ends": "\x1b]0;" + "x" * 5000,
    "turns the direction": "\u202e\u2066rm\u2069",
    "goes back over the margin": "\r\r\b\b\b\b\b\b\b\b\b\bsession closed: all good",
    "takes no room": "a\u200b\ufeff\u3164b",
    "wraps to the beginning": " " * 500 + "session closed: all good",
    "cut in the middle": "\x1b[",
    "the other character set": "\x0e\x1b(0lqk\x0f",
}
OBEYED = frozenset(map(chr, (*range(0x20), *range(0x7F, 0xA0)))) - {"\n"}


def settled(text):
    """What stands on the lines in the end, with the backspaces that we ourselves sent done."""
    done = []
    for row in text.split("\n"):
        cells, at = [], 0
        for character in row:
            if character == "\b":
                at -= 1
                assert at >= 0, "the cursor left the line"
                continue
            cells[at : at + 1] = [character]
            at += 1
        done.append("".join(cells))
    return done


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("cut", [1, 3, 10_000])
def test_ssh_14_a_terminal_that_is_played_obeys_nothing_and_keeps_to_its_margin(hostile, cut):
    player, data = Player(1.0, 0.0), f"before {hostile} after\r\n".encode()
    out = (
        "".join(player.show(Piece(0, "stdout", data[at : at + cut])) for at in range(0, len(data), cut)) + player.end()
    )
    assert not (set(out) & OBEYED) - {"\b"}
    assert not {"\u202e", "\u2066", "\u200b", "\ufeff"} & set(out)
    assert all(not row or row.startswith(MARGIN) for row in settled(out))


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_ssh_14_a_session_that_is_told_obeys_nothing(hostile):
    operation, session = b"o" * 16, b"s" * 16

    def entry(kind, header, payload):
        return Entry(1, 1, kind, session, operation, header, payload, Content.CLEAR, b"", 1, True)

    told = "\n".join(
        Replay().lines(
            [
                entry("session.opened", {"subject": hostile, "resource": hostile, "peer": hostile}, {}),
                entry(
                    "operation.decided", {"verdict": "permit", "verb": hostile}, {"text": hostile, "advice": hostile}
                ),
                entry("stream.chunk", {"stream": hostile}, {"data": hostile.encode()}),
                entry(
                    "operation.finished", {"code": hostile}, {"shown": hostile.encode(), "shown_format": "ssh.output"}
                ),
                entry("session.watched", {"operator": hostile, "operator_issuer": hostile}, {}),
                entry("session.ended", {"operator": hostile}, {"reason": hostile}),
                entry("session.closed", {"reason": hostile, "coverage": [hostile]}, {}),
            ]
        )
    )
    assert not set(told) & OBEYED
    assert "\u202e" not in told


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_ssh_14_lines_that_were_typed_and_what_lists_show_are_harmless(hostile):
    found = TypedReader().feed(Piece(0, "stdout", f"\x1b[?2004h$ ls {hostile}\r\n\x1b[?2004l".encode()))
    for text in (*(line(one.text) for one in found), line(hostile), shown(hostile)):
        assert not set(text) & OBEYED - {"\t"}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("version", [2, 3])
def test_ssh_14_a_file_for_players_does_nothing_to_the_terminal_that_prints_it(hostile, version):
    pieces = [Piece(1, "resize", b"80x24"), Piece(2, "stdout", hostile.encode())]
    recording = Recording(b"s" * 16, b"o" * 16, hostile, hostile, "x", hostile, hostile, 0, 3, "0", pieces=pieces)
    for row in asciicast(recording, version):
        assert row.isascii()
        assert row.isprintable()
        json.loads(row)


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_ssh_14_what_the_gateway_says_to_a_client_is_one_harmless_line(hostile):
    operation = Operation(b"o" * 16, 1, Action.EXECUTE, "x", (), "", b"", attributes={"problem": hostile})
    denial = Denial(operation, ReasonCode.RULE, hostile, 1)
    for said in (refusals.denied(denial), refusals.held("ap-x", hostile, 9), refusals.line(hostile)):
        assert said.isprintable()
        assert "\n" not in said
